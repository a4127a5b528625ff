//! Standard output of the commands: the one place that prints.

/// Prints a text and a newline; a reader that went away is no error.
pub fn print(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints to standard error.
pub fn complain(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// `1 problem`, `2 problems`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Characters of a text of others that are shown.
const MOST: usize = 160;
/// The same for why something failed: what matters often stands at the end.
const MOST_OF_A_REASON: usize = 600;

/// What somebody else wrote, as it may stand in a line of a terminal: no control characters, which
/// could paint anything there, none that turn the direction of writing, and not without end.
pub fn plain(text: &str) -> String {
    shown(text, MOST)
}

/// The same for words that say why something failed.
pub fn reason(text: &str) -> String {
    shown(text, MOST_OF_A_REASON)
}

fn shown(text: &str, most: usize) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || turns(c) { '\u{fffd}' } else { c };
    let mut plain: String = text.chars().take(most).map(shown).collect();
    if text.chars().nth(most).is_some() {
        plain.push('…');
    }
    plain
}

/// A span of time in its two largest units: `3 d 4 h`.
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Columns as wide as their widest cell, two spaces between them.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_moves_no_cursor_and_ends() {
        assert_eq!(
            plain("Zoë \x1b[2J\r\nCall 2\u{9b}1m\u{202e}"),
            "Zoë \u{fffd}[2J\u{fffd}\u{fffd}Call 2\u{fffd}1m\u{fffd}"
        );
        assert_eq!(plain(&"x".repeat(MOST)).chars().count(), MOST);
        assert_eq!(plain(&"x".repeat(70_000)).chars().count(), MOST + 1);
    }

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        let told = [59, 61, 3_600, 90_061].map(span);
        assert_eq!(told, ["59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
    }
}
