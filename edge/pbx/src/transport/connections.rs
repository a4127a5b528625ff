//! The table of connections, and who may take how many places in it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use offhook_sip::flow::{ConnectionId, Flow, Transport};
use tokio::sync::mpsc;

use super::limits::Limits;
use super::wire::WireError;
use crate::bans;

/// The part of all connections that is kept for those that we make.
const OWN_SHARE: usize = 16;
/// Connections to one source for answers whose own connection is gone. A peer that closes too
/// early has one or two such ports; a stranger would name thousands.
const MAX_FOR_ANSWERS: usize = 4;

/// On whose account a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// We want to reach somebody.
    Us,
    /// Somebody reached us.
    Stranger,
    /// We answer somebody whose connection is gone: to a port that he chose.
    Answer,
}

/// Whom a connection leads to. A TLS peer that proved to be one name is not another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    transport: Transport,
    remote: SocketAddr,
    host: Option<Box<str>>,
}

impl Peer {
    pub(super) fn of(flow: Flow, host: Option<&str>) -> Self {
        Self {
            transport: flow.transport,
            remote: flow.remote,
            host: host.map(|h| h.to_ascii_lowercase().into()),
        }
    }
}

struct Connection {
    queue: mpsc::Sender<Bytes>,
    peer: Peer,
    flow: Flow,
    opener: Opener,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: usize,
    answers: usize,
}

/// All connections.
#[derive(Default)]
pub(super) struct Table {
    last: u64,
    connections: HashMap<ConnectionId, Connection>,
    by_peer: HashMap<Peer, ConnectionId>,
    per_source: HashMap<IpAddr, Count>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn queue(&self, id: ConnectionId) -> Result<&mpsc::Sender<Bytes>, WireError> {
        self.connections.get(&id).map(|c| &c.queue).ok_or(WireError::Gone)
    }

    /// A connection to that peer. A plain one is as good as another; a TLS one only for the name
    /// it proved.
    pub(super) fn leading_to(&self, peer: &Peer) -> Option<Flow> {
        let found = self.by_peer.get(peer).or_else(|| {
            let unnamed = Peer { host: None, ..peer.clone() };
            (peer.transport == Transport::Tcp).then(|| self.by_peer.get(&unnamed)).flatten()
        });
        found.and_then(|id| self.connections.get(id)).map(|c| c.flow)
    }

    pub(super) fn add(
        &mut self,
        flow: Flow,
        host: Option<&str>,
        opener: Opener,
        limits: &Limits,
    ) -> Result<(Flow, mpsc::Receiver<Bytes>), WireError> {
        // As bans do: an IPv6 host has a whole /64 to come from.
        let source = bans::group(flow.remote.ip());
        let mut count = self.per_source.get(&source).copied().unwrap_or_default();
        // Some places are ours: strangers who take all the others must not cut us off from trunks.
        let reserve = if opener == Opener::Us { 0 } else { limits.connections / OWN_SHARE };
        if self.connections.len() + reserve >= limits.connections
            || count.all >= limits.per_source
            || (opener == Opener::Answer && count.answers >= MAX_FOR_ANSWERS)
        {
            return Err(WireError::TooMany);
        }
        self.last += 1;
        let id = ConnectionId(self.last);
        let flow = Flow { connection: Some(id), ..flow };
        let peer = Peer::of(flow, host);
        let (queue, outbox) = mpsc::channel(limits.write_queue);
        self.by_peer.insert(peer.clone(), id);
        self.connections.insert(id, Connection { queue, peer, flow, opener });
        count.all += 1;
        count.answers += usize::from(opener == Opener::Answer);
        self.per_source.insert(source, count);
        Ok((flow, outbox))
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(gone) = self.connections.remove(&id) else { return };
        if self.by_peer.get(&gone.peer) == Some(&id) {
            self.by_peer.remove(&gone.peer);
        }
        let source = bans::group(gone.flow.remote.ip());
        let Some(count) = self.per_source.get_mut(&source) else { return };
        count.all = count.all.saturating_sub(1);
        count.answers = count.answers.saturating_sub(usize::from(gone.opener == Opener::Answer));
        if count.all == 0 {
            self.per_source.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(remote: &str) -> Flow {
        let (local, remote) = ("[::]:5060".parse().unwrap(), remote.parse().unwrap());
        Flow { transport: Transport::Tcp, local, remote, connection: None }
    }

    #[test]
    fn a_host_with_a_whole_network_of_addresses_is_one_source() {
        let limits = Limits { per_source: 2, ..Limits::default() };
        let mut table = Table::default();
        let come = |table: &mut Table, remote| {
            table.add(from(remote), None, Opener::Stranger, &limits).map(|(flow, _)| flow)
        };
        let first = come(&mut table, "[2001:db8:1:2::1]:5").unwrap();
        come(&mut table, "[2001:db8:1:2:ffff::2]:5").unwrap();
        assert_eq!(come(&mut table, "[2001:db8:1:2::3]:5"), Err(WireError::TooMany));
        come(&mut table, "[2001:db8:1:3::3]:5").unwrap();
        table.remove(first.connection.unwrap());
        come(&mut table, "[2001:db8:1:2::3]:5").unwrap();
    }

    #[test]
    fn answers_to_ports_that_a_stranger_names_take_few_places_and_none_of_ours() {
        let limits = Limits { connections: 16, per_source: 100, ..Limits::default() };
        let mut table = Table::default();
        let add = |table: &mut Table, remote: String, opener| {
            table.add(from(&remote), None, opener, &limits).map(|(flow, _)| flow)
        };
        let answer = |table: &mut Table, host: usize, port: usize| {
            add(table, format!("192.0.2.{host}:{port}"), Opener::Answer)
        };
        let first = answer(&mut table, 1, 1).unwrap();
        for port in 2..=MAX_FOR_ANSWERS {
            answer(&mut table, 1, port).unwrap();
        }
        assert_eq!(answer(&mut table, 1, 99), Err(WireError::TooMany));
        table.remove(first.connection.unwrap());
        answer(&mut table, 1, 99).unwrap();
        for host in 2..=12 {
            answer(&mut table, host, 1).unwrap();
        }
        assert_eq!(table.len(), 15);
        assert_eq!(answer(&mut table, 13, 1), Err(WireError::TooMany));
        add(&mut table, "192.0.2.99:5060".into(), Opener::Us).unwrap();
    }
}
