//! The life of a daemon that has started: signals, the watchdog, reloads, and the farewell.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Interval;

use crate::desk::Desk;
use crate::http;
use crate::place::CommandError;
use crate::system;

/// When one of them has panicked; the journal has said where.
const BROKEN: &str = "a part without which no call can come has broken off (see the journal). This \
    is a fault of Offhook; it has to be started again";
/// For telling everybody that we go; systemd and the operator wait for it.
const GOODBYE: Duration = Duration::from_secs(3);
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
