//! The DTLS handshake that makes the keys of SRTP (RFC 5763, RFC 5764). A library does DTLS; here
//! it is asked who the peer is and for the keys. [`Handshake`] is a browser's, [`phone`] a desk
//! phone's, and [`either`] says which it is.

mod again;
mod either;
mod fingerprint;
mod messages;
mod phone;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};

pub(super) use self::again::{Association, client_hello};
pub(super) use self::either::OverIce;
pub use self::either::Peer;
pub use self::fingerprint::Fingerprint;
use self::phone::PhoneHandshake;
#[cfg(test)]
pub(super) use self::phone::tests::stray;
use crate::srtp::{SrtpKey, SrtpKeys, SrtpSuite};

/// A handshake that takes longer has failed.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(15);
/// Largest record of ours, below every usual MTU.
const MTU: usize = 1_200;
/// What the library writes into.
const ROOM: usize = 2_048;
/// Most things it may say in one go; a limit against its faults only.
const MAX_OUTPUTS: usize = 64;

/// Our certificate, made at the start and known to nobody but through signalling (RFC 5763 §5).
#[derive(Clone)]
pub struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
    phones: phone::Roles,
    fingerprint: Fingerprint,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// Why there is no identity.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no certificate for WebRTC can be made: {0}")]
pub struct IdentityError(String);

impl Identity {
    /// A fresh key on P-256, which every browser takes, and a certificate that says nothing of us.
    ///
    /// # Errors
    /// When the crypto library refuses.
    pub fn fresh() -> Result<Self, IdentityError> {
        let wrong = |error: rcgen::Error| IdentityError(error.to_string());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(wrong)?;
        let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(wrong)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "WebRTC");
        let certificate = params.self_signed(&key).map_err(wrong)?;
        let certificate = DtlsCertificate {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
        };
        let fingerprint = Fingerprint::of(&certificate.certificate);
        let config = Config::builder().mtu(MTU).handshake_timeout(HANDSHAKE).build();
        let config = Arc::new(config.map_err(|error| IdentityError(error.to_string()))?);
        let phones = phone::Roles::new(&certificate.certificate, &certificate.private_key)?;
        Ok(Self { certificate, config, phones, fingerprint })
    }

    /// A handshake with a desk phone; `active`: we are the DTLS client.
    fn with_phone(&self, now: Instant, expected: Fingerprint, active: bool) -> PhoneHandshake {
        PhoneHandshake::begin(now, &self.phones, expected, active)
    }

    /// The same, and with what may follow it.
    pub(super) fn associate(
        &self,
        now: Instant,
        expected: Fingerprint,
        active: bool,
    ) -> Association {
        Association::new(now, self.with_phone(now, expected, active))
    }

    /// For our descriptions.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

/// What became of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing yet.
    Waiting,
    /// The peer is who signalling said, and these are the keys.
    Keys(SrtpKeys),
    /// The certificate is not the one that signalling announced.
    Stranger,
    /// Of a phone: something went wrong before the keys, which anybody may have written, and it begins
    /// anew.
    Again(String),
    /// The peer closed, or something went wrong.
    Failed(String),
}

/// One handshake.
pub(super) struct Handshake {
    dtls: Dtls,
    expected: Fingerprint,
    active: bool,
    known: bool,
    connected: bool,
    keys: Option<SrtpKeys>,
    /// When the library wants to be called again.
    pub(super) wake: Option<Instant>,
}

impl Handshake {
    /// `active`: we are the DTLS client.
    pub(super) fn new(
        now: Instant,
        identity: &Identity,
        expected: Fingerprint,
        active: bool,
    ) -> Self {
        let config = Arc::clone(&identity.config);
        // The version that every browser has (RFC 8827 §6.5).
        let mut dtls = Dtls::new_12(config, identity.certificate.clone(), now);
        dtls.set_active(active);
        Self { dtls, expected, active, known: false, connected: false, keys: None, wake: Some(now) }
    }

    /// Takes a datagram; `send` gets what is to be answered.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        packet: &[u8],
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        let taken = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(packet));
        self.go_on(taken.err(), send)
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant, send: &mut dyn FnMut(&[u8])) -> News {
        let outcome = self.dtls.handle_timeout(now);
        self.go_on(outcome.err(), send)
    }

    /// Says to the peer that it is over.
    pub(super) fn close(&mut self, send: &mut dyn FnMut(&[u8])) {
        if self.dtls.close().is_ok() {
            let _ = self.go_on(None, send);
        }
    }

    fn go_on(&mut self, error: Option<dimpl::Error>, send: &mut dyn FnMut(&[u8])) -> News {
        if let Some(error) = error {
            return News::Failed(error.to_string());
        }
        let mut room = [0; ROOM];
        for _ in 0..MAX_OUTPUTS {
            match self.dtls.poll_output(&mut room) {
                Output::Packet(packet) => send(packet),
                Output::PeerCert(certificate) => {
                    self.known = self.expected.fits(certificate);
                    if !self.known {
                        return News::Stranger;
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    self.keys = suite_of(profile).and_then(|s| split(&material, s, self.active));
                    if self.keys.is_none() {
                        return News::Failed("the keys are of an unknown kind".to_owned());
                    }
                }
                Output::Connected => self.connected = true,
                Output::CloseNotify => return News::Failed("the peer closed".to_owned()),
                Output::Timeout(at) => {
                    self.wake = Some(at);
                    return self.news();
                }
                // Nothing of ours is that large. What a page sends for a data channel that it believes it
                // has is for nobody.
                _ => {}
            }
        }
        self.news()
    }

    /// The keys, once: when the handshake is over and the peer known.
    fn news(&mut self) -> News {
        if !std::mem::take(&mut self.connected) {
            return News::Waiting;
        }
        match self.keys.take() {
            Some(keys) if self.known => News::Keys(keys),
            Some(_) => News::Stranger,
            None => News::Failed("the peer agreed on no SRTP (use_srtp)".to_owned()),
        }
    }
}

fn suite_of(profile: SrtpProfile) -> Option<SrtpSuite> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(SrtpSuite::AesCm128HmacSha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(SrtpSuite::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(SrtpSuite::AeadAes256Gcm),
        _ => None,
    }
}

/// RFC 5764 §4.2: client's key, server's key, client's salt, server's salt.
fn split(material: &[u8], suite: SrtpSuite, client: bool) -> Option<SrtpKeys> {
    let (keys, salts) = material.split_at_checked(2 * suite.key_len())?;
    let (client_key, server_key) = keys.split_at_checked(suite.key_len())?;
    let (client_salt, server_salt) = salts.split_at_checked(suite.salt_len())?;
    let server_salt = server_salt.get(..suite.salt_len())?;
    let of_client = SrtpKey::new(suite, &[client_key, client_salt].concat()).ok()?;
    let of_server = SrtpKey::new(suite, &[server_key, server_salt].concat()).ok()?;
    Some(match client {
        true => SrtpKeys { tx: of_client, rx: of_server },
        false => SrtpKeys { tx: of_server, rx: of_client },
    })
}

#[cfg(test)]
mod tests;
