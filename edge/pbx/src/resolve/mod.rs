//! From a URI to addresses: RFC 3263, over any resolver.
//!
//! * [`Resolver`]: one DNS question, one answer with its time to live. [`dns`] asks real servers;
//!   tests answer from a table.
//! * [`cache`]: keeps answers (and failures) for their time, asks each question once at a time.
//! * [`locate`]: NAPTR, SRV and address records to an ordered list of [`Hop`]s.

pub mod cache;
pub mod dns;
pub mod locate;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use offhook_sip::flow::Transport;

pub use cache::CachingResolver;
pub use locate::Locator;

/// A boxed future of an answer.
pub type Answering = Pin<Box<dyn Future<Output = Result<Answer, ResolveError>> + Send>>;

/// Kinds of records RFC 3263 needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum RecordKind {
    Naptr,
    Srv,
    V4,
    V6,
}

/// One DNS question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Absolute name without the final dot, lower case.
    pub name: Box<str>,
    /// Kind.
    pub kind: RecordKind,
}

impl Question {
    /// A question about a name.
    pub fn new(name: &str, kind: RecordKind) -> Self {
        Self { name: name.trim_end_matches('.').to_ascii_lowercase().into(), kind }
    }
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// RFC 3403.
    Naptr {
        /// Lower first.
        order: u16,
        /// Lower first, within one order.
        preference: u16,
        /// `s` is the only flag RFC 3263 §4.1 uses.
        flags: Box<str>,
        /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
        service: Box<str>,
        /// Next name.
        replacement: Box<str>,
    },
    /// RFC 2782.
    Srv {
        /// Lower first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// Port.
        port: u16,
        /// Host; empty: the service is not offered.
        target: Box<str>,
    },
    /// A or AAAA.
    Address(IpAddr),
}

/// Records, and for how long they hold. No records at all is an answer too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the kind asked for.
    pub records: Vec<Record>,
    /// Time to live.
    pub ttl: Duration,
}

/// Why a name leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The servers did not answer in time.
    #[error("the name servers did not answer about {0} in time")]
    Timeout(Box<str>),
    /// They answered with an error.
    #[error("the name servers failed about {0}: {1}")]
    Server(Box<str>, Box<str>),
    /// Nothing usable is known under the name.
    #[error("{0} has no address")]
    NoAddress(Box<str>),
    /// The URI asks for what we cannot do (`tel:`, an unknown transport).
    #[error("cannot send to {0}")]
    Unsupported(Box<str>),
}

/// Answers DNS questions.
pub trait Resolver: Send + Sync {
    /// Asks. The future may be dropped at any time.
    fn lookup(&self, question: Question) -> Answering;
}

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Protocol.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
    /// The name that stood in the URI: what a TLS peer must prove to be (RFC 5922 §7.2).
    pub host: Option<Arc<str>>,
    /// Neither the URI nor a service record asked for UDP: a large request may go by a stream
    /// instead (RFC 3261 §18.1.1).
    pub implied: bool,
}
