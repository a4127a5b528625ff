//! What programs ask of the office: `CreateSipMediaApplicationCall` and
//! `UpdateSipMediaApplicationCall` (Amazon Chime SDK Voice API), without HTTP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use offhook_config::Target;
use offhook_sma::action::may_set_header;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::route::Plan;
use super::{Office, OfficeHandle};
use crate::app::Click;
use crate::call::{Begins, Caller, Created, Source, identity};
use crate::failure::{self, Failure};

/// Pairs of arguments, and of headers.
const MAX_PAIRS: usize = 20;
/// Octets of a header.
const MAX_VALUE: usize = 2048;

/// The `SipMediaApplicationId` of an application, by what a number's `to` says (`flow:menu`): the
/// same on every box and after every restart.
pub fn application_id(label: &str) -> String {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(Sha256::digest(label.as_bytes())) {
        *to = from;
    }
    // A UUID of one's own making (RFC 9562 §5.8).
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A call that an application is to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateCall {
    /// As a number's `to` names it: `flow:NAME`, `lambda:NAME`, `webhook:NAME`.
    pub application: String,
    /// `FromPhoneNumber`: the number shown.
    pub from: String,
    /// `ToPhoneNumber`: E.164, or an extension of this office.
    pub to: String,
    /// `SipHeaders` for the INVITE, at most 20: `X-*`, `User-to-User`, `Diversion`.
    pub sip_headers: BTreeMap<String, String>,
    /// `ArgumentsMap`, at most 20: what the application gets with `NEW_OUTBOUND_CALL`.
    pub arguments: BTreeMap<String, String>,
}

/// A phone that is to ring and to call a number when it is answered (click-to-call).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialCall {
    /// Whose phone; its rights count.
    pub extension: String,
    /// As it would dial it.
    pub number: String,
}

/// Why a call was not begun. In brackets the HTTP status of AWS's API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// (404)
    #[error("there is no application {0}")]
    NoSuchApplication(String),
    /// (400) Not `^\+?[1-9]\d{1,14}$`, or a number for emergencies.
    #[error("{0} is no number that can be called")]
    InvalidNumber(String),
    /// (404)
    #[error("there is no extension {0}")]
    NoSuchExtension(String),
    /// (403) The phone may not call there, or nothing leads there.
    #[error("{}", .0.meaning)]
    Refused(&'static Failure),
    /// (400)
    #[error("Invalid SIP header(s) provided: {0}.")]
    InvalidHeader(String),
    /// (400)
    #[error("more than {MAX_PAIRS} {0}")]
    TooMany(&'static str),
    /// (400, `ResourceLimitExceeded`)
    #[error("the office has as many calls as it may")]
    Full,
    /// (503)
    #[error("the office takes no new calls")]
    Closing,
}

/// Why an update did not reach its call. In brackets the HTTP status of AWS's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// (404)
    #[error("there is no such call")]
    NotFound,
    /// (400)
    #[error("more than {MAX_PAIRS} arguments")]
    TooManyArguments,
    /// (429)
    #[error("the call has more orders than it can take")]
    Busy,
}

/// What is to be begun.
enum What {
    Create(CreateCall),
    Dial(DialCall),
    /// Whether this extension could be rung.
    Rings(String),
}

/// A call to be begun, and where to say what came of it.
pub(super) struct Order {
    what: What,
    reply: oneshot::Sender<Result<String, CreateError>>,
}

impl OfficeHandle {
    /// Begins a call and gives its transaction id. The application hears `NEW_OUTBOUND_CALL`,
    /// `RINGING`, `CALL_ANSWERED` and, when nobody answers, `HANGUP`.
    ///
    /// # Errors
    /// When it is not begun.
    pub async fn create_call(&self, call: CreateCall) -> Result<String, CreateError> {
        check(&call)?;
        self.begin(What::Create(call)).await
    }

    /// Rings a phone, which calls the number when it is answered, with its own rights. Gives the
    /// call's id.
    ///
    /// # Errors
    /// When the phone does not ring.
    pub async fn dial(&self, call: DialCall) -> Result<String, CreateError> {
        self.begin(What::Dial(call)).await
    }

    /// Whether a phone of an extension would ring now: for who lets somebody else call it, and has
    /// another person on the line by then.
    ///
    /// # Errors
    /// There is none, it is not registered, or wants to be left alone; or the office takes no calls.
    pub async fn rings(&self, extension: &str) -> Result<(), CreateError> {
        self.begin(What::Rings(extension.to_owned())).await.map(drop)
    }

    async fn begin(&self, what: What) -> Result<String, CreateError> {
        let (reply, created) = oneshot::channel();
        let sent = self.orders.send(Order { what, reply }).await;
        sent.map_err(|_| CreateError::Closing)?;
        created.await.unwrap_or(Err(CreateError::Closing))
    }

    /// Tells the application of a call (its whole transaction id) `CALL_UPDATE_REQUESTED`; what it
    /// answers takes the place of what runs. Does not wait for that.
    ///
    /// # Errors
    /// When the call is not told.
    pub fn update_call(
        &self,
        transaction_id: &str,
        arguments: BTreeMap<String, String>,
    ) -> Result<(), UpdateError> {
        self.update(transaction_id, None, arguments)
    }

