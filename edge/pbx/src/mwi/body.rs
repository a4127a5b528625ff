//! The body of RFC 3842 §5.2.

use bytes::Bytes;

use super::MessageCounts;

/// Its content type.
pub(super) const CONTENT_TYPE: &str = "application/simple-message-summary";

/// `Messages-Waiting` says whether there are new ones; urgent messages we do not know.
pub fn summary(account: &str, counts: MessageCounts) -> Bytes {
    let MessageCounts { new, old } = counts;
    let waiting = if new > 0 { "yes" } else { "no" };
    let text = format!(
        "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n\
         Voice-Message: {new}/{old} (0/0)\r\n"
    );
    text.into()
}
