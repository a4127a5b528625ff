//! `offhook doctor`: looks at the whole chain from here to Amazon Chime SDK and says in words what
//! is wrong and how to mend it. It changes nothing.

pub(crate) mod facts;
mod finding;
mod judge;
pub(crate) mod routes;

use serde_json::Value;

use self::finding::{Finding, Level};
pub(crate) use self::judge::{is_allowed, leads_to};
use crate::cli::{OutsideArgs, Place};
use crate::control;
use crate::output::{plain, print};
use crate::place::{CommandError, block_on, configuration};

/// Looks, judges and prints; a problem makes the command fail.
pub fn run(place: &Place, outside: &OutsideArgs, json: bool) -> Result<(), CommandError> {
    let config = configuration(place)?;
    let mut facts = block_on(facts::gather(&config, outside))?;
    let asked = control::ask(&config.server.data_dir, "GET", "/status");
    facts.daemon = Some(asked.map_err(|error| error.to_string()));
    let found = judge::judge(&config, &facts);
    let problems = found.iter().filter(|finding| finding.level == Level::Problem).count();
    if json {
        print(&Value::from_iter(found.iter().map(Finding::json)).to_string());
    } else {
        for finding in &found {
            print(&lines(finding));
        }
    }
    match problems {
        0 => Ok(()),
        count => Err(CommandError::Words(format!(
            "{count} problem{} found",
            if count == 1 { "" } else { "s" }
        ))),
    }
}

/// What others wrote may stand in a finding.
fn lines(finding: &Finding) -> String {
    finding.line().lines().map(plain_long).collect::<Vec<_>>().join("\n")
}

fn plain_long(line: &str) -> String {
    let pieces: Vec<char> = line.chars().collect();
    pieces.chunks(100).map(|piece| plain(&piece.iter().collect::<String>())).collect()
}
