//! `offhook check FILE`.

use std::path::PathBuf;
use std::sync::Arc;

use offhook_config::{Config, NumberRule, Target};
use offhook_flows::Clock;
use offhook_flows::versions::Versions;

use crate::applications::published;
use crate::cli::Place;
use crate::output::print;
use crate::place::{CommandError, block_on, existing_store, read_with_phones};

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
    let flows = missing_flows(&config)?;
    for warning in crate::speech::warnings(&config).into_iter().chain(flows) {
        print(&format!("warning: {warning}"));
    }
    Ok(())
}

/// Numbers that lead to no workflow, as far as there is a database to ask.
fn missing_flows(config: &Config) -> Result<Vec<String>, CommandError> {
    let flows = |number: &NumberRule| matches!(number.to, Target::Flow(_));
    if !config.numbers.iter().any(flows) || matches!(config.database().try_exists(), Ok(false)) {
        return Ok(Vec::new());
    }
    // That it cannot be read was said when the phones were looked up.
    let Ok(store) = existing_store(config) else { return Ok(Vec::new()) };
    let versions = Versions::new(Arc::new(store), Clock::system());
    let missing = block_on(published::missing(config, &versions))?;
    missing.map_err(|error| CommandError::Words(error.to_string()))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
