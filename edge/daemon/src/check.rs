//! `offhook check FILE`.

use std::path::PathBuf;

use crate::cli::Place;
use crate::output::print;
use crate::place::{CommandError, read_with_phones};

/// Prints every problem, or a word that there is none.
pub fn run(file: Option<&PathBuf>) -> Result<(), CommandError> {
    let place = Place { config: file.cloned(), data: None };
    let Some(file) = place.file() else {
        return Err(CommandError::Words("which file? `offhook check FILE`".into()));
    };
    let config = read_with_phones(&file, None)?;
    print(&format!(
        "{}: good. {}, {}, {}, {}; data in {}",
        file.display(),
        counted(config.listen.len(), "listening socket"),
        counted(config.trunks.len(), "trunk"),
        counted(config.numbers.len(), "number"),
        counted(config.groups.len(), "group"),
        config.server.data_dir.display()
    ));
    for warning in crate::speech::warnings(&config) {
        print(&format!("warning: {warning}"));
    }
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
