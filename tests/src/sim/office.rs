//! The whole signalling side of the appliance on a simulated network, and what is left of it.

mod parts;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use offhook_config::Config;
use offhook_media::engine::Engine;
use offhook_pbx::bans::Bans;
use offhook_pbx::bots::Bots;
use offhook_pbx::cloud::Cloud;
use offhook_pbx::metrics::Metrics;
use offhook_pbx::office::{self, Applications, Desk, Office, OfficeHandle};
use offhook_pbx::registrar::{Authenticator, Directory, Registrar, RegistrarConfig};
use offhook_pbx::rooms::{RosterParts, Rosters};
use offhook_pbx::stack::{self, Stack, StackConfig};
use offhook_pbx::transport::wire::Wire;
use offhook_pbx::trunk::{Peers, TrunkConfig, Trunks};
use offhook_sip::ids::Ids;
use tokio::sync::watch;

use self::parts::{Names, account, addresses, elsewhere, engine, locator, services};
use super::keep::MemoryKeep;
use super::net::SimNet;
use super::screens::Pops;
use super::wire::SimWire;
use crate::net::PATIENCE;

/// What is left of an appliance. All zero when every call has ended and every timer has run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Calls with somebody on the line.
    pub calls: usize,
    /// Tasks of calls, those included that wait for a last retransmission.
    pub call_tasks: usize,
    /// Dialogs known to the stack.
    pub dialogs: u64,
    /// Client transactions.
    pub clients: u64,
    /// Server transactions.
    pub servers: u64,
    /// Calls that trunks carry.
    pub trunk_calls: usize,
    /// Pairs of RTP ports.
    pub ports: usize,
    /// Subscriptions to lamps.
    pub subscriptions: u64,
}

/// What an appliance asks outside: a cloud that has the callers' own legs, bots.
pub(super) type Outside = (Option<Arc<dyn Cloud>>, Option<Arc<dyn Bots>>);

/// A running appliance without sockets for signalling.
pub struct SimOffice {
    /// Where phones and trunks find it.
    pub address: SocketAddr,
    /// Calls.
    pub calls: OfficeHandle,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Media: real threads and sockets on 127.0.0.1.
    pub engine: Engine,
    /// What was kept.
    pub keep: Arc<MemoryKeep>,
    /// Contacts.
    pub registrar: Registrar,
    /// Trunks.
    pub trunks: Trunks,
    /// Accounts.
    pub accounts: Directory,
    /// Shut out.
    pub bans: Bans,
    /// What screens beside phones were told.
    pub pops: Pops,
    /// The configuration in force; send another to reload.
    pub config: watch::Sender<Arc<Config>>,
    net: SimNet,
}

impl std::fmt::Debug for SimOffice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimOffice").field("address", &self.address).finish_non_exhaustive()
    }
}

impl SimOffice {
    /// Opens it with a configuration. The first `[[listen]]` is its address; extensions need a
    /// `password` there.
    ///
    /// # Panics
    /// When the configuration has a problem; a test's own fault.
    pub fn open(net: &SimNet, config: &str) -> Self {
        Self::seeded(net, config, 1)
    }

    /// The same with other tags, branches and nonces: all of them come from the seed, so that a
    /// test which fails with one fails again.
    ///
    /// # Panics
    /// As [`SimOffice::open`].
    pub fn seeded(net: &SimNet, config: &str, seed: u64) -> Self {
        Self::with_applications(net, config, seed, None)
    }

    /// The same with applications for `flow:NAME`.
    ///
    /// # Panics
    /// As [`SimOffice::open`].
    pub fn with_applications(
        net: &SimNet,
        config: &str,
        seed: u64,
        applications: Option<Arc<dyn Applications>>,
    ) -> Self {
        Self::build(net, config, seed, applications, Names(None), (None, None))
    }

    /// The same with a cloud that has the callers' own legs.
    ///
    /// # Panics
    /// As [`SimOffice::open`].
    pub fn with_cloud(
        net: &SimNet,
        config: &str,
        seed: u64,
        applications: Option<Arc<dyn Applications>>,
        cloud: Option<Arc<dyn Cloud>>,
    ) -> Self {
        Self::with_bots(net, config, seed, applications, cloud, None)
    }

    /// The same with bots that talk with callers.
    ///
    /// # Panics
    /// As [`SimOffice::open`].
    pub fn with_bots(
        net: &SimNet,
        config: &str,
        seed: u64,
        applications: Option<Arc<dyn Applications>>,
        cloud: Option<Arc<dyn Cloud>>,
        bots: Option<Arc<dyn Bots>>,
    ) -> Self {
        Self::build(net, config, seed, applications, Names(None), (cloud, bots))
    }

    /// The same where every name is that of one host.
    ///
    /// # Panics
    /// As [`SimOffice::open`].
    pub fn named(
        net: &SimNet,
        config: &str,
        seed: u64,
        applications: Option<Arc<dyn Applications>>,
        host: SocketAddr,
    ) -> Self {
        Self::build(net, config, seed, applications, Names(Some(host.ip())), (None, None))
    }

