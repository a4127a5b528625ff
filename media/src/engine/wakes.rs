//! Wakes media threads, or puts that off until everything was said.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::Arc;

thread_local! {
    /// Whom this thread is to wake when it has said everything; `None`: each at once.
    static GATHERED: RefCell<Option<Wakes>> = const { RefCell::new(None) };
}

/// Media threads that have orders to look at. They are woken when this is dropped.
#[derive(Debug, Default)]
#[must_use = "dropped at once it wakes at once"]
pub struct Wakes(Vec<Arc<OwnedFd>>);

impl Wakes {
    /// Whether nobody is to be woken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.iter().for_each(ring);
    }
}

/// Gives orders without waking who is to carry them out: one waking is enough for all that `work`
/// orders of a thread, and a media thread that is woken has the core at once, before what the caller
/// has to send. A thread looks at its orders when it was woken for them, after the [`Wakes`] were
/// dropped, or when a handshake or a check comes, which may be an answer to what was just sent.
pub fn gather<T>(work: impl FnOnce() -> T) -> (T, Wakes) {
    let scope = Scope { before: GATHERED.replace(Some(Wakes::default())) };
    let done = work();
    let gathered = GATHERED.take();
    drop(scope);
    (done, gathered.unwrap_or_default())
}

/// Gathering goes on as before when this one ends, also by a panic.
struct Scope {
    before: Option<Wakes>,
}

impl Drop for Scope {
    fn drop(&mut self) {
        drop(GATHERED.replace(self.before.take()));
    }
}

/// Wakes a thread that has something to look at.
pub(super) fn wake(thread: &Arc<OwnedFd>) {
    let gathers = GATHERED.with_borrow_mut(|gathered| {
        let Some(Wakes(known)) = gathered else { return false };
        if !known.iter().any(|other| Arc::ptr_eq(other, thread)) {
            known.push(Arc::clone(thread));
        }
        true
    });
    if !gathers {
        ring(thread);
    }
}

fn ring(thread: &Arc<OwnedFd>) {
    // Fails only when the counter is at its limit: then the thread is being woken anyway.
    let _ = rustix::io::write(&**thread, &1u64.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    fn thread() -> Arc<OwnedFd> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Arc::new(eventfd(0, flags).expect("an eventfd"))
    }

    /// How often it was woken since the last look.
    fn times(thread: &Arc<OwnedFd>) -> u64 {
        let mut count = [0; 8];
        rustix::io::read(&**thread, &mut count).map_or(0, |_| u64::from_ne_bytes(count))
    }

    #[test]
    fn a_thread_is_woken_at_once_where_nobody_gathers() {
        let thread = thread();
        wake(&thread);
        assert_eq!(times(&thread), 1);
    }

    #[test]
    fn each_thread_is_woken_once_after_all_that_was_said() {
        let (one, other, none) = (thread(), thread(), thread());
        let ((), wakes) = gather(|| {
            wake(&one);
            wake(&other);
            wake(&one);
        });
        assert_eq!((times(&one), times(&other)), (0, 0));
        assert!(!wakes.is_empty());
        drop(wakes);
        assert_eq!((times(&one), times(&other), times(&none)), (1, 1, 0));
        wake(&one);
        assert_eq!(times(&one), 1);
    }

    #[test]
    fn who_gathers_within_another_wakes_its_own_only() {
        let (outer, inner) = (thread(), thread());
        let ((), wakes) = gather(|| {
            wake(&outer);
            let ((), within) = gather(|| wake(&inner));
            drop(within);
            assert_eq!((times(&outer), times(&inner)), (0, 1));
        });
        drop(wakes);
        assert_eq!((times(&outer), times(&inner)), (1, 0));
    }

    #[test]
    fn what_was_ordered_before_a_panic_is_carried_out() {
        let thread = thread();
        let panics = std::panic::catch_unwind(|| {
            let ((), _wakes) = gather(|| {
                wake(&thread);
                panic!("on purpose");
            });
        });
        assert!(panics.is_err());
        assert_eq!(times(&thread), 1);
        wake(&thread);
        assert_eq!(times(&thread), 1);
    }
}
