//! `offhook bans`: who is locked out, and letting somebody in again.

use std::net::IpAddr;
use std::time::SystemTime;

use offhook_config::Config;
use offhook_pbx::bans::group;
use offhook_pbx::keep::{Ban, Bans as _};
use serde_json::{Value, json};

use crate::cli::BansCommand;
use crate::control::{self, ControlError};
use crate::output::{print, table};
use crate::place::{CommandError, block_on, existing_store, whereabouts};

/// Runs `offhook bans …`. The running daemon says which are in force: under a flood it keeps more
/// than it writes down. Without one the database is asked, from which it would take them up.
pub fn run(command: &BansCommand) -> Result<(), CommandError> {
    match command {
        BansCommand::List { place, json } => {
            let bans = in_force(&whereabouts(place)?)?;
            print(&if *json { bans.to_string() } else { words(&bans) });
            Ok(())
        }
        BansCommand::Lift { place, address } => {
            lift(&whereabouts(place)?, *address)?;
            print(&format!("{} may come back.", group(*address)));
            Ok(())
        }
    }
}

fn in_force(config: &Config) -> Result<Value, CommandError> {
    match control::ask(&config.server.data_dir, "GET", "/bans") {
        Err(ControlError::NotRunning(_)) => Ok(listed(&kept(config)?)),
        answer => Ok(answer?),
    }
}

/// Those in the database, that are not over.
fn kept(config: &Config) -> Result<Vec<Ban>, CommandError> {
    Ok(block_on(existing_store(config)?.load_bans())??)
}

/// As the commands and the control socket show them.
pub fn listed(bans: &[Ban]) -> Value {
    let now = SystemTime::now();
    let one = |ban: &Ban| {
        let left = ban.until.duration_since(now).unwrap_or_default().as_secs();
        json!({"address": ban.source.to_string(), "reason": ban.reason,
               "failures": ban.failures, "seconds_left": left})
    };
    bans.iter().map(one).collect()
}

fn words(bans: &Value) -> String {
    let bans = bans.as_array().map(Vec::as_slice).unwrap_or_default();
    if bans.is_empty() {
        return "Nobody is banned.".to_owned();
    }
    let mut rows = vec![["ADDRESS", "FAILURES", "FOR ANOTHER", "WHY"].map(str::to_owned)];
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    rows.extend(bans.iter().map(|ban| {
        let left = format!("{} s", ban["seconds_left"]);
        [text(&ban["address"]), ban["failures"].to_string(), left, text(&ban["reason"])]
    }));
    table(&rows)
}

fn lift(config: &Config, address: IpAddr) -> Result<(), CommandError> {
    match control::ask(&config.server.data_dir, "DELETE", &format!("/bans/{address}")) {
        Err(ControlError::NotRunning(_)) => {}
        answer => return Ok(answer.map(drop)?),
    }
    // A whole IPv6 network is one source.
    let source = group(address);
    if !kept(config)?.iter().any(|ban| ban.source == source) {
        return Err(CommandError::Words(format!("{address} is not banned")));
    }
    Ok(block_on(existing_store(config)?.remove_ban(source))??)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::place;

    #[test]
    fn without_a_daemon_a_ban_is_lifted_by_any_address_of_its_network_and_only_once() {
        let mut config = Config::default();
        let folder = std::env::temp_dir().join(format!("offhook-bans-{}", std::process::id()));
        config.server.data_dir.clone_from(&folder);
        let store = place::store(&config).unwrap();
        let since = SystemTime::now();
        let source = group("2001:db8::7".parse().unwrap());
        let until = since + Duration::from_secs(60);
        let ban = Ban { source, reason: "wrong password".into(), failures: 9, since, until };
        place::block_on(store.put_ban(ban)).unwrap().unwrap();
        assert!(words(&in_force(&config).unwrap()).contains("wrong password"));
        let lift = |address: &str| lift(&config, address.parse().unwrap());
        assert!(lift("192.0.2.1").unwrap_err().to_string().contains("is not banned"));
        lift("2001:db8::99").unwrap();
        assert!(lift("2001:db8::99").is_err());
        assert_eq!(words(&in_force(&config).unwrap()), "Nobody is banned.");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
