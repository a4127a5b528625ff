//! Finding the appliance that a command speaks of: its configuration, its data folder, its store.

use std::future::Future;
use std::path::{Path, PathBuf};

use offhook_config::{Config, Problem};
use offhook_store::{Store, StoreError};

use crate::cli::Place;
use crate::folder;
use crate::known::Phones;

/// Why a command could not do its work; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file that cannot be read or written.
    #[error("{}: {error}", path.display())]
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

/// Reads and checks the configuration of a place; embedded defaults when no file is named.
pub fn configuration(place: &Place) -> Result<Config, CommandError> {
    let mut config = match &place.config {
        Some(path) => read(path)?,
        None => Config::default(),
    };
    if let Some(data) = &place.data {
        config.server.data_dir.clone_from(data);
    }
    Ok(config)
}

/// Reads and checks one file by itself: phones that it names need not be there yet, so that they
/// can be made.
pub fn read(path: &Path) -> Result<Config, CommandError> {
    offhook_config::load(path).map_err(CommandError::Configuration)
}

/// Reads and checks one file together with the phones of its database.
pub fn read_with_phones(path: &Path, data: Option<PathBuf>) -> Result<Config, CommandError> {
    offhook_config::load_in(path, &Phones::new(data)).map_err(CommandError::Configuration)
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
