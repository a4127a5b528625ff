//! What an extension may be called.

/// Whether a text can be an extension: 1 to 32 letters, digits, `-`, `_`, `.`, `*`, `#`, `+`, the
/// first of them not a dot.
///
/// One rule for all who make, dial or keep extensions: the name is a SIP user name, is dialled, and
/// is the name of its mailbox's folder. So it holds nothing that leads out of a folder.
pub fn is_extension(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '#' | '+'))
}

/// [`is_extension`] in words, after the name: `"a b" …`.
pub const RULE: &str =
    "must be 1 to 32 letters, digits, `-`, `_`, `.`, `*`, `#` or `+`, not beginning with a dot";

#[cfg(test)]
mod tests {
    use super::is_extension;

    #[test]
    fn a_name_that_could_leave_its_folder_is_no_extension() {
        for bad in ["", ".", "..", "../x", ".hidden", "a/b", "1 2", "ä", &"1".repeat(33)] {
            assert!(!is_extension(bad), "{bad:?}");
        }
        for good in ["101", "front-desk", "front_desk", "10.1", "*7", "1#", "+1", "1.."] {
            assert!(is_extension(good), "{good:?}");
        }
    }
}
