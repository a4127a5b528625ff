//! Remembers which way the requests of a Call-ID went.
//!
//! An INVITE that is sent again with credentials, its ACK and its BYE must meet the same server
//! behind a name with many addresses: it is the one that knows the nonce and the dialog.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use offhook_sip::flow::Flow;
use offhook_sip::uri::Uri;
use tokio::time::Instant;

/// Ways remembered at a time; the oldest make room.
const MAX_WAYS: usize = 8_192;
/// How long a way is remembered after its last use.
const REMEMBERED: Duration = Duration::from_secs(120);

/// Call-ID and next hop to flow.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    ways: HashMap<Key, (Flow, Instant)>,
    order: VecDeque<(Key, Instant)>,
}

/// What a way is remembered by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    call_id: Box<str>,
    hop: Box<str>,
}

impl Key {
    /// Of a request's Call-ID and the URI of its next hop; `None` when nothing is to be resolved.
    pub(super) fn new(call_id: &str, uri: &Uri) -> Option<Self> {
        let Uri::Sip(sip) = uri else {
            return None;
        };
        if sip.host().ip().is_some() && !sip.params.has("maddr") {
            return None;
        }
        let transport = sip.params.value("transport").unwrap_or_default();
        let scheme = if sip.secure { "sips" } else { "sip" };
        let mut hop = format!("{scheme} {} {transport}", sip.host_port);
        hop.make_ascii_lowercase();
        Some(Self { call_id: call_id.into(), hop: hop.into() })
    }
}

impl Sticky {
    /// The way taken last, when it is fresh.
    pub(super) fn find(&self, key: &Key, now: Instant) -> Option<Flow> {
        let (flow, since) = self.ways.get(key)?;
        (now - *since < REMEMBERED).then_some(*flow)
    }

    /// The way that works.
    pub(super) fn remember(&mut self, key: Key, flow: Flow, now: Instant) {
        while let Some((_, at)) = self.order.front() {
            if self.order.len() < MAX_WAYS && now - *at < REMEMBERED {
                break;
            }
            let Some((old, at)) = self.order.pop_front() else { break };
            // A later use has an entry of its own further back.
            if self.ways.get(&old).is_some_and(|(_, since)| *since == at) {
                self.ways.remove(&old);
            }
        }
        self.ways.insert(key.clone(), (flow, now));
        self.order.push_back((key, now));
    }

    /// It failed: resolve anew.
    pub(super) fn forget(&mut self, key: &Key) {
        self.ways.remove(key);
    }
}
