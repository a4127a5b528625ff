//! A search whose work is counted.
//!
//! > The engine counts how often it goes back. Between two times it may still go through the whole
//! > text, and again for every character of it: `(?=.*a)(?=.*b)`, `(?:(?=.*a)x)*` within a
//! > look-around. All of that reads the text, so the reading is what is counted. The engine cannot
//! > be told to stop; it is left by unwinding.

use fancy_regex::{Captures, Input, Regex, RegexInput};
use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

/// Bytes that one search may read, the same byte counted each time.
pub(super) const MOST_READ: usize = 1 << 29;
/// What is counted at least each time, for the engine's own work.
const LEAST_READ: usize = 32;

/// A text that counts what may be read of it.
pub(super) struct Metered<'t> {
    text: &'t str,
    /// Bytes that may be read at one time.
    each: usize,
    read: Cell<usize>,
    most: usize,
    until: Instant,
}

/// What the engine is left with.
struct Spent;

impl<'t> Metered<'t> {
    /// `span`: the longest part of the text that one instruction of the pattern looks at. `until`:
    /// when the evaluation's time is over.
    pub(super) fn new(text: &'t str, span: usize, until: Instant) -> Self {
        let each = span.min(text.len()).max(LEAST_READ);
        Self { text, each, read: Cell::new(0), most: MOST_READ, until }
    }

    /// Bytes that were read, each as often as it was.
    pub(super) fn read(&self) -> usize {
        self.read.get()
    }

    fn spend(&self, bytes: usize) {
        let read = self.read.get().saturating_add(bytes);
        self.read.set(read);
        // A byte may cost more than it counts, for captures are found slowly.
        if read > self.most || Instant::now() > self.until {
            resume_unwind(Box::new(Spent));
        }
    }

    /// The first match at or after `start`.
    ///
    /// # Errors
    ///
    /// What was too much, in one sentence.
    pub(super) fn search(
        &self,
        regex: &Regex,
        start: usize,
    ) -> Result<Option<Captures<'_, Self>>, String> {
        let input = RegexInput::new(self).from_pos(start);
        match catch_unwind(AssertUnwindSafe(|| regex.captures_input(input))) {
            Ok(found) => found.map_err(|wrong| format!("Regular expression: {wrong}")),
            Err(left) if left.is::<Spent>() => Err(format!(
                "Regular expression: it takes too many steps in a text of {} bytes",
                self.text.len()
            )),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Input for Metered<'_> {
    type Match<'m>
        = Range<usize>
    where
        Self: 'm;

    fn len(&self) -> usize {
        self.text.len()
    }

    fn as_bytes(&self) -> &[u8] {
        self.spend(self.each);
        self.text.as_bytes()
    }

    fn is_char_boundary(&self, ix: usize) -> bool {
        self.text.is_char_boundary(ix)
    }

    fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }

    fn prev_codepoint_ix(&self, i: usize) -> usize {
        self.spend(1);
        let before = self.text.get(..i).and_then(|before| before.chars().next_back());
        i.saturating_sub(before.map_or(1, char::len_utf8))
    }

    fn make_match(&self, start: usize, end: usize) -> Range<usize> {
        start..end
    }

    fn advance_position(&self, i: usize) -> usize {
        let next = self.text.get(i..).and_then(|rest| rest.chars().next());
        i + next.map_or(1, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jsonata::regex::{Looking, MOST_SEARCHED};
    use std::time::Duration;

    fn full_size() -> String {
        "a1".repeat(MOST_SEARCHED / 2)
    }

    /// With time enough, whatever the machine does besides.
    fn unhurried<'t>(looking: &Looking, text: &'t str) -> Metered<'t> {
        looking.metered(text, Instant::now() + Duration::from_secs(3600))
    }

    #[test]
    fn a_search_that_goes_through_the_text_at_each_character_is_left_after_so_many_bytes() {
        let text = full_size();
        for pattern in [
            "(?=.*1)(?=.*a)x",
            "(?<=:.*),",
            "(?=((?:(?=.*1)[a1])*))\\1y",
            "(?=(?:(?=(?:(?=.*1)[a1])*)[a1])*)y",
            "(a)(?!.*\\1)",
        ] {
            let looking = Looking::compiled(pattern, "").unwrap();
            let mut metered = unhurried(&looking, &text);
            assert_eq!(metered.most, 1 << 29);
            // As much again and again is no other behaviour.
            metered.most = 1 << 24;
            let told = metered.search(&looking.regex, 0).err().unwrap();
            assert!(told.contains("too many steps in a text of 65536 bytes"), "{pattern}: {told}");
            assert!(metered.read.get() <= metered.most + text.len(), "{pattern}");
            // The engine can be used again.
            assert!(unhurried(&looking, "a").search(&looking.regex, 0).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn a_search_of_bounded_parts_goes_through_a_text_of_full_size() {
        let text = full_size() + "a2";
        for pattern in ["a(?=2)", "(?<!b)a(?!1)", "a(?=2|x)"] {
            let looking = Looking::compiled(pattern, "").unwrap();
            let metered = unhurried(&looking, &text);
            let found = metered.search(&looking.regex, 0).unwrap();
            assert_eq!(found.and_then(|found| found.get(0)), Some(65536..65537), "{pattern}");
        }
    }

    #[test]
    fn a_search_is_left_when_its_time_is_over() {
        let looking = Looking::compiled("a(?=2)", "").unwrap();
        let over = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let metered = looking.metered("a2", over);
        assert!(metered.search(&looking.regex, 0).is_err());
    }
}
