//! Finding the appliance that a command speaks of: its configuration, its data folder, its store.

use std::future::Future;
use std::path::{Path, PathBuf};

use offhook_config::{Config, Problem};
use offhook_store::{Store, StoreError};

use crate::cli::Place;
use crate::folder;
use crate::known::Phones;
use crate::output::{complain, counted};

/// Where the package puts the configuration.
const SYSTEM_FILE: &str = "/etc/offhook/offhook.toml";

/// Why a command could not do its work; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file that cannot be read or written.
    #[error("{}: {error}{}", path.display(), folder::remedy(error))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The configuration is refused; every problem on a line of its own.
    #[error("{}", lines(.0))]
    Configuration(Vec<Problem>),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] crate::folder::FolderError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something kept could not be read or written.
    #[error(transparent)]
    Keep(#[from] offhook_pbx::keep::KeepError),
    /// The running daemon.
    #[error(transparent)]
    Control(#[from] crate::control::ControlError),
    /// Anything else, in words.
    #[error("{0}")]
    Words(String),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Place {
    /// The configuration file that is meant: the one that is named, or the package's when nothing
    /// is. `None`: embedded defaults.
    pub fn file(&self) -> Option<PathBuf> {
        let system = || {
            // What may not be looked at is there, too: reading it tells why it cannot be read.
            let there = self.data.is_none() && Path::new(SYSTEM_FILE).try_exists().unwrap_or(true);
            there.then(|| PathBuf::from(SYSTEM_FILE))
        };
        self.config.clone().or_else(system)
    }

    /// With the folder of the command line, which goes before the file's.
    pub fn with_data(&self, mut config: Config) -> Config {
        if let Some(data) = &self.data {
            config.server.data_dir.clone_from(data);
        }
        config
    }
}

/// Reads and checks the configuration of a place; embedded defaults when there is no file.
pub fn configuration(place: &Place) -> Result<Config, CommandError> {
    let config = place.file().map_or_else(|| Ok(Config::default()), |path| read(&path))?;
    Ok(place.with_data(config))
}

/// The configuration of a place as far as it can be read: for commands that look at an appliance
/// which may run although somebody is just writing its file.
pub fn whereabouts(place: &Place) -> Result<Config, CommandError> {
    let config = match place.file() {
        None => Config::default(),
        Some(path) => match offhook_config::load_leniently(&path) {
            Ok((config, problems)) => {
                if !problems.is_empty() {
                    let file = path.display();
                    let problems = counted(problems.len(), "problem");
                    complain(&format!(
                        "Note: {file} has {problems}: `offhook check {file}` tells them. \
                         A running appliance goes by what it read before."
                    ));
                }
                config
            }
            Err(problems) if place.data.is_some() => {
                complain(&lines(&problems));
                Config::default()
            }
            Err(problems) => return Err(CommandError::Configuration(problems)),
        },
    };
    Ok(place.with_data(config))
}

/// Reads and checks one file by itself: phones that it names need not be there yet, so that they
/// can be made.
pub fn read(path: &Path) -> Result<Config, CommandError> {
    offhook_config::load(path).map_err(CommandError::Configuration)
}

/// Reads and checks one file together with the phones of its database.
pub fn read_with_phones(path: &Path, data: Option<PathBuf>) -> Result<Config, CommandError> {
    let phones = Phones::new(data);
    let read = offhook_config::load_in(path, &phones).map_err(CommandError::Configuration);
    if let Some(why) = phones.unread() {
        complain(&format!(
            "WARNING: not checked whether the phones that it names are there: {why}"
        ));
    }
    read
}

/// The database for a command that only looks, or changes what is there. One that is not there is
/// not made: a slip in a folder's name would leave an empty appliance behind.
pub fn existing_store(config: &Config) -> Result<Store, CommandError> {
    if let Ok(false) = config.database().try_exists() {
        return Err(CommandError::Words(format!(
            "there is no appliance's database in {}: name its configuration (--config) or its \
             folder (--data), or begin with `offhook phone add 101`",
            config.server.data_dir.display()
        )));
    }
    open_store(config, false)
}

/// The database for a command; made when it is not there.
pub fn store(config: &Config) -> Result<Store, CommandError> {
    open_store(config, false)
}

/// The database for the daemon, which also throws away what is too old.
pub fn daemon_store(config: &Config) -> Result<Store, CommandError> {
    open_store(config, true)
}

fn open_store(config: &Config, maintain: bool) -> Result<Store, CommandError> {
    let folder = &config.server.data_dir;
    folder::make(folder)
        .and_then(|()| folder::give_to_owner(folder, &config.database()))
        .map_err(|error| CommandError::File { path: folder.clone(), error })?;
    let options = offhook_store::Options {
        maintain,
        keep_days: config.journal.keep_days,
        keep_calls: config.journal.keep_calls,
        ..offhook_store::Options::default()
    };
    Ok(Store::open(config.database(), &options)?)
}

/// Runs one future to its end, for commands.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| CommandError::Words(format!("no runtime: {e}")))?;
    Ok(runtime.block_on(future))
}
