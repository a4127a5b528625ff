//! Who sent a request: a phone that proves it, a trunk's peer, or nobody we know.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use offhook_config::Trunk;
use offhook_sip::digest;
use offhook_sip::flow::Flow;
use offhook_sip::header::{HeaderName, WwwAuthenticate};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::uri::{Host, Uri};
use tokio::time::Instant;

use super::directory::Directory;
use crate::bans::Bans;
use crate::keep::Extension;
use crate::mask::mask;
use crate::metrics::Metrics;
use crate::transport::advertise::Addresses;
use crate::trunk::{Peers, Recognised};

/// The outcome.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A phone that knows the password of this extension.
    Extension(Arc<Extension>),
    /// A peer of this trunk.
    Trunk(Arc<Trunk>),
    /// Send this 401 and wait for the request to come again.
    Challenge(Response),
    /// Send this 403.
    Refuse(Response),
}

/// Judges requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authenticator {
    server: Arc<Mutex<digest::Server>>,
    realm: Arc<str>,
    addresses: Arc<Addresses>,
    directory: Directory,
    peers: Peers,
    bans: Bans,
    metrics: Arc<Metrics>,
    /// Nobody can foresee which attempts look alike.
    attempts: RandomState,
}

impl Authenticator {
    /// For a realm, and for who reaches us at these addresses. Nonces of an earlier run are stale.
    pub fn new(
        realm: &str,
        addresses: Arc<Addresses>,
        ids: Ids,
        directory: Directory,
        peers: Peers,
        bans: Bans,
        metrics: Arc<Metrics>,
    ) -> Self {
        let now = Instant::now().into_std();
        let server = digest::Server::new(realm, ids, now, digest::Config::default());
        Self {
            server: Arc::new(Mutex::new(server)),
            realm: realm.into(),
            addresses,
            directory,
            peers,
            bans,
            metrics,
            attempts: RandomState::new(),
        }
    }

