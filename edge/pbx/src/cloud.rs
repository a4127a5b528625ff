//! What is asked of the cloud that has a caller's own leg: Amazon's SIP media applications and
//! Amazon Connect. Stated here, done elsewhere: no HTTP and no AWS in this crate.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

/// One thing to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudOrder {
    /// `UpdateSipMediaApplicationCall`: the application is told where the caller is to go.
    Update {
        /// Which call.
        call: CloudCall,
        /// `TransferTarget`: a number in E.164, or `connect`.
        target: String,
    },
    /// `UpdateContactAttributes`, before the contact goes back to its flow.
    Attributes {
        /// `InstanceId`.
        instance: String,
        /// The instance's region; a box of another region cannot ask it.
        region: String,
        /// `InitialContactId`: the first contact of a chain of transfers, which has their attributes.
        contact: String,
        /// What is written.
        attributes: BTreeMap<String, String>,
    },
}

/// A call of a SIP media application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudCall {
    /// Named by the headers of its INVITE.
    Named {
        /// `SipMediaApplicationId`.
        application: String,
        /// `TransactionId`.
        transaction: String,
    },
    /// Whoever has leased this pair of numbers.
    Pair {
        /// As the caller's number.
        ours: String,
        /// As dialled.
        theirs: String,
        /// `SipMediaApplicationId`, when the lease names none.
        application: Option<String>,
    },
}

/// Why the cloud does not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The numbers of the call are nobody's lease: it is no call of the cloud.
    #[error("no call of the cloud has these numbers")]
    NotThere,
    /// The call or the contact is over.
    #[error("{0}")]
    Gone(String),
    /// It is not allowed, or makes no sense.
    #[error("{0}")]
    Refused(String),
    /// Nobody answered, or is busy.
    #[error("{0}")]
    Unavailable(String),
}

/// Asks the cloud.
pub trait Cloud: Send + Sync {
    /// Asks it. Whoever asks stops waiting when he likes.
    ///
    /// # Errors
    /// [`CloudError`].
    fn ask(&self, order: CloudOrder) -> BoxFuture<'static, Result<(), CloudError>>;
}
