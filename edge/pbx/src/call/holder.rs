//! A phone has several calls, and orders in one of them something for the one that it holds
//! ([`super::held`], [`super::three_way`]).
//!
//! > It is this very phone that holds a call when its extension, its address and the host of its
//! > Contact are the same: phones of one extension behind one NAT have an address in common, and
//! > tell us by the Contact who they are (RFC 3261 §8.1.1.8; a browser by a name of its own under
//! > `.invalid`).

use std::net::SocketAddr;
use std::time::Instant;

use offhook_sip::uri::{Host, Uri};
use tokio::sync::{mpsc, oneshot};

use super::Control;
use super::joining::ANSWER;
use super::leg::{Leg, Party, Way};

/// Said when something else runs in the call that is meant.
pub(super) const NOT_NOW: &str = "The call cannot be moved now. Please try again.";
/// Said when nothing better is known.
pub(super) const NOT_MOVED: &str = "The call could not be put through.";

/// A phone, as one of its calls knows it.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    extension: String,
    at: SocketAddr,
    contact: Host,
}

/// How likely a call is the one that is meant; the greatest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// Held from the port, too, that the order comes from. Phones that open a connection for each
    /// call have another one each time.
    pub(super) same_port: bool,
    /// The cloud has the call, where that matters.
    pub(super) cloud: bool,
    /// Held since then. `None`: since it began.
    pub(super) since: Option<Instant>,
}

impl Holder {
    /// `None`: the leg is no phone's, or its dialog names no host.
    pub(super) fn of(leg: &Leg) -> Option<Self> {
        let (Party::Phone(extension), Way::Flow(flow)) = (&leg.party, leg.way) else { return None };
        let Uri::Sip(contact) = leg.session.dialog()?.remote_target() else { return None };
        let remote = flow.remote;
        let at = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        Some(Self { extension: extension.clone(), at, contact: contact.host_port.host.clone() })
    }

    pub(super) fn extension(&self) -> &str {
        &self.extension
    }

    /// Whether this phone holds a call by that leg of it.
    pub(super) fn holds(&self, leg: &Leg) -> Option<Rank> {
        let media = leg.media.as_ref().filter(|media| media.held && leg.confirmed)?;
        let own = Self::of(leg).filter(|own| {
            own.extension == self.extension
                && own.at.ip() == self.at.ip()
                && own.contact.is_same(&self.contact)
        })?;
        Some(Rank { same_port: own.at == self.at, cloud: false, since: media.held_since })
    }
}

/// Asks calls something; the greatest answer, and whose it is.
pub(super) async fn best<A: Ord>(
    calls: Vec<mpsc::Sender<Control>>,
    ask: impl Fn(oneshot::Sender<A>) -> Control,
) -> Option<(A, mpsc::Sender<Control>)> {
    let mut best: Option<(A, mpsc::Sender<Control>)> = None;
    for call in calls {
        let (answer, answered) = oneshot::channel();
        if call.try_send(ask(answer)).is_err() {
            continue;
        }
        let Ok(Ok(found)) = tokio::time::timeout(ANSWER, answered).await else { continue };
        if best.as_ref().is_none_or(|(known, _)| found > *known) {
            best = Some((found, call));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_same_port_counts_before_the_cloud_and_that_before_what_was_held_last() {
        let now = Instant::now();
        let rank = |same_port, cloud, since| Rank { same_port, cloud, since };
        let ascending = [
            rank(false, false, None),
            rank(false, false, Some(now)),
            rank(false, false, Some(now + Duration::from_secs(1))),
            rank(false, true, None),
            rank(true, false, None),
            rank(true, true, Some(now)),
        ];
        assert!(ascending.is_sorted_by(|one, other| one < other), "{ascending:?}");
    }
}
