//! The one timer of a media thread.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A thread does not look at the clock more often: what is due meanwhile is done together, and a
/// packet leaves at most this much after its time.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// A timerfd that is only touched when the time of the next look changes.
#[derive(Debug)]
pub(super) struct Timer {
    fd: OwnedFd,
    at: Option<Instant>,
}

impl Timer {
    pub(super) fn new() -> std::io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self { fd: timerfd_create(TimerfdClockId::Monotonic, flags)?, at: None })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Takes note that it has gone off.
    pub(super) fn clear(&mut self) {
        let _ = rustix::io::read(&self.fd, &mut [0u8; 8]);
        self.at = None;
    }

    /// Goes off at this time; `None`: never. It goes off once.
    pub(super) fn set(&mut self, at: Option<Instant>) {
        if at == self.at {
            return;
        }
        self.at = at;
        let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
        // From this moment: what was done since the turn began took time. Zero would switch it off.
        let now = Instant::now();
        let after = at.map(|at| at.saturating_duration_since(now).max(Duration::from_nanos(1)));
        let value = after.map_or(nothing, |after| Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        });
        let spec = Itimerspec { it_interval: nothing, it_value: value };
        let _ = timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &spec);
    }
}
