//! A row of the table.

use jiff::{SignedDuration, Timestamp};
use offhook_dnis::{Candidate, Lease, Pair};
use serde_json::Value;

/// What is there, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pair: Pair,
    pub(super) in_use: bool,
    pub(super) transaction: Option<String>,
    /// Seconds since 1970, as text: conditions compare with what was seen.
    pub(super) claimed: Option<String>,
    pub(super) expires: Option<String>,
    /// Whether `expires` and the holder are of this transaction, and not left by another one.
    ours: bool,
    holder: Option<String>,
    application: Option<String>,
    contact: Option<String>,
    original_calling_number: String,
    released: Timestamp,
    age: SignedDuration,
}

impl Row {
    /// `None`: it has no numbers, and is somebody else's business.
    pub(super) fn read(item: &Value, age: SignedDuration) -> Option<Self> {
        let typed = |name: &str, kind: &str| Some(item.get(name)?.get(kind)?.as_str()?.to_owned());
        let text = |name: &str| typed(name, "S");
        let pair =
            Pair { our_number: text("sma_number")?, connect_number: text("connect_number")? };
        let transaction = text("transaction_id").filter(|id| !id.is_empty());
        let of_it = |name: &str| transaction.is_some() && text(name) == transaction;
        let (ours, bound) = (of_it("lease_owner"), of_it("contact_transaction_id"));
        let last = typed("released_at", "N").or_else(|| typed("call_timestamp", "N"));
        Some(Self {
            in_use: text("in_use").is_some_and(|in_use| in_use == "true"),
            claimed: typed("call_timestamp", "N"),
            expires: typed("lease_expires", "N"),
            holder: text("lease_holder").filter(|_| ours),
            application: text("sip_media_application_id").filter(|_| ours),
            contact: text("contact_id").filter(|_| bound),
            original_calling_number: text("original_calling_number").unwrap_or_default(),
            released: last.as_deref().map_or(Timestamp::UNIX_EPOCH, time),
            pair,
            transaction,
            ours,
            age,
        })
    }

    /// When the claim is over.
    fn end(&self) -> Timestamp {
        if self.ours {
            return self.expires.as_deref().map_or(Timestamp::UNIX_EPOCH, time);
        }
        let since = self.claimed.as_deref().map_or(Timestamp::UNIX_EPOCH, time);
        since.checked_add(self.age).unwrap_or(Timestamp::MAX)
    }

    /// Whether it may be claimed.
    pub(super) fn is_free(&self, now: Timestamp) -> bool {
        !self.in_use || self.end() <= now
    }

    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        !self.is_free(now)
    }

    /// Whether this call has claimed it and not given it back, though the lease may have ended.
    pub(super) fn is_in_use_by(&self, owner: &str) -> bool {
        self.in_use && self.transaction.as_deref() == Some(owner)
    }

    pub(super) fn holder(&self) -> Option<&String> {
        self.holder.as_ref()
    }

    pub(super) fn candidate(&self) -> Candidate {
        Candidate { pair: self.pair.clone(), idle_since: self.released }
    }

    /// The lease of a row in use, whether or not it has ended.
    pub(super) fn lease(&self) -> Option<Lease> {
        Some(Lease {
            pair: self.pair.clone(),
            owner: self.transaction.clone().filter(|_| self.in_use)?,
            original_calling_number: self.original_calling_number.clone(),
            application: self.application.clone(),
            contact: self.contact.clone(),
            since: self.claimed.as_deref().map_or(Timestamp::UNIX_EPOCH, time),
            expires: self.end(),
        })
    }
}

/// Seconds since 1970; a fraction is left off.
fn time(text: &str) -> Timestamp {
    let whole = text.split('.').next().unwrap_or_default();
    let seconds = whole.parse().unwrap_or(0);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AGE: SignedDuration = SignedDuration::from_secs(7_200);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_claim_of_the_samples_function_ends_at_an_age() {
        let mut item = json!({
            "sma_number": {"S": "+18005550100"}, "connect_number": {"S": "+12065550100"},
            "in_use": {"S": "true"}, "transaction_id": {"S": "t1"},
            "call_timestamp": {"N": "1700000000"}, "original_calling_number": {"S": "+15550001"}
        });
        let row = Row::read(&item, AGE).unwrap();
        assert!(row.is_leased(at(1_700_007_199)));
        assert!(row.is_free(at(1_700_007_200)));
        let lease = row.lease().unwrap();
        assert_eq!((lease.owner.as_str(), lease.since), ("t1", at(1_700_000_000)));
        // What our last lease left behind, and the sample's claim did not remove, is not believed.
        item["lease_owner"] = json!({"S": "t0"});
        item["lease_expires"] = json!({"N": "1600000000"});
        item["contact_id"] = json!({"S": "c0"});
        item["contact_transaction_id"] = json!({"S": "t0"});
        let row = Row::read(&item, AGE).unwrap();
        assert!(row.is_leased(at(1_700_000_000)));
        assert_eq!(row.lease().unwrap().contact, None);
    }

    #[test]
    fn a_row_that_makes_no_sense_is_free_or_none_of_ours() {
        assert_eq!(Row::read(&json!({"id": {"S": "1"}}), AGE), None);
        let numbers = json!({"sma_number": {"S": "+1"}, "connect_number": {"S": "+2"}});
        let row = Row::read(&numbers, AGE).unwrap();
        assert!(row.is_free(at(0)));
        assert_eq!(row.lease(), None);
        let mut odd = numbers;
        odd["in_use"] = json!({"S": "true"});
        odd["call_timestamp"] = json!({"N": "soon"});
        assert!(Row::read(&odd, AGE).unwrap().is_free(at(7_200)));
    }
}
