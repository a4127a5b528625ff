//! What the registrar is told to do.

use std::time::Duration;

use offhook_sip::digest::Hash;

/// Limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// Shorter ones are refused with 423.
    pub min_expires: Duration,
    /// Longer ones are shortened.
    pub max_expires: Duration,
    /// When the phone names none.
    pub default_expires: Duration,
    /// Contacts of one extension.
    pub max_contacts: usize,
    /// Text of the Server header.
    pub server: String,
    /// Digests that phones are asked for, strongest first.
    pub hashes: Vec<Hash>,
}

impl From<&offhook_config::Config> for RegistrarConfig {
    fn from(config: &offhook_config::Config) -> Self {
        let registrar = &config.registrar;
        Self {
            min_expires: registrar.min_expires,
            max_expires: registrar.max_expires,
            default_expires: registrar.default_expires,
            max_contacts: registrar.max_contacts,
            server: config.server.user_agent.clone(),
            hashes: registrar.digest.iter().map(|d| hash(*d)).collect(),
        }
    }
}

fn hash(digest: offhook_config::Digest) -> Hash {
    match digest {
        offhook_config::Digest::Md5 => Hash::Md5,
        offhook_config::Digest::Sha256 => Hash::Sha256,
    }
}
