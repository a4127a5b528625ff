//! Pools between a call and the one who keeps the pairs: one that is not there yet, one that gives
//! back for sure, and one that knows what is leased here.

/// What a pool that stands before another one has it do, whatever else it does.
macro_rules! passes_on {
    ($pool:ident) => {
        fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
            self.$pool.lookup(lookup)
        }

        fn sweep(&self) -> Answer<'_, Vec<Lease>> {
            self.$pool.sweep()
        }

        fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
            self.$pool.release_holder(holder)
        }

        fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
            self.$pool.add(pairs)
        }

        fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
            self.$pool.remove(pairs)
        }

        fn count(&self) -> Answer<'_, Count> {
            self.$pool.count()
        }
    };
}

mod coming;
mod known;
mod lasting;
#[cfg(test)]
mod tests;

pub use self::coming::Coming;
pub use self::known::{Leases, Monotonic, Noting, monotonic_clock};
pub use self::lasting::{Lasting, Sleep, system_sleep};
