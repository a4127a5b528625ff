//! `offhook bans`: who is locked out, and letting somebody in again.

use offhook_pbx::keep::Bans as _;
use serde_json::json;

use crate::cli::BansCommand;
use crate::control::{self, ControlError};
use crate::output::{print, table};
use crate::place::{CommandError, block_on, existing_store, whereabouts};

/// Runs `offhook bans …`. Works on the database; a running daemon is told.
pub fn run(command: &BansCommand) -> Result<(), CommandError> {
    match command {
        BansCommand::List { place, json } => {
            let config = whereabouts(place)?;
            let now = std::time::SystemTime::now();
            let mut bans = block_on(existing_store(&config)?.load_bans())??;
            // The daemon throws them away some time after they are over.
            bans.retain(|ban| ban.until > now);
            let left = |until: std::time::SystemTime| {
                until.duration_since(now).unwrap_or_default().as_secs()
            };
            if *json {
                let list = bans.iter().map(|b| {
                    json!({"address": b.source.to_string(), "reason": b.reason,
                           "failures": b.failures, "seconds_left": left(b.until)})
                });
                print(&list.collect::<serde_json::Value>().to_string());
            } else if bans.is_empty() {
                print("Nobody is banned.");
            } else {
                let mut rows =
                    vec![["ADDRESS", "FAILURES", "FOR ANOTHER", "WHY"].map(str::to_owned)];
                rows.extend(bans.iter().map(|b| {
                    [
                        b.source.to_string(),
                        b.failures.to_string(),
                        format!("{} s", left(b.until)),
                        b.reason.clone(),
                    ]
                }));
                print(&table(&rows));
            }
            Ok(())
        }
        BansCommand::Lift { place, address } => {
            let config = whereabouts(place)?;
            match control::ask(&config.server.data_dir, "DELETE", &format!("/bans/{address}")) {
                Ok(_) => {}
                Err(ControlError::NotRunning(_)) => {
                    block_on(existing_store(&config)?.remove_ban(*address))??;
                }
                Err(error) => return Err(error.into()),
            }
            print(&format!("{address} may come back."));
            Ok(())
        }
    }
}
