//! Pools between a call and the one who keeps the pairs: one that is not there yet, and one that
//! gives back for sure.

mod coming;
mod lasting;
#[cfg(test)]
mod tests;

pub use self::coming::Coming;
pub use self::lasting::{Lasting, Sleep, system_sleep};
