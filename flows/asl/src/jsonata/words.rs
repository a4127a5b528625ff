//! How AWS words what the evaluator words otherwise: the templates of JSONata 2.0.6.

use super::limits::MEMORY;
use super::own;
use super::trace::Notes;
use jsonata_core::evaluator::error_code_prefix;
use serde_json::Value;

/// Bytes of an error message: AWS's bound of a cause.
const MOST_MESSAGE: usize = 32_768;
const STACK: &str = "Stack overflow error: Check for non-terminating recursive function. \
                     Consider rewriting as tail-recursive";
const TIMEOUT: &str = "Expression evaluation timeout: Check for infinite loop";

/// What the evaluator says of `&` with a number that is none in JSON.
const CONCATENATED: &str = "Cannot concatenate complex types";

/// What the parser says, without the name of its kind of error before a code.
pub(super) fn of_parser(message: String) -> String {
    match message.strip_prefix("Invalid syntax: ") {
        Some(coded) if error_code_prefix(coded).is_some() => coded.to_owned(),
        _ => message,
    }
}

/// The end of AWS's sentence: a bound follows a colon, an error with a code a full stop.
pub(super) fn ending(message: &str, notes: &Notes) -> String {
    let message = if message == CONCATENATED { "D3001: " } else { message };
    let (separator, words) = match error_code_prefix(message) {
        Some("D1012") => (": ", TIMEOUT.to_owned()),
        Some("D1011" | "U1001") => (": ", STACK.to_owned()),
        Some("D2015") => (": ", MEMORY.to_owned()),
        Some(code) => {
            let words = message.get(code.len() + 2..).unwrap_or_default();
            // The evaluator puts the context in as an argument before it looks at types.
            let is_context = code == "T0410" && notes.is_bare && words.contains("must be");
            let code = if is_context { "T0411" } else { code };
            (". ", format!("{code}: {}", reworded(code, words, notes)))
        }
        None => (": ", message.to_owned()),
    };
    let end = (0..=MOST_MESSAGE.min(words.len())).rev().find(|&at| words.is_char_boundary(at));
    format!("{separator}{}", words.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// The first number in `words` after `mark`.
fn number_after(words: &str, mark: &str) -> Option<usize> {
    let rest = words.split_once(mark)?.1;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// `"+"`: as JSON, which is how the templates show operators, names and values.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn reworded(code: &str, words: &str, notes: &Notes) -> String {
    let kept = || words.to_owned();
    match code {
        "D1001" => "Number out of range: null".to_owned(),
        "D1002" => format!("Cannot negate a non-numeric value: {}", notes.left),
        "T1006" => "Attempted to invoke a non-function".to_owned(),
        "T0410" | "T0411" | "T0412" => signature(code, words, notes),
        "T2001" | "T2002" => operator(words).map_or_else(kept, |(before, operator, after)| {
            format!("{before}side of the {} {after}", quoted(operator))
        }),
        "T2011" => format!(
            "The insert/update clause of the transform expression must evaluate to an object: {}",
            notes.left
        ),
        "T2012" => format!(
            "The delete clause of the transform expression must evaluate to a string or array of \
             strings: {}",
            notes.left
        ),
        "T2003" => {
            "The left side of the range operator (..) must evaluate to an integer".to_owned()
        }
        "T2004" => {
            "The right side of the range operator (..) must evaluate to an integer".to_owned()
        }
        "T2009" => notes.compared.as_ref().map_or_else(kept, |(left, operator, right)| {
            format!(
                "The values {left} and {right} either side of operator {} must be of the same \
                 data type",
                quoted(operator)
            )
        }),
        "T2010" => notes.compared.as_ref().map_or_else(kept, |(_, operator, _)| {
            format!(
                "The expressions either side of operator {} must evaluate to numeric or string \
                 values",
                quoted(operator)
            )
        }),
        "D3001" => "Attempting to invoke string function on Infinity or NaN".to_owned(),
        "D3010" => "Second argument of replace function cannot be an empty string".to_owned(),
        "D3020" => "Third argument of split function must evaluate to a positive number".to_owned(),
        "D3030" => match words.split_once('\'').and_then(|(_, rest)| rest.rsplit_once('\'')) {
            Some((value, _)) => format!("Unable to cast value to a number: {}", quoted(value)),
            None => kept(),
        },
        "D3086" => "The sub-picture must not contain a passive character that is preceded by an \
                    active character and that is followed by another active character"
            .to_owned(),
        "D3137" if words.is_empty() => "$error() function evaluated".to_owned(),
        "D3141" if words.is_empty() => "$assert() statement failed".to_owned(),
        "D3138" => {
            "The $single() function expected exactly 1 matching result.  Instead it matched \
                    more."
                .to_owned()
        }
        _ => kept(),
    }
}

/// `The left side of the + operator …` in its parts.
fn operator(words: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = words.split_once("side of the ")?;
    let (operator, after) = rest.split_once(' ')?;
    Some((before, operator.trim_matches('"'), after))
}

fn signature(code: &str, words: &str, notes: &Notes) -> String {
    let named = words.split_once("of function \"").and_then(|(_, rest)| rest.split_once('"'));
    if notes.function.is_empty() || named.is_some_and(|(name, _)| own::parameters(name).is_none()) {
        return words.to_owned();
    }
    let function = quoted(&notes.function);
    let counted = || {
        let expected = number_after(words, "expected ")?;
        let got = number_after(words, "got ")?;
        Some(expected.min(got) + 1)
    };
    let argument = number_after(words, "Argument ").or_else(counted).unwrap_or(1);
    match code {
        "T0411" => format!(
            "Context value is not a compatible type with argument {argument} of function {function}"
        ),
        "T0412" => {
            let items = match words.rsplit_once("array of ").map(|(_, kind)| kind.trim()) {
                Some("Number") => "numbers",
                Some("String") => "strings",
                Some("Boolean") => "booleans",
                Some("Object") => "objects",
                Some("Function") => "functions",
                _ => "arrays",
            };
            format!("Argument {argument} of function {function} must be an array of \"{items}\"")
        }
        _ => {
            format!("Argument {argument} of function {function} does not match function signature")
        }
    }
}
