//! Published definitions: versions that never change, and aliases that point to them.
//!
//! An execution keeps the version it began with, whatever its alias does meanwhile. Source: Step
//! Functions developer guide, "Manage continuous deployments with versions and aliases".

mod diff;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use offhook_asl::Machine;
use offhook_asl::machine::{Problem, Severity};

pub use self::diff::{Change, Difference, diff};
use crate::clock::Clock;
use crate::names::{MachineRef, is_name};
use crate::runtime::StartError;
use crate::store::{Alias, FlowStore, MachineType, PublishedVersion, Route, StoreError};

/// Machines that are kept loaded.
const LOADED: usize = 256;

/// Machines by name and version.
type Loaded = HashMap<(String, u32), Arc<Machine>>;

/// The published definitions. Clones share what is loaded.
#[derive(Clone)]
pub struct Versions {
    store: Arc<dyn FlowStore>,
    clock: Clock,
    loaded: Arc<Mutex<Loaded>>,
}

/// The version that a new execution is to run.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The machine's name.
    pub name: String,
    /// Its version; 0: a definition that was not published.
    pub version: u32,
    /// The alias that led there.
    pub alias: Option<String>,
    /// Standard or Express.
    pub kind: MachineType,
    /// The definition.
    pub machine: Arc<Machine>,
}

/// What publishing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The version's number.
    pub version: u32,
    /// The latest version has this very definition already: nothing was added.
    pub unchanged: bool,
    /// What probably was not meant, though it runs.
    pub warnings: Vec<Problem>,
}

/// Why a version or an alias was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VersionError {
    /// The definition cannot run; each mistake with its place.
    #[error("Invalid State Machine Definition: '{}'", first(.0))]
    InvalidDefinition(Vec<Problem>),
    /// The name is not allowed.
    #[error("Invalid Name: '{0}'")]
    InvalidName(String),
    /// There is no machine, version or alias of that name.
    #[error("there is no {0}")]
    NotFound(String),
    /// An alias points to the version.
    #[error("{version} is what the alias {alias} points to: shift it first")]
    InUse {
        /// Machine and version.
        version: String,
        /// The alias.
        alias: String,
    },
    /// An alias has one or two versions, whose weights make 100.
    #[error("{0}")]
    InvalidRoutes(String),
    /// It could not be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn first(problems: &[Problem]) -> String {
    let more = problems.len().saturating_sub(1);
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    if more == 0 { first } else { format!("{first} (and {more} more)") }
}

impl Versions {
    /// Those of a store.
    pub fn new(store: Arc<dyn FlowStore>, clock: Clock) -> Self {
        Self { store, clock, loaded: Arc::default() }
    }

