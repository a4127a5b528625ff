//! What runs calls besides the built-in applications: `[aws]`, `[[lambda]]`, `[[webhook]]`,
//! `[[connection]]`, `[[bucket]]`, `[business]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::recording::ObjectStore;
use crate::business::Calendar;
use crate::secret::Secret;

/// `[aws]`: the account in whose name the appliance speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// Region: of the services that are called, and in the events that applications are told.
    pub region: String,
    /// Account id, 12 digits, in events and ARNs.
    pub account: String,
    /// Keys; `None`: those of the environment, of `profile`, or of the machine.
    pub keys: Option<AwsKeys>,
    /// A profile of the shared credentials file (`~/.aws/credentials`).
    pub profile: Option<String>,
    /// `http(s)://host[:port]` that stands in for every service of AWS.
    pub endpoint: Option<String>,
    /// Whether what workflows ask of services that are not served here is asked of AWS.
    pub pass_on: bool,
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            keys: None,
            profile: None,
            endpoint: None,
            pass_on: false,
        }
    }
}

/// Access keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: Secret,
    /// Session token of temporary keys.
    pub session: Option<Secret>,
}

/// `[[lambda]]`: a function of AWS Lambda that runs calls, `to = "lambda:NAME"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lambda {
    /// What numbers name.
    pub name: String,
    /// Name or ARN of the function.
    pub function: String,
    /// Version or alias.
    pub qualifier: Option<String>,
    /// Where it is invoked, when that is not AWS: an emulator on this machine.
    pub endpoint: Option<String>,
}

/// `[[webhook]]`: a web server that runs calls, `to = "webhook:NAME"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What numbers name.
    pub name: String,
    /// Where events are posted.
    pub url: String,
    /// What events are signed with.
    pub secret: Secret,
    /// Authorities that its certificate may be of, beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// `[[connection]]`: what `http:invoke` of a workflow shows to a web server, in AWS an EventBridge
/// connection (EventBridge API Reference, `CreateConnection`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// As in `arn:aws:events:REGION:ACCOUNT:connection/NAME/ID`.
    pub name: String,
    /// The whole ARN, where the name alone is not enough.
    pub arn: Option<String>,
    /// How it shows who asks; `None`: only by its parameters.
    pub authorization: Option<Authorization>,
    /// Added to every request (`InvocationHttpParameters`).
    pub parameters: HttpParameters,
    /// Addresses it may be used for, `https://api.example.com/v1/`; empty: all.
    pub addresses: Vec<String>,
    /// Authorities that the server's certificate may be of, beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// `AuthorizationType` of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// `API_KEY`: a header with a secret value.
    ApiKey {
        /// The header.
        name: String,
        /// What is in it.
        value: Secret,
    },
    /// `BASIC` (RFC 7617).
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// `OAUTH_CLIENT_CREDENTIALS` (RFC 6749 §4.4).
    OAuth(Box<OAuthClient>),
}

/// A client of an OAuth 2.0 authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthClient {
    /// Where tokens are.
    pub endpoint: String,
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: Secret,
    /// Whether id and secret stand in the body instead of a header (RFC 6749 §2.3.1).
    pub in_body: bool,
    /// Added to every request for a token (`OAuthHttpParameters`).
    pub parameters: HttpParameters,
}

/// What is added to requests. Any of it may be a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpParameters {
    /// Headers.
    pub headers: BTreeMap<String, Secret>,
    /// Parameters of the query.
    pub query: BTreeMap<String, Secret>,
    /// Members of the body.
    pub body: BTreeMap<String, Secret>,
}

/// `[[bucket]]`: where the objects of a bucket are that applications name. A bucket that is not
/// named here is a folder of its name in `buckets` of the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name, as applications name it.
    pub name: String,
    /// Where its objects are.
    pub place: BucketPlace,
}

/// Where the objects of a bucket are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketPlace {
    /// A folder of this machine.
    Folder(PathBuf),
    /// An S3-compatible object store.
    S3(BucketStore),
}

/// A bucket of an object store, and what of it is kept here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketStore {
    /// Which one.
    pub store: ObjectStore,
    /// Bytes of fetched objects that are kept on this machine.
    pub cache_bytes: u64,
    /// How long one is used before the store is asked whether it is still the same.
    pub cache_time: Duration,
}

/// `[business]`: what the business-number flow (`to = "flow:business-number"`) is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Business {
    /// Its name, as it is spoken.
    pub name: String,
    /// Its number in E.164: the caller's number of calls that it makes.
    pub number: String,
    /// Who is rung: an extension or a number in E.164.
    pub owner: String,
    /// The extension whose voicemail PIN opens the owner's menu from other phones.
    pub pin_of: Option<String>,
    /// When it is open.
    pub calendar: Calendar,
    /// In which zone; `None`: `[server] time_zone`, or the machine's.
    pub time_zone: Option<TimeZone>,
}
