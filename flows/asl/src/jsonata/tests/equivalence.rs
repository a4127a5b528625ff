//! The guards against the evaluator without them: the same values, and failures of the same code.

use super::*;
use jsonata_core::evaluator::error_code_prefix;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// Forms of which `A`, `B` and `C` give way to smaller ones.
const FORMS: [&str; 44] = [
    "A & B",
    "[A, B]",
    "[A]",
    "[A][]",
    "$string(A)",
    "$join(A, B)",
    "$join([A, B])",
    "A ~> $string",
    "A ~> $join(B)",
    "$map(A, $string)",
    "$map(A, function($v) { B })",
    "$map(A, function($v, $i) { $string($v) & $i })",
    "$replace(A, B, C)",
    "$replace(A, /[a-z]/, B)",
    "$replace(A, /[a-z]/, function($m) { $m.match & B })",
    "$split(A, B)",
    "$pad(A, B)",
    "$pad(A, B, C)",
    "A = B",
    "A != B",
    "A in B",
    "$distinct(A)",
    "$sort(A)",
    "$sort(A, function($l, $r) { $string($l) > $string($r) })",
    "(A).**",
    "$merge(A)",
    "($j := $join(?, B); $j(A))",
    "($s := $string; $s(A))",
    "($t := A; $t & $t)",
    "(A)^($)",
    // Of one value that is no array the guards make what 2.0.6 makes.
    "$filter([A], function($v) { $v = B })",
    "(A).(B)",
    "(A).[B, $]",
    "(A)[$ = B]",
    "A ? B : C",
    "$match(A, /b/)",
    "$reduce([0, A, B], function($p, $q) { $p & $q })",
    "$each(A, function($v, $k) { $k & $v })",
    "{'x': A, 'y': B}",
    "{$string(A): B}",
    "(A).$string()",
    "A ~> |$|{'z': B}|",
    "(A).$replace(B, C)",
    "$zip(A, B) ~> $string()",
];

const ATOMS: [&str; 16] = [
    "1",
    "0",
    "-2",
    "'a'",
    "'b c'",
    "''",
    "$x",
    "$list",
    "$one",
    "null",
    "true",
    "[]",
    "$states.input.items",
    "$states.input.items.n",
    "$states.input.a",
    "$nothing",
];

fn expressions() -> impl Strategy<Value = String> {
    let atom = (0..ATOMS.len()).prop_map(|pick| ATOMS[pick].to_owned());
    atom.prop_recursive(3, 12, 3, |inner| {
        (0..FORMS.len(), inner.clone(), inner.clone(), inner).prop_map(|(form, a, b, c)| {
            let parts = |letter| match letter {
                'A' => format!("({a})"),
                'B' => format!("({b})"),
                'C' => format!("({c})"),
                other => other.to_string(),
            };
            FORMS[form].chars().map(parts).collect()
        })
    })
}

/// The evaluator as it comes.
fn without_guards(source: &str) -> Result<Option<Value>, String> {
    let tree = jsonata_core::parser::parse(source).map_err(|error| error.to_string())?;
    let mut context = Context::new();
    let states = json!({"input": input()});
    for (name, value) in
        [("states", states), ("x", json!(5)), ("list", json!([1, 2, 3])), ("one", json!([7]))]
    {
        context.bind(name.to_owned(), convert::to_jsonata(&value));
    }
    let value = Evaluator::with_options(context, EvaluatorOptions::default())
        .evaluate(&tree, &JValue::Undefined)
        .map_err(|error| error.message().to_owned())?;
    Ok(convert::from_jsonata(&value).unwrap())
}

fn input() -> Value {
    json!({"a": {"b": 1}, "items": [{"id": "p", "n": 1}, {"id": "q", "n": 2}]})
}

fn compare(source: &str) -> Result<(), TestCaseError> {
    let plain = without_guards(source);
    let guarded = evaluate_in(source, &input());
    match (plain, guarded) {
        (Ok(Some(plain)), Ok(guarded)) => prop_assert_eq!(plain, guarded, "{}", source),
        (Ok(None), Err(failure)) => {
            prop_assert!(failure.cause.contains("undefined"), "{}: {}", source, failure);
        }
        (Err(plain), Err(failure)) => {
            let code = error_code_prefix(&plain).unwrap_or_default();
            prop_assert!(failure.cause.contains(code), "{}: {} is {}", source, plain, failure);
        }
        (plain, guarded) => prop_assert!(false, "{}: {:?} is {:?}", source, plain, guarded),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_guards_change_no_value_and_no_error(source in expressions()) {
        if Expression::parse(&source).is_ok() {
            compare(&source)?;
        }
    }
}
