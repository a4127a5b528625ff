//! What an office in the simulation is made of.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use offhook_config::Config;
use offhook_media::engine::{Engine, EngineConfig};
use offhook_media::recorder::Recorder;
use offhook_pbx::call::{Services, Sounds};
use offhook_pbx::keep::{Extension, Keep};
use offhook_pbx::metrics::Metrics;
use offhook_pbx::office::{self, Desk};
use offhook_pbx::registrar::Registrar;
use offhook_pbx::resolve::locate::Abilities;
use offhook_pbx::resolve::{
    Answer, Answering, CachingResolver, Locator, Question, Record, RecordKind, ResolveError,
    Resolver,
};
use offhook_pbx::rooms::Rosters;
use offhook_pbx::stack::SipHandle;
use offhook_pbx::transport::advertise::{Addresses, ListenAddress};
use offhook_sip::digest;
use offhook_sip::flow::Transport;
use offhook_sip::message::Method;

use super::super::keep::MemoryKeep;
use super::super::screens::Pops;
use super::Outside;

/// What names lead to: nothing, where everything has an address, or one host.
pub(super) struct Names(pub(super) Option<IpAddr>);

impl Resolver for Names {
    fn lookup(&self, question: Question) -> Answering {
        let answer = match self.0 {
            Some(address) => {
                let fits = question.kind == RecordKind::V4 && address.is_ipv4();
                let records = fits.then_some(Record::Address(address)).into_iter().collect();
                Ok(Answer { records, ttl: Duration::from_secs(60) })
            }
            None => Err(ResolveError::NoAddress(question.name)),
        };
        Box::pin(std::future::ready(answer))
    }
}

pub(super) fn locator(metrics: &Arc<Metrics>, names: Names) -> Arc<Locator> {
    let resolver = CachingResolver::new(Arc::new(names), Arc::clone(metrics));
    let abilities = Abilities { udp: true, tcp: false, tls: false, v4: true, v6: false };
    Arc::new(Locator::new(resolver, abilities, 4))
}

pub(super) fn addresses(bound: SocketAddr) -> Addresses {
    let listener = ListenAddress { transport: Transport::Udp, bound, external: None };
    Addresses::new(vec![listener], Vec::new(), Vec::new())
}

pub(super) fn engine(config: &Config) -> Engine {
    let engine = EngineConfig {
        threads: 1,
        ports: config.media.ports.first..=config.media.ports.last,
        // Nobody sends here, so that no late packet can reach the next call.
        drain: Duration::ZERO,
        // Shared by all offices of a program, unless a test has one of its own.
        webrtc: (config.webrtc != offhook_config::WebRtc::default())
            .then_some(config.webrtc.address),
        ..EngineConfig::default()
    };
    Engine::start(engine).expect("media threads")
}

pub(super) fn account(config: &Config, extension: &offhook_config::Extension) -> Option<Extension> {
    let Some(offhook_config::ExtensionCredentials::Password(password)) = &extension.credentials
    else {
        return None;
    };
    let (number, realm) = (extension.number.as_str(), config.server.realm.as_str());
    Some(Extension {
        number: number.to_owned(),
        name: extension.name.clone().unwrap_or_default(),
        ha1_md5: digest::ha1_md5(number, realm, password.expose()).as_hex().to_owned(),
        ha1_sha256: digest::ha1_sha256(number, realm, password.expose()).as_hex().to_owned(),
        realm: realm.to_owned(),
        voicemail: extension.voicemail,
        pin: None,
        do_not_disturb: extension.do_not_disturb,
        greeting: None,
    })
}

pub(super) fn services(
    sip: &SipHandle,
    engine: &Engine,
    keep: &Arc<MemoryKeep>,
    (desk, metrics): (Desk, &Arc<Metrics>),
    (cloud, bots): Outside,
    pops: &Pops,
) -> Arc<Services> {
    Arc::new(Services {
        sip: sip.clone(),
        engine: engine.clone(),
        recorder: Arc::new(Recorder::start().expect("a writer thread")),
        keep: Arc::clone(keep) as Arc<dyn Keep>,
        phonebook: Arc::new(desk),
        sounds: Arc::new(Sounds::new(1 << 20, None)),
        lamp: Arc::new(|_| {}),
        outbox: Arc::default(),
        metrics: Arc::clone(metrics),
        rooms: Arc::default(),
        cloud,
        bots,
        screens: Arc::new(pops.clone()),
    })
}

pub(super) fn elsewhere(registrar: Registrar, rosters: Rosters) -> office::Elsewhere {
    Box::new(move |new| match new.request.method {
        Method::Register => {
            registrar.handle(new);
            None
        }
        Method::Subscribe => rosters.handle(new),
        _ => Some(new),
    })
}
