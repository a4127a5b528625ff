use super::*;

/// What stands before `EXPR` in `($house; $states; EXPR)` is read whole.
#[test]
fn an_expression_gives_the_same_whether_it_is_given_all_of_a_variable_or_what_it_reads() {
    let house = json!({
        "rooms": [{"name": "hall", "doors": [1, 2]}, {"name": "attic"}, [{"name": "den"}]],
        "owner": {"name": "Ann", "phones": {"home": "1", "work": "2"}},
        "empty": {}, "none": null, "list": [],
    });
    let mut variables = Variables::new();
    variables.assign("house", house.clone());
    let states = json!({"input": house, "context": {"State": {"Name": "S"}}});
    let entropy = Entropy::new(3);
    let scope = Scope {
        input: &house,
        context: &Value::Null,
        variables: &variables,
        states: Some(&states),
        now: "2025-03-21T12:00:00.5Z".parse().unwrap(),
        entropy: &entropy,
    };
    let evaluate = |source: &str| Expression::parse(source).unwrap().evaluate(&scope, "Output");
    for (expression, gives) in [
        ("@.owner.phones.home & @.owner.phones.work", true),
        ("@.rooms.name", true),
        ("@.rooms[name='hall'].doors", true),
        ("@.rooms[0].doors[-1] + 0", true),
        ("@.owner.*", true),
        ("@.owner.phones.($keys($))", true),
        ("@.owner.{'n': name, 'k': $keys(phones)}", true),
        ("@.rooms.doors.{'room': %.name, 'door': $}", true),
        ("@.rooms@$r.$r.name", true),
        ("@.rooms#$i.{'at': $i, 'name': name}", true),
        ("@.**.name", true),
        ("$keys(@.owner)", true),
        ("$keys(@)", true),
        ("$lookup(@, 'owner').name", true),
        ("$lookup(@, 'nothing')", false),
        ("$merge([@, {'more': @.empty}])", true),
        ("$each(@, function($value, $name) { $name & $type($value) })", true),
        ("$string(@)", true),
        ("$string($states)", true),
        ("@.owner.name & $string($count($keys(@.owner)))", true),
        ("$exists(@.owner.address.street) or $exists(@.empty)", true),
        ("$type(@.empty) & $type(@.none) & $type(@.list)", true),
        ("@.rooms^(name).name", true),
        ("@.nothing.at.all", false),
        ("@.owner.name.first", false),
        ("$map(@.rooms, function($room) { $room.name })", true),
        ("$map(@.rooms, function($house) { $house.name })", true),
        ("$map(@.rooms, function($states) { $states.name })", true),
        ("($owner := @.owner; $owner.phones.home & '')", true),
        ("(@.owner.name & ($house := {'a': 1}; $house.a) & $string(@))", true),
        ("(@.owner.name & ($states := {'a': 1}; $states.a) & $string(@))", true),
        ("($house := @.rooms[0]; $house.doors)", true),
        ("@ ~> |owner|{'name': 'Bob'}|", true),
        ("@.owner.name + 1", false),
    ] {
        for variable in ["$house", "$states.input"] {
            // `@` that binds is no place for a variable.
            let part = expression.replace("@$r", "\u{1}").replace('@', variable);
            let part = part.replace('\u{1}', "@$r");
            let given = evaluate(&part);
            assert_eq!(given.is_ok(), gives, "{part}: {given:?}");
            match (given, evaluate(&format!("({variable}; $states; {part})"))) {
                (Ok(given), whole) => assert_eq!(Ok(given), whole, "{part}"),
                (Err(_), whole) => assert!(whole.is_err(), "{part}"),
            }
        }
    }
}

#[test]
fn what_an_expression_is_given_of_its_documents_shows_nowhere() {
    for source in [
        "$states.input.a.b",
        "$states.(input.a.b)",
        "$states[0].input.a.b",
        "($s := $states; $s.input.a.b)",
        "$lookup($states, 'input').a.b",
        "$states{'x': input.a.b}.x",
        "$states.*.a.b",
        "$states.input[a.b = 1].a.b",
        "$map([1], function($n){ $states.input.a.b })",
        "$states.context.State.Name = 'S' ? $states.input.a.b : 2",
        "$states.**[b = 1].b",
        "$states.input[%.context.State.Name = 'S'].a.b",
        "$states.input.%.context.State.Name = 'S' ? 1",
    ] {
        assert_eq!(value(source), json!(1), "{source}");
    }
    assert_eq!(value("$keys($states)"), json!(["input", "context"]));
    assert_eq!(value("$states.input ~> |$|{'n': 1}| ~> $type"), json!("object"));
}

#[test]
fn what_is_made_later_may_be_called_before_and_states_of_ones_own_are_no_documents() {
    for (source, foreign, members) in [
        ("($f := function() { $g() }; $g := function() { 1 }; $f())", vec![], vec![]),
        ("($f := function() { $g() }; $f())", vec!["g"], vec![]),
        ("(($g := function() { 1 }; 1); $g())", vec!["g"], vec![]),
        ("($g(); ($g := function() { 1 }; $g()))", vec!["g"], vec![]),
        ("$f := function() { $h() }", vec!["h"], vec![]),
        ("$states.wrong", vec![], vec!["wrong"]),
        ("($states := {'wrong': 1}; $states.wrong)", vec![], vec![]),
        ("$map([1], function($states) { $states.wrong })", vec![], vec![]),
    ] {
        let expression = Expression::parse(source).unwrap();
        let called: Vec<&str> = expression.foreign_calls().map(|(name, _)| name).collect();
        assert_eq!(called, foreign, "{source}");
        assert_eq!(expression.reads_of_states().collect::<Vec<_>>(), members, "{source}");
    }
}
