//! Paths, and secrets that may stand in a file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{Found, Section};
use crate::schema::HoldMusic;
use crate::secret::Secret;

/// What is wrong with a file of certificates.
fn not_certificates(bytes: &[u8]) -> Option<String> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        match certificate {
            Ok(_) => count += 1,
            Err(error) => return Some(format!("is no PEM: {error}")),
        }
    }
    // DER, for example, is all text between two PEM sections.
    (count == 0).then(|| "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".into())
}

impl Section<'_, '_> {
    /// A path, relative to the configuration file.
    pub(in crate::check) fn path(&self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.reader.resolve(&text.value))
    }

    /// The path of a file that must be there.
    pub(in crate::check) fn file(&self, key: &'static str) -> Option<PathBuf> {
        let text = self.text(key)?;
        Some(self.existing(key, &text))
    }

    /// `"default"`, `"silence"`, or a sound file or a list of them that must be there.
    pub(in crate::check) fn music(&self, key: &'static str) -> Option<HoldMusic> {
        if self.is_list(key) {
            let texts = self.texts(key)?;
            if texts.is_empty() {
                self.reader.add(self.at(key), format!("`{key}` must name at least one file"));
            }
            return Some(HoldMusic::Files(texts.iter().map(|t| self.existing(key, t)).collect()));
        }
        let text = self.text(key)?;
        Some(match text.value.as_str() {
            "default" => HoldMusic::Builtin,
            "silence" => HoldMusic::Silence,
            _ => HoldMusic::Files(vec![self.existing(key, &text)]),
        })
    }

    /// Paths of files that must be there and hold certificates in PEM form.
    pub(in crate::check) fn certificates(&self, key: &'static str) -> Option<Vec<PathBuf>> {
        let texts = self.texts(key)?;
        Some(texts.iter().map(|text| self.certificate(key, text)).collect())
    }

    fn certificate(&self, key: &str, text: &Found<String>) -> PathBuf {
        let path = self.existing(key, text);
        if !self.reader.around.is_file(&path) {
            return path;
        }
        let problem = match self.reader.around.read_bytes(&path) {
            Ok(bytes) => not_certificates(&bytes),
            Err(error) => Some(format!("cannot be read: {error}")),
        };
        if let Some(problem) = problem {
            let message = format!("`{key}`: the file {} {problem}", path.display());
            self.reader.add(text.at, message);
        }
        path
    }

    fn existing(&self, key: &str, text: &Found<String>) -> PathBuf {
        let path = self.reader.resolve(&text.value);
        if !self.reader.around.is_file(&path) {
            let message = format!("`{key}`: there is no file {}", path.display());
            self.reader.add(text.at, message);
        }
        path
    }

    /// A secret given as `NAME`, `NAME_file` or `NAME_env` (three keys in this order).
    pub(in crate::check) fn secret(&self, keys: [&'static str; 3]) -> Option<Secret> {
        let [plain, file, env] = keys;
        let given: Vec<&str> = keys.into_iter().filter(|key| self.has(key)).collect();
        if let [_, second, ..] = given.as_slice() {
            let message = format!("only one of `{plain}`, `{file}` and `{env}` may be given");
            self.reader.add(self.at(second), message);
        }
        let plain = self.text(plain).map(|text| Secret::new(text.value));
        let file = self.text(file).and_then(|text| self.secret_from_file(file, &text));
        let env = self.text(env).and_then(|text| {
            let value = self.reader.around.env(&text.value).filter(|value| !value.is_empty());
            if value.is_none() {
                let message = format!("`{env}`: the environment has no variable {}", text.value);
                self.reader.add(text.at, message);
            }
            value.map(Secret::new)
        });
        plain.or(file).or(env)
    }

    /// A table of texts, each of which may be a secret: `"text"`, `{ file = "path" }` or
    /// `{ env = "NAME" }`.
    pub(in crate::check) fn secrets(&self, key: &'static str) -> BTreeMap<String, Secret> {
        let mut secrets = BTreeMap::new();
        let Some(value) = self.value(key) else { return secrets };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, "a table", value);
            return secrets;
        };
        for (name, value) in table {
            let start = value.span().start;
            if let Some(text) = value.get_ref().as_str() {
                secrets.insert(name.get_ref().to_string(), Secret::new(text));
                continue;
            }
            let inner = value.get_ref().as_table();
            let section = Section::new(self.reader, "this value", start, inner);
            let secret = section.secret(["value", "file", "env"]);
            section.finish();
            if inner.is_none_or(toml::map::Map::is_empty) {
                let message = format!("`{key}`: {} must be a text", name.get_ref());
                let remedy = "or { file = \"path\" }, or { env = \"NAME\" }";
                self.reader.suggest(start, message, remedy);
            }
            secrets.extend(secret.map(|secret| (name.get_ref().to_string(), secret)));
        }
        secrets
    }

    fn secret_from_file(&self, key: &str, text: &Found<String>) -> Option<Secret> {
        let path = self.reader.resolve(&text.value);
        let problem = match self.reader.around.read(&path) {
            // An editor ends the last line; a password does not end in a line break.
            Ok(content) => match content.trim_end_matches(['\r', '\n']) {
                "" => "is empty".to_owned(),
                secret => return Some(Secret::new(secret)),
            },
            Err(error) => format!("cannot be read: {error}"),
        };
        self.reader.add(text.at, format!("`{key}`: the file {} {problem}", path.display()));
        None
    }
}