    fn build(
        net: &SimNet,
        config: &str,
        seed: u64,
        applications: Option<Arc<dyn Applications>>,
        names: Names,
        (cloud, bots): Outside,
    ) -> Self {
        let mut ids = Ids::from_seed(seed);
        let config = offhook_config::check(config, Path::new("sim.toml"))
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        let config = Arc::new(config);
        let address = config.listen.first().expect("a listener").address;
        let metrics = Arc::new(Metrics::default());
        let keep = Arc::new(MemoryKeep::default());
        let bans = Bans::new((&config.bans).into(), None, Arc::clone(&metrics), None);
        let (wire, incoming) = SimWire::listen(net, address);
        let wire: Arc<dyn Wire> = Arc::new(wire);
        let locator = locator(&metrics, names);
        let transactions = stack::transactions(&config.sip);
        let addresses = Arc::new(addresses(address));
        let parts = stack::Parts {
            wire: Arc::clone(&wire),
            incoming,
            locator: Arc::clone(&locator),
            addresses: Arc::clone(&addresses),
            bans: bans.clone(),
            metrics: Arc::clone(&metrics),
            ids: ids.fork(),
        };
        let (sip, requests) =
            Stack::spawn(StackConfig { transactions, ..Default::default() }, parts);

        let accounts = Directory::new();
        accounts.replace(config.extensions.iter().filter_map(|e| account(&config, e)));
        let peers = Peers::new();
        let trunks = Trunks::new(
            TrunkConfig { user_agent: config.server.user_agent.clone() },
            sip.clone(),
            locator,
            peers.clone(),
            bans.clone(),
            Arc::clone(&metrics),
            ids.fork(),
        );
        trunks.set(&config.trunks);
        let auth = Authenticator::new(
            &config.server.realm,
            addresses,
            ids.fork(),
            accounts.clone(),
            peers,
            bans.clone(),
            Arc::clone(&metrics),
        );
        let registrar = Registrar::new(
            RegistrarConfig::from(&*config),
            Arc::clone(&keep) as _,
            auth.clone(),
            sip.clone(),
            wire,
            Arc::clone(&metrics),
        );
        let engine = engine(&config);
        let desk = Desk {
            authenticator: auth.clone(),
            registrar: registrar.clone(),
            trunks: trunks.clone(),
        };
        let pops = Pops::default();
        let services = services(&sip, &engine, &keep, (desk, &metrics), (cloud, bots), &pops);
        let (config, in_force) = watch::channel(config);
        let rosters = Rosters::spawn(RosterParts {
            sip: sip.clone(),
            auth,
            rooms: Arc::clone(&services.rooms),
            config: in_force.clone(),
            metrics: Arc::clone(&metrics),
        });
        let calls = Office::spawn(office::Parts {
            config: in_force,
            services,
            requests,
            elsewhere: elsewhere(registrar.clone(), rosters),
            applications,
            pins: Arc::default(),
            ids: ids.fork(),
        });
        Self {
            address,
            calls,
            metrics,
            engine,
            keep,
            registrar,
            trunks,
            accounts,
            bans,
            pops,
            config,
            net: net.clone(),
        }
    }

    /// What is left now.
    pub fn left(&self) -> Leftovers {
        let trunks = self.trunks.status();
        Leftovers {
            calls: self.calls.count(),
            call_tasks: self.calls.tasks(),
            dialogs: self.metrics.dialogs.get(),
            clients: self.metrics.client_transactions.get(),
            servers: self.metrics.server_transactions.get(),
            trunk_calls: trunks.iter().map(|trunk| trunk.calls).sum(),
            ports: self.engine.open_ports(),
            subscriptions: self.metrics.subscriptions.get(),
        }
    }

    /// Lets the transactions of registrations and the first health checks pass.
    pub async fn settle_phones(&self) {
        tokio::time::sleep(Duration::from_secs(40)).await;
    }

    /// Lets every timer of RFC 3261 run out (twice 64*T1 for an INVITE that met silence, then for
    /// its CANCEL; then the BYE of an answer that came late, and what lingers to absorb
    /// retransmissions), ends the trunks' health checks and gives what is left.
    pub async fn settle(&self) -> Leftovers {
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(32)).await;
        }
        let trunk_calls = self.left().trunk_calls;
        self.trunks.set(&[]);
        tokio::time::sleep(Duration::from_secs(65)).await;
        // Media threads close their sockets in real time.
        let end = std::time::Instant::now() + PATIENCE;
        while self.engine.open_ports() > 0 && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        Leftovers { trunk_calls, ..self.left() }
    }

    /// Waits, in real time and while the paused clock stands still, until the media threads have taken
    /// one more packet from each socket to which any were sent before.
    ///
    /// # Panics
    /// When they have ended.
    pub fn media_catches_up(&self) {
        // Some sockets are looked at by a thread's own clock only. An answer to this question comes
        // after what was due by then.
        std::thread::sleep(Duration::from_millis(25));
        let engine = self.engine.clone();
        let asking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(engine.is_well())
        });
        assert!(asking.join().expect("an answer"), "the media threads have ended");
    }

    /// The last datagrams with a text in them, for a failed test.
    pub fn ladder(&self, text: &str) -> String {
        self.net.ladder(text)
    }
}

/// Tasks of the current runtime, ours included.
pub fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// A range of ports for media that no other test of this process uses.
pub fn fresh_ports() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the range that the system gives to others by itself.
    let first = 12_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 20 * 1_000;
    format!("{first}-{}", first + 999)
}
