//! The handshake with a desk phone. Many of them have a certificate with an RSA key, which `dimpl`
//! does not take: here it is `rtc-dtls`, fed only what is a record of DTLS and no more of it than a
//! handshake needs (`docs/decisions/0018`).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::{SignatureScheme, default_provider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

use super::messages::{Messages, Taken, is_sound};
use super::{Fingerprint, IdentityError, MTU, News, split};
use crate::srtp::SrtpSuite;

/// The library keeps its associations by address; there is one here, and where it is says [`Desk`].
///
/// [`Desk`]: super::super::desk::Desk
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
/// Bytes that one handshake may take from the network: a phone's flight is one to three thousand, and
/// whoever writes to the port is not known yet. The library puts fragments together by recursion, and
/// looks for each among all.
const BUDGET: usize = 24 * 1024;
/// What is added at most to the second after which the library asks again.
const LATER: Duration = Duration::from_secs(3);
/// After pieces that lead nowhere, and when a part of the peer's flight was lost, the library asks no
/// more. It is given up after this time: a server repeats its flight when 1, 3 and 7 seconds have passed
/// (RFC 6347 §4.2.4.1).
const STOPPED: Duration = Duration::from_secs(8);
/// The same where somebody else may have had a part in it: one repeat.
const STOPPED_BY_OTHERS: Duration = Duration::from_secs(2);
/// What passes before we ask anew after an answer that was none.
const PAUSE: Duration = Duration::from_secs(1);
/// RFC 6347 §4.1: type, version, epoch, number, length.
const RECORD_HEADER: usize = 13;
/// RFC 5764 §4.2.
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";

/// What we choose among, ours first.
const PROFILES: [(SrtpProtectionProfile, SrtpSuite); 3] = [
    (SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, SrtpSuite::AeadAes128Gcm),
    (SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm, SrtpSuite::AeadAes256Gcm),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, SrtpSuite::AesCm128HmacSha1_80),
];

/// What both roles begin with.
#[derive(Clone)]
pub(super) struct Roles {
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
}

impl Roles {
    /// `certificate` and its P-256 key in PKCS #8, both DER.
    pub(super) fn new(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        Self::with(certificate, key, SignatureScheme::EcdsaP256Sha256)
    }

    fn with(
        certificate: &[u8],
        key: &[u8],
        scheme: SignatureScheme,
    ) -> Result<Self, IdentityError> {
        let crypto = default_provider().map_err(|error| IdentityError(error.to_string()))?;
        let key = crypto.crypto().import_signing_key(scheme, key);
        let key = key.map_err(|error| IdentityError(error.to_string()))?;
        let certificate = Certificate::from_signing_key(vec![certificate.to_vec().into()], key);
        let role = |client: bool| {
            ConfigBuilder::default()
                .with_crypto_provider(Arc::clone(&crypto))
                .with_certificates(vec![certificate.clone()])
                .with_srtp_protection_profiles(PROFILES.map(|(profile, _)| profile).to_vec())
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_extended_master_secret(ExtendedMasterSecretType::Request)
                // Nobody signed the certificate: its fingerprint is looked at when it is over.
                .with_insecure_skip_verify(true)
                .with_mtu(MTU)
                .build(client, Some(PEER))
                .map(Arc::new)
                .map_err(|error| IdentityError(error.to_string()))
        };
        Ok(Self { client: role(true)?, server: role(false)? })
    }
}

/// One handshake.
pub(in crate::webrtc) struct PhoneHandshake {
    endpoint: Endpoint,
    /// We begin; until that is done.
    begin: Option<Arc<HandshakeConfig>>,
    roles: Roles,
    expected: Fingerprint,
    active: bool,
    budget: usize,
    /// Somebody has spoken.
    heard: bool,
    /// As the server: the client knew our cookie, and was sent more than that. As the client: the server
    /// said all that it says first, and was sent more than a ClientHello.
    pub(super) answered: bool,
    /// How often it was time to ask.
    asked: u32,
    /// What it had of the peer; `None` when it is over.
    messages: Option<Box<Messages>>,
    /// We asked, and the library will not ask again by itself: since when. What comes meanwhile and leads
    /// nowhere either does not put its end off.
    stopped: Option<Instant>,
    /// How long we wait then.
    patience: Duration,
    /// When the library wants to be called again.
    pub(in crate::webrtc) wake: Option<Instant>,
}

