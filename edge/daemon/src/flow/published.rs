//! Versions and aliases: publish, list, diff, alias, rollback.

use std::path::Path;
use std::sync::Arc;

use offhook_asl::Machine;
use offhook_asl::machine::Inherited;
use offhook_config::Config;
use offhook_flows::Clock;
use offhook_flows::names::REFUSED;
use offhook_flows::store::{Alias, MachineType, PublishedVersion, Route};
use offhook_flows::versions::{VersionError, Versions, diff as differences, is_alias};
use serde_json::json;

use super::files::{is_standard_input, read};
use super::{line, unserved, warn};
use crate::cli::Place;
use crate::control;
use crate::output::{complain, print, table};
use crate::place::{CommandError, block_on, configuration, existing_store, store, whereabouts};

/// What is to be published.
pub(super) struct New<'a> {
    pub(super) file: &'a Path,
    pub(super) name: &'a Option<String>,
    pub(super) alias: &'a Option<String>,
    pub(super) description: &'a str,
    pub(super) express: bool,
}

/// The versions of an appliance that is there.
fn versions(place: &Place) -> Result<Versions, CommandError> {
    let config = whereabouts(place)?;
    Ok(Versions::new(Arc::new(existing_store(&config)?), Clock::system()))
}

fn words(error: VersionError) -> CommandError {
    CommandError::Words(match error {
        VersionError::InvalidName(name) => format!(
            "'{name}' cannot be the name of a workflow or an alias: it has 1 to 80 characters, no \
             white space, no control characters, none of @{REFUSED}, and an alias is no number"
        ),
        error => error.to_string(),
    })
}

pub(super) fn publish(place: &Place, new: &New<'_>) -> Result<(), CommandError> {
    let config = configuration(place)?;
    let name = match new.name {
        Some(name) => name.clone(),
        None if is_standard_input(new.file) => {
            let words = "what comes from standard input has no name: give it one with --name";
            return Err(CommandError::Words(words.to_owned()));
        }
        None => name_of(new.file),
    };
    // Before anything is published.
    new.alias.as_deref().map_or(Ok(()), is_alias).map_err(words)?;
    let text = read(new.file)?;
    let kind = if new.express { MachineType::Express } else { MachineType::Standard };
    let versions = Versions::new(Arc::new(store(&config)?), Clock::system());
    let published = block_on(versions.publish(&name, &text, kind, new.description))?;
    let published = published.map_err(|error| match error {
        VersionError::InvalidDefinition(problems) => {
            let lines: Vec<String> = problems.iter().map(|p| line(new.file, p)).collect();
            CommandError::Words(lines.join("\n"))
        }
        error => words(error),
    })?;
    warn(new.file, &published.warnings);
    if let Ok(machine) = Machine::load(&text) {
        warn(new.file, &unserved(&text, &machine));
    }
    let version = published.version;
    if published.unchanged {
        print(&format!("{name} version {version} is this already."));
    } else {
        print(&format!("{name} version {version} is published."));
    }
    if let Some(alias) = new.alias {
        let route = vec![Route { version, weight: 100 }];
        block_on(versions.shift(&name, alias, route))?.map_err(words)?;
        print(&format!("{name}@{alias} points to version {version}."));
    }
    tell_daemon(&config)
}

/// `menu.asl.json` is `menu`.
fn name_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".json").unwrap_or(&name);
    name.strip_suffix(".asl").unwrap_or(name).to_owned()
}

