//! Whom the office asks: who may call, where phones are, and what runs a call.

use std::sync::Arc;

use offhook_config::{Config, Target};
use offhook_sip::flow::Flow;
use offhook_sip::header::NameAddr;
use offhook_sip::message::{Request, Response};
use offhook_sip::uri::Uri;
use offhook_sma::Rules;

use crate::app::{Application, Voicemail};
use crate::call::Source;
use crate::keep::Extension;
use crate::stack::NewRequest;
use crate::trunk::{CallSlot, TrunkTarget};

/// A phone that can be reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Reachable {
    /// Request-URI: the Contact it registered.
    pub uri: Uri,
    /// The way its registration came.
    pub flow: Flow,
    /// Routes to go through (Path, RFC 3327).
    pub route: Vec<NameAddr>,
    /// It said that it has ICE (RFC 5768).
    pub ice: bool,
}

/// Who sends a request.
#[derive(Debug, Clone)]
pub enum Admission {
    /// A phone that proved to know its password.
    Phone(Arc<Extension>),
    /// A trunk's peer; the trunk's name.
    Trunk(String),
    /// Nobody yet: this response (401, 403) is the answer.
    Answer(Response),
}

/// Phones and trunks, as far as calls need to know them. Answers at once, from memory.
pub trait Phonebook: Send + Sync {
    /// Who sends this request.
    fn admit(&self, request: &Request, flow: &Flow) -> Admission;
    /// An extension's account.
    fn account(&self, number: &str) -> Option<Arc<Extension>>;
    /// Where an extension's phones are, the one registered last first.
    fn contacts(&self, extension: &str) -> Vec<Reachable>;
    /// Ways out for a number, best first; over one trunk only, when it is named. `emergency`: over
    /// every trunk there is.
    fn ways_out(&self, number: &str, trunk: Option<&str>, emergency: bool) -> Vec<TrunkTarget>;
    /// A slot for a call that came in over a trunk.
    fn slot(&self, trunk: &str) -> Option<CallSlot>;
}

/// A call that an application from outside of this room is to run.
pub struct Opening<'a> {
    /// The configuration that the call keeps.
    pub config: &'a Config,
    /// Which application: `flow:`, `lambda:` or `webhook:`.
    pub target: &'a Target,
    /// Who calls.
    pub caller: &'a Source,
    /// What takes messages for an extension; `None`: there is no such one.
    pub mailbox: &'a dyn Fn(&str) -> Option<Voicemail>,
}

/// Makes the applications that are not built in: workflows, functions of AWS Lambda, webhooks.
pub trait Applications: Send + Sync {
    /// `None`: there is none of that name.
    fn open(&self, opening: &Opening<'_>) -> Option<Box<dyn Application>>;

    /// How sessions of calls that begin now are run where AWS's documentation contradicts itself.
    fn rules(&self) -> Rules {
        Rules::default()
    }
}

/// Takes requests that are not the office's (REGISTER, SUBSCRIBE); gives back what it does not
/// know either.
pub type Elsewhere = Box<dyn Fn(NewRequest) -> Option<NewRequest> + Send>;
