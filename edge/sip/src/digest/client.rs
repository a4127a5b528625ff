//! Answering challenges.

use std::fmt;

use thiserror::Error;

use super::hash::{self, Algorithm, Ha1, Hash, Qop, Terms};
use crate::header::{
    Authorization, Challenge, Credentials, HeaderName, Headers, ProxyAuthenticate,
    ProxyAuthorization, TypedHeader, WwwAuthenticate,
};
use crate::ids::Ids;
use crate::message::{Request, Response, StatusCode};

/// What proves who we are. Cannot be printed.
#[derive(Clone)]
pub enum Secret {
    /// The password, good for every realm and hash.
    Password(Box<str>),
    /// Precomputed, for one realm; those of the hashes at hand.
    Ha1(Vec<Ha1>),
}

impl Secret {
    fn knows(&self, hash: Hash) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Ha1(list) => list.iter().any(|ha1| ha1.hash() == hash),
        }
    }

    fn ha1(&self, hash: Hash, user: &str, realm: &str) -> Option<Ha1> {
        match self {
            Self::Password(password) => Some(Ha1::new(hash, user, realm, password)),
            Self::Ha1(list) => list.iter().find(|ha1| ha1.hash() == hash).cloned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a challenge is not answered: do not send the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// No 401 or 407, or one without a challenge that can be read. The peer's fault.
    #[error("the response has no challenge that can be answered")]
    NoChallenge,
    /// Every challenge asks for a scheme, hash or protection that we do not have.
    #[error("no challenge names an algorithm and protection that we know")]
    Unsupported,
    /// The answer to a new nonce was refused: the name or the password is wrong.
    #[error("user name or password is wrong")]
    WrongPassword,
    /// One new nonce after the other is called stale. The peer's fault.
    #[error("the server calls every nonce stale")]
    AlwaysStale,
}

/// Realms that one client has a nonce for; a peer that names more is not believed.
const MAX_REALMS: usize = 8;
/// Nonces called stale on their first use, in a row.
const MAX_STALE: u8 = 3;

/// The side that answers, for one account. Keeps the nonce of each realm for the next request.
#[derive(Debug)]
pub struct Client {
    user: Box<str>,
    secret: Secret,
    ids: Ids,
    realms: Vec<Realm>,
}

#[derive(Debug)]
struct Realm {
    proxy: bool,
    name: Box<str>,
    nonce: Box<str>,
    opaque: Option<Box<str>>,
    algorithm: Algorithm,
    protection: Protection,
    ha1: Ha1,
    cnonce: String,
    /// How often the nonce was used.
    count: u32,
    stale_in_a_row: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    /// RFC 2069 style, no qop.
    None,
    Auth,
    AuthInt,
}

impl Client {
    /// `ids` makes the client nonces.
    pub fn new(user: &str, secret: Secret, ids: Ids) -> Self {
        Self { user: user.into(), secret, ids, realms: Vec::new() }
    }

    /// Reads the challenges of a 401 or 407 that `request` got. After `Ok` send the request again
    /// with the next CSeq, through [`Self::authorize`]. Never `Ok` without end: a password that a
    /// fresh nonce did not help is an error.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn challenged(&mut self, request: &Request, response: &Response) -> Result<(), Refused> {
        let (proxy, challenges) = match response.status {
            StatusCode::UNAUTHORIZED => (false, list(&response.headers, |h: WwwAuthenticate| h.0)),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                (true, list(&response.headers, |h: ProxyAuthenticate| h.0))
            }
            _ => return Err(Refused::NoChallenge),
        };
        if challenges.is_empty() {
            return Err(Refused::NoChallenge);
        }
        let sent = match proxy {
            false => list(&request.headers, |h: Authorization| h.0),
            true => list(&request.headers, |h: ProxyAuthorization| h.0),
        };
        let mut best: Vec<Offer> = Vec::new();
        for offer in challenges.iter().filter_map(|c| Offer::of(c, &self.secret)) {
            let room = best.len() < MAX_REALMS;
            match best.iter_mut().find(|b| b.realm == offer.realm) {
                // RFC 8760 §2.4: the topmost one we support, unless a lower one is stronger.
                Some(b) if offer.algorithm.hash > b.algorithm.hash => *b = offer,
                None if room => best.push(offer),
                Some(_) | None => {}
            }
        }
        if best.is_empty() {
            return Err(Refused::Unsupported);
        }
        for offer in best {
            let sent = sent.iter().find(|c| c.param("realm").as_deref() == Some(&*offer.realm));
            self.adopt(proxy, offer, sent)?;
        }
        Ok(())
    }

    fn adopt(
        &mut self,
        proxy: bool,
        offer: Offer,
        sent: Option<&Credentials>,
    ) -> Result<(), Refused> {
        let old = self.realms.iter().position(|r| r.proxy == proxy && r.name == offer.realm);
        let mut stale_in_a_row = 0;
        // An answer whose nonce was used for the first time had no other fault than ours. One
        // with a nonce from before may have been refused for its age, said so or not.
        if sent.is_some_and(is_first_use) {
            if !offer.stale {
                return Err(Refused::WrongPassword);
            }
            let before = old.and_then(|at| self.realms.get(at)).map_or(0, |r| r.stale_in_a_row);
            stale_in_a_row = before + 1;
            if stale_in_a_row >= MAX_STALE {
                return Err(Refused::AlwaysStale);
            }
        }
        let ha1 = self.secret.ha1(offer.algorithm.hash, &self.user, &offer.realm);
        let realm = Realm {
            proxy,
            name: offer.realm,
            nonce: offer.nonce,
            opaque: offer.opaque,
            algorithm: offer.algorithm,
            protection: offer.protection,
            ha1: ha1.ok_or(Refused::Unsupported)?,
            cnonce: self.ids.tag(),
            count: 0,
            stale_in_a_row,
        };
        if let Some(at) = old {
            self.realms.remove(at);
        } else if self.realms.len() >= MAX_REALMS {
            self.realms.remove(0);
        }
        self.realms.push(realm);
        Ok(())
    }

    /// Puts credentials for all realms known into `request`, in place of older ones. Without a
    /// known nonce the request stays as it is, and the peer will challenge it.
    pub fn authorize(&mut self, request: &mut Request) {
        request.headers.remove(&HeaderName::Authorization);
        request.headers.remove(&HeaderName::ProxyAuthorization);
        let uri = request.uri.to_string();
        for realm in &mut self.realms {
            let credentials = realm.answer(&self.user, request, &uri);
            match realm.proxy {
                false => request.headers.push_typed(&Authorization(credentials)),
                true => request.headers.push_typed(&ProxyAuthorization(credentials)),
            }
        }
        // RFC 2617 §3.3: nothing tells a repeated nonce without qop from a replay; servers that
        // care take each but once.
        self.realms.retain(|r| r.protection != Protection::None);
    }

    /// Reads a success: the server may name the nonce it wants next (RFC 7616 §3.5).
    pub fn accepted(&mut self, response: &Response) {
        for realm in &mut self.realms {
            realm.stale_in_a_row = 0;
        }
        let info = response.headers.typed::<crate::header::AuthenticationInfo>().ok().flatten();
        if let Some(next) = info.as_ref().and_then(|i| i.0.unquoted("nextnonce"))
            && let [realm] = &mut *self.realms
        {
            realm.nonce = next.into();
            realm.count = 0;
        }
    }
}