/// A daemon that runs learns of the tables that a workflow uses.
fn tell_daemon(config: &Config) -> Result<(), CommandError> {
    match control::ask(&config.server.data_dir, "POST", "/flows/published") {
        Ok(_) | Err(control::ControlError::NotRunning(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn list(place: &Place, name: Option<&str>, as_json: bool) -> Result<(), CommandError> {
    let versions = versions(place)?;
    let (all, aliases) = block_on(async {
        Ok::<_, VersionError>((versions.list(name).await?, versions.aliases(name).await?))
    })?
    .map_err(words)?;
    if let Some(name) = name.filter(|_| all.is_empty()) {
        return Err(no_workflow(&versions, name)?);
    }
    if as_json {
        let all: Vec<_> = all.iter().map(|version| told(version, &aliases)).collect();
        print(&json!({"versions": all, "aliases": aliases}).to_string());
        return Ok(());
    }
    if all.is_empty() {
        complain("No workflow is published; `offhook flow publish FILE` does it.");
        return Ok(());
    }
    let header = ["workflow", "version", "published", "aliases", "what is new"];
    let mut rows = vec![header.map(str::to_owned)];
    let mut seen: Option<&str> = None;
    for version in &all {
        // Without a name: the latest of each, and what an alias points to.
        let pointed = pointing(version, &aliases);
        let latest = seen != Some(version.machine.as_str());
        seen = Some(&version.machine);
        if name.is_none() && !latest && pointed.is_empty() {
            continue;
        }
        rows.push([
            version.machine.clone(),
            version.version.to_string(),
            version.published.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            pointed.join(" "),
            version.description.clone(),
        ]);
    }
    print(&table(&rows));
    Ok(())
}

/// Aliases that point to a version, with its share when it is not all.
fn pointing(version: &PublishedVersion, aliases: &[Alias]) -> Vec<String> {
    let of = aliases.iter().filter(|alias| alias.machine == version.machine);
    let routes = of.flat_map(|alias| alias.routes.iter().map(move |route| (alias, route)));
    routes
        .filter(|(_, route)| route.version == version.version)
        .map(|(alias, route)| match route.weight {
            100 => alias.name.clone(),
            weight => format!("{} ({weight} %)", alias.name),
        })
        .collect()
}

fn told(version: &PublishedVersion, aliases: &[Alias]) -> serde_json::Value {
    json!({
        "name": version.machine,
        "version": version.version,
        "type": version.kind,
        "published": version.published.to_string(),
        "digest": version.digest,
        "description": version.description,
        "aliases": pointing(version, aliases),
    })
}

/// That there is none of this name, and which there are.
fn no_workflow(versions: &Versions, name: &str) -> Result<CommandError, CommandError> {
    let numbers = block_on(versions.numbers())?.map_err(|error| words(error.into()))?;
    let mut names: Vec<String> = numbers.into_iter().map(|(name, _)| name).collect();
    names.dedup();
    let there = if names.is_empty() { "none is".to_owned() } else { names.join(", ") };
    // As an ARN and a number's `to` have it.
    let qualified = name.split_once([':', '@']).filter(|(name, _)| names.iter().any(|n| n == name));
    let meant = qualified.map(|(name, version)| {
        format!(" (of {name} the version stands apart here: `{name} {version}`)")
    });
    let meant = meant.unwrap_or_default();
    Ok(CommandError::Words(format!("there is no workflow {name}{meant}; published: {there}")))
}

/// A definition, and how it is read.
struct Definition {
    text: String,
    inherited: Inherited,
}

impl From<PublishedVersion> for Definition {
    fn from(version: PublishedVersion) -> Self {
        Self { inherited: version.inherited(), text: version.definition }
    }
}

/// The definition of a version, or of the version that an alias points to. `None`: it is neither.
fn definition(
    versions: &Versions,
    name: &str,
    wanted: &str,
) -> Result<Option<Definition>, CommandError> {
    let get = |version| -> Result<_, CommandError> {
        Ok(Some(block_on(versions.get(name, version))?.map_err(words)?.into()))
    };
    if let Ok(version) = wanted.parse() {
        return get(version);
    }
    let aliases = block_on(versions.aliases(Some(name)))?.map_err(|error| words(error.into()))?;
    let Some(alias) = aliases.into_iter().find(|alias| alias.name == wanted) else {
        return Ok(None);
    };
    let [route] = alias.routes.as_slice() else {
        let words = format!("{name}@{wanted} points to two versions: write one of them");
        return Err(CommandError::Words(words));
    };
    get(route.version)
}

/// The definition in a file, as it would be published; nothing that is no JSON can be compared.
fn definition_in(file: &Path) -> Result<Definition, CommandError> {
    let text = read(file)?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(Definition { text, inherited: Inherited::FromMachine }),
        Err(_) => {
            let problems = Machine::load(&text).err().unwrap_or_default();
            let lines: Vec<String> = problems.iter().map(|p| line(file, p)).collect();
            Err(CommandError::Words(lines.join("\n")))
        }
    }
}

/// What is different, each in a line. The same text may be read otherwise since it was published.
fn compared(before: &Definition, after: &Definition) -> Vec<String> {
    let found = differences(&before.text, &after.text);
    let mut lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    let depends = |one: &Definition| {
        let machine = Machine::load_published(&one.text, one.inherited);
        machine.is_ok_and(|machine| machine.depends_on_inherited())
    };
    if before.inherited != after.inherited && (depends(before) || depends(after)) {
        let whose = |one: &Definition| match one.inherited {
            Inherited::FromMachine => "the state machine's",
            Inherited::FromState => "that of the state around them",
        };
        lines.push(format!(
            "States in Maps and branches that name no query language have {} in the first, and {} in \
             the second.",
            whose(before),
            whose(after)
        ));
    }
    if lines.is_empty() {
        lines.push("They are the same.".to_owned());
    }
    lines
}

pub(super) fn diff(
    place: &Place,
    name: &str,
    from: &str,
    to: Option<&str>,
) -> Result<(), CommandError> {
    let versions = versions(place)?;
    let all = block_on(versions.list(Some(name)))?.map_err(|error| words(error.into()))?;
    let Some(latest) = all.into_iter().next() else { return Err(no_workflow(&versions, name)?) };
    let before = definition(&versions, name, from)?.ok_or_else(|| {
        let file = match Path::new(from).exists() {
            true => format!(": a file comes behind the version, as in `flow diff {name} 1 {from}`"),
            false => String::new(),
        };
        CommandError::Words(format!("{from} is neither a version nor an alias of {name}{file}"))
    })?;
    let after = match to {
        None => latest.into(),
        // Also where an alias has this name.
        Some(to) if is_standard_input(Path::new(to)) => definition_in(Path::new(to))?,
        Some(to) => match definition(&versions, name, to)? {
            Some(definition) => definition,
            None => definition_in(Path::new(to))?,
        },
    };
    compared(&before, &after).iter().for_each(|line| print(line));
    Ok(())
}

pub(super) fn alias(
    place: &Place,
    name: &str,
    alias: &str,
    wanted: &[String],
) -> Result<(), CommandError> {
    let alone = wanted.len() == 1;
    let routes: Option<Vec<Route>> = wanted
        .iter()
        .map(|text| {
            let (version, weight) = match text.split_once('=') {
                Some((version, weight)) => (version, weight.parse().ok()?),
                None => (text.as_str(), alone.then_some(100)?),
            };
            Some(Route { version: version.parse().ok()?, weight })
        })
        .collect();
    let routes = routes.ok_or_else(|| {
        let form = "write a version (3), or two with their shares of new calls (3=90 4=10)";
        CommandError::Words(form.to_owned())
    })?;
    let set = block_on(versions(place)?.shift(name, alias, routes))?.map_err(words)?;
    print(&points(&set));
    Ok(())
}

pub(super) fn roll_back(place: &Place, name: &str, alias: &str) -> Result<(), CommandError> {
    let versions = versions(place)?;
    if block_on(versions.list(Some(name)))?.map_err(|error| words(error.into()))?.is_empty() {
        return Err(no_workflow(&versions, name)?);
    }
    let set = block_on(versions.roll_back(name, alias))?.map_err(words)?;
    print(&points(&set));
    Ok(())
}

fn points(alias: &Alias) -> String {
    let routes: Vec<String> = alias
        .routes
        .iter()
        .map(|route| match route.weight {
            100 => format!("version {}", route.version),
            weight => format!("version {} ({weight} %)", route.version),
        })
        .collect();
    format!("{}@{} points to {}.", alias.machine, alias.name, routes.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_that_is_read_by_another_rule_since_is_not_told_to_be_the_same() {
        let pass = json!({ "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } });
        let machine = |state: serde_json::Value| {
            json!({ "StartAt": "M", "States": { "M": state } }).to_string()
        };
        let of = |text: &str, inherited| Definition { text: text.to_owned(), inherited };
        let map = json!({ "Type": "Map", "QueryLanguage": "JSONata", "Items": [1], "End": true,
            "ItemProcessor": pass });
        let other = machine(map);
        let told = |text: &str, before, after| compared(&of(text, before), &of(text, after));
        use Inherited::{FromMachine, FromState};
        assert_eq!(
            told(&other, FromState, FromMachine),
            [
                "States in Maps and branches that name no query language have that of the state around \
              them in the first, and the state machine's in the second."
            ]
        );
        assert_eq!(told(&other, FromMachine, FromMachine), ["They are the same."]);
        let succeed = machine(json!({ "Type": "Succeed" }));
        assert_eq!(told(&succeed, FromState, FromMachine), ["They are the same."]);
        let lines = compared(&of(&succeed, FromState), &of(&other, FromMachine));
        assert!(
            lines.len() > 1 && lines.last().unwrap().starts_with("States in Maps"),
            "{lines:?}"
        );
    }
}
