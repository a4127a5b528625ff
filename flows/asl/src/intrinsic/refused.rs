//! Why a function has no value, in AWS's words.

use super::Function;

/// What is wrong with the arguments of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Their number, their types, or what they are. AWS does not say which.
    Arguments,
    /// A template has another number of `{}` than there are values.
    Placeholders,
    /// A template has a `{` that nothing closes.
    Unclosed,
    /// A template has a `}` that nothing opens.
    Unopened,
    /// A text is no JSON: the reader's words.
    NotJson(String),
}

impl Refused {
    /// AWS's sentence (tiny-asl-machine, States.Format 018 to 020, States.StringToJson 011, and
    /// many for the plain one).
    pub(super) fn words(self, function: Function) -> String {
        let name = function.name();
        match self {
            Self::Arguments => format!("Invalid arguments in {name}"),
            Self::Placeholders => format!(
                "Invalid arguments in {name}: number of arguments do not match the occurrences of {{}}."
            ),
            Self::Unclosed => {
                format!("Invalid template in {name}: matching '}}' not found for '{{'.")
            }
            Self::Unopened => {
                format!("Invalid template in {name}: matching '{{' not found for '}}'.")
            }
            Self::NotJson(words) => {
                format!("Cannot convert String to Json in {name}, caused by: {words}")
            }
        }
    }
}
