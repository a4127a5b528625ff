//! Challenging, and verifying the answers.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use constant_time_eq::constant_time_eq;

use super::hash::{self, Algorithm, Ha1, Hash, Qop, Terms};
use super::nonce::{Mint, NonceId, Used};
use crate::header::{Authorization, Challenge, Credentials, Headers, ProxyAuthorization};
use crate::header::{HeaderName, TypedHeader};
use crate::ids::Ids;
use crate::message::Method;
use crate::uri::{Host, Uri};

/// Limits of a [`Server`].
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a nonce is good for.
    pub nonce_lifetime: Duration,
    /// How far a nonce-count may lag behind the highest one, since requests overtake each other;
    /// 64 at most.
    pub nc_window: u32,
    /// How many used nonces are remembered; beyond that the oldest become stale early.
    pub max_nonces: usize,
    /// What is offered, strongest first (RFC 8760 §2.3).
    pub hashes: Vec<Hash>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nonce_lifetime: Duration::from_secs(300),
            nc_window: 64,
            max_nonces: 65_536,
            hashes: vec![Hash::Sha256, Hash::Md5],
        }
    }
}

/// What credentials are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Ok {
        /// Whose they are.
        user: Box<str>,
    },
    /// The nonce is not ours or another peer's; or the password is right and the nonce too old or
    /// used before. Challenge again with `stale`; it says nothing about who sent this.
    Stale,
    /// Wrong password.
    Wrong {
        /// Whose name they bear.
        user: Box<str>,
    },
    /// No such user. To be answered as [`Verdict::Wrong`] is.
    UnknownUser,
    /// Not understood: 400, or a new challenge.
    Malformed,
}

/// The request that credentials came with.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its Request-URI.
    pub uri: &'a Uri,
    /// Whether a host means us, as far as the sender of this request is concerned. Asked only of
    /// who knows the password, and not about the realm.
    pub names_us: &'a dyn Fn(&Host) -> bool,
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, uri, .. } = self;
        f.debug_struct("Asked").field("method", method).field("uri", uri).finish_non_exhaustive()
    }
}

/// One realm's side that asks.
#[derive(Debug)]
pub struct Server {
    realm: Box<str>,
    config: Config,
    ids: Ids,
    mint: Mint,
    used: Used,
    opaque: String,
    /// Verified against when there is no such user, to take the same time.
    nobody: [Ha1; 3],
}

impl Server {
    /// `ids` makes the secret that signs nonces; those of an earlier run are stale.
    pub fn new(realm: &str, mut ids: Ids, now: Instant, config: Config) -> Self {
        let mint = Mint::new(&ids.bytes::<32>(), now);
        let password = ids.tag();
        let nobody = [Hash::Md5, Hash::Sha256, Hash::Sha512_256]
            .map(|hash| Ha1::new(hash, "", realm, &password));
        Self {
            realm: realm.into(),
            used: Used::new(config.max_nonces, config.nc_window),
            opaque: ids.tag(),
            config,
            ids,
            mint,
            nobody,
        }
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Offers and takes these hashes from now on, strongest first.
    pub fn offer(&mut self, hashes: Vec<Hash>) {
        self.config.hashes = hashes;
    }

    /// One challenge for each hash offered, all with the same new nonce. Keeps nothing. `peer`:
    /// whom the nonce is good for (an address), in any octets.
    pub fn challenges(&mut self, now: Instant, stale: bool, peer: &[u8]) -> Vec<Challenge> {
        let nonce = self.mint.issue(now, &mut self.ids, peer);
        let challenge = |hash: &Hash| {
            let mut challenge = Challenge::new("Digest");
            let params = &mut challenge.params;
            params.set_quoted("realm", &self.realm);
            params.set_quoted("nonce", &nonce);
            params.set_quoted("opaque", &self.opaque);
            if stale {
                params.set("stale", Some("true"));
            }
            params.set("algorithm", Some(hash.as_str()));
            params.set_quoted("qop", "auth");
            challenge
        };
        self.config.hashes.iter().map(challenge).collect()
    }

    /// The credentials for this realm among the `Authorization` fields, or the
    /// `Proxy-Authorization` fields when `proxy`. Those for other realms and malformed ones are
    /// passed over.
    pub fn credentials(&self, headers: &Headers, proxy: bool) -> Option<Credentials> {
        let name = if proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization };
        let parse = |text: &str| match proxy {
            true => ProxyAuthorization::parse_value(text).map(|a| a.0),
            false => Authorization::parse_value(text).map(|a| a.0),
        };
        headers
            .get_all(&name)
            .filter_map(|value| parse(&value.to_text()).ok())
            .find(|c| c.is("Digest") && c.param("realm").as_deref() == Some(&*self.realm))
    }

