//! The transaction on its way: in a header or in User-to-User, where the way to Connect keeps them.
//! Then no pair of numbers is needed to tell which call it is.

use std::fmt::Write as _;

use offhook_sma::action::{Endpoint, EndpointType};
use offhook_sma::user_to_user;
use serde_json::{Value, json};

use super::target::Target;

/// The headers that name a transaction, unless the operator has others, and its application.
pub const TRANSACTION: &str = "X-Transaction-Id";
/// See [`TRANSACTION`].
pub const APPLICATION: &str = "X-Sip-Media-Application-Id";
/// Octets of an id; AWS's are GUIDs.
const MOST_ID: usize = 128;

/// How a transaction goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// In a header of this name.
    Header(String),
    /// In User-to-User (RFC 7433): JSON in hexadecimal.
    UserToUser,
}

/// A way to Connect that keeps what goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// How the transaction goes along.
    pub pass: Pass,
    /// Connect: a number, with a Voice Connector unless there is a trunk.
    pub target: Target,
    /// One of the box's own trunks in the place of a Voice Connector: by its name, or whichever
    /// takes the number.
    pub trunk: Option<Option<String>>,
    /// Pairs are there, for when this way fails.
    pub pairs_behind: bool,
}

impl Direct {
    pub(super) fn endpoint(&self) -> Endpoint {
        match &self.trunk {
            Some(trunk) => Endpoint {
                bridge_endpoint_type: EndpointType::Trunk,
                uri: self.target.number.clone(),
                arn: trunk.clone(),
            },
            None => self.target.endpoint(false),
        }
    }

    /// The header and its value.
    pub(super) fn header(&self, carried: &Carried) -> (String, String) {
        match &self.pass {
            Pass::Header(name) => (name.clone(), carried.transaction.clone()),
            Pass::UserToUser => ("User-to-User".to_owned(), carried.user_to_user()),
        }
    }
}

/// What goes along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) transaction: String,
    pub(super) application: Option<String>,
    pub(super) caller: Option<String>,
}

impl Carried {
    fn user_to_user(&self) -> String {
        let mut members = json!({"TransactionId": self.transaction});
        if let Some(application) = &self.application {
            members["SipMediaApplicationId"] = json!(application);
        }
        if let Some(caller) = &self.caller {
            members["OriginalCallingNumber"] = json!(caller);
        }
        let mut hex = String::new();
        for byte in members.to_string().bytes() {
            let _ = write!(hex, "{byte:02x}");
        }
        hex + ";encoding=hex"
    }

    /// Of a User-to-User. `None`: there is no transaction of ours in it.
    pub(super) fn of_user_to_user(value: &str) -> Option<Self> {
        let members = user_to_user::members(value)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let application = text("SipMediaApplicationId").filter(|id| is_label(id));
        Some(Self {
            transaction: text("TransactionId").filter(|id| is_id(id))?.to_owned(),
            application: application.map(str::to_owned),
            caller: text("OriginalCallingNumber").map(str::to_owned),
        })
    }
}

/// Whether a text may be a transaction's id: nothing that would lead a request elsewhere.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MOST_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Whether a text may name an application: AWS's id, or Offhook's words (`flow:NAME@VERSION`).
pub(super) fn is_label(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_:@.".contains(&b);
    (1..=MOST_ID).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_along_in_user_to_user_comes_back() {
        let carried = Carried {
            transaction: "23fe0cf1-fc36-4bdc-976d-3520c0a3ac86".to_owned(),
            application: Some("sma-1".to_owned()),
            caller: Some("+12065550142".to_owned()),
        };
        let value = carried.user_to_user();
        assert_eq!(Carried::of_user_to_user(&value), Some(carried));
        assert!(Carried::of_user_to_user(value.trim_end_matches(";encoding=hex")).is_some());
        for odd in ["", "7", "zz", "7b7d", "7b7d;encoding=ascii", &"41".repeat(2_000)] {
            assert_eq!(Carried::of_user_to_user(odd), None, "{odd}");
        }
        let evil = Carried { transaction: "../calls".to_owned(), ..Carried::default() };
        assert_eq!(Carried::of_user_to_user(&evil.user_to_user()), None);
    }
}
