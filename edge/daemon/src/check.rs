//! `offhook check FILE`.

use std::path::Path;

use crate::output::print;
use crate::place::{CommandError, read_with_phones};

/// Prints every problem, or a word that there is none.
pub fn run(file: &Path) -> Result<(), CommandError> {
    let config = read_with_phones(file, None)?;
    print(&format!(
        "{}: good. {} listening sockets, {} trunks, {} numbers, {} groups; data in {}",
        file.display(),
        config.listen.len(),
        config.trunks.len(),
        config.numbers.len(),
        config.groups.len(),
        config.server.data_dir.display()
    ));
    Ok(())
}