impl PhoneHandshake {
    /// `active`: we are the DTLS client.
    pub(super) fn begin(now: Instant, roles: &Roles, expected: Fingerprint, active: bool) -> Self {
        let server = (!active).then(|| Arc::clone(&roles.server));
        Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            begin: active.then(|| Arc::clone(&roles.client)),
            roles: roles.clone(),
            expected,
            active,
            budget: BUDGET,
            heard: false,
            answered: false,
            asked: 0,
            messages: Some(Box::default()),
            stopped: None,
            patience: STOPPED,
            wake: active.then_some(now),
        }
    }

    /// Another one with the same phone in the same role. Where we ask, it is a little later.
    pub(super) fn anew(&self, now: Instant) -> Self {
        self.anew_at(now + PAUSE)
    }

    fn anew_at(&self, at: Instant) -> Self {
        Self::begin(at, &self.roles, self.expected.clone(), self.active)
    }

    /// Whether we are the DTLS client.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Whether it came to its end.
    pub(super) fn is_finished(&self) -> bool {
        self.messages.is_none()
    }

    /// The peer is to be found elsewhere: it is asked there at once.
    pub(in crate::webrtc) fn moved(&mut self, now: Instant) {
        if self.stopped.is_some() && self.messages.is_some() {
            *self = self.anew_at(now);
        } else if self.active && self.messages.is_some() {
            self.heard = false;
            self.asked = 0;
            self.wake = Some(now);
        }
    }

    /// Somebody else than the phone may have a part in it from here on: if it stops, it is given up sooner.
    pub(super) fn mix(&mut self) {
        self.patience = STOPPED_BY_OTHERS;
        self.wake = self.stopped.map(|stopped| stopped + self.patience).or(self.wake);
    }

    /// Takes a datagram; `send` gets what is to be answered.
    pub(in crate::webrtc) fn receive(
        &mut self,
        now: Instant,
        packet: &[u8],
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        // RFC 6347 §4.1.2.7: what is no record is passed over in silence.
        // Anybody can write an alert without protection, and the library ends at each: who gives up
        // with one is given up when the time is over.
        if !is_records(packet) || has_plain_alert(packet) || self.begin.is_some() {
            return News::Waiting;
        }
        if !is_sound(packet) {
            return News::Waiting;
        }
        // What the library is not to get is not remembered as what it had.
        let Some(left) = self.budget.checked_sub(packet.len()) else { return News::Waiting };
        self.heard = true;
        let taken = match &mut self.messages {
            Some(messages) => messages.take(packet),
            None => Taken::Records(packet.to_vec()),
        };
        if taken != Taken::Nothing {
            self.budget = left;
        }
        let Taken::Records(records) = taken else { return News::Waiting };
        let events = self.endpoint.read(now, PEER, None, records[..].into());
        self.flush(now, send);
        match events {
            Err(error) => News::Failed(error.to_string()),
            Ok(events) => events.iter().fold(News::Waiting, |news, event| match event {
                EndpointEvent::HandshakeComplete => self.complete(),
                EndpointEvent::PeerClosed => News::Failed("the peer closed".to_owned()),
                _ => news,
            }),
        }
    }

    /// Lets time pass.
    pub(in crate::webrtc) fn handle_timeout(
        &mut self,
        now: Instant,
        send: &mut dyn FnMut(&[u8]),
    ) -> News {
        let outcome = match self.begin.take() {
            Some(config) => self.endpoint.connect(now, PEER, config, None),
            // Nobody spoke to us yet.
            None if self.endpoint.get_connection_state(PEER).is_none() => Ok(()),
            // Its own timer is what `wake` follows; where that is earlier, the library's time has come
            // by that.
            None => match self.endpoint.poll_timeout(&PEER) {
                None if self.active && self.messages.is_some() => {
                    return News::Failed("what came led nowhere".to_owned());
                }
                due => self.endpoint.handle_timeout(PEER, due.map_or(now, |due| due.max(now))),
            },
        };
        self.asked = self.asked.saturating_add(1);
        self.flush(now, send);
        outcome.map_or_else(|error| News::Failed(error.to_string()), |()| News::Waiting)
    }

    fn flush(&mut self, now: Instant, send: &mut dyn FnMut(&[u8])) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            // RFC 6347 §4.1.2.7: the library answers with a fatal alert what anybody may have written, and
            // what of the phone's flight came before a ServerHello that was lost. OpenSSL ends at one.
            if has_plain_alert(&transmit.message) {
                continue;
            }
            // RFC 5246 §7.4: a ServerHello, in a record of its own or before others; or what is no
            // ClientHello of ours.
            let kind = transmit.message.get(RECORD_HEADER);
            let kind = kind.filter(|_| transmit.message.first() == Some(&22));
            self.answered |= kind.is_some_and(|kind| (*kind == 2 || self.active) && *kind != 1);
            send(&transmit.message);
        }
        // It fails at the eighth time. Who has no path yet, or no description of ours, hears nothing
        // and is asked less often: for twenty seconds.
        let unheard = self.active && !self.heard;
        let later = Duration::from_secs(u64::from(self.asked.saturating_sub(1) / 2)).min(LATER);
        let timer = self.endpoint.poll_timeout(&PEER);
        let stops = timer.is_none() && self.active && self.messages.is_some();
        self.stopped = stops.then(|| self.stopped.unwrap_or(now));
        let given_up = self.stopped.map(|stopped| stopped + self.patience);
        self.wake = timer.map(|timer| if unheard { timer + later } else { timer }).or(given_up);
    }

    /// The peer has shown that it has the key of its certificate, whose fingerprint is looked at.
    fn complete(&mut self) -> News {
        // Who repeats his last flight now has not got ours.
        self.messages = None;
        self.wake = self.endpoint.poll_timeout(&PEER);
        let Some(state) = self.endpoint.get_connection_state(PEER) else { return News::Waiting };
        let certificate = state.peer_certificates.first();
        if !certificate.is_some_and(|certificate| self.expected.fits(certificate)) {
            return News::Stranger;
        }
        let chosen = state.srtp_protection_profile();
        let Some((_, suite)) = PROFILES.into_iter().find(|(profile, _)| *profile == chosen) else {
            return News::Failed("the peer agreed on no SRTP (use_srtp)".to_owned());
        };
        let length = 2 * (suite.key_len() + suite.salt_len());
        let keys = state.export_keying_material(EXPORTER, &[], length);
        match keys.ok().and_then(|material| split(material.as_ref(), suite, self.active)) {
            Some(keys) => News::Keys(keys),
            None => News::Failed("no keys came of it".to_owned()),
        }
    }
}

/// Whether a datagram is records of DTLS 1.x from end to end.
fn is_records(mut packet: &[u8]) -> bool {
    while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
        let [kind, major, .., high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        // RFC 5246 §6.2.1: change_cipher_spec to application_data; 1's complement of 1.x.
        let known = (20..=23).contains(&kind) && major == 254 && length > 0;
        let Some(after) = rest.get(length..).filter(|_| known) else { return false };
        if after.is_empty() {
            return true;
        }
        packet = after;
    }
    false
}

/// Whether an alert (RFC 5246 §7.2) of epoch 0 is among these records.
fn has_plain_alert(mut packet: &[u8]) -> bool {
    while let Some((header, rest)) = packet.split_first_chunk::<RECORD_HEADER>() {
        let [kind, _, _, epoch @ .., _, _, _, _, _, _, high, low] = *header;
        if kind == 21 && epoch == [0, 0] {
            return true;
        }
        packet = rest.get(usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
pub(super) mod tests;
