//! Wiring: makes every room, gives each what it needs, and runs until told to stop.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use offhook_config::{Config, LogNumbers};
use offhook_media::engine::{Engine, EngineConfig};
use offhook_pbx::bans::{BanEvent, Bans, Policy};
use offhook_pbx::keep::{
    Extensions as _, KeepError, Recording, Recordings as _, Voicemail, Voicemails as _,
};
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
use offhook_store::Store;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Interval;

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
use crate::system;
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

/// When one of them has panicked; the journal has said where.
const BROKEN: &str = "a part without which no call can come has broken off (see the journal). This \
    is a fault of Offhook; it has to be started again";
/// For telling everybody that we go; systemd and the operator wait for it.
const GOODBYE: Duration = Duration::from_secs(3);
/// When nothing can be listened on; the journal has said of each socket why.
const NO_SOCKET: &str = "no socket is open, so nobody could call. Does another SIP server run \
    (`ss -lnp` tells which)? Stop it, or change `address` of [[listen]]";

/// What a killed daemon left half-done: recordings get whole headers and become messages (those
/// with less than `shortest` in them are no message, as always), calls without an end get one.
///
/// > None of it is worth a telephone that does not start: what a full disk does not take now waits
/// > for the next start.
async fn recover(store: &Store, shortest: Duration) {
    match store.close_lost_calls().await {
        Ok(0) => {}
        Ok(calls) => tracing::warn!(calls, "calls that the last run did not end"),
        Err(error) => tracing::error!(%error, "calls that the last run did not end stay open"),
    }
    let messages = store.unfinished_voicemails().await.unwrap_or_else(|error| {
        tracing::error!(%error, "messages that were being recorded wait for the next start");
        Vec::new()
    });
    for message in messages {
        if let Err(error) = recover_message(store, &message, shortest).await {
            let file = message.file.display();
            tracing::error!(%file, %error, "a message that was being recorded waits");
        }
    }
    let recordings = store.unfinished_recordings().await.unwrap_or_else(|error| {
        tracing::error!(%error, "calls that were being recorded wait for the next start");
        Vec::new()
    });
    for recording in recordings {
        if let Err(error) = recover_recording(store, &recording).await {
            let file = recording.file.display();
            tracing::error!(%file, %error, "a call that was being recorded waits");
        }
    }
}

/// A file that holds nothing yet is no recording.
async fn recover_recording(store: &Store, recording: &Recording) -> Result<(), KeepError> {
    let milliseconds = repaired(&recording.file)?;
    store.finish_recording(recording.id.clone(), milliseconds).await?;
    tracing::warn!(call = %recording.call_id, milliseconds, "a call that was being recorded");
    Ok(())
}

/// Makes a recording's file whole and gives its length in milliseconds; 0: there is nothing.
fn repaired(file: &Path) -> Result<u64, KeepError> {
    /// No header is longer.
    const HEADERS: u64 = 200;
    let begun = || std::fs::metadata(file).is_ok_and(|file| file.len() > HEADERS);
    match offhook_media::recorder::repair(file) {
        Ok(samples) => Ok(samples * 1000 / u64::from(offhook_media::wav::RATE)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) if error.kind() == ErrorKind::InvalidData && !begun() => Ok(0),
        // It may be there after the next start: nothing is thrown away for a bad disk.
        Err(error) => Err(KeepError::Failed(error.to_string())),
    }
}

async fn recover_message(
    store: &Store,
    message: &Voicemail,
    shortest: Duration,
) -> Result<(), KeepError> {
    let milliseconds = match offhook_media::wav::repair(&message.file) {
        Ok(info) => info.samples * 1000 / u64::from(offhook_media::wav::RATE),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        // It may be there after the next start: nothing is thrown away for a bad disk.
        Err(error) => return Err(KeepError::Failed(error.to_string())),
    };
    if u128::from(milliseconds) < shortest.as_millis() {
        store.delete_voicemail(message.id.clone()).await?;
        tracing::info!(milliseconds, "a recording too short for a message is thrown away");
    } else {
        store.finish_voicemail(message.id.clone(), milliseconds).await?;
        tracing::warn!(milliseconds, "a message that was being recorded is kept");
    }
    Ok(())
}

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

