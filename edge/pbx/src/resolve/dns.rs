//! Real DNS, by hickory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::cache::{NEGATIVE, NEGATIVE_LONGEST};
use super::{Answer, Answering, Question, Record, RecordKind, ResolveError, Resolver};

/// Where the system says which servers to ask.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How often it is looked whether that has changed.
const LOOK: Duration = Duration::from_secs(5);

/// Asks the system's servers, or those it is given.
#[derive(Clone)]
pub struct Dns(Arc<Inner>);

enum Inner {
    Given(TokioResolver),
    System(Mutex<System>),
}

/// The servers of `/etc/resolv.conf`. They change: a line that comes up, an address lease.
struct System {
    /// `None`: no servers are named.
    resolver: Option<TokioResolver>,
    changed: Option<SystemTime>,
    looked: Instant,
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

impl Dns {
    /// With the system's servers, also when it names them later. While there are none every name
    /// fails; addresses need no servers.
    pub fn of_system() -> Self {
        let changed = last_change();
        let resolver = of_system();
        Self(Arc::new(Inner::System(Mutex::new(System {
            resolver,
            changed,
            looked: Instant::now(),
        }))))
    }

    /// With these servers, over UDP, and TCP for what does not fit.
    ///
    /// # Errors
    /// When hickory refuses the settings.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<Self, ResolveError> {
        let connect = |protocol: fn() -> ConnectionConfig, port| {
            let mut connection = protocol();
            connection.port = port;
            connection
        };
        let server = |at: &SocketAddr| {
            let kinds: [fn() -> ConnectionConfig; 2] =
                [ConnectionConfig::udp, ConnectionConfig::tcp];
            let connections = kinds.map(|kind| connect(kind, at.port())).to_vec();
            NameServerConfig::new(at.ip(), true, connections)
        };
        let mut config = ResolverConfig::default();
        servers.iter().map(server).for_each(|server| config.add_name_server(server));
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver =
            build(builder).map_err(|e| ResolveError::Server("".into(), e.to_string().into()))?;
        Ok(Self(Arc::new(Inner::Given(resolver))))
    }

    fn resolver(&self) -> Option<TokioResolver> {
        let system = match &*self.0 {
            Inner::Given(resolver) => return Some(resolver.clone()),
            Inner::System(system) => system,
        };
        let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
        if system.looked.elapsed() >= LOOK {
            system.looked = Instant::now();
            let changed = last_change();
            if changed != system.changed {
                system.changed = changed;
                system.resolver = of_system();
                tracing::info!("the system names other name servers");
            }
        }
        system.resolver.clone()
    }
}

fn last_change() -> Option<SystemTime> {
    std::fs::metadata(RESOLV_CONF).and_then(|m| m.modified()).ok()
}

fn of_system() -> Option<TokioResolver> {
    let built = TokioResolver::builder_tokio().and_then(build);
    built.inspect_err(|error| tracing::warn!(%error, "no name servers: names lead nowhere")).ok()
}

/// Its own cache is off: ours keeps to the time to live and counts.
fn build(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = Duration::from_secs(2);
    options.attempts = 2;
    builder.build()
}

impl Resolver for Dns {
    fn lookup(&self, question: Question) -> Answering {
        let resolver = self.resolver();
        Box::pin(async move {
            let Some(resolver) = resolver else {
                let why = "the system names no name servers";
                return Err(ResolveError::Server(question.name, why.into()));
            };
            let kind = match question.kind {
                RecordKind::Naptr => RecordType::NAPTR,
                RecordKind::Srv => RecordType::SRV,
                RecordKind::V4 => RecordType::A,
                RecordKind::V6 => RecordType::AAAA,
            };
            // The final dot keeps the search list of resolv.conf out of it, where a name has dots
            // of its own; `trunk` alone may well be meant to be searched for.
            let name = if question.name.contains('.') {
                format!("{}.", question.name)
            } else {
                question.name.to_string()
            };
            match resolver.lookup(name, kind).await {
                Ok(found) => {
                    let ttl = found.valid_until().saturating_duration_since(Instant::now());
                    let records = found.answers().iter().filter_map(|r| read(&r.data));
                    Ok(Answer { records: records.collect(), ttl })
                }
                // RFC 2308 §5: the zone's SOA says how long there is nothing.
                Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                    let said = none.negative_ttl.map(|s| Duration::from_secs(s.into()));
                    let ttl = said.unwrap_or(NEGATIVE).min(NEGATIVE_LONGEST);
                    Ok(Answer { records: Vec::new(), ttl })
                }
                Err(e) => Err(ResolveError::Server(question.name, e.to_string().into())),
            }
        })
    }
}

fn read(data: &RData) -> Option<Record> {
    let name = |n: &dyn std::fmt::Display| -> Box<str> {
        n.to_string().trim_end_matches('.').to_ascii_lowercase().into()
    };
    let text = |b: &[u8]| -> Box<str> { String::from_utf8_lossy(b).into() };
    Some(match data {
        RData::A(a) => Record::Address(a.0.into()),
        RData::AAAA(a) => Record::Address(a.0.into()),
        RData::SRV(s) => Record::Srv {
            priority: s.priority,
            weight: s.weight,
            port: s.port,
            target: name(&s.target),
        },
        RData::NAPTR(n) => Record::Naptr {
            order: n.order,
            preference: n.preference,
            flags: text(&n.flags),
            service: text(&n.services),
            replacement: name(&n.replacement),
        },
        _ => return None,
    })
}