    /// Publishes a definition as the next version of a machine, unless the latest one is the same.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn publish(
        &self,
        name: &str,
        definition: &str,
        kind: MachineType,
        description: &str,
    ) -> Result<Published, VersionError> {
        is_referable(name)?;
        let machine = Machine::load(definition).map_err(VersionError::InvalidDefinition)?;
        let mut warnings = machine.warnings().to_vec();
        if kind == MachineType::Express {
            // They run here all the same; AWS refuses them.
            let unfit = machine.express_problems().iter().cloned();
            let unfit = unfit.map(|one| Problem { severity: Severity::Warning, ..one });
            // Those of a Map's Express children are among the warnings.
            warnings.extend(unfit.filter(|one| !machine.warnings().contains(one)));
        }
        let latest = match self.store.find_version(name.to_owned(), None).await? {
            Some((number, _)) => self.store.get_version(name.to_owned(), number).await?,
            None => None,
        };
        if let Some(latest) = latest.filter(|v| v.kind == kind && v.is_read_as(&machine)) {
            return Ok(Published { version: latest.version, unchanged: true, warnings });
        }
        let version = PublishedVersion {
            machine: name.to_owned(),
            version: 0,
            kind,
            definition: definition.to_owned(),
            digest: machine.digest().to_owned(),
            description: description.to_owned(),
            published: self.clock.now(),
            inherits_from_machine: true,
        };
        let number = self.store.publish_version(version).await?;
        self.remember(name, number, Arc::new(machine));
        Ok(Published { version: number, unchanged: false, warnings })
    }

    /// All versions of one machine or of all, newest first.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn list(&self, name: Option<&str>) -> Result<Vec<PublishedVersion>, StoreError> {
        self.store.list_versions(name.map(str::to_owned)).await
    }

    /// Machine and number of all versions, newest first. No definition is read.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn numbers(&self) -> Result<Vec<(String, u32)>, StoreError> {
        self.store.list_numbers().await
    }

    /// One version.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn get(&self, name: &str, version: u32) -> Result<PublishedVersion, VersionError> {
        let found = self.store.get_version(name.to_owned(), version).await?;
        found.ok_or_else(|| VersionError::NotFound(format!("version {version} of {name}")))
    }

    /// Deletes a version that no alias points to. Executions that run it go on; after a restart
    /// they cannot.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn delete(&self, name: &str, version: u32) -> Result<(), VersionError> {
        let points = |alias: &Alias| alias.routes.iter().any(|route| route.version == version);
        if let Some(alias) = self.aliases(Some(name)).await?.into_iter().find(points) {
            let version = format!("{name}:{version}");
            return Err(VersionError::InUse { version, alias: alias.name });
        }
        if !self.store.delete_version(name.to_owned(), version).await? {
            return Err(VersionError::NotFound(format!("version {version} of {name}")));
        }
        self.loaded().remove(&(name.to_owned(), version));
        Ok(())
    }

    /// Aliases of one machine or of all.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn aliases(&self, name: Option<&str>) -> Result<Vec<Alias>, StoreError> {
        self.store.list_aliases(name.map(str::to_owned)).await
    }

    /// Points an alias to one version, or to two with their shares of new executions in percent.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn shift(
        &self,
        name: &str,
        alias: &str,
        routes: Vec<Route>,
    ) -> Result<Alias, VersionError> {
        is_alias(alias)?;
        self.check_routes(name, &routes).await?;
        let former = self.alias(name, alias).await?.map(|alias| alias.routes).unwrap_or_default();
        let new = Alias {
            machine: name.to_owned(),
            name: alias.to_owned(),
            routes,
            former,
            updated: self.clock.now(),
        };
        self.store.put_alias(new.clone()).await?;
        Ok(new)
    }

    async fn check_routes(&self, name: &str, routes: &[Route]) -> Result<(), VersionError> {
        let invalid = |why: &str| Err(VersionError::InvalidRoutes(why.to_owned()));
        match routes {
            [_] => {}
            [one, other] if one.version != other.version => {}
            [_, _] => return invalid("the two versions of an alias must differ"),
            _ => return invalid("an alias points to one version or to two"),
        }
        if routes.iter().map(|route| u32::from(route.weight)).sum::<u32>() != 100 {
            return invalid("the weights of an alias must make 100");
        }
        for route in routes {
            self.get(name, route.version).await?;
        }
        Ok(())
    }

    /// Points an alias to what it pointed to before its last change. Again: and back.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn roll_back(&self, name: &str, alias: &str) -> Result<Alias, VersionError> {
        let found = self.alias(name, alias).await?;
        let found = found.ok_or_else(|| VersionError::NotFound(format!("alias {name}@{alias}")))?;
        if found.former.is_empty() {
            let why = format!("the alias {name}@{alias} has not been changed yet");
            return Err(VersionError::InvalidRoutes(why));
        }
        self.shift(name, alias, found.former).await
    }

    /// Deletes an alias.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn delete_alias(&self, name: &str, alias: &str) -> Result<(), VersionError> {
        match self.store.delete_alias(name.to_owned(), alias.to_owned()).await? {
            true => Ok(()),
            false => Err(VersionError::NotFound(format!("alias {name}@{alias}"))),
        }
    }

    async fn alias(&self, name: &str, alias: &str) -> Result<Option<Alias>, StoreError> {
        let all = self.aliases(Some(name)).await?;
        Ok(all.into_iter().find(|found| found.name == alias))
    }

    /// What differs between two versions.
    ///
    /// # Errors
    /// See [`VersionError`].
    pub async fn compare(
        &self,
        name: &str,
        from: u32,
        to: u32,
    ) -> Result<Vec<Difference>, VersionError> {
        let (from, to) = (self.get(name, from).await?, self.get(name, to).await?);
        Ok(diff(&from.definition, &to.definition))
    }

    /// The version that a new execution is to run. An alias with two chooses by their weights.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub async fn choose(&self, wanted: &MachineRef) -> Result<Chosen, StartError> {
        let missing = || StartError::NoSuchMachine(wanted.to_string());
        let name = &wanted.name;
        let (number, alias) = match &wanted.qualifier {
            None => (None, None),
            Some(number) if number.chars().all(|c| c.is_ascii_digit()) => {
                (Some(number.parse().map_err(|_| missing())?), None)
            }
            Some(alias) => {
                let found = self.alias(name, alias).await?.ok_or_else(missing)?;
                (Some(pick(&found.routes).ok_or_else(missing)?), Some(alias.clone()))
            }
        };
        // Asked for each time: another process may have published or deleted one.
        let found = self.store.find_version(name.clone(), number).await?;
        let (version, kind) = found.ok_or_else(missing)?;
        let machine = self.machine(name, version).await?;
        Ok(Chosen { name: name.clone(), version, alias, kind, machine })
    }

    /// Whether there is such a version: one at all, this one, or one that this alias points to.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn has(&self, wanted: &MachineRef) -> Result<bool, StoreError> {
        let number = match &wanted.qualifier {
            None => None,
            Some(number) if number.chars().all(|c| c.is_ascii_digit()) => {
                // `007` is no version's number.
                match number.parse().ok().filter(|n: &u32| n.to_string() == *number) {
                    None => return Ok(false),
                    some => some,
                }
            }
            Some(alias) => return Ok(self.alias(&wanted.name, alias).await?.is_some()),
        };
        Ok(self.store.find_version(wanted.name.clone(), number).await?.is_some())
    }

    /// A version's machine, ready to run.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub async fn machine(&self, name: &str, version: u32) -> Result<Arc<Machine>, StartError> {
        if let Some(machine) = self.loaded().get(&(name.to_owned(), version)) {
            return Ok(machine.clone());
        }
        let found = self.store.get_version(name.to_owned(), version).await?;
        let missing = || StartError::NoSuchMachine(format!("{name}:{version}"));
        self.load(&found.ok_or_else(missing)?)
    }

    fn load(&self, version: &PublishedVersion) -> Result<Arc<Machine>, StartError> {
        let key = (version.machine.clone(), version.version);
        if let Some(machine) = self.loaded().get(&key) {
            return Ok(machine.clone());
        }
        let loaded = Machine::load_published(&version.definition, version.inherited());
        let machine = loaded.map_err(|problems| {
            let machine = format!("{}:{}", version.machine, version.version);
            StartError::Unreadable { machine, why: first(&problems) }
        })?;
        let machine = Arc::new(machine);
        self.remember(&version.machine, version.version, machine.clone());
        Ok(machine)
    }

    fn remember(&self, name: &str, version: u32, machine: Arc<Machine>) {
        let mut loaded = self.loaded();
        if loaded.len() >= LOADED {
            // Whatever it was: it is read again when it is wanted.
            loaded.clear();
        }
        loaded.insert((name.to_owned(), version), machine);
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a machine may have this name: `flow:NAME@ALIAS` reads an `@` in it as the end of it.
fn is_referable(name: &str) -> Result<(), VersionError> {
    let fits = is_name(name) && !name.contains('@');
    fits.then_some(()).ok_or_else(|| VersionError::InvalidName(name.to_owned()))
}

/// Whether an alias may have this name.
///
/// # Errors
/// [`VersionError::InvalidName`]: it is none, or a number, which would be taken for a version.
pub fn is_alias(name: &str) -> Result<(), VersionError> {
    if name.chars().all(|c| c.is_ascii_digit()) {
        return Err(VersionError::InvalidName(name.to_owned()));
    }
    is_referable(name)
}

fn pick(routes: &[Route]) -> Option<u32> {
    let mut left: u8 = rand::random_range(0..100);
    for route in routes {
        if left < route.weight {
            return Some(route.version);
        }
        left -= route.weight;
    }
    routes.last().map(|route| route.version)
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Versions").finish_non_exhaustive()
    }
}
