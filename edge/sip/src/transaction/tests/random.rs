//! Whatever comes in whatever order: no panic, and nothing left when time has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::transaction::TxId;

/// One thing that happens; numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Op {
    Ask { method: usize, branch: u8, tcp: bool, in_dialog: bool },
    Respond { which: usize, code: u16, once: bool },
    Send { method: usize, tcp: bool },
    Answer { which: usize, code: u16 },
    Cancel { which: usize },
    Fail { tcp: bool },
    Wait { millis: u64 },
}

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "FOO"];

fn op() -> impl Strategy<Value = Op> {
    let code = || {
        prop::sample::select(vec![100_u16, 180, 183, 199, 200, 202, 302, 401, 408, 486, 503, 603])
    };
    prop_oneof![
        (0..6_usize, 0..12_u8, any::<bool>(), any::<bool>()).prop_map(
            |(method, branch, tcp, in_dialog)| Op::Ask { method, branch, tcp, in_dialog }
        ),
        (any::<usize>(), code(), prop::bool::weighted(0.1))
            .prop_map(|(which, code, once)| Op::Respond { which, code, once }),
        (0..6_usize, any::<bool>()).prop_map(|(method, tcp)| Op::Send { method, tcp }),
        (any::<usize>(), code()).prop_map(|(which, code)| Op::Answer { which, code }),
        any::<usize>().prop_map(|which| Op::Cancel { which }),
        any::<bool>().prop_map(|tcp| Op::Fail { tcp }),
        prop_oneof![0..700_u64, 0..40_000_u64].prop_map(|millis| Op::Wait { millis }),
    ]
}

fn flow(over_tcp: bool) -> Flow {
    if over_tcp { tcp() } else { udp() }
}

fn pick<T: Clone>(list: &[T], which: usize) -> Option<T> {
    list.get(which.checked_rem(list.len())?).cloned()
}

/// What the owner of the layer remembers.
#[derive(Default)]
struct Owner {
    asked: Vec<(ServerTx, Request)>,
    clients: Vec<ClientTx>,
    requests: Vec<Request>,
    finals: BTreeMap<ClientTx, usize>,
    accepted: BTreeSet<ClientTx>,
    gone: BTreeSet<TxId>,
}

impl Owner {
    fn take(&mut self, bench: &mut Bench) {
        for event in bench.events.drain(..) {
            let about = match event {
                Event::Request { tx, request, .. } => {
                    self.asked.push((tx, request));
                    TxId::Server(tx)
                }
                Event::Response { tx, response, .. } => {
                    if response.status.is_final() {
                        *self.finals.entry(tx).or_default() += 1;
                    }
                    if response.status.is_success() {
                        self.accepted.insert(tx);
                    }
                    TxId::Client(tx)
                }
                Event::Timeout { tx } | Event::TransportError { tx } => {
                    *self.finals.entry(tx).or_default() += 1;
                    TxId::Client(tx)
                }
                Event::AckTimeout { tx } => TxId::Server(tx),
                Event::Cancel { invite, .. } => TxId::Server(invite),
                Event::Terminated { tx } => {
                    assert!(self.gone.insert(tx), "{tx:?} gone twice");
                    continue;
                }
                Event::Ack { .. } | Event::StrayResponse { .. } => continue,
            };
            assert!(!self.gone.contains(&about), "news of {about:?}, which is gone");
        }
        for (_, _, message) in bench.sent.drain(..) {
            if let Message::Request(request) = message {
                self.requests.push(request);
            }
        }
    }

    fn act(&mut self, bench: &mut Bench, op: Op) {
        match op {
            Op::Ask { method, branch, tcp, in_dialog } => {
                let branch = format!("{}{branch}", if branch % 4 == 0 { "" } else { "z9hG4bK" });
                let mut request = request(METHODS[method], &branch, "");
                if in_dialog {
                    request.headers.set(crate::header::HeaderName::To, "<sip:x@y>;tag=t");
                }
                bench.receive(Message::Request(request), flow(tcp));
            }
            Op::Respond { which, code, once } => {
                let Some((tx, request)) = pick(&self.asked, which) else { return };
                let answer = answer(&request, code);
                if once && code >= 200 {
                    bench.layer.respond_once(tx, answer);
                } else {
                    bench.layer.respond(bench.now, tx, answer);
                }
            }
            Op::Send { method, tcp } => {
                let method = Method::parse(METHODS[method].as_bytes()).unwrap();
                if matches!(method, Method::Ack | Method::Cancel) {
                    return bench.layer.send_stateless(outgoing(method), flow(tcp), &us());
                }
                let now = bench.now;
                let sent = bench.layer.send_request(now, outgoing(method), flow(tcp), &us());
                self.clients.extend(sent.ok());
            }
            Op::Answer { which, code } => {
                let Some(request) = pick(&self.requests, which) else { return };
                bench.receive(Message::Response(answer(&request, code)), udp());
            }
            Op::Cancel { which } => {
                let Some(tx) = pick(&self.clients, which) else { return };
                bench.layer.cancel(bench.now, tx, Headers::new());
            }
            Op::Fail { tcp } => bench.layer.transport_failed(bench.now, &flow(tcp)),
            Op::Wait { millis } => bench.run(ms(millis)),
        }
        bench.drain();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_of_events_ends_with_empty_tables(
        ops in prop::collection::vec(op(), 0..120),
        small in any::<bool>(),
    ) {
        let mut config = Config { report_stray: true, ..Config::default() };
        if small {
            config = Config {
                max_server: 8, server_reserve: 3, max_client: 6, client_reserve: 2, ..config
            };
        }
        let mut bench = Bench::with(config);
        let mut owner = Owner::default();
        for op in ops {
            owner.act(&mut bench, op);
            owner.take(&mut bench);
        }
        // Every owner answers its INVITEs in the end.
        for (tx, request) in owner.asked.clone() {
            bench.layer.respond(bench.now, tx, answer(&request, 480));
        }
        bench.drain();
        bench.run(Duration::from_secs(600));
        owner.take(&mut bench);
        for tx in &owner.clients {
            let finals = owner.finals.get(tx).copied().unwrap_or(0);
            prop_assert!(finals == 1 || (finals > 1 && owner.accepted.contains(tx)));
            prop_assert!(owner.gone.contains(&TxId::Client(*tx)));
        }
        for (tx, _) in &owner.asked {
            prop_assert!(owner.gone.contains(&TxId::Server(*tx)));
        }
        bench.assert_empty();
    }
}
