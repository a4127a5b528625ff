//! `[phonebook]` and `[screen_pop]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applications::{protected_url, signing_secret};
use super::section::Section;
use crate::phonebook;
use crate::schema::{DialPlan, Names, Phonebook, ScreenPop, comparable};

/// Numbers are compared as the dial plan understands them.
pub(super) fn phonebook(s: &Section<'_, '_>, dialplan: &DialPlan) -> Phonebook {
    let file = s.file("file").and_then(|path| {
        let read = s.reader.around.read(&path);
        let problem = match read.as_deref().map(phonebook::read) {
            Ok(Ok(entries)) => {
                let mut by_number = BTreeMap::new();
                for (number, name) in entries {
                    // The first one of a number counts.
                    by_number.entry(comparable(dialplan, &number)).or_insert(name);
                }
                return Some(Arc::new(Names { path, by_number }));
            }
            Ok(Err((line, why))) => format!("line {line}: {why}"),
            // What is not there has been told.
            Err(_) if !s.reader.around.is_file(&path) => return None,
            Err(error) => format!("cannot be read: {error}"),
        };
        let message = format!("`file`: {} {problem}", path.display());
        s.reader.add(s.at("file"), message);
        None
    });
    s.finish();
    Phonebook { file }
}

pub(super) fn screen_pop(s: &Section<'_, '_>) -> ScreenPop {
    let default = ScreenPop::default();
    let any = ["url", "secret", "secret_file", "secret_env", "ca_file"].iter().any(|k| s.has(k));
    let url = protected_url(s, "https://crm.example.com/calls", any);
    let secret = if any { signing_secret(s) } else { None };
    let pop = ScreenPop {
        url,
        secret,
        ca_file: s.file("ca_file"),
        patience: s.seconds("timeout_seconds", 1..=30).unwrap_or(default.patience),
    };
    s.finish();
    pop
}
