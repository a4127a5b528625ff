//! What the operator names: a file of JSON, or standard input.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use crate::place::CommandError;

/// Larger ones are no definition: AWS takes 1 MiB.
const MAX_BYTES: u64 = 4 << 20;

/// Whether standard input is meant.
pub(super) fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

/// Refuses two files that are standard input, which is read once.
///
/// # Errors
/// In words for the operator.
pub(super) fn one_standard_input<'a>(
    files: impl IntoIterator<Item = &'a Path>,
) -> Result<(), CommandError> {
    if files.into_iter().filter(|file| is_standard_input(file)).count() > 1 {
        let words = "two files cannot both come from standard input: write - once only";
        return Err(CommandError::Words(words.to_owned()));
    }
    Ok(())
}

/// The text of a definition, or another file of JSON; `-` is standard input.
///
/// # Errors
/// It cannot be read, is larger than 4 MiB, or is no UTF-8.
pub(super) fn read(file: &Path) -> Result<String, CommandError> {
    let failed = |error| CommandError::File { path: file.to_owned(), error };
    let mut bytes = Vec::new();
    let read = if is_standard_input(file) {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        let opened = std::fs::File::open(file).map_err(failed)?;
        opened.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    };
    read.map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let error = std::io::Error::new(ErrorKind::FileTooLarge, "the file is larger than 4 MiB");
        return Err(failed(error));
    }
    String::from_utf8(bytes).map_err(|error| CommandError::Words(no_utf8(file, error.as_bytes())))
}

/// What a text is instead of UTF-8, and where.
fn no_utf8(file: &Path, bytes: &[u8]) -> String {
    let file = file.display();
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return format!(
            "{file}: the text is UTF-16, as PowerShell writes what `>` sends to a file: save it as \
             UTF-8"
        );
    }
    let good = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{file}:{line}:{column}: the text is not UTF-8 from here on: save it as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_another_encoding_is_told_with_its_place() {
        let file = Path::new("a.asl.json");
        let latin = no_utf8(file, b"{\n \"Comment\": \"caf\xe9\"}");
        assert!(latin.starts_with("a.asl.json:2:17: the text is not UTF-8"), "{latin}");
        for bytes in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}"] {
            assert!(no_utf8(file, bytes).contains("UTF-16"));
        }
    }
}