    /// The same for who has to name the application that runs the call, by the words of a number's
    /// `to` or by its id. A call that another one runs is not found, as in AWS.
    ///
    /// # Errors
    /// When the call is not told.
    pub fn update_call_of(
        &self,
        application: &str,
        transaction_id: &str,
        arguments: BTreeMap<String, String>,
    ) -> Result<(), UpdateError> {
        let of = |id: &str| self.update(transaction_id, Some(id), arguments.clone());
        match of(&application_id(application)) {
            Err(UpdateError::NotFound) => of(application),
            told => told,
        }
    }

    fn update(
        &self,
        transaction_id: &str,
        application: Option<&str>,
        arguments: BTreeMap<String, String>,
    ) -> Result<(), UpdateError> {
        if arguments.len() > MAX_PAIRS {
            return Err(UpdateError::TooManyArguments);
        }
        match self.registry.update(transaction_id, application, arguments) {
            Some(true) => Ok(()),
            Some(false) => Err(UpdateError::Busy),
            None => Err(UpdateError::NotFound),
        }
    }
}

fn check(call: &CreateCall) -> Result<(), CreateError> {
    for number in [&call.from, &call.to] {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let fits = (2..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if !fits {
            return Err(CreateError::InvalidNumber(number.clone()));
        }
    }
    if call.arguments.len() > MAX_PAIRS {
        return Err(CreateError::TooMany("arguments"));
    }
    if call.sip_headers.len() > MAX_PAIRS {
        return Err(CreateError::TooMany("SIP headers"));
    }
    let wrong = call.sip_headers.iter().find(|(name, value)| {
        !may_set_header(name) || value.len() > MAX_VALUE || value.chars().any(char::is_control)
    });
    match wrong {
        Some((name, _)) => Err(CreateError::InvalidHeader(name.clone())),
        None => Ok(()),
    }
}

impl Office {
    pub(super) fn create(&mut self, order: Order) {
        self.refresh();
        let Order { what, reply } = order;
        let begun = self.has_room().and_then(|()| match what {
            What::Create(call) => self.created(call),
            What::Dial(call) => self.dialled_for(call),
            What::Rings(extension) => self.would_ring(extension),
        });
        let _ = reply.send(begun);
    }

    fn has_room(&self) -> Result<(), CreateError> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(CreateError::Closing);
        }
        if self.registry.count() >= self.settings.config.sip.max_calls {
            return Err(CreateError::Full);
        }
        Ok(())
    }

    fn created(&mut self, call: CreateCall) -> Result<String, CreateError> {
        let CreateCall { application, from, to, sip_headers: headers, arguments } = call;
        if self.settings.config.dialplan.emergency_number(&to).is_some() {
            // Nobody would be there to speak.
            return Err(CreateError::InvalidNumber(to));
        }
        let source = Source::Application(application.clone());
        let config = &self.settings.config;
        let target = application.parse::<Target>().ok();
        let Some(app) = target.and_then(|target| self.router.open(config, &target, &source)) else {
            return Err(CreateError::NoSuchApplication(application));
        };
        let plan = Plan {
            app,
            destination: Some(application),
            emergency: false,
            focus: false,
            order: None,
            failure: None,
        };
        let caller = Caller::known(source, &from, None);
        let begins = Created { to: to.clone(), from, headers, arguments };
        Ok(self.start(Begins::Created(Box::new(begins)), caller, to, plan, None))
    }

    fn would_ring(&self, extension: String) -> Result<String, CreateError> {
        let phonebook = &self.services.phonebook;
        let Some(account) = phonebook.account(&extension) else {
            return Err(CreateError::NoSuchExtension(extension));
        };
        let configured = self.settings.config.extension(&extension);
        if account.do_not_disturb || configured.is_some_and(|e| e.do_not_disturb) {
            return Err(CreateError::Refused(failure::DO_NOT_DISTURB));
        }
        if phonebook.contacts(&extension).is_empty() {
            return Err(CreateError::Refused(failure::NOT_REGISTERED));
        }
        Ok(extension)
    }

    fn dialled_for(&mut self, call: DialCall) -> Result<String, CreateError> {
        let DialCall { extension, number } = call;
        let phonebook = &self.services.phonebook;
        let Some(account) = phonebook.account(&extension) else {
            return Err(CreateError::NoSuchExtension(extension));
        };
        let dialled = identity::dialled(&number, |number| phonebook.account(number).is_some());
        if dialled.is_empty() || !identity::is_plain(&dialled) {
            return Err(CreateError::InvalidNumber(number));
        }
        let name = Some(account.name.clone()).filter(|name| !name.is_empty());
        let source = Source::Phone(extension.clone());
        let caller = Caller::known(source.clone(), &extension, name);
        let plan = self.router.plan(&self.settings.config, &source, &caller, &dialled);
        if let Some(failure) = plan.failure {
            return Err(CreateError::Refused(failure));
        }
        if plan.order.is_some() {
            // A click holds no call.
            return Err(CreateError::InvalidNumber(dialled));
        }
        if plan.emergency {
            // Who needs help dials by himself, and is heard at once.
            return Err(CreateError::InvalidNumber(dialled));
        }
        let plan = Plan { app: Box::new(Click::new(plan.app)), ..plan };
        let (from, headers, arguments) = (dialled.clone(), BTreeMap::new(), BTreeMap::new());
        let begins = Created { to: extension, from, headers, arguments };
        Ok(self.start(Begins::Created(Box::new(begins)), caller, dialled, plan, None))
    }
}
