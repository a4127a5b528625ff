//! Wiring: makes every room, gives each what it needs, and runs until told to stop.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use offhook_config::{Config, LogNumbers};
use offhook_media::engine::{Engine, EngineConfig};
use offhook_media::recorder::Recorder;
use offhook_pbx::bans::{BanEvent, Bans, Policy};
use offhook_pbx::keep::{Extensions as _, Keep};
use offhook_pbx::metrics::Metrics;
use offhook_pbx::registrar::{Authenticator, Directory, Registrar, RegistrarConfig};
use offhook_pbx::resolve::{Abilities, CachingResolver, Locator, dns::Dns};
use offhook_pbx::stack::{self, Stack, StackConfig};
use offhook_pbx::transport::{Net, NetConfig, Started};
use offhook_pbx::trunk::{Peers, TrunkConfig, Trunks};
use offhook_sip::ids::Ids;
use offhook_store::Store;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::accounts::accounts;
use crate::cli::Place;
use crate::desk::Desk;
use crate::http::{self, Doors};
use crate::place::{self, CommandError};
use crate::system;

/// `offhook serve`.
pub fn run(place: &Place) -> Result<(), CommandError> {
    system::open_journal();
    let config = place::configuration(place)?;
    runtime()?.block_on(async {
        let desk = start(config, place.config.clone()).await?;
        until_told(&desk).await
    })
}

/// The one thread of signalling (docs/decisions/0003-one-thread-for-signalling.md).
pub fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Decoding of prompts, and nothing else, blocks.
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(10))
        .build()
        .map_err(|e| CommandError::Words(format!("no runtime: {e}")))
}

/// Makes every room and opens every socket. What cannot be opened is told; only a box without any
/// listening socket is an error.
pub async fn start(config: Config, path: Option<PathBuf>) -> Result<Arc<Desk>, CommandError> {
    let files = system::raise_open_files();
    let config = Arc::new(config);
    let store = place::store(&config)?;
    recover(&store).await?;
    let keep: Arc<dyn Keep> = Arc::new(store.clone());
    let metrics = Arc::new(Metrics::default());
    let bans = Bans::new(
        Policy::from(&config.bans),
        Some(Arc::new(store.clone())),
        Arc::clone(&metrics),
        Some(Box::new(tell_of_ban)),
    );
    bans.load().await?;

    let Started { net, incoming, addresses, problems } =
        Net::start(NetConfig::from(&*config), bans.clone(), Arc::clone(&metrics));
    let listen_problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for problem in &listen_problems {
        tracing::error!("{problem}");
    }
    if problems.len() == config.listen.len() {
        return Err(CommandError::Words(format!("no socket is open: {}", listen_problems.join("; "))));
    }

    let locator = Arc::new(locator(&config, Arc::clone(&metrics))?);
    let (sip, requests) = Stack::spawn(
        stack_config(&config),
        stack::Parts {
            wire: Arc::clone(&net) as _,
            incoming,
            locator: Arc::clone(&locator),
            addresses,
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
    registrar.load().await?;
    let engine = engine(&config, files)?;
    let (config_sender, config_receiver) = watch::channel(Arc::clone(&config));
    let office = office(OfficeParts {
        config: config_receiver,
        sip,
        requests,
        auth,
        registrar: registrar.clone(),
        trunks: trunks.clone(),
        engine: engine.clone(),
        keep,
        metrics: Arc::clone(&metrics),
    })
    .await?;

    let doors = Doors::open(config.http.address, &http::socket_of(&config.server.data_dir))
        .map_err(|e| CommandError::Words(e.to_string()))?;
    let desk = Arc::new(Desk {
        metrics,
        office,
        net,
        directory,
        registrar,
        trunks,
        bans,
        engine,
        store,
        config: config_sender,
        config_path: path,
        listen_problems,
        started: SystemTime::now(),
        reloading: Mutex::new(()),
    });
    doors.serve(Arc::clone(&desk)).map_err(|e| CommandError::Words(format!("no thread: {e}")))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    system::notify(&[NotifyState::Ready]);
    Ok(desk)
}
