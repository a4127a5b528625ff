//! Stands in until the transaction layer is there; then `transaction::ServerTx` is re-exported.

/// Names one server transaction for ever; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTx(pub(crate) u64);
