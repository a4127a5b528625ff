//! `offhook api-key`: access keys for programs.

use jiff::Timestamp;
use offhook_config::Config;
use serde_json::{Value, json};

use super::keys::{AccessKey, KeyFile};
use crate::cli::ApiKeyCommand;
use crate::folder;
use crate::output::{plain, print, table};
use crate::place::{CommandError, configuration, whereabouts};

/// Runs `offhook api-key …`. The daemon sees a change by itself.
pub fn run(command: &ApiKeyCommand) -> Result<(), CommandError> {
    let failed = |error: super::keys::KeysError| CommandError::Words(error.to_string());
    match command {
        ApiKeyCommand::Add { place, name } => {
            let config = configuration(place)?;
            let data = &config.server.data_dir;
            folder::make(data).map_err(|error| CommandError::File { path: data.clone(), error })?;
            let name = name.as_deref().unwrap_or_default();
            let key = KeyFile::of(data).add(name, Timestamp::now()).map_err(failed)?;
            print(&instructions(&config, &key));
            Ok(())
        }
        ApiKeyCommand::List { place, json } => {
            let data = whereabouts(place)?.server.data_dir;
            let keys = KeyFile::of(&data).current().map_err(failed)?;
            let keys: Vec<&AccessKey> = keys.iter().collect();
            print(&if *json { listed(&keys).to_string() } else { words(&keys) });
            Ok(())
        }
        ApiKeyCommand::Remove { place, id } => {
            let data = whereabouts(place)?.server.data_dir;
            KeyFile::of(&data).remove(id).map_err(failed)?;
            print(&format!("Access key {id} lets nobody in any more."));
            Ok(())
        }
    }
}

/// The one time that a secret is shown.
fn instructions(config: &Config, key: &AccessKey) -> String {
    let mut text = format!(
        "Access key id      {}\nSecret access key  {}\n\n\
         The secret is not shown again.",
        key.id,
        key.secret.expose()
    );
    match config.api.listen {
        None => text.push_str(
            " Programs are let in when the configuration has:\n\n\
             [api]\nlisten = \"127.0.0.1:9481\"\n",
        ),
        Some(address) => {
            let scheme = if config.api.certificate.is_some() { "https" } else { "http" };
            text.push_str(&format!(
                " For example:\n\n\
                 AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY=… \\\n\
                 aws chime-sdk-voice update-sip-media-application-call \\\n\
                 \x20 --endpoint-url {scheme}://{address} --region us-east-1 \\\n\
                 \x20 --sip-media-application-id FLOW --transaction-id ID --arguments key=value\n",
                key.id
            ));
        }
    }
    text.trim_end().to_owned()
}

fn listed(keys: &[&AccessKey]) -> Value {
    let one = |key: &&AccessKey| json!({"id": key.id, "name": key.name, "created": key.created.to_string()});
    keys.iter().map(one).collect()
}

fn words(keys: &[&AccessKey]) -> String {
    if keys.is_empty() {
        return "There are no access keys: `offhook api-key add` makes one.".to_owned();
    }
    let mut rows = vec![["ACCESS KEY ID", "MADE", "NAME"].map(str::to_owned)];
    rows.extend(keys.iter().map(|key| {
        let made = key.created.strftime("%Y-%m-%d").to_string();
        [key.id.clone(), made, plain(&key.name)]
    }));
    table(&rows)
}
