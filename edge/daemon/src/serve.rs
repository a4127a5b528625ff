//! Wiring: makes every room and gives each what it needs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use offhook_config::{Config, LogNumbers};
use offhook_media::engine::{Engine, EngineConfig};
use offhook_pbx::bans::{BanEvent, Bans, Policy};
use offhook_pbx::keep::Extensions as _;
use offhook_pbx::mask;
use offhook_pbx::metrics::Metrics;
use offhook_pbx::registrar::{Authenticator, Directory, Registrar, RegistrarConfig};
use offhook_pbx::resolve::dns::Dns;
use offhook_pbx::resolve::locate::Abilities;
use offhook_pbx::resolve::{CachingResolver, Locator};
use offhook_pbx::stack::{self, Stack, StackConfig};
use offhook_pbx::transport::{Net, NetConfig, Started};
use offhook_pbx::trunk::{Peers, TrunkConfig, Trunks};
use offhook_sip::ids::Ids;
use sd_notify::NotifyState;
use tokio::sync::watch;

use crate::accounts::accounts;
use crate::api::Api;
use crate::applications::{Applications, ById};
use crate::buckets;
use crate::carrier::Carrier;
use crate::cli::Place;
use crate::desk::Desk;
use crate::exchange;
use crate::folder;
use crate::http::{self, Doors};
use crate::place::{self, CommandError};
use crate::recovery::recover;
use crate::running::{Told, until_told};
use crate::system::{self, Turn};
use crate::take_back;

/// `offhook serve`.
pub fn run(place: &Place) -> Result<(), CommandError> {
    system::open_journal("info");
    let config = place::configuration(place)?;
    warn_of_missing_phones(place);
    runtime()?.block_on(async {
        let told = Told::listen()?;
        let desk = start(config, place.clone()).await?;
        until_told(&desk, told).await
    })
}

/// A group that names a phone which was removed is refused by `offhook check` and at a reload. A
/// start is another matter: the phones that are there must work after a power cut.
fn warn_of_missing_phones(place: &Place) {
    let Some(path) = place.file() else { return };
    if let Err(CommandError::Configuration(problems)) =
        place::read_with_phones(&path, place.data.clone())
    {
        for problem in problems {
            tracing::warn!("{problem}");
        }
    }
}

/// The one thread of signalling (docs/decisions/0003-one-thread-for-signalling.md).
pub fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // What may wait for a disk or count for long: sounds, certificates, a PIN, a reload, the
        // folders of recordings. Four at once, so that signalling has its processor.
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(10))
        // They would have the place of the thread that starts them.
        .on_thread_start(|| system::go_in_place(Turn::Usual))
        .build()
        .map_err(|e| CommandError::Words(format!("no runtime: {e}")))
}

/// Makes every room and opens every socket. What cannot be opened is told; only a box without any
/// listening socket is an error.
pub async fn start(config: Config, place: Place) -> Result<Arc<Desk>, CommandError> {
    let files = system::raise_open_files();
    let config = Arc::new(config);
    mask::show_whole_numbers(config.server.log_numbers == LogNumbers::Full);
    let data = &config.server.data_dir;
    folder::make(data).map_err(|error| CommandError::File { path: data.clone(), error })?;
    // Before anything is recovered: a living daemon's recordings are not remains.
    let lock = folder::Lock::take(data)?;
    let store = place::daemon_store(&config)?;
    recover(&store, config.voicemail.min).await;
    let metrics = Arc::new(Metrics::default());
    let bans = Bans::new(
        Policy::from(&config.bans),
        Some(Arc::new(store.clone())),
        Arc::clone(&metrics),
        Some(Box::new(tell_of_ban)),
    );
    if let Err(error) = bans.load().await {
        tracing::error!(%error, "bans of before the start are forgotten");
    }

    let Started { net, incoming, addresses, problems } =
        Net::start(NetConfig::from(&*config), bans.clone(), Arc::clone(&metrics));
    for problem in &problems {
        tracing::error!("{problem}");
    }
    if problems.len() == config.listen.len() {
        return Err(CommandError::Words(NO_SOCKET.to_owned()));
    }

    let locator = Arc::new(locator(&config, Arc::clone(&metrics)));
    let (sip, requests) = Stack::spawn(
        stack_config(&config),
        stack::Parts {
            wire: Arc::clone(&net) as _,
            incoming,
            locator: Arc::clone(&locator),
            addresses: Arc::clone(&addresses),
            bans: bans.clone(),
            metrics: Arc::clone(&metrics),
            ids: Ids::from_os(),
        },
    );

    let directory = Directory::new();
    directory.replace(accounts(&config, store.load_extensions().await?));
    let peers = Peers::new();
    let auth = Authenticator::new(
        &config.server.realm,
        addresses,
        Ids::from_os(),
        directory.clone(),
        peers.clone(),
        bans.clone(),
        Arc::clone(&metrics),
    );
    let registrar = Registrar::new(
        RegistrarConfig::from(&*config),
        Arc::new(store.clone()),
        auth.clone(),
        sip.clone(),
        Arc::clone(&net) as _,
        Arc::clone(&metrics),
    );
    let trunks = Trunks::new(
        TrunkConfig { user_agent: config.server.user_agent.clone() },
        sip.clone(),
        locator,
        peers,
        bans.clone(),
        Arc::clone(&metrics),
        Ids::from_os(),
    );
    trunks.set(&config.trunks);
    if let Err(error) = registrar.load().await {
        tracing::error!(%error, "phones are reached when they register again");
    }
    let engine = engine(&config, files)?;
    let (config_sender, config_receiver) = watch::channel(Arc::clone(&config));
    let outbox = Arc::new(tokio::sync::Notify::new());
    let carrier = Carrier::start(&config, store.clone(), Arc::clone(&outbox), Arc::clone(&metrics))
        .map_err(|e| CommandError::Words(format!("no thread for recordings: {e}")))?;
    let buckets = buckets::open(&config)
        .map_err(|e| CommandError::Words(format!("no thread for buckets: {e}")))?;
    let applications = Applications::new(
        config_receiver.clone(),
        store.clone(),
        buckets.clone(),
        Arc::clone(&metrics),
    );
    tokio::spawn(Arc::clone(&applications).start());
    tokio::spawn(Arc::clone(&applications).keep_pairs());
    let (office, mwi) = exchange::open(exchange::Parts {
        config: config_receiver,
        applications: Arc::clone(&applications),
        sip: sip.clone(),
        requests,
        auth,
        registrar: registrar.clone(),
        trunks: trunks.clone(),
        engine: engine.clone(),
        store: store.clone(),
        metrics: Arc::clone(&metrics),
        outbox,
        buckets: Arc::new(buckets),
        cloud: Some(Arc::new(take_back::desk::Home::new(&applications))),
        bots: Some(applications.bots()),
    })?;

    applications.connect(office.clone());
    let doors = Doors::open(config.http.address, &http::socket_of(&config.server.data_dir))
        .map_err(|e| CommandError::Words(e.to_string()))?;
    let desk = Arc::new(Desk {
        metrics,
        office,
        applications: Arc::clone(&applications),
        sip,
        mwi,
        net,
        directory,
        registrar,
        trunks,
        bans,
        engine,
        store,
        carrier,
        config: config_sender,
        place,
        home: tokio::runtime::Handle::current(),
        lock,
        metrics_problem: doors.problem().map(str::to_owned),
        started: SystemTime::now(),
        reloading: tokio::sync::Mutex::default(),
    });
    doors.serve(Arc::clone(&desk)).map_err(|e| CommandError::Words(format!("no thread: {e}")))?;
    open_api(&config, &desk, Arc::clone(&applications));
    watch_take_back(&config, &desk, applications);
    system::go_in_place(Turn::Signalling);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    system::notify(&[NotifyState::Ready]);
    Ok(desk)
}

