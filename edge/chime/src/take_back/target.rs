//! Whom a caller is bridged to.

use offhook_sma::action::{Endpoint, EndpointType};

/// `TransferTarget` and `TransferTargetArn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A number in E.164, or the user part that the Voice Connector's other end gets.
    pub number: String,
    /// The Voice Connector. `None`: the number is called over the telephone network.
    pub arn: Option<String>,
}

/// The number that means Connect: the desk hands the caller back.
const CONNECT: &str = "connect";

impl Target {
    /// Connect, by a pair that is still to be claimed.
    pub(super) fn connect() -> Self {
        Self { number: CONNECT.to_owned(), arn: None }
    }

    pub(super) fn is_connect(&self) -> bool {
        self.number == CONNECT
    }

    /// The endpoint of `CallAndBridge`; `extensions`: [`super::Rules::extensions`].
    #[must_use]
    pub fn endpoint(&self, extensions: bool) -> Endpoint {
        let kind = match &self.arn {
            Some(_) => EndpointType::Aws,
            None if extensions && !self.number.starts_with('+') => EndpointType::Extension,
            None => EndpointType::Pstn,
        };
        Endpoint { bridge_endpoint_type: kind, uri: self.number.clone(), arn: self.arn.clone() }
    }
}
