//! Pools between a call and the one who keeps the pairs: one that is not there yet, one that gives
//! back for sure, and one that knows what is leased here.

mod coming;
mod known;
mod lasting;
#[cfg(test)]
mod tests;

pub use self::coming::Coming;
pub use self::known::{Leases, Monotonic, Noting, monotonic_clock};
pub use self::lasting::{Lasting, Sleep, system_sleep};