    /// Asks phones for these digests from now on, strongest first.
    pub(super) fn offer(&self, hashes: Vec<digest::Hash>) {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).offer(hashes);
    }

    /// The accounts.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A phone registered from there.
    pub(super) fn phone_came(&self, source: SocketAddr) {
        if self.peers.add_phone(source) {
            self.bans.phone_came(source.ip());
        }
    }

    /// No phone is registered from there any more.
    pub(super) fn phone_left(&self, source: SocketAddr) {
        if self.peers.remove_phone(source) {
            self.bans.phone_left(source.ip());
        }
    }

    /// Judges a request that begins something: INVITE, REFER, SUBSCRIBE, MESSAGE out of dialog.
    ///
    /// Credentials count first, so that a phone and a trunk may share an address (a test, a
    /// gateway). Then the address: a trunk's peer needs no credentials.
    pub fn authenticate(&self, request: &Request, flow: &Flow) -> Verdict {
        if let Some(verdict) = self.by_credentials(request, flow) {
            return verdict;
        }
        let phone = self.peers.is_phone(flow.remote);
        if !phone {
            match self.peers.recognise(flow.remote.ip(), request) {
                Recognised::Trunk(trunk) => return Verdict::Trunk(trunk),
                Recognised::OtherConnector { id } => {
                    if let Some(skipped) = self.bans.worth_a_line(flow.remote.ip()) {
                        tracing::warn!(source = %flow.remote, connector = %id, skipped,
                            "a call from a Voice Connector that is not configured was refused");
                    }
                    return Verdict::Refuse(refusal(request));
                }
                Recognised::Nobody => {}
            }
        }
        // The first try without credentials is how digest works, but one that never has any comes
        // from somebody who dials through open boxes.
        if !phone && request.method == Method::Invite {
            self.bans.stranger(flow, self.attempt(request));
        }
        Verdict::Challenge(self.challenge(request, flow, false))
    }

    /// Judges a request that only a phone sends: REGISTER, SUBSCRIBE for a lamp.
    pub fn phone(&self, request: &Request, flow: &Flow) -> Verdict {
        self.by_credentials(request, flow)
            .unwrap_or_else(|| Verdict::Challenge(self.challenge(request, flow, false)))
    }

    /// `None`: there are no credentials for our realm.
    fn by_credentials(&self, request: &Request, flow: &Flow) -> Option<Verdict> {
        let now = Instant::now().into_std();
        let verdict = {
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            let credentials = server.credentials(&request.headers, false)?;
            let lookup = |user: &str, hash| self.directory.ha1(user, &self.realm, hash);
            let names_us = |host: &Host| self.names_us(host, request, flow);
            let asked =
                digest::Asked { method: &request.method, uri: &request.uri, names_us: &names_us };
            server.verify(now, &octets(flow), &asked, &credentials, lookup)
        };
        Some(match verdict {
            digest::Verdict::Ok { user } => match self.directory.get(&user) {
                Some(extension) if self.is_let_in(flow, &user) => Verdict::Extension(extension),
                // Refused for what was guessed before, or removed within this very moment.
                _ => Verdict::Refuse(refusal(request)),
            },
            digest::Verdict::Stale => Verdict::Challenge(self.challenge(request, flow, true)),
            // An unknown user and a wrong password look the same from outside, in words and in
            // time: who exists is nobody's business.
            digest::Verdict::Wrong { user } => self.wrong(request, flow, Some(&user)),
            digest::Verdict::UnknownUser => self.wrong(request, flow, None),
            // A phone that writes another address or algorithm into its answer than we asked for
            // is careless; it guesses no password.
            digest::Verdict::Malformed => Verdict::Challenge(self.challenge(request, flow, false)),
        })
    }

    /// Who guessed too often does not learn that he guessed right; a phone that is registered goes
    /// on from where it is.
    fn is_let_in(&self, flow: &Flow, user: &str) -> bool {
        let source = flow.remote.ip();
        if self.bans.is_refused(source, user) && !self.peers.is_phone(flow.remote) {
            return false;
        }
        self.bans.right_password(source, user);
        true
    }

    /// What is the same when a request comes again, and different for another one.
    fn attempt(&self, request: &Request) -> u64 {
        let headers = [HeaderName::Via, HeaderName::CallId, HeaderName::CSeq];
        let headers = headers.map(|name| request.headers.text(&name));
        self.attempts.hash_one((request.uri.to_string(), headers))
    }

    /// Whether the sender of a request may call us so in its credentials.
    fn names_us(&self, host: &Host, request: &Request, flow: &Flow) -> bool {
        let remote = flow.remote.ip();
        // Nobody but its registrar can ask a phone for a REGISTER: by whatever name it calls us,
        // and some phones write their own address.
        let registers = request.method == Method::Register;
        // Anything else could be the answer to somebody who called the phone under a name of his
        // own. What only phones know, such as the name of a gateway, may be used where phones are
        // registered from.
        let as_it_calls = || match &request.uri {
            Uri::Sip(called) => called.host().is_same(host),
            _ => false,
        };
        let known = match host {
            // RFC 6761 §6.3: nobody else has this name.
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Ip(address) => {
                let address = address.to_canonical();
                registers && address == remote.to_canonical()
                    || self.addresses.reached_at(address, flow)
            }
        };
        known || as_it_calls() && (registers || self.bans.has_phone(remote))
    }

    /// One line for each, as far as the journal can bear it.
    fn wrong(&self, request: &Request, flow: &Flow, user: Option<&str>) -> Verdict {
        self.metrics.auth_failures.inc();
        let source = flow.remote.ip();
        if let Some(skipped) = self.bans.worth_a_line(source) {
            let method = request.method.as_str();
            match user {
                Some(user) => tracing::warn!(%source, method, user = %mask(user), skipped,
                    "wrong password"),
                // What was given as a name may be a password in the wrong field.
                None => tracing::warn!(%source, method, skipped, "no such user"),
            }
        }
        self.bans.wrong_password(source, user);
        Verdict::Refuse(refusal(request))
    }

    /// RFC 3261 §22.1: as a UAS we challenge with 401.
    fn challenge(&self, request: &Request, flow: &Flow, stale: bool) -> Response {
        let now = Instant::now().into_std();
        let mut response = Response::to_request(request, StatusCode::UNAUTHORIZED, None);
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        for challenge in server.challenges(now, stale, &octets(flow)) {
            response.headers.push_typed(&WwwAuthenticate(challenge));
        }
        response
    }
}

/// Whom a nonce is for: the address, not the port, which a NAT may change.
fn octets(flow: &Flow) -> [u8; 16] {
    match flow.remote.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn refusal(request: &Request) -> Response {
    Response::to_request(request, StatusCode::FORBIDDEN, None)
}
