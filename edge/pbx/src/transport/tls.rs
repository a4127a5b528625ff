//! Certificates: ours, which can change while connections live on, and those we trust.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::RootCertStore;
use rustls::client::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with a certificate, key or CA file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is no PEM.
    #[error("{}: {problem}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What.
        problem: String,
    },
    /// Key and certificate do not fit, or are of a kind that is not supported.
    #[error("{}: {problem}", file.display())]
    Key {
        /// The certificate file.
        file: PathBuf,
        /// What.
        problem: rustls::Error,
    },
    /// rustls refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Our certificate. [`Certificate::set`] changes it for handshakes to come; connections that
/// are up keep theirs.
#[derive(Debug)]
pub struct Certificate {
    files: (PathBuf, PathBuf),
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads chain and key.
    ///
    /// # Errors
    /// When a file cannot be read or the two do not belong together.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(read(chain, key)?));
        Ok(Arc::new(Self { files: (chain.into(), key.into()), current }))
    }

    /// Reads both files again; nothing changes before [`Certificate::set`].
    ///
    /// # Errors
    /// As [`Certificate::load`].
    pub fn read_again(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        let (chain, key) = &self.files;
        read(chain, key).map(Arc::new)
    }

    /// Shows another certificate from now on.
    pub fn set(&self, fresh: Arc<CertifiedKey>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let wrong = |file: &Path, problem: String| TlsError::File { file: file.into(), problem };
    let certificates = read_certificates(chain)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e.to_string()))?;
    CertifiedKey::from_der(certificates, key, &provider())
        .map_err(|problem| TlsError::Key { file: chain.into(), problem })
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |e: rustls_pki_types::pem::Error| TlsError::File {
        file: file.into(),
        problem: e.to_string(),
    };
    let all = CertificateDer::pem_file_iter(file).map_err(wrong)?.collect::<Result<Vec<_>, _>>();
    let all = all.map_err(wrong)?;
    if all.is_empty() {
        // DER, for example.
        let problem = "holds no certificate in PEM form".to_owned();
        return Err(TlsError::File { file: file.into(), problem });
    }
    Ok(all)
}

/// Settings of a listening socket. Asks for no client certificate: Voice Connector would answer
/// with one of a private authority.
///
/// # Errors
/// When rustls refuses the settings.
pub fn server_config(certificate: Arc<Certificate>) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    Ok(Arc::new(config))
}

/// Settings of outgoing connections: the system's authorities, and those in `ca_files`. Reads
/// files: not for the signalling thread.
///
/// # Errors
/// When a CA file cannot be read.
pub fn client_config(ca_files: &[PathBuf]) -> Result<Arc<ClientConfig>, TlsError> {
    trusting(ca_files, Err)
}

/// [`client_config`], but CA files that cannot be read are told and left out.
///
/// # Errors
/// When rustls refuses the settings.
pub fn lenient_client_config(ca_files: &[PathBuf]) -> Result<Arc<ClientConfig>, TlsError> {
    trusting(ca_files, |error| {
        tracing::error!("a CA file is left out: {error}");
        Ok(())
    })
}

fn trusting(
    ca_files: &[PathBuf],
    on_problem: impl Fn(TlsError) -> Result<(), TlsError>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a certificate of the system cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    for file in ca_files {
        add_file(&mut roots, file).or_else(&on_problem)?;
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// One odd certificate in a bundle takes no trust away from the others, as with those of the
/// system.
fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    let (added, left_out) = roots.add_parsable_certificates(read_certificates(file)?);
    if added == 0 {
        let problem = "holds no certificate that could be trusted".to_owned();
        return Err(TlsError::File { file: file.into(), problem });
    }
    if left_out > 0 {
        tracing::warn!(file = %file.display(), added, left_out,
            "certificates of a CA file cannot be used");
    }
    Ok(())
}
