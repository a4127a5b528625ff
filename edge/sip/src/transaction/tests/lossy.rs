//! Two layers over a network that loses, delays and doubles messages.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::transaction::{Transmit, TxId};

struct Net {
    ids: Ids,
    /// In flight, by time of arrival; `true`: to the server.
    flying: BTreeMap<(Instant, u64), (bool, Bytes)>,
    count: u64,
    /// Lost out of 256.
    loss: u8,
}

impl Net {
    fn put(&mut self, now: Instant, to_server: bool, transmit: &Transmit) {
        let [lost, delay, twice, again] = self.ids.bytes::<4>();
        if lost < self.loss {
            return;
        }
        let mut fly = |delay: u8| {
            self.count += 1;
            let at = now + ms(u64::from(delay));
            self.flying.insert((at, self.count), (to_server, transmit.bytes.clone()));
        };
        fly(delay);
        if twice < 20 {
            fly(again);
        }
    }
}

struct Pair {
    client: TransactionLayer,
    server: TransactionLayer,
    net: Net,
    now: Instant,
    outcomes: BTreeMap<ClientTx, Vec<String>>,
    gone: usize,
}

impl Pair {
    fn new(seed: u64, loss: u8) -> Self {
        Self {
            client: TransactionLayer::new(Config::default(), Ids::from_seed(seed)),
            server: TransactionLayer::new(Config::default(), Ids::from_seed(seed + 1)),
            net: Net { ids: Ids::from_seed(seed + 2), flying: BTreeMap::new(), count: 0, loss },
            now: Instant::now(),
            outcomes: BTreeMap::new(),
            gone: 0,
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            self.net.put(self.now, true, &transmit);
        }
        while let Some(transmit) = self.server.poll_transmit() {
            self.net.put(self.now, false, &transmit);
        }
        while let Some(event) = self.client.poll_event() {
            self.client_event(event);
        }
        while let Some(event) = self.server.poll_event() {
            self.server_event(event);
        }
    }

    fn client_event(&mut self, event: Event) {
        let (tx, outcome) = match event {
            Event::Response { tx, response, .. } => {
                let code = response.status.code();
                if code == 180 && self.net.ids.bytes::<1>()[0] < 100 {
                    self.client.cancel(self.now, tx, Headers::new());
                }
                let invite = response.cseq().unwrap().method == Method::Invite;
                if code == 200 && invite {
                    let ack = outgoing(Method::Ack);
                    self.client.send_stateless(ack, udp(), &us());
                }
                (tx, code.to_string())
            }
            Event::Timeout { tx } => (tx, "timeout".into()),
            Event::Terminated { tx: TxId::Client(_) } => {
                self.gone += 1;
                return;
            }
            other => panic!("{other:?}"),
        };
        self.outcomes.entry(tx).or_default().push(outcome);
    }

    fn server_event(&mut self, event: Event) {
        match event {
            Event::Request { tx, request, .. } if request.method == Method::Invite => {
                self.server.respond(self.now, tx, answer(&request, 180));
                let [dice] = self.net.ids.bytes::<1>();
                match dice % 3 {
                    0 => self.server.respond(self.now, tx, answer(&request, 200)),
                    1 => self.server.respond(self.now, tx, answer(&request, 486)),
                    // Rings until it is cancelled, or until its owner loses patience.
                    _ => self.server.respond(self.now, tx, answer(&request, 183)),
                }
            }
            Event::Request { tx, request, .. } => {
                self.server.respond(self.now, tx, answer(&request, 200));
            }
            Event::Cancel { invite, request, .. } => {
                self.server.respond(self.now, invite, answer(&request, 487));
            }
            _ => {}
        }
    }

    /// Goes on until nothing moves any more, but `limit` at most.
    fn run(&mut self, limit: Duration) {
        let end = self.now + limit;
        loop {
            self.drain();
            let arrival = self.net.flying.first_key_value().map(|((at, _), _)| *at);
            let wakes = [arrival, self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = wakes.into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            while let Some(entry) = self.net.flying.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to_server, bytes) = entry.remove();
                let layer = if to_server { &mut self.server } else { &mut self.client };
                layer.receive(self.now, parse::datagram(bytes).unwrap(), udp());
            }
        }
    }
}

#[test]
fn over_a_lossy_link_every_request_ends_once_and_nothing_is_left() {
    for (seed, loss) in [(1, 0), (10, 25), (20, 80), (30, 200), (40, 255)] {
        let mut pair = Pair::new(seed, loss);
        let mut sent = 0;
        for i in 0..120_u32 {
            let method = if i % 2 == 0 { Method::Invite } else { Method::Options };
            let mut request = outgoing(method);
            request.headers.set(crate::header::HeaderName::CallId, format!("call-{i}"));
            pair.client.send_request(pair.now, request, udp(), &us()).unwrap();
            sent += 1;
            pair.run(ms(50));
        }
        pair.run(Duration::from_secs(900));
        assert_eq!(pair.client.counts(), Counts::default(), "seed {seed}");
        assert_eq!(pair.client.leftovers(), 0, "seed {seed}");
        // INVITEs whose CANCEL was lost for good are their owner's to end.
        let open: Vec<ServerTx> = pair.server.servers.keys().copied().collect();
        assert!(open.len() <= 60 && (loss > 0 || open.is_empty()), "{}", open.len());
        for tx in open {
            let late = answer(&request("INVITE", "z9hG4bKlate", ""), 487);
            pair.server.respond(pair.now, tx, late);
        }
        pair.run(Duration::from_secs(900));
        assert_eq!(pair.server.counts(), Counts::default(), "seed {seed}");
        assert_eq!(pair.server.leftovers(), 0, "seed {seed}");
        for (tx, outcomes) in &pair.outcomes {
            let finals = outcomes.iter().filter(|o| !o.starts_with('1')).count();
            let accepted = outcomes.iter().filter(|o| *o == "200").count();
            assert!(finals == 1 || finals == accepted, "seed {seed} {tx:?} {outcomes:?}");
        }
        let ended = pair.outcomes.values().filter(|o| o.iter().any(|o| !o.starts_with('1')));
        assert!(ended.count() >= sent, "seed {seed}");
        assert!(pair.gone >= sent);
    }
}
