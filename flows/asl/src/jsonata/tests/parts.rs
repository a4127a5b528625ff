use super::*;

/// What stands beside `EXPR` in `($house; $states.input; EXPR)` is read whole.
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
    for expression in [
        "@.owner.phones.home & @.owner.phones.work",
        "@.rooms.name",
        "@.rooms[name='hall'].doors",
        "@.rooms[0].doors[-1] + 0",
        "@.owner.*",
        "@.owner.phones.($keys($))",
        "@.owner.{'n': name, 'k': $keys(phones)}",
        "@.rooms.doors.{'room': %.name, 'door': $}",
        "@.rooms@$r.$r.name",
        "@.**.name",
        "$keys(@.owner)",
        "$keys(@)",
        "@.owner.name & $string($count($keys(@.owner)))",
        "$exists(@.owner.address.street) or $exists(@.empty)",
        "$type(@.empty) & $type(@.none) & $type(@.list)",
        "@.rooms^(name).name",
        "@.nothing.at.all",
        "@.owner.name.first",
        "$map(@.rooms, function($room) { $room.name })",
        "($owner := @.owner; $owner.phones.home & '')",
        "@ ~> |owner|{'name': 'Bob'}|",
        "@.owner.name + 1",
    ] {
        for variable in ["$house", "$states.input"] {
            let part = expression.replace('@', variable).replace("rooms$house$r", "rooms@$r");
            let part = part.replace("rooms$states.input$r", "rooms@$r");
            let whole = evaluate(&format!("({variable}; {part})"));
            match evaluate(&part) {
                Ok(value) => assert_eq!(Ok(value), whole, "{part}"),
                Err(_) => assert!(whole.is_err(), "{part}"),
            }
        }
    }
}
