//! `offhook chime`: what the Voice Connectors need at AWS, shown, made and taken back.

mod plan;
mod undo;

use std::io::BufRead as _;

use offhook_chime::sdk::Sdk;
use offhook_chime::{TaskError, Trust};
use offhook_config::Config;
use serde_json::{Value, json};

use self::plan::{Change, Setting, Wishes, plan};
use self::undo::UndoFile;
use crate::cli::{ChimeCommand, OutsideArgs, Place};
use crate::doctor::facts::{connectors, gather, sdk_of};
use crate::folder;
use crate::output::{complain, plain, print};
use crate::place::{CommandError, block_on, configuration};

/// Runs `offhook chime …`.
pub fn run(command: &ChimeCommand) -> Result<(), CommandError> {
    match command {
        ChimeCommand::Setup { place, outside, trunk, country, only, yes } => {
            let wishes = Wishes { countries: country.clone(), only: *only };
            setup(&configuration(place)?, outside, trunk.as_deref(), &wishes, *yes)
        }
        ChimeCommand::Undo { place, force, yes } => take_back(place, *force, *yes),
    }
}

fn words(text: impl Into<String>) -> CommandError {
    CommandError::Words(text.into())
}

fn setup(
    config: &Config,
    outside: &OutsideArgs,
    only: Option<&str>,
    wishes: &Wishes,
    yes: bool,
) -> Result<(), CommandError> {
    let trunks: Vec<_> =
        connectors(config).filter(|trunk| only.is_none_or(|name| trunk.name == name)).collect();
    if trunks.is_empty() {
        return Err(words(match only {
            Some(name) => format!("no [[trunk]] of type \"voice_connector\" is called {name:?}"),
            None => "the configuration has no [[trunk]] of type \"voice_connector\"".to_owned(),
        }));
    }
    let facts = block_on(gather(config, outside))?;
    let (mut changes, mut undecided) = (Vec::new(), 0);
    for trunk in trunks {
        match plan(config, &facts, trunk, wishes) {
            Ok(planned) => changes.extend(planned),
            Err(why) => {
                undecided += 1;
                complain(&plain(&format!("trunk {}: {why}", trunk.name)));
            }
        }
    }
    for change in &changes {
        show(change, &change.words);
    }
    if !changes.is_empty() {
        confirm(yes)?;
        make(config, changes)?;
    } else if undecided == 0 {
        print("The connectors have all they need. Nothing was changed.");
    }
    match undecided {
        0 => Ok(()),
        count => Err(words(format!("{count} of the connectors could not be set up"))),
    }
}

fn show(change: &Change, words: &[String]) {
    print(&format!("trunk {}, {}:", change.trunk, change.setting.name()));
    for word in words {
        print(&format!("  * {}", plain(word)));
    }
    let before = change.before.as_ref().map_or("nothing".to_owned(), Value::to_string);
    print(&format!("    before {before}\n    after  {}", change.after));
}

/// Without a yes nothing is done.
fn confirm(yes: bool) -> Result<(), CommandError> {
    if yes {
        return Ok(());
    }
    print("Change this at AWS? Type yes:");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim().eq_ignore_ascii_case("yes") {
        return Ok(());
    }
    Err(words("nothing was changed"))
}

/// What was there is written down before anything is changed.
fn make(config: &Config, changes: Vec<Change>) -> Result<(), CommandError> {
    let data = &config.server.data_dir;
    folder::make(data).map_err(|error| CommandError::File { path: data.clone(), error })?;
    let file = UndoFile::of(data);
    for change in changes {
        file.add(&change)?;
        ask(config, &change, Some(&change.after))?;
        // AWS fills in what was left out: `undo` compares with what it has from now on.
        if let Some(there) = now_there(config, &change)? {
            file.made(there)?;
        }
        print(&format!("trunk {}, {}: done", change.trunk, change.setting.name()));
    }
    print("`offhook chime undo` takes it back; `offhook doctor` looks whether all is well now.");
    Ok(())
}

/// Gives a connector a setting; `None`: takes it away.
fn ask(config: &Config, change: &Change, value: Option<&Value>) -> Result<(), CommandError> {
    let name = change.setting.name();
    let mut asked = json!({"VoiceConnectorId": change.connector});
    let verb = match value {
        Some(value) => {
            asked[name] = value.clone();
            "put"
        }
        None => "delete",
    };
    let sdk = sdk(config, change)?;
    let action = format!("{verb}VoiceConnector{name}");
    block_on(sdk.call("chimesdkvoice", &action, &asked))?.map_err(|error| refused(&error))?;
    Ok(())
}

fn sdk(config: &Config, change: &Change) -> Result<Sdk, CommandError> {
    let trust = Trust::system().map_err(words)?;
    sdk_of(config, &change.region, &trust).map_err(words)
}

fn refused(error: &TaskError) -> CommandError {
    words(format!("AWS did not do it: {error}"))
}

/// What AWS has now.
fn now_there(config: &Config, change: &Change) -> Result<Option<Value>, CommandError> {
    let name = change.setting.name();
    let asked = json!({"VoiceConnectorId": change.connector});
    let action = format!("getVoiceConnector{name}");
    match block_on(sdk(config, change)?.call("chimesdkvoice", &action, &asked))? {
        Ok(answer) => Ok(answer.get(name).filter(|value| !value.is_null()).cloned()),
        Err(error) if error.error.contains("NotFound") => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

fn take_back(place: &Place, force: bool, yes: bool) -> Result<(), CommandError> {
    let config = configuration(place)?;
    let file = UndoFile::of(&config.server.data_dir);
    let mut changes = file.read()?;
    if changes.is_empty() {
        print("There is nothing to take back.");
        return Ok(());
    }
    // What there will be when the later changes of a setting are taken back.
    let mut then: Vec<(String, Setting, Option<Value>)> = Vec::new();
    for change in changes.iter().rev() {
        let of_it = |(id, setting, _): &&(String, Setting, Option<Value>)| {
            *id == change.connector && *setting == change.setting
        };
        let there = match then.iter().rev().find(of_it) {
            Some((.., there)) => there.clone(),
            None => now_there(&config, change)?,
        };
        then.push((change.connector.clone(), change.setting, change.before.clone()));
        if there != change.before && there.as_ref() != Some(&change.after) && !force {
            return Err(words(format!(
                "trunk {}: somebody changed its {} since; --force sets it back all the same",
                change.trunk,
                change.setting.name()
            )));
        }
        let back = change.before.as_ref().map_or("nothing".to_owned(), Value::to_string);
        print(&format!("trunk {}, {}: back to {back}", change.trunk, change.setting.name()));
    }
    confirm(yes)?;
    while let Some(change) = changes.last() {
        // Of one that was written down and then not made nothing is left to do.
        if now_there(&config, change)? != change.before {
            ask(&config, change, change.before.as_ref())?;
        }
        changes.pop();
        file.write(&changes)?;
    }
    print("All is as it was before `offhook chime setup`.");
    Ok(())
}
