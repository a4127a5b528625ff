//! The phones' accounts: those of the database and those of the configuration file. The file wins
//! (docs/decisions/0004-phones-are-in-the-database.md).

use std::collections::HashMap;

use offhook_config::{Config, Extension as Written, ExtensionCredentials};
use offhook_pbx::keep::Extension;
use offhook_sip::digest::{ha1_md5, ha1_sha256};

/// All accounts in force. A section of the file that has no credentials, for a number that the
/// database does not know, makes no account: nobody could register as it.
pub fn accounts(config: &Config, kept: Vec<Extension>) -> Vec<Extension> {
    let mut accounts: HashMap<String, Extension> =
        kept.into_iter().map(|e| (e.number.clone(), e)).collect();
    for written in &config.extensions {
        let before = accounts.remove(&written.number);
        if let Some(account) = merged(config, written, before) {
            accounts.insert(written.number.clone(), account);
        }
    }
    accounts.into_values().collect()
}

fn merged(config: &Config, written: &Written, before: Option<Extension>) -> Option<Extension> {
    let realm = &config.server.realm;
    let (ha1_md5, ha1_sha256, realm) = match (&written.credentials, &before) {
        (Some(ExtensionCredentials::Password(password)), _) => (
            ha1_md5(&written.number, realm, password.expose()).as_hex().to_owned(),
            ha1_sha256(&written.number, realm, password.expose()).as_hex().to_owned(),
            realm.clone(),
        ),
        (Some(ExtensionCredentials::Ha1 { md5, sha256 }), _) => {
            let text = |s: &Option<offhook_config::Secret>| {
                s.as_ref().map(|s| s.expose().to_owned()).unwrap_or_default()
            };
            (text(md5), text(sha256), realm.clone())
        }
        (None, Some(kept)) => (kept.ha1_md5.clone(), kept.ha1_sha256.clone(), kept.realm.clone()),
        (None, None) => return None,
    };
    let name = written.name.clone().or_else(|| before.as_ref().map(|e| e.name.clone()));
    Some(Extension {
        number: written.number.clone(),
        name: name.unwrap_or_else(|| written.number.clone()),
        ha1_md5,
        ha1_sha256,
        realm,
        voicemail: written.voicemail,
        pin: before.as_ref().and_then(|e| e.pin.clone()),
        do_not_disturb: written.do_not_disturb || before.as_ref().is_some_and(|e| e.do_not_disturb),
        greeting: before.and_then(|e| e.greeting),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        offhook_config::check(text, std::path::Path::new("t.toml")).unwrap()
    }

    #[test]
    fn a_password_in_the_file_makes_an_account() {
        let config = config("[[extension]]\nnumber = \"101\"\npassword = \"Circle Of Life\"\n");
        let accounts = accounts(&config, Vec::new());
        assert_eq!(accounts.len(), 1);
        assert_eq!(accounts[0].ha1_md5.len(), 32);
        assert_eq!(accounts[0].ha1_sha256.len(), 64);
    }

    #[test]
    fn a_section_without_credentials_for_an_unknown_number_makes_none() {
        let config = config("[[extension]]\nnumber = \"101\"\nname = \"Desk\"\n");
        assert!(accounts(&config, Vec::new()).is_empty());
    }
}
