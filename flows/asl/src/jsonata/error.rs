//! How an expression fails, in JSONata 2.0.6's words, which are AWS's.

use super::limits::MEMORY;
use serde_json::Value as Json;

/// Bytes of an error message: AWS's bound of a cause.
const MOST_MESSAGE: usize = 32_768;
const STACK: &str = "Stack overflow error: Check for non-terminating recursive function. \
                     Consider rewriting as tail-recursive";
const TIMEOUT: &str = "Expression evaluation timeout: Check for infinite loop";
/// Where the name of a function comes into a message, as JSON.
pub(super) const FUNCTION: &str = "\u{0}";

pub(super) type Result<T = super::value::Value> = std::result::Result<T, Error>;

/// An error. In a box: results are handed on often, errors seldom.
#[derive(Debug)]
pub(super) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// JSONata's, such as `T2001`; none for a bound and where 2.0.6 fails within JavaScript.
    code: Option<&'static str>,
    words: String,
    function: Option<String>,
}

impl Error {
    /// One with a code of JSONata. [`FUNCTION`] in `words` is filled in by the call that failed.
    pub(super) fn coded(code: &'static str, words: impl Into<String>) -> Self {
        Self(Box::new(Inner { code: Some(code), words: words.into(), function: None }))
    }

    /// Says which function failed, unless that is known.
    pub(super) fn of(mut self, function: &str) -> Self {
        self.0.function.get_or_insert_with(|| function.to_owned());
        self
    }

    /// Whether a function's name is missing in it.
    pub(super) fn names_no_function(&self) -> bool {
        self.0.function.is_none() && self.0.words.contains(FUNCTION)
    }

    /// The end of AWS's sentence: a bound follows a colon, an error with a code a full stop.
    pub(super) fn ending(&self) -> String {
        let words = match self.0.words.split_once(FUNCTION) {
            Some((before, after)) => {
                let function = self.0.function.as_deref().map(|name| Json::from(name).to_string());
                format!("{before}{}{after}", function.as_deref().unwrap_or("undefined"))
            }
            None => self.0.words.clone(),
        };
        let end = (0..=MOST_MESSAGE.min(words.len())).rev().find(|&at| words.is_char_boundary(at));
        let words = words.get(..end.unwrap_or(0)).unwrap_or_default();
        match self.0.code {
            Some(code) => format!(". {code}: {words}"),
            None => format!(": {words}"),
        }
    }
}

/// An error without a code of JSONata.
pub(super) fn error(words: impl Into<String>) -> Error {
    Error(Box::new(Inner { code: None, words: words.into(), function: None }))
}

/// Too much memory.
#[cold]
pub(super) fn memory() -> Error {
    error(MEMORY)
}

/// Too many levels.
#[cold]
pub(super) fn too_deep() -> Error {
    error(STACK)
}

/// Too much time.
#[cold]
pub(super) fn too_long() -> Error {
    error(TIMEOUT)
}

/// An argument, counted from one, is of a type that its function does not take.
pub(super) fn mismatch(argument: usize) -> Error {
    let words =
        format!("Argument {argument} of function {FUNCTION} does not match function signature");
    Error::coded("T0410", words)
}
