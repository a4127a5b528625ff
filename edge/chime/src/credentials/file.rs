//! The shared files of AWS's tools: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::{CredentialsError, Environment, Lease};
use crate::sigv4::Credentials;

/// Larger ones are no such files.
const MAX_BYTES: u64 = 1 << 20;

/// The keys of a profile. `Ok(None)`: nothing was asked for by name, and there is nothing.
pub(super) fn profile(
    environment: &Environment,
    name: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<Lease>, CredentialsError> {
    let wanted = name.map(str::to_owned).or_else(|| environment.get("AWS_PROFILE"));
    let asked_for = wanted.is_some() || file.is_some();
    let name = wanted.unwrap_or_else(|| "default".to_owned());
    let credentials = match file {
        Some(file) => Some(file.to_path_buf()),
        None => place(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    };
    let config = match file {
        Some(_) => None,
        None => place(environment, "AWS_CONFIG_FILE", "config"),
    };
    for (path, section) in [
        (&credentials, name.clone()),
        // In this one the sections of all but the first are called so.
        (&config, if name == "default" { name.clone() } else { format!("profile {name}") }),
    ] {
        let Some(path) = path else { continue };
        let Some(text) = read(path)? else { continue };
        let Some(keys) = sections(&text).remove(&section) else { continue };
        if let Some(lease) = lease(keys, path, &section)? {
            return Ok(Some(lease));
        }
    }
    if asked_for {
        let place = credentials.map_or_else(|| "~/.aws".to_owned(), |p| p.display().to_string());
        return Err(CredentialsError(format!("there are no keys of profile {name:?} in {place}")));
    }
    Ok(None)
}

fn place(environment: &Environment, variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = environment.get(variable) {
        return Some(PathBuf::from(path));
    }
    environment.get("HOME").map(|home| Path::new(&home).join(".aws").join(name))
}

fn read(path: &Path) -> Result<Option<String>, CredentialsError> {
    let failed = |error: &dyn std::fmt::Display| {
        Err(CredentialsError(format!("{}: {error}", path.display())))
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return failed(&error),
    };
    let mut text = String::new();
    match file.take(MAX_BYTES).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => failed(&error),
    }
}

/// The sections of such a file with their keys. Lines that begin with a space belong to a key
/// above them; no key that is read here has any.
fn sections(text: &str) -> HashMap<String, HashMap<String, String>> {
    let mut all: HashMap<String, HashMap<String, String>> = HashMap::new();
    let mut section = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or_default();
            let words: Vec<&str> = name.split_whitespace().collect();
            section = Some(words.join(" "));
            continue;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        if let (Some(section), Some((key, value))) = (&section, trimmed.split_once('=')) {
            let keys = all.entry(section.clone()).or_default();
            keys.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    all
}

fn lease(
    mut keys: HashMap<String, String>,
    path: &Path,
    section: &str,
) -> Result<Option<Lease>, CredentialsError> {
    let (key_id, secret) = (keys.remove("aws_access_key_id"), keys.remove("aws_secret_access_key"));
    match (key_id, secret) {
        (Some(key_id), Some(secret)) => {
            let session_token = keys.remove("aws_session_token").filter(|token| !token.is_empty());
            Ok(Some(Lease::endless(Credentials { key_id, secret, session_token })))
        }
        (None, None) => {
            let other = ["sso_session", "sso_start_url", "role_arn", "credential_process"];
            match other.iter().find(|key| keys.contains_key(**key)) {
                Some(key) => Err(CredentialsError(format!(
                    "{} [{section}] has {key}, which is not understood here: give it \
                     aws_access_key_id and aws_secret_access_key",
                    path.display()
                ))),
                None => Ok(None),
            }
        }
        _ => Err(CredentialsError(format!(
            "{} [{section}] must have both aws_access_key_id and aws_secret_access_key",
            path.display()
        ))),
    }
}
