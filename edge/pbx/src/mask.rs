//! Telephone numbers in logs: masked unless the operator asks for them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the operator asked for whole numbers (`[server] log_numbers = "full"`). One for the
/// process, as the journal is one.
static WHOLE: AtomicBool = AtomicBool::new(false);

/// Sets whether numbers are shown whole from now on.
pub fn show_whole_numbers(whole: bool) {
    WHOLE.store(whole, Ordering::Relaxed);
}

/// Shorter runs of digits are extensions, services and status codes.
const SHORTEST: usize = 7;

/// Shows a text with the middle of every telephone number in it covered:
/// `+15551234567` becomes `+1555•••4567`. Allocates nothing until it is printed.
#[derive(Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

/// [`Masked`] as a function, for tracing fields.
pub fn mask(text: &str) -> Masked<'_> {
    Masked(text)
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if WHOLE.load(Ordering::Relaxed) {
            return f.write_str(self.0);
        }
        let mut rest = self.0;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
            let (run, after) = from.split_at(end);
            f.write_str(before)?;
            write_run(f, run)?;
            rest = after;
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// `run` is ASCII digits only, so every index is a boundary.
fn write_run(f: &mut fmt::Formatter<'_>, run: &str) -> fmt::Result {
    if run.len() < SHORTEST {
        return f.write_str(run);
    }
    // Ten digits and more show four on each side; local numbers two.
    let keep = if run.len() >= 10 { 4 } else { 2 };
    let (head, rest) = run.split_at(keep);
    let (middle, tail) = rest.split_at(rest.len() - keep);
    f.write_str(head)?;
    for _ in 0..middle.len() {
        f.write_str("•")?;
    }
    f.write_str(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_covered_and_extensions_are_not() {
        assert_eq!(mask("+15551234567").to_string(), "+1555•••4567");
        assert_eq!(
            mask("sip:+4989123456789@192.0.2.1:5060").to_string(),
            "sip:+4989•••••6789@192.0.2.1:5060"
        );
        assert_eq!(mask("5551234").to_string(), "55•••34");
        assert_eq!(mask("101 calls 112, answered 200").to_string(), "101 calls 112, answered 200");
        assert_eq!(format!("{:?}", mask("Müller +15551234567")), "\"Müller +1555•••4567\"");
    }
}