/// Lets programs in. A port that is taken is no reason not to take calls.
fn open_api(config: &Config, desk: &Desk, applications: Arc<Applications>) {
    let opened = Api::open(config).and_then(|api| match api {
        None => Ok(()),
        Some(api) => {
            let calls = Arc::new(ById { applications, office: desk.office.clone() });
            api.serve(calls).map_err(|error| format!("no thread for the API: {error}"))
        }
    });
    if let Err(error) = opened {
        tracing::error!("{error}");
    }
}

/// Takes back calls by what `[take_back]` names. What cannot be asked is no reason not to take calls.
fn watch_take_back(config: &Config, desk: &Desk, applications: Arc<Applications>) {
    if !take_back::is_watched(config) {
        return;
    }
    let watched = applications.sdk().and_then(|sdk| {
        let leases = applications.leases();
        let calls = Arc::new(ById { applications, office: desk.office.clone() });
        let watched = take_back::watch(config, &sdk, &(calls as _), leases);
        watched.map_err(|error| format!("no thread for [take_back]: {error}"))
    });
    if let Err(error) = watched {
        tracing::error!("{error}");
    }
}

/// When nothing can be listened on; the journal has said of each socket why.
const NO_SOCKET: &str = "no socket is open, so nobody could call. Does another SIP server run \
    (`ss -lnp` tells which)? Stop it, or change `address` of [[listen]]";

fn tell_of_ban(event: &BanEvent) {
    match event {
        BanEvent::Began(ban) => {
            tracing::warn!(source = %ban.source, reason = %ban.reason, "banned for a while");
        }
        BanEvent::Ended(source) => tracing::info!(%source, "a ban is over"),
        BanEvent::Lifted(source) => tracing::info!(%source, "a ban was lifted"),
    }
}

/// How late a transaction's end may be noticed: one wake-up serves all that end within it.
const TIDY_GRAIN: Duration = Duration::from_millis(500);

fn stack_config(config: &Config) -> StackConfig {
    let transactions = offhook_sip::transaction::Config {
        tidy_grain: TIDY_GRAIN,
        ..stack::transactions(&config.sip)
    };
    StackConfig { transactions, server: config.server.user_agent.clone(), ..Default::default() }
}

fn locator(config: &Config, metrics: Arc<Metrics>) -> Locator {
    let has = |t| config.listen.iter().any(|l| l.transport == t);
    let abilities = Abilities {
        udp: has(offhook_config::Transport::Udp),
        // Streams are opened from any port.
        tcp: true,
        tls: true,
        // `[::]` takes IPv6 only.
        v4: config.listen.iter().any(|l| l.address.is_ipv4()),
        v6: config.listen.iter().any(|l| l.address.is_ipv6()),
    };
    let resolver = CachingResolver::new(Arc::new(Dns::of_system()), metrics);
    Locator::new(resolver, abilities, u64::from_le_bytes(Ids::from_os().bytes()))
}

/// Each pair of ports is two files, and a call has two pairs; a quarter of the files is for the
/// rest.
fn engine(config: &Config, files: u64) -> Result<Engine, CommandError> {
    let pairs = config.media.ports.pairs();
    let max_ports = usize::try_from(files / 8 * 3).unwrap_or(usize::MAX).min(pairs);
    Engine::start(EngineConfig {
        threads: config.media.threads,
        ports: config.media.ports.range(),
        max_ports,
        webrtc: config.webrtc_address(),
        kernel_relay: config.media.kernel_relay,
        ..EngineConfig::default()
    })
    .map_err(|e| CommandError::Words(format!("media: {e}")))
}