/// What the system may tell us.
#[derive(Debug)]
pub struct Told {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Told {
    /// Listens from now on. To be called before the start: a SIGHUP that nobody listens to ends
    /// the process.
    pub fn listen() -> Result<Self, CommandError> {
        let listen = |kind| -> Result<Signal, CommandError> {
            signal(kind).map_err(|e| CommandError::Words(format!("signals: {e}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }
}

/// What hanging up, and writing what is still queued, may take after the last patience.
const FAREWELL: Duration = Duration::from_secs(30);

/// How often it is seen whether calls can still come, where no watchdog of systemd asks for more.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// What a round through the tasks that carry all calls may take.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(5);

/// Whether the tasks and media threads that carry all calls live; `None`: they are too busy to say.
async fn heartbeat(desk: &Desk) -> Option<bool> {
    let all = async {
        desk.sip.is_well().await && desk.engine.is_well().await && desk.applications.is_well()
    };
    tokio::time::timeout(HEARTBEAT_LIMIT, all).await.ok()
}

/// Serves until SIGTERM or SIGINT, then lets live calls finish. SIGHUP reloads.
///
/// # Errors
/// When a task without which no call can come has ended: whoever started us starts us again.
pub async fn until_told(desk: &Arc<Desk>, told: Told) -> Result<(), CommandError> {
    let Told { mut terminate, mut interrupt, mut hang_up } = told;
    let period = system::watchdog_period().map_or(HEARTBEAT, |period| period.min(HEARTBEAT));
    let mut watchdog = tokio::time::interval(period);
    // A reload waits for a disk, and the watchdog for nobody. Whoever asks meanwhile is served by
    // one more after it.
    let mut reloading = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv(), if reloading.is_empty() => {
                let desk = Arc::clone(desk);
                reloading.spawn(async move { reload(&desk).await });
            }
            Some(_) = reloading.join_next() => {}
            _ = watchdog.tick() => match heartbeat(desk).await {
                Some(true) => system::notify(&[NotifyState::Watchdog]),
                Some(false) => {
                    // What is still queued tells what happened. Calls and phones can be told
                    // nothing any more.
                    let kept = tokio::time::timeout(FAREWELL, desk.store.flush()).await;
                    if !matches!(kept, Ok(Ok(()))) {
                        tracing::error!("the last records may not be kept");
                    }
                    return Err(CommandError::Words(BROKEN.to_owned()));
                }
                // The watchdog is not fed: systemd restarts us if it stays so.
                None => tracing::error!("signalling or media has not answered for {HEARTBEAT_LIMIT:?}"),
            },
        }
    }
    // It would tell systemd "ready" while we stop.
    reloading.shutdown().await;
    let patience = desk.config.borrow().server.drain;
    // The unit's limit may be shorter than the operator's patience.
    let limit = u32::try_from((patience + FAREWELL).as_micros()).unwrap_or(u32::MAX);
    system::notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(limit)]);
    tracing::info!(calls = desk.office.count(), ?patience, "draining: new calls get 503");
    let mut drained = std::pin::pin!(desk.office.shutdown(patience));
    tokio::select! {
        () = ticking(&mut watchdog, &mut drained) => {}
        // Who says it twice means it.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Phones and carriers are told that we go, each for a moment and no longer.
    let farewell = async { tokio::join!(desk.mwi.close(GOODBYE), desk.trunks.close(GOODBYE)) };
    ticking(&mut watchdog, farewell).await;
    // The thread of the doors holds the store, too: it is not closed by going out of scope.
    if let Err(error) = ticking(&mut watchdog, desk.store.flush()).await {
        tracing::error!(%error, "the last records may not be kept");
    }
    let _ = std::fs::remove_file(http::socket_of(&desk.config.borrow().server.data_dir));
    tracing::info!("stopped");
    Ok(())
}

/// Waits for something that takes longer than the watchdog's patience.
async fn ticking<T>(watchdog: &mut Interval, what: impl Future<Output = T>) -> T {
    let mut what = std::pin::pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return done,
            _ = watchdog.tick() => system::notify(&[NotifyState::Watchdog]),
        }
    }
}

async fn reload(desk: &Arc<Desk>) {
    system::notify_reloading();
    if let Err(error) = desk.reload().await {
        tracing::error!("the configuration is not taken up: {error}");
    }
    system::notify(&[NotifyState::Ready]);
}
