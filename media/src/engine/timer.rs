//! The one timer of a media thread.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// How often a thread must look at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing is open.
    Off,
    /// Ports are open: reports and silence.
    Slow,
    /// Something is played, recorded or dialled.
    Fast,
}

const SLOW_NS: i64 = 100_000_000;
/// A quarter of a packet: packets leave at most this much after their time.
const FAST_NS: i64 = 5_000_000;

/// A timerfd that is only touched when the pace changes.
#[derive(Debug)]
pub(super) struct Timer {
    fd: OwnedFd,
    pace: Pace,
}

impl Timer {
    pub(super) fn new() -> std::io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self { fd: timerfd_create(TimerfdClockId::Monotonic, flags)?, pace: Pace::Off })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Takes note of an expiry.
    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.fd, &mut [0u8; 8]);
    }

    pub(super) fn set(&mut self, pace: Pace) {
        if pace == self.pace {
            return;
        }
        self.pace = pace;
        let every = Timespec {
            tv_sec: 0,
            tv_nsec: match pace {
                Pace::Off => 0,
                Pace::Slow => SLOW_NS,
                Pace::Fast => FAST_NS,
            },
        };
        let spec = Itimerspec { it_interval: every, it_value: every };
        let _ = timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &spec);
    }
}
