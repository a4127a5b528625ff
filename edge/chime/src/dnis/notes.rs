//! Notes at leases: how an office without an open port is asked for a caller by the table itself.
//!
//! > A note belongs to the transaction that has the row when it is written. Only one taker gets it,
//! > and a row that is given back or claimed anew has none.

use offhook_dnis::{DnisError, Lease, Pair};
use serde_json::Value;

use super::request::NOTES_AT_ONCE;
use super::{DynamoDbPool, write};

/// A note that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// At this row.
    pub pair: Pair,
    /// Whose row it is: a transaction id.
    pub owner: String,
    /// As it was written.
    pub text: String,
}

/// What a row says of a note that was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// It is there, and nobody has taken it.
    There,
    /// The row is not that transaction's any more.
    Gone,
    /// It was taken, and this was written in its place.
    Answered(String),
}

impl DynamoDbPool {
    /// Leaves a note for the holder of a lease, in the place of an older one. `false`: the lease
    /// has ended or was given back.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    pub async fn leave_note(&self, lease: &Lease, text: &str) -> Result<bool, DnisError> {
        Ok(self.table.change(&write::note(lease, text, (self.clock)())).await?.is_some())
    }

    /// What has become of a note at this lease.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    pub async fn note_left(&self, lease: &Lease) -> Result<Left, DnisError> {
        let Some(item) = self.table.get_note(&lease.pair).await? else { return Ok(Left::Gone) };
        Ok(left(&item, &lease.owner))
    }

    /// The notes at these rows, for those who have leased them. Others are not read.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    pub async fn notes(&self, leased: &[(Pair, String)]) -> Result<Vec<Note>, DnisError> {
        let mut found = Vec::new();
        let mut pairs: Vec<&Pair> = leased.iter().map(|(pair, _)| pair).collect();
        // Nobody may ask for a row twice at once.
        pairs.sort_unstable();
        pairs.dedup();
        for pairs in pairs.chunks(NOTES_AT_ONCE) {
            for item in self.table.get_notes(pairs).await? {
                found.extend(leased.iter().find_map(|(pair, owner)| read(&item, pair, owner)));
            }
        }
        Ok(found)
    }

    /// Takes a note away and writes what is known of it in its place: a text that no other taker
    /// writes, for it tells whose the note is when DynamoDB's answer was lost. `false`: somebody
    /// else has taken it, there is a newer one, or the row is not that transaction's any more.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`]: whether it was taken is not known; [`Self::has_taken`] may tell.
    pub async fn take_note(&self, note: &Note, answer: &str) -> Result<bool, DnisError> {
        match self.table.change(&write::take_note(note, answer)).await {
            Ok(Some(_)) => Ok(true),
            // The first attempt may have been done, and not its repetition.
            Ok(None) => self.has_taken(note, answer).await,
            Err(error) => self.has_taken(note, answer).await.map_err(|_| error),
        }
    }

    /// Whether a note was taken with this text, and nothing was written since.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    pub async fn has_taken(&self, note: &Note, answer: &str) -> Result<bool, DnisError> {
        let item = self.table.get_note(&note.pair).await?;
        Ok(item.is_some_and(|item| left(&item, &note.owner) == Left::Answered(answer.to_owned())))
    }

    /// Writes what has become of a note that was taken, in the place of the text that it was taken
    /// with. `false`: nobody waits for it any more.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    pub async fn answer_note(
        &self,
        note: &Note,
        taken: &str,
        answer: &str,
    ) -> Result<bool, DnisError> {
        Ok(self.table.change(&write::answer_note(note, taken, answer)).await?.is_some())
    }
}

/// What a row says of a note that was left for this transaction.
fn left(item: &Value, owner: &str) -> Left {
    let text = |name: &str| item[name]["S"].as_str();
    if text("in_use") != Some("true") || text("transaction_id") != Some(owner) {
        return Left::Gone;
    }
    match (text("update_request"), text("update_answer")) {
        (Some(_), _) => Left::There,
        (None, Some(answer)) => Left::Answered(answer.to_owned()),
        (None, None) => Left::Answered(String::new()),
    }
}

/// `None`: it is another row, another transaction's, or has no note.
fn read(item: &Value, pair: &Pair, owner: &str) -> Option<Note> {
    let text = |name: &str| item[name]["S"].as_str();
    let same = text("sma_number") == Some(&pair.our_number)
        && text("connect_number") == Some(&pair.connect_number)
        && text("in_use") == Some("true")
        && text("transaction_id") == Some(owner);
    let text = text("update_request").filter(|_| same)?.to_owned();
    Some(Note { pair: pair.clone(), owner: owner.to_owned(), text })
}
