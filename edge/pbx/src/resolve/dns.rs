//! Real DNS, by hickory.

use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::cache::NEGATIVE;
use super::{Answer, Answering, Question, Record, RecordKind, ResolveError, Resolver};

/// Asks the servers of `/etc/resolv.conf`.
#[derive(Clone)]
pub struct Dns(TokioResolver);

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

impl Dns {
    /// With the system's servers. Its own cache is off: ours keeps to the time to live and counts.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn from_system() -> Result<Self, ResolveError> {
        let failed =
            |e: &dyn std::fmt::Display| ResolveError::Server("".into(), e.to_string().into());
        let mut builder = TokioResolver::builder_tokio().map_err(|e| failed(&e))?;
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        Ok(Self(builder.build().map_err(|e| failed(&e))?))
    }
}

impl Resolver for Dns {
    fn lookup(&self, question: Question) -> Answering {
        let resolver = self.0.clone();
        Box::pin(async move {
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
                Err(e) if e.is_no_records_found() => {
                    Ok(Answer { records: Vec::new(), ttl: NEGATIVE })
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

/// Stands in when the system names no servers: every name fails, addresses still work.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDns;

impl Resolver for NoDns {
    fn lookup(&self, question: Question) -> Answering {
        let error = ResolveError::Server(question.name, "no name servers are configured".into());
        Box::pin(async { Err(error) })
    }
}
