//! RFC 3263: which hosts, ports and transports to try for a URI, and in which order.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use offhook_sip::flow::Transport;
use offhook_sip::uri::{Host, SipUri, Uri};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{CachingResolver, Hop, Question, Record, RecordKind, ResolveError};
use crate::transport::advertise::{Addresses, ListenAddress};

/// Places tried for one URI at most.
const MAX_HOPS: usize = 16;
/// SRV targets and NAPTR records looked at, at most.
const MAX_RECORDS: usize = 16;

/// What we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// UDP.
    pub udp: bool,
    /// TCP.
    pub tcp: bool,
    /// TLS.
    pub tls: bool,
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Abilities {
    /// What listeners make possible. TCP and TLS connections can be made without one.
    pub fn of(addresses: &Addresses) -> Self {
        let has = |what: fn(&ListenAddress) -> bool| addresses.listeners().iter().any(what);
        Self {
            udp: has(|l| l.transport == Transport::Udp),
            tcp: true,
            tls: true,
            v4: has(|l| l.bound.is_ipv4()),
            v6: has(|l| l.bound.is_ipv6()),
        }
    }

    fn can(self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
            // A browser listens nowhere.
            Transport::Wss => false,
        }
    }

    fn reaches(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// Finds the hops of a URI. Shared.
#[derive(Debug)]
pub struct Locator {
    resolver: CachingResolver,
    abilities: Abilities,
    random: Mutex<StdRng>,
}

/// What a URI says by itself (RFC 3263 §4.1).
struct Asked {
    host: Host,
    port: Option<u16>,
    transport: Option<Transport>,
    secure: bool,
}

impl Locator {
    /// `seed` decides among equals by weight.
    pub fn new(resolver: CachingResolver, abilities: Abilities, seed: u64) -> Self {
        Self { resolver, abilities, random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// The hop of a URI that names an address: no DNS, no waiting. `None` for names.
    ///
    /// # Errors
    /// For what we cannot send to.
    pub fn direct(&self, uri: &Uri) -> Result<Option<Hop>, ResolveError> {
        let asked = asked(uri)?;
        let Host::Ip(ip) = asked.host else {
            return Ok(None);
        };
        // §4.1: a numeric host without a transport means UDP, TLS for sips.
        let transport = asked.transport.unwrap_or(plain(asked.secure));
        let port = asked.port.unwrap_or(transport.default_port());
        if !self.abilities.can(transport) || !self.abilities.reaches(ip) {
            return Err(ResolveError::Unsupported(uri.to_string().into()));
        }
        let implied = asked.transport.is_none() && !asked.secure;
        Ok(Some(Hop { transport, address: SocketAddr::new(ip, port), host: None, implied }))
    }

    /// All hops in the order to try them; never empty.
    ///
    /// # Errors
    /// When the name leads nowhere or DNS fails.
    pub async fn locate(&self, uri: &Uri) -> Result<Vec<Hop>, ResolveError> {
        if let Some(hop) = self.direct(uri)? {
            return Ok(vec![hop]);
        }
        let asked = asked(uri)?;
        let Host::Name(name) = &asked.host else {
            return Err(ResolveError::Unsupported(uri.to_string().into()));
        };
        let host: Arc<str> = name.trim_end_matches('.').into();
        let implied = asked.transport.is_none() && !asked.secure;
        let transport = asked.transport.unwrap_or(plain(asked.secure));
        // §4.2: with a port, no SRV.
        let services = match asked.port {
            Some(_) => Vec::new(),
            None => self.by_service(&host, &asked).await,
        };
        let hops = if services.is_empty() {
            let port = asked.port.unwrap_or(transport.default_port());
            let mut hops = self.addresses(&host, &host, port, transport).await?;
            hops.iter_mut().for_each(|hop| hop.implied = implied);
            hops
        } else {
            services
        };
        if hops.is_empty() { Err(ResolveError::NoAddress(host.as_ref().into())) } else { Ok(hops) }
    }

    /// Hops of a name's services. All that may be asked is asked at once: name servers that keep
    /// silent cost one wait and not one for each kind of record.
    async fn by_service(&self, host: &Arc<str>, asked: &Asked) -> Vec<Hop> {
        let possible = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let wanted = possible.into_iter().filter(|t| {
            asked.transport.map_or(!asked.secure || *t == Transport::Tls, |asked| asked == *t)
        });
        let plain: Vec<_> = wanted.map(|t| (srv_name(host, t), t)).collect();
        let ahead = plain.iter().map(|(name, _)| Question::new(name, RecordKind::Srv));
        let kinds = [(RecordKind::V4, self.abilities.v4), (RecordKind::V6, self.abilities.v6)];
        let kinds = kinds.into_iter().filter(|(_, wanted)| *wanted);
        let ahead = ahead.chain(kinds.map(|(kind, _)| Question::new(host, kind)));
        for question in ahead {
            self.resolver.ask_ahead(question);
        }
        let mut services = match asked.transport {
            None => self.naptr(host, asked.secure).await,
            Some(_) => Vec::new(),
        };
        if services.is_empty() {
            services = plain;
        }
        self.services(host, services).await
    }

    /// NAPTR services we can use, in order (§4.1).
    async fn naptr(&self, host: &str, secure: bool) -> Vec<(String, Transport)> {
        // A server that fails on NAPTR (many home routers do) must not stop the call.
        let Ok(answer) = self.resolver.lookup(Question::new(host, RecordKind::Naptr)).await else {
            return Vec::new();
        };
        let mut found: Vec<_> = answer
            .records
            .iter()
            .filter_map(|record| match record {
                Record::Naptr { order, preference, flags, service, replacement }
                    if flags.eq_ignore_ascii_case("s") =>
                {
                    let transport = match service.to_ascii_uppercase().as_str() {
                        "SIP+D2U" => Transport::Udp,
                        "SIP+D2T" => Transport::Tcp,
                        "SIPS+D2T" => Transport::Tls,
                        _ => return None,
                    };
                    let fits = !secure || transport == Transport::Tls;
                    let usable = fits && self.abilities.can(transport);
                    usable.then(|| ((*order, *preference), replacement.to_string(), transport))
                }
                _ => None,
            })
            .collect();
        found.sort_by_key(|(rank, ..)| *rank);
        found.truncate(MAX_RECORDS);
        found.into_iter().map(|(_, name, transport)| (name, transport)).collect()
    }

    /// Hops of SRV names, those of the first name first.
    async fn services(&self, host: &Arc<str>, names: Vec<(String, Transport)>) -> Vec<Hop> {
        let usable: Vec<_> = names.into_iter().filter(|(_, t)| self.abilities.can(*t)).collect();
        let answers = join_all(
            usable
                .iter()
                .map(|(name, _)| self.resolver.lookup(Question::new(name, RecordKind::Srv))),
        );
        let mut hops = Vec::new();
        for ((_, transport), answer) in usable.iter().zip(answers.await) {
            // One silent service record leaves the others and the address records to try.
            let Ok(answer) = answer else { continue };
            for (target, port) in self.by_weight(&answer.records) {
                if hops.len() >= MAX_HOPS {
                    break;
                }
                if let Ok(more) = self.addresses(host, &target, port, *transport).await {
                    hops.extend(more);
                }
            }
        }
        hops.truncate(MAX_HOPS);
        hops
    }

    /// Address records of `target`; `host` is the name the peer must prove.
    async fn addresses(
        &self,
        host: &Arc<str>,
        target: &str,
        port: u16,
        transport: Transport,
    ) -> Result<Vec<Hop>, ResolveError> {
        if !self.abilities.can(transport) {
            return Err(ResolveError::Unsupported(format!("{host} over {transport}").into()));
        }
        let ask = |kind, wanted: bool| async move {
            if !wanted {
                return Ok(Vec::new());
            }
            let answer = self.resolver.lookup(Question::new(target, kind)).await?;
            let addresses = answer.records.iter().filter_map(|r| match r {
                Record::Address(ip) => Some(*ip),
                Record::Naptr { .. } | Record::Srv { .. } => None,
            });
            Ok(addresses.collect::<Vec<_>>())
        };
        let (v4, v6) = futures_util::future::join(
            ask(RecordKind::V4, self.abilities.v4),
            ask(RecordKind::V6, self.abilities.v6),
        )
        .await;
        let addresses = match (v4, v6) {
            (Ok(mut v4), Ok(v6)) => {
                v4.extend(v6);
                v4
            }
            (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => some,
            (Err(e), _) | (_, Err(e)) => return Err(e),
        };
        let hop = |ip| Hop {
            transport,
            address: SocketAddr::new(ip, port),
            host: Some(Arc::clone(host)),
            implied: false,
        };
        Ok(addresses.into_iter().take(MAX_HOPS).map(hop).collect())
    }

    /// RFC 2782: by priority, and within one priority a draw by weight.
    fn by_weight(&self, records: &[Record]) -> Vec<(Box<str>, u16)> {
        let mut left: Vec<_> = records
            .iter()
            .filter_map(|r| match r {
                Record::Srv { priority, weight, port, target } if !target.is_empty() => {
                    Some((*priority, *weight, *port, target.clone()))
                }
                _ => None,
            })
            .take(MAX_RECORDS)
            .collect();
        // Weight 0 first, so that it keeps a very small chance (RFC 2782, "Weight").
        left.sort_by_key(|(priority, weight, ..)| (*priority, *weight));
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ordered = Vec::with_capacity(left.len());
        while let Some((first, ..)) = left.first().cloned() {
            let group = left.iter().take_while(|(p, ..)| *p == first).count();
            let total: u32 = left.iter().take(group).map(|(_, w, ..)| u32::from(*w)).sum();
            let draw = random.random_range(0..=total);
            let mut sum = 0;
            let chosen = left.iter().take(group).position(|(_, w, ..)| {
                sum += u32::from(*w);
                sum >= draw
            });
            let (_, _, port, target) = left.remove(chosen.unwrap_or(0));
            ordered.push((target, port));
        }
        ordered
    }
}

/// Transport without any word about it: UDP, and TLS for sips (§4.1).
fn plain(secure: bool) -> Transport {
    if secure { Transport::Tls } else { Transport::Udp }
}

pub(super) fn srv_name(host: &str, transport: Transport) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls | Transport::Wss => format!("_sips._tcp.{host}"),
    }
}

fn asked(uri: &Uri) -> Result<Asked, ResolveError> {
    let unsupported = || ResolveError::Unsupported(uri.to_string().into());
    let Uri::Sip(sip) = uri else {
        return Err(unsupported());
    };
    Ok(Asked {
        host: target_host(sip),
        port: sip.host_port.port,
        transport: transport_of(sip).map_err(|()| unsupported())?,
        secure: sip.secure,
    })
}

/// The `maddr` parameter overrides the host (§4).
fn target_host(sip: &SipUri) -> Host {
    let Some(maddr) = sip.params.value("maddr") else {
        return sip.host_port.host.clone();
    };
    let bare = maddr.trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_or_else(|_| Host::Name(maddr.into()), Host::Ip)
}

fn transport_of(sip: &SipUri) -> Result<Option<Transport>, ()> {
    let Some(word) = sip.params.value("transport") else {
        return Ok(None);
    };
    match (word.to_ascii_lowercase().as_str(), sip.secure) {
        // RFC 3261 §26.2.2: sips over a stream means TLS whatever the word.
        ("tcp" | "tls", true) | ("tls", false) => Ok(Some(Transport::Tls)),
        ("tcp", false) => Ok(Some(Transport::Tcp)),
        ("udp", false) => Ok(Some(Transport::Udp)),
        _ => Err(()),
    }
}
