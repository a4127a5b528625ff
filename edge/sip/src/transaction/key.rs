//! What transactions are found by: 128 bits that stand for what RFC 3261 §17.1.3 and §17.2.3
//! compare.

use std::hash::{BuildHasher, Hash, RandomState};

use crate::flow::Transport;
use crate::header::Via;
use crate::ids::MAGIC_COOKIE;
use crate::message::{Method, Request};
use crate::uri::{Host, HostPort};

/// Two independently keyed 64-bit hashes. Nobody outside can choose messages whose keys collide,
/// and 2^64 transactions would be needed for one collision by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64);

impl Key {
    /// A tag for responses that are sent without keeping anything: the same for each
    /// retransmission (RFC 3261 §8.2.7).
    pub(super) fn tag(self) -> String {
        format!("{:016x}{:016x}", self.0, self.1)
    }
}

#[derive(Debug, Default)]
pub(super) struct KeyMaker(RandomState, RandomState);

impl KeyMaker {
    fn make(&self, value: &impl Hash) -> Key {
        Key(self.0.hash_one(value), self.1.hash_one(value))
    }

    /// §17.1.3: branch and method of the CSeq.
    pub(super) fn client(&self, branch: &str, method: &Method) -> Key {
        self.make(&(branch, method.as_str()))
    }

    /// §17.2.3. `method` is that of the transaction: INVITE for an ACK, and for a CANCEL either
    /// its own or that of the request which it cancels.
    pub(super) fn server(
        &self,
        request: &Request,
        via: &Via,
        transport: Transport,
        method: &Method,
    ) -> Key {
        let sent_by = SentBy::new(&via.sent_by, transport);
        match via.branch() {
            Some(branch) if branch.starts_with(MAGIC_COOKIE) => {
                self.make(&(branch, &sent_by, method.as_str()))
            }
            // An RFC 2543 element: no branch to go by. The To tag is left out, because the ACK
            // has the one of our answer while the INVITE had none.
            branch => self.make(&(
                (branch, &sent_by, method.as_str()),
                request.uri.to_string(),
                request.from_tag(),
                request.call_id(),
                request.cseq().map(|c| c.seq).ok(),
            )),
        }
    }

    /// The To tag of responses for which nothing is kept: the same for every request that a client
    /// sends in the course of one attempt, answered challenges included.
    pub(super) fn passing_tag(&self, call_id: Option<&str>, from_tag: Option<&str>) -> String {
        self.make(&("passing", call_id, from_tag)).tag()
    }

    /// §8.2.2.2: what two copies of one request, forked on the way, have in common. `None` within
    /// a dialog, where requests do not merge.
    pub(super) fn merge(&self, request: &Request) -> Option<Key> {
        if request.to_tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        Some(self.make(&(request.from_tag()?, request.call_id()?, cseq.seq, cseq.method.as_str())))
    }
}

/// The sent-by of a Via, with the default port in place (§18.1.1).
#[derive(Hash)]
struct SentBy {
    host: Result<std::net::IpAddr, String>,
    port: u16,
}

impl SentBy {
    fn new(sent_by: &HostPort, transport: Transport) -> Self {
        let host = match &sent_by.host {
            Host::Ip(ip) => Ok(*ip),
            Host::Name(name) => Err(name.to_ascii_lowercase()),
        };
        Self { host, port: sent_by.port.unwrap_or(transport.default_port()) }
    }
}
