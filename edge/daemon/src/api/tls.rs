//! The certificate of the API, read again when its files change.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Certificate and key.
#[derive(Debug)]
pub(super) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    changed: [Option<SystemTime>; 2],
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads both.
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Self, String> {
        let changed = [certificate, key].map(changed);
        let config = Arc::new(read(certificate, key)?);
        let (certificate, key) = (certificate.to_path_buf(), key.to_path_buf());
        Ok(Self { certificate, key, changed, config })
    }

    /// As the files say now. What cannot be read leaves what was there.
    pub(super) fn current(&mut self) -> Arc<ServerConfig> {
        let changed = [self.certificate.as_path(), self.key.as_path()].map(changed);
        if changed != self.changed {
            self.changed = changed;
            match read(&self.certificate, &self.key) {
                Ok(config) => self.config = Arc::new(config),
                Err(error) => tracing::error!(error, "the API keeps its former certificate"),
            }
        }
        Arc::clone(&self.config)
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|file| file.modified()).ok()
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, String> {
    let named = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let open =
        |path: &Path| File::open(path).map(BufReader::new).map_err(|error| named(path, &error));
    let chain = CertificateDer::pem_reader_iter(open(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| named(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_reader(open(key)?).map_err(|error| named(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| named(certificate, &error))
}
