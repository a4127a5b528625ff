//! The configuration in its surroundings: references to phones are looked up in the database.

use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use offhook_config::{Config, Surroundings, System};
use offhook_pbx::keep::Extensions as _;

use crate::place::{self, CommandError};

/// The machine and the phones that `offhook phone add` made.
#[derive(Debug, Default)]
pub struct Phones {
    /// `--data` instead of the file's `data_dir`.
    data: Option<PathBuf>,
    /// Read at the first question. `None`: there is no database yet, or it cannot be read.
    known: OnceCell<Option<HashSet<String>>>,
    /// Why it cannot be read.
    unread: RefCell<Option<String>>,
}

impl Phones {
    /// `data`: the folder of the command line, which goes before the file's.
    pub fn new(data: Option<PathBuf>) -> Self {
        Self { data, ..Self::default() }
    }

    /// Why references to phones could not be checked, in words.
    pub fn unread(&self) -> Option<String> {
        self.unread.borrow().clone()
    }

    fn read(&self, config: &Config) -> Option<HashSet<String>> {
        let mut config = config.clone();
        if let Some(data) = &self.data {
            config.server.data_dir.clone_from(data);
        }
        // Before the first phone is made every reference is to a phone to come.
        if let Ok(false) = config.database().try_exists() {
            return None;
        }
        match load(&config) {
            Ok(known) => Some(known),
            Err(error) => {
                *self.unread.borrow_mut() = Some(error.to_string());
                None
            }
        }
    }
}

fn load(config: &Config) -> Result<HashSet<String>, CommandError> {
    let store = place::existing_store(config)?;
    // A thread of its own: reloading asks from within the daemon's runtime.
    let asked = store.load_extensions();
    let loaded = std::thread::spawn(move || place::block_on(asked)).join();
    let loaded = loaded.map_err(|_| CommandError::Words("a thread ended in panic".into()))?;
    Ok(loaded??.into_iter().map(|e| e.number).collect())
}

impl Surroundings for Phones {
    fn env(&self, name: &str) -> Option<String> {
        System.env(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        System.read(path)
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        System.read_bytes(path)
    }

    fn is_file(&self, path: &Path) -> bool {
        System.is_file(path)
    }

    fn has_extension(&self, config: &Config, number: &str) -> Option<bool> {
        self.known.get_or_init(|| self.read(config)).as_ref().map(|known| known.contains(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::{self, NewPhone};

    const TEXT: &str = "[[group]]\nname = \"sales\"\nmembers = [\"101\", \"102\"]\n";

    #[test]
    fn a_group_member_that_is_nowhere_is_told_with_its_place_and_the_remedy() {
        let data = std::env::temp_dir().join(format!("offhook-known-{}", std::process::id()));
        let check = || {
            let around = Phones::new(Some(data.clone()));
            offhook_config::check_in(TEXT, Path::new("t.toml"), &around)
        };
        // No database yet: the phones are still to come.
        let mut config = check().unwrap();
        assert!(!data.exists());
        config.server.data_dir.clone_from(&data);
        let store = place::store(&config).unwrap();
        let add = |number| {
            let new = NewPhone { number, name: None, password: None, pin: None, voicemail: true };
            phone::add(&config, &store, new).unwrap()
        };
        add("101");
        let told = check().unwrap_err()[0].to_string();
        assert!(told.starts_with("t.toml:3:"), "{told}");
        assert!(told.contains("no extension 102"), "{told}");
        assert!(told.contains("offhook phone add 102"), "{told}");
        add("102");
        check().unwrap();
        std::fs::remove_dir_all(data).unwrap();
    }
}