impl Realm {
    fn answer(&mut self, user: &str, request: &Request, uri: &str) -> Credentials {
        self.count = self.count.saturating_add(1);
        let nc = format!("{:08x}", self.count);
        let body = (self.protection == Protection::AuthInt).then_some(&*request.body);
        let counted = self.protection != Protection::None;
        let terms = Terms {
            method: request.method.as_str(),
            uri,
            nonce: &self.nonce,
            qop: counted.then_some(Qop { nc: &nc, cnonce: &self.cnonce, body }),
        };
        let hash = self.algorithm.hash;
        let ha1 = self.ha1.as_hex();
        let response = if self.algorithm.session {
            let ha1 = hash::session_ha1(hash, ha1, &self.nonce, &self.cnonce);
            hash::response(hash, &ha1, &terms)
        } else {
            hash::response(hash, ha1, &terms)
        };
        let mut credentials = Credentials::new("Digest");
        let params = &mut credentials.params;
        params.set_quoted("username", user);
        params.set_quoted("realm", &self.name);
        params.set_quoted("nonce", &self.nonce);
        params.set_quoted("uri", uri);
        params.set_quoted("response", &response);
        params.set("algorithm", Some(&self.algorithm.to_string()));
        if counted {
            let qop = if body.is_some() { "auth-int" } else { "auth" };
            params.set("qop", Some(qop));
            params.set("nc", Some(&nc));
        }
        if counted || self.algorithm.session {
            params.set_quoted("cnonce", &self.cnonce);
        }
        if let Some(opaque) = &self.opaque {
            params.set_quoted("opaque", opaque);
        }
        credentials
    }
}

/// A challenge that we can answer.
struct Offer {
    realm: Box<str>,
    nonce: Box<str>,
    opaque: Option<Box<str>>,
    algorithm: Algorithm,
    protection: Protection,
    stale: bool,
}

impl Offer {
    fn of(challenge: &Challenge, secret: &Secret) -> Option<Self> {
        if !challenge.is("Digest") {
            return None;
        }
        let algorithm = Algorithm::parse(challenge.param("algorithm").as_deref())?;
        let protection = match challenge.param("qop").filter(|list| !list.trim().is_empty()) {
            None => Protection::None,
            Some(list) => {
                let has = |name| list.split(',').any(|q| q.trim().eq_ignore_ascii_case(name));
                match (has("auth"), has("auth-int")) {
                    (true, _) => Protection::Auth,
                    (false, true) => Protection::AuthInt,
                    (false, false) => return None,
                }
            }
        };
        let stale = challenge.param("stale").is_some_and(|s| s.eq_ignore_ascii_case("true"));
        secret.knows(algorithm.hash).then_some(())?;
        Some(Self {
            realm: challenge.param("realm")?.into(),
            nonce: challenge.param("nonce")?.into(),
            opaque: challenge.param("opaque").map(Into::into),
            algorithm,
            protection,
            stale,
        })
    }
}

/// Whether these credentials were the first with their nonce; without qop they always are.
fn is_first_use(credentials: &Credentials) -> bool {
    let nc = credentials.param("nc").and_then(|nc| u32::from_str_radix(&nc, 16).ok());
    nc.is_none_or(|nc| nc <= 1)
}

/// All well-formed fields of a type; one that cannot be read does not spoil the others.
fn list<T: TypedHeader, I>(headers: &Headers, inner: impl Fn(T) -> I) -> Vec<I> {
    headers
        .get_all(&T::NAME)
        .filter_map(|value| T::parse_value(&value.to_text()).ok().map(&inner))
        .collect()
}
