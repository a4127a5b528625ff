//! `offhook reload`.

use crate::cli::Place;
use crate::control;
use crate::output::print;
use crate::place::{CommandError, whereabouts};

/// Asks the running daemon to read its configuration again, and prints what changed.
pub fn run(place: &Place) -> Result<(), CommandError> {
    let config = whereabouts(place)?;
    let answer = control::ask(&config.server.data_dir, "POST", "/reload")?;
    let changes: Vec<&str> =
        answer["changes"].as_array().into_iter().flatten().filter_map(|c| c.as_str()).collect();
    print(&match changes.as_slice() {
        [] => "Read again; nothing changed but, maybe, certificates.".to_owned(),
        changes => format!("Read again:\n  {}", changes.join("\n  ")),
    });
    Ok(())
}
