//! Certificates of a test's own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certification authority in a folder: `NAME.pem` is its certificate.
pub(crate) struct Authority {
    folder: PathBuf,
    certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = folder.join(format!("{name}.pem"));
        fs::write(&certificate, params.self_signed(&key).expect("signed").pem()).expect("file");
        Self { folder: folder.to_owned(), certificate, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate, for those who trust it.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Writes `server.pem` and `server.key` for an address, in place of earlier ones.
    pub(crate) fn issue(&self, address: Ipv4Addr) {
        let params = CertificateParams::new(vec![address.to_string()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        fs::write(self.folder.join("server.key"), key.serialize_pem()).expect("file");
        fs::write(self.folder.join("server.pem"), certificate.pem()).expect("file");
    }

    /// `[[listen]]` for TLS on port 5061 with what [`Self::issue`] writes.
    pub(crate) fn listen(&self, address: Ipv4Addr) -> String {
        format!(
            "[[listen]]\ntransport = \"tls\"\naddress = \"{address}:5061\"\n\
             certificate = \"{folder}/server.pem\"\nkey = \"{folder}/server.key\"\n",
            folder = self.folder.display()
        )
    }

    /// The port for legs with ICE, and WebSocket for pages with what [`Self::issue`] writes.
    pub(crate) fn webrtc(&self, address: Ipv4Addr) -> String {
        let listen = self.listen(address).replace("\"tls\"", "\"wss\"").replace(":5061", ":5443");
        format!("[webrtc]\naddress = \"{address}:30000\"\n{listen}")
    }

    /// What makes baresip trust it.
    pub(crate) fn trusted(&self) -> String {
        format!("sip_cafile {}", self.certificate.display())
    }
}
