//! `[phonebook]` and `[screen_pop]`: what people see of who calls.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::DialPlan;
use crate::dialplan::without_separators;
use crate::secret::Secret;

/// `[phonebook]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phonebook {
    /// The file, read.
    pub file: Option<Arc<Names>>,
}

/// Names by number, as the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Where they were read.
    pub path: PathBuf,
    /// By number, in E.164 where the dial plan could make it so.
    pub(crate) by_number: BTreeMap<String, String>,
}

/// A number as it is compared: in E.164 where the dial plan makes it so.
pub(crate) fn comparable(dialplan: &DialPlan, number: &str) -> String {
    dialplan.to_e164(number).unwrap_or_else(|| without_separators(number))
}

impl Phonebook {
    /// The name of a number, however it is written.
    pub fn name_of(&self, dialplan: &DialPlan, number: &str) -> Option<&str> {
        let names = self.file.as_ref()?;
        names.by_number.get(&comparable(dialplan, number)).map(String::as_str)
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.file.as_ref().map_or(0, |names| names.by_number.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `[screen_pop]`: a program that is told what desk phones do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenPop {
    /// Where it is told; `None`: nobody is.
    pub url: Option<String>,
    /// What it is signed with.
    pub secret: Option<Secret>,
    /// Authorities that its certificate may be of, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long it may take to answer.
    pub patience: Duration,
}

impl Default for ScreenPop {
    fn default() -> Self {
        Self { url: None, secret: None, ca_file: None, patience: Duration::from_secs(5) }
    }
}