    /// Judges the credentials of a request from `peer`. `lookup` gives the stored HA1 of a user for
    /// a hash.
    ///
    /// A nonce-count that was seen before makes [`Verdict::Stale`].
    pub fn verify(
        &mut self,
        now: Instant,
        peer: &[u8],
        asked: &Asked<'_>,
        credentials: &Credentials,
        lookup: impl FnOnce(&str, Hash) -> Option<Ha1>,
    ) -> Verdict {
        let Some(claim) = Claim::of(credentials) else { return Verdict::Malformed };
        if claim.realm != *self.realm || !self.config.hashes.contains(&claim.hash) {
            return Verdict::Malformed;
        }
        // Who answers a nonce that we never gave to this address may not even be there: over UDP
        // anybody can write anybody's address.
        let Some(id) = self.mint.read(&claim.nonce, peer) else { return Verdict::Stale };
        let known = lookup(&claim.user, claim.hash).filter(|ha1| ha1.hash() == claim.hash);
        let [md5, sha256, sha512] = &self.nobody;
        let nobody = match claim.hash {
            Hash::Md5 => md5,
            Hash::Sha256 => sha256,
            Hash::Sha512_256 => sha512,
        };
        let expected = claim.expected(asked.method, known.as_ref().unwrap_or(nobody));
        let given = claim.response.to_ascii_lowercase();
        let right = constant_time_eq(expected.as_bytes(), given.as_bytes());
        match (known, right) {
            (None, _) => return Verdict::UnknownUser,
            (Some(_), false) => return Verdict::Wrong { user: (*claim.user).into() },
            (Some(_), true) if !self.same_target(&claim.uri, asked) => return Verdict::Malformed,
            (Some(_), true) => {}
        }
        // Only now its age: `stale` tells a client not to ask for the password (RFC 7616 §3.3).
        if self.use_nonce(now, id, claim.counted.as_ref().map(|(_, nc)| *nc)) {
            Verdict::Ok { user: (*claim.user).into() }
        } else {
            Verdict::Stale
        }
    }

    fn use_nonce(&mut self, now: Instant, id: NonceId, nc: Option<u32>) -> bool {
        let Self { mint, used, config, .. } = self;
        let too_old = |id| mint.age(now, id) > config.nonce_lifetime;
        used.expire(too_old);
        !too_old(id) && used.accept(id, nc)
    }

    /// Whether the `uri` of credentials may mean the Request-URI (RFC 7616 §3.4.6 wants the same
    /// resource, not the same text). Who is called must be the same, and the host must be one of
    /// ours: phones call us by name, by address and port, or by what a gateway made of it on the
    /// way. Any other host means that the answer was given to somebody else: who calls a phone and
    /// challenges it in our name could pass it on to us. That it is also in the Request-URI says
    /// nothing, for the sender has written both.
    fn same_target(&self, claimed: &str, asked: &Asked<'_>) -> bool {
        let Ok(claimed) = claimed.parse::<Uri>() else { return false };
        let called = called(asked.uri);
        let host = match &claimed {
            Uri::Other(_) => return claimed.equivalent(asked.uri),
            Uri::Tel(tel) => return called.is_some_and(|called| called == tel.digits()),
            Uri::Sip(sip) => &sip.host_port.host,
        };
        if matches!(asked.uri, Uri::Other(_)) {
            return false;
        }
        let ours = || self.is_realm(host) || (asked.names_us)(host);
        let same_host = || match asked.uri {
            Uri::Sip(sip) => sip.host().is_same(host),
            _ => false,
        };
        match (self::called(&claimed), called) {
            (Some(claimed), Some(called)) => claimed == called && ours(),
            // sipp names the host alone, whoever is called.
            (None, Some(_)) => ours(),
            // A REGISTER, mostly: some phones write their AOR, some their own address.
            (_, None) => same_host() || ours(),
        }
    }

    fn is_realm(&self, host: &Host) -> bool {
        self.realm.parse().is_ok_and(|realm: Host| realm.is_same(host))
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.used.len()
    }
}

/// What credentials say.
struct Claim<'a> {
    user: Cow<'a, str>,
    realm: Cow<'a, str>,
    nonce: Cow<'a, str>,
    uri: Cow<'a, str>,
    response: Cow<'a, str>,
    hash: Hash,
    /// `-sess`: never asked for, and as good as the plain one from who answers so.
    session: bool,
    /// Empty when there is none; then it is needed for nothing.
    cnonce: Cow<'a, str>,
    /// With qop=auth: nc as written, and as a number.
    counted: Option<(Cow<'a, str>, u32)>,
}

impl<'a> Claim<'a> {
    fn of(credentials: &'a Credentials) -> Option<Self> {
        if !credentials.is("Digest") {
            return None;
        }
        let Algorithm { hash, session } =
            Algorithm::parse(credentials.param("algorithm").as_deref())?;
        let counted = match credentials.param("qop").as_deref() {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = credentials.param("nc")?;
                let number = u32::from_str_radix(&nc, 16).ok()?;
                Some((nc, number))
            }
            Some(_) => return None,
        };
        // RFC 7616 §3.4: qop and -sess both hash it.
        let cnonce = credentials.param("cnonce");
        if cnonce.is_none() && (session || counted.is_some()) {
            return None;
        }
        Some(Self {
            user: credentials.param("username")?,
            realm: credentials.param("realm")?,
            nonce: credentials.param("nonce")?,
            uri: credentials.param("uri")?,
            response: credentials.param("response")?,
            hash,
            session,
            cnonce: cnonce.unwrap_or_default(),
            counted,
        })
    }

    /// The response that the owner of `ha1` would have given.
    fn expected(&self, method: &Method, ha1: &Ha1) -> String {
        let Self { hash, nonce, cnonce, .. } = self;
        let qop = self.counted.as_ref().map(|(nc, _)| Qop { nc, cnonce, body: None });
        let terms = Terms { method: method.as_str(), uri: &self.uri, nonce, qop };
        if self.session {
            let ha1 = hash::session_ha1(*hash, ha1.as_hex(), nonce, cnonce);
            return hash::response(*hash, &ha1, &terms);
        }
        hash::response(*hash, ha1.as_hex(), &terms)
    }
}

/// The user, or the number of a `tel:`, which a gateway may have made a user of.
fn called(uri: &Uri) -> Option<Cow<'_, str>> {
    match uri {
        Uri::Tel(tel) => Some(tel.digits().into()),
        _ => uri.user_decoded(),
    }
}
