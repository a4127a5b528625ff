//! Collecting digits: the rules of `PlayAudioAndGetDigits` and `ReceiveDigits`, without a clock.

mod expression;

use std::time::{Duration, Instant};

use crate::action::{DigitInput, ReceiveDigits};
use crate::event::{ActionError, error_type};
use expression::Expression;

/// What came of a digit or of time passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// More may come.
    Waiting,
    /// These fit.
    Accepted(String),
    /// The attempt is over and what came does not fit (it may be empty).
    Refused,
}

/// One attempt of `PlayAudioAndGetDigits`, or one `ReceiveDigits`.
#[derive(Debug)]
pub struct Collector {
    regex: Option<Expression>,
    min: usize,
    max: usize,
    terminators: Vec<char>,
    between: Duration,
    /// `ReceiveDigits`: time after the first digit when all is handed over.
    flush: Option<Duration>,
    digits: String,
    /// When the attempt ends unless a digit comes.
    deadline: Option<Instant>,
    flush_at: Option<Instant>,
}

impl Collector {
    /// For one attempt. The clock starts with [`Collector::start`], when the prompt has ended.
    ///
    /// # Errors
    /// `InvalidActionParameter` in AWS's words.
    pub fn for_prompt(input: &DigitInput) -> Result<Self, ActionError> {
        let max = usize::try_from(input.max_number_of_digits).unwrap_or(usize::MAX);
        let min = usize::try_from(input.min_number_of_digits).unwrap_or(usize::MAX);
        if !(1..=128).contains(&max) || min > max {
            return Err(invalid("The MaxNumberOfDigits parameter is invalid."));
        }
        if input.repeat_duration_in_milliseconds == 0 {
            return Err(invalid("The RepeatDurationInMilliseconds parameter is invalid."));
        }
        let between = input
            .in_between_digits_duration_in_milliseconds
            .unwrap_or(input.repeat_duration_in_milliseconds);
        Ok(Self {
            regex: input.input_digits_regex.as_deref().map(expression).transpose()?,
            min,
            max,
            terminators: characters(&input.terminator_digits),
            between: Duration::from_millis(between),
            flush: None,
            digits: String::new(),
            deadline: None,
            flush_at: None,
        })
    }

    /// For `ReceiveDigits`: no end of its own, listens until it is replaced.
    ///
    /// # Errors
    /// `InvalidActionParameter` in AWS's words.
    pub fn for_listening(action: &ReceiveDigits) -> Result<Self, ActionError> {
        if action.in_between_digits_duration_in_milliseconds == 0 {
            return Err(invalid("The InBetweenDigitsDurationInMilliseconds parameter is invalid."));
        }
        if action.flush_digits_duration_in_milliseconds == 0 {
            return Err(invalid("The FlushDigitsDurationInMilliseconds parameter is invalid."));
        }
        Ok(Self {
            regex: Some(expression(&action.input_digits_regex)?),
            min: 1,
            max: 128,
            terminators: Vec::new(),
            between: Duration::from_millis(action.in_between_digits_duration_in_milliseconds),
            flush: Some(Duration::from_millis(action.flush_digits_duration_in_milliseconds)),
            digits: String::new(),
            deadline: None,
            flush_at: None,
        })
    }

    /// The prompt has ended: from now on `first` may pass without a digit.
    pub fn start(&mut self, now: Instant, first: Duration) {
        if self.digits.is_empty() {
            self.deadline = Some(now + first);
        }
    }

    /// Whether a digit came.
    pub fn has_digits(&self) -> bool {
        !self.digits.is_empty()
    }

    /// When [`Collector::expired`] is to be asked.
    pub fn deadline(&self) -> Option<Instant> {
        match (self.deadline, self.flush_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// A digit came.
    pub fn digit(&mut self, now: Instant, digit: char) -> Verdict {
        if self.digits.is_empty() {
            self.flush_at = self.flush.map(|flush| now + flush);
        }
        if self.terminators.contains(&digit) {
            // An expression such as ^\d{2}#$ names the terminator: then it is held against both.
            let with = format!("{}{digit}", self.digits);
            if self.regex.as_ref().is_some_and(|r| r.is_match(&with)) {
                return self.accept(with);
            }
            return self.judge();
        }
        self.digits.push(digit);
        self.deadline = Some(now + self.between);
        if self.digits.chars().count() >= self.max {
            return self.judge();
        }
        Verdict::Waiting
    }

    /// Time passed.
    pub fn expired(&mut self, now: Instant) -> Verdict {
        if self.deadline().is_none_or(|at| at > now) {
            return Verdict::Waiting;
        }
        let flush = self.flush_at.is_some_and(|at| at <= now);
        if self.flush.is_none() {
            return self.judge();
        }
        let fits = self.regex.as_ref().is_none_or(|r| r.is_match(&self.digits));
        if flush || fits {
            let digits = std::mem::take(&mut self.digits);
            return self.accept(digits);
        }
        self.deadline = None;
        Verdict::Waiting
    }

    fn judge(&mut self) -> Verdict {
        let digits = std::mem::take(&mut self.digits);
        self.deadline = None;
        let enough = digits.chars().count() >= self.min;
        let fits = self.regex.as_ref().is_none_or(|r| r.is_match(&digits));
        // Nothing pressed at all is a timeout, even where no digit would be enough.
        if enough && fits && !(digits.is_empty() && self.min == 0 && self.regex.is_some()) {
            return Verdict::Accepted(digits);
        }
        Verdict::Refused
    }

    fn accept(&mut self, digits: String) -> Verdict {
        self.digits.clear();
        self.deadline = None;
        self.flush_at = None;
        Verdict::Accepted(digits)
    }
}

fn invalid(text: &str) -> ActionError {
    ActionError::new(error_type::INVALID_ACTION_PARAMETER, text)
}

fn expression(text: &str) -> Result<Expression, ActionError> {
    Expression::new(text).ok_or_else(|| invalid("The InputDigitsRegex parameter is invalid."))
}

/// The digits named by a list such as `["1", "#"]`.
pub fn characters(list: &[String]) -> Vec<char> {
    list.iter().filter_map(|text| text.chars().next()).collect()
}
