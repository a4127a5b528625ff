//! The machine around us: open files, systemd's notify socket, the journal.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing_subscriber::EnvFilter;

/// What this program makes is for its own user alone: recordings, the database, a configuration
/// with secrets in it. Where others may look, that is said by name.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Each call holds four sockets or more: take all the files that we are allowed.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, wanted).is_ok() {
        limit.maximum.unwrap_or(u64::MAX)
    } else {
        limit.current.unwrap_or(1024)
    }
}

/// The journal: one line an event on standard error, which systemd keeps. `RUST_LOG` narrows or
/// widens what `level` lets through.
pub fn open_journal(level: &str) {
    let said = std::env::var("RUST_LOG").ok().filter(|said| !said.is_empty());
    let said = said.and_then(|said| EnvFilter::try_new(said).ok());
    let filter = said.unwrap_or_else(|| EnvFilter::new(level));
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written, on a full disk or to a reader that is gone, is lost: what
        // would complain of it writes to the same place, and panics.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false);
    // systemd writes the time itself.
    let set = if under_systemd { builder.without_time().try_init() } else { builder.try_init() };
    // A second opening (tests) keeps the first.
    drop(set);
}

/// Tells systemd; outside systemd this does nothing.
pub fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}

/// Tells systemd that a reload begins. Since version 253 it wants the time with it.
pub fn notify_reloading() {
    use sd_notify::NotifyState::{MonotonicUsec, Reloading};
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    notify(&[Reloading, MonotonicUsec(micros)]);
}

/// How often systemd wants to hear that we live: half of what its watchdog waits.
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// Who goes first where a core is short, behind media threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Phones and trunks wait for it, and send again what is not answered in time.
    Signalling,
    /// A caller waits for what it says.
    Workflows,
    /// Everybody else but the writer of the store, who makes way for all of these.
    Usual,
}

/// Gives the thread that asks its place. Threads that it starts begin with the same.
pub fn go_in_place(turn: Turn) {
    let niceness = match turn {
        Turn::Signalling => -8,
        Turn::Workflows => -4,
        Turn::Usual => 0,
    };
    // Nobody without the right to it (`LimitNICE=` of the service) is worse off than before.
    let _ = rustix::process::setpriority_process(None, niceness);
}
