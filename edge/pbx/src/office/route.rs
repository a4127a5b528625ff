//! Who is calling whom, and which application runs the call.

use std::sync::Arc;
use std::time::Duration;

use offhook_config::dialplan::{Dialled, Route};
use offhook_config::{Config, Origin, Pattern, Strategy, Target};
use offhook_sma::Rules;
use offhook_sma::action::{Endpoint, EndpointType};

use super::{Applications, Opening, Phonebook};
use crate::app::{
    Application, Conference, Dial, Greeting, Mailbox, NewConference, Play, Record, Refuse, Say,
    Step, Supervise, Told, Voicemail, VoicemailMenu,
};
use crate::call::{Caller, Services, Source};
use crate::failure::{self, Failure};
use crate::keep::Extension;
use crate::pin;

/// Ring time of an extension that no mailbox takes over from.
const RING_WITHOUT_MAILBOX: Duration = Duration::from_secs(60);

/// What is to become of a call.
pub(crate) struct Plan {
    pub(crate) app: Box<dyn Application>,
    /// For the record.
    pub(crate) destination: Option<String>,
    pub(crate) emergency: bool,
    /// It leads to a conference.
    pub(crate) focus: bool,
    /// It is dialled for the call that the phone holds: this is where that is to go, the code of
    /// `[cloud]` before it.
    pub(crate) order: Option<String>,
    pub(crate) failure: Option<&'static Failure>,
}

impl Plan {
    fn app(app: impl Application + 'static, destination: impl Into<String>) -> Self {
        let destination = Some(destination.into());
        Self {
            app: Box::new(app),
            destination,
            emergency: false,
            focus: false,
            order: None,
            failure: None,
        }
    }

    fn conference(app: impl Application + 'static, label: impl Into<String>) -> Self {
        Self { focus: true, ..Self::app(app, label) }
    }

    fn refuse(failure: &'static Failure) -> Self {
        Self {
            app: Box::new(Refuse(failure.sip_status)),
            destination: None,
            emergency: false,
            focus: false,
            order: None,
            failure: Some(failure),
        }
    }
}

/// Makes the application of a call: for the office, and for calls that a phone puts through.
pub(crate) struct Router {
    pub(super) services: Arc<Services>,
    pub(super) applications: Option<Arc<dyn Applications>>,
    pub(super) pins: Arc<pin::Guard>,
}

impl Router {
    /// How its sessions are run.
    pub(crate) fn rules(&self) -> Rules {
        self.applications.as_ref().map(|all| all.rules()).unwrap_or_default()
    }

    /// `flow:`, `lambda:` and `webhook:`.
    pub(super) fn open(
        &self,
        config: &Config,
        target: &Target,
        caller: &Source,
    ) -> Option<Box<dyn Application>> {
        let services = &self.services;
        let mailbox = |number: &str| {
            let account = services.phonebook.account(number)?;
            Some(voicemail(config, services, &account))
        };
        let opening = Opening { config, target, caller, mailbox: &mailbox };
        self.applications.as_ref()?.open(&opening)
    }

    /// The application for a call of `caller` to what `dialler` dialled. They are the same, but
    /// when a phone puts a caller through: then the phone's rights count, and the caller is who
    /// rings, leaves the message, or is asked for the PIN.
    pub(crate) fn plan(
        &self,
        config: &Config,
        dialler: &Source,
        caller: &Caller,
        dialled: &str,
    ) -> Plan {
        let phonebook = &self.services.phonebook;
        let origin = match dialler {
            Source::Phone(_) => Origin::Phone,
            Source::Trunk(name) | Source::Application(name) => Origin::Trunk(name),
        };
        if origin == Origin::Phone && self.services.rooms.is_asked_for(dialled) {
            return Plan::conference(Conference(dialled.to_owned()), "conference");
        }
        let moves = config.cloud.transfers && self.services.cloud.is_some();
        if moves
            && caller.source == *dialler
            && origin == Origin::Phone
            && behind_code(config, &**phonebook, dialled).is_some()
        {
            // What is said is known when it is done.
            let plan = Plan::app(Told::new("", false, None), "held-call");
            return Plan { order: Some(dialled.to_owned()), ..plan };
        }
        let route = config.route(origin, dialled, |n| phonebook.account(n).is_some());
        match route {
            Route::Emergency(number) => {
                let mut plan = out(config, &number, None);
                plan.emergency = true;
                plan
            }
            Route::Outside(number) => match dialler {
                Source::Phone(phone) if !may_call_out(config, phone) => {
                    Plan::refuse(failure::NOT_ALLOWED)
                }
                _ => out(config, &number, None),
            },
            Route::To(target) => self.target(config, &target, dialler, caller, dialled),
            Route::NewConference => Plan::conference(NewConference, "conference"),
            Route::Supervise(of) => supervise(config, &self.services, (dialler, caller), of),
            Route::Nowhere(_) if dialled.is_empty() => Plan::refuse(failure::NUMBER_INCOMPLETE),
            Route::Nowhere(_) => Plan::refuse(failure::UNKNOWN_NUMBER),
        }
    }

    fn target(
        &self,
        config: &Config,
        target: &Target,
        dialler: &Source,
        caller: &Caller,
        dialled: &str,
    ) -> Plan {
        let services = &*self.services;
        let label = target.to_string();
        match target {
            Target::Extension(number) => extension(config, services, number),
            Target::Group(name) => group(config, services, name),
            Target::Voicemail(number) => match services.phonebook.account(number) {
                Some(account) => Plan::app(voicemail(config, services, &account), label),
                None => Plan::refuse(failure::UNKNOWN_NUMBER),
            },
            Target::VoicemailMenu => {
                let own = match &caller.source {
                    Source::Phone(number) => Some(number.clone()),
                    Source::Trunk(_) | Source::Application(_) => None,
                };
                let keep = Arc::clone(&services.keep);
                let (lamp, pins) = (Arc::clone(&services.lamp), Arc::clone(&self.pins));
                Plan::app(VoicemailMenu::new(own, keep, lamp, pins), label)
            }
            Target::Trunk(name) => self.over(config, name, dialler, dialled),
            Target::Play(path) => Plan::app(Play::new(path.to_string_lossy(), 1), label),
            Target::Say(text) => Plan::app(Say::new(text.as_str()), "say"),
            Target::Record(folder) => Plan::app(Record::new(folder.to_string_lossy()), label),
            Target::Echo => Plan::app(crate::app::Echo, label),
            Target::Conference(name) => Plan::conference(Conference(name.clone()), label),
            Target::Flow(_) | Target::Lambda(_) | Target::Webhook(_) => {
                match self.open(config, target, &caller.source) {
                    Some(app) => Plan {
                        app,
                        emergency: false,
                        focus: false,
                        order: None,
                        failure: None,
                        destination: Some(label),
                    },
                    None => Plan::refuse(failure::APPLICATION_MISSING),
                }
            }
        }
    }

    /// A `[[number]]` rule sends the call out over one trunk. A phone that may not call outside
    /// may not do so by way of a rule either.
    fn over(&self, config: &Config, trunk: &str, dialler: &Source, dialled: &str) -> Plan {
        if matches!(dialler, Source::Phone(phone) if !may_call_out(config, phone)) {
            return Plan::refuse(failure::NOT_ALLOWED);
        }
        let number = match config.dialplan.dialled(dialled) {
            Dialled::Outside(number) | Dialled::Emergency(number) => number,
            Dialled::Invalid(_) => dialled.to_owned(),
        };
        out(config, &number, Some(trunk))
    }
}

/// What was dialled behind the code of `[cloud]`. `None`: the code is not there, or only as the
/// beginning of a number that leads somewhere as a whole.
pub(crate) fn behind_code<'a>(
    config: &Config,
    phonebook: &dyn Phonebook,
    dialled: &'a str,
) -> Option<&'a str> {
    let code = config.cloud.code.as_str();
    let number = dialled.strip_prefix(code)?;
    let origin = Origin::Phone;
    let leads = match config.route(origin, dialled, |n| phonebook.account(n).is_some()) {
        Route::Nowhere(_) => false,
        // A rule for every number says nothing about the code.
        Route::To(_) => config.rule(origin, dialled).is_none_or(|rule| match &rule.pattern {
            Pattern::Prefix(start) => start.len() >= code.len(),
            Pattern::Exact(_) => true,
        }),
        _ => true,
    };
    (!leads).then_some(number)
}

pub(crate) fn may_call_out(config: &Config, phone: &str) -> bool {
    config.extension(phone).is_none_or(|e| e.outside_calls)
}

/// Whole seconds, one at least.
fn seconds(time: Duration) -> u64 {
    time.as_secs().max(1)
}

fn out(config: &Config, number: &str, trunk: Option<&str>) -> Plan {
    let endpoint = Endpoint {
        bridge_endpoint_type: EndpointType::Trunk,
        uri: number.to_owned(),
        arn: trunk.map(str::to_owned),
    };
    let step = Step { endpoints: vec![endpoint], ring_seconds: seconds(config.sip.max_ring) };
    let destination = trunk.map_or_else(|| "trunk".to_owned(), |name| format!("trunk:{name}"));
    Plan::app(Dial::new(vec![step], None), destination)
}

/// Only whoever dials the code listens: nobody is put through to it.
fn supervise(
    config: &Config,
    services: &Services,
    (dialler, caller): (&Source, &Caller),
    of: String,
) -> Plan {
    let right = match dialler {
        Source::Phone(by) if caller.source == *dialler => config.supervisor(by, &of),
        _ => None,
    };
    if of.is_empty() {
        Plan::refuse(failure::NUMBER_INCOMPLETE)
    } else if right.is_none() {
        Plan::refuse(failure::NOT_ALLOWED)
    } else if services.phonebook.account(&of).is_none() {
        Plan::refuse(failure::UNKNOWN_NUMBER)
    } else {
        let label = format!("supervise:{of}");
        Plan::app(Supervise::new(of), label)
    }
}

fn extension(config: &Config, services: &Services, number: &str) -> Plan {
    let Some(account) = services.phonebook.account(number) else {
        return Plan::refuse(failure::UNKNOWN_NUMBER);
    };
    let configured = config.extension(number);
    let has_mailbox = configured.map_or(account.voicemail, |e| e.voicemail);
    let disturbed = account.do_not_disturb || configured.is_some_and(|e| e.do_not_disturb);
    let ring = configured.and_then(|e| e.ring).unwrap_or(if has_mailbox {
        config.voicemail.after
    } else {
        RING_WITHOUT_MAILBOX
    });
    let mailbox = has_mailbox.then(|| voicemail(config, services, &account));
    // Do not disturb: no ring at all. Without a mailbox the caller hears that nobody is there.
    let steps = if disturbed && has_mailbox {
        Vec::new()
    } else {
        vec![Step::one(EndpointType::Extension, number, seconds(ring))]
    };
    Plan::app(Dial::new(steps, mailbox), format!("extension:{number}"))
}

fn group(config: &Config, services: &Services, name: &str) -> Plan {
    let Some(group) = config.group(name) else { return Plan::refuse(failure::UNKNOWN_NUMBER) };
    let ring = seconds(group.ring);
    let steps = match group.strategy {
        Strategy::All => vec![Step::one(EndpointType::Group, name, ring)],
        Strategy::Sequence => group
            .members
            .iter()
            .map(|member| Step::one(EndpointType::Extension, member, ring))
            .collect(),
    };
    let account = group.voicemail.as_deref().and_then(|n| services.phonebook.account(n));
    let mailbox = account.map(|account| voicemail(config, services, &account));
    Plan::app(Dial::new(steps, mailbox), format!("group:{name}"))
}

fn voicemail(config: &Config, services: &Services, account: &Extension) -> Voicemail {
    let rules = &config.voicemail;
    let own = account.greeting.as_ref().map(|path| config.voicemail_folder().join(path));
    let own_text = config.extension(&account.number).and_then(|e| e.greeting_text.clone());
    let greeting = own_text
        .map(Greeting::Text)
        .or(own.map(Greeting::File))
        .or_else(|| rules.greeting.clone().map(Greeting::File))
        .or_else(|| rules.greeting_text.clone().map(Greeting::Text))
        .unwrap_or(Greeting::Default);
    let mailbox = Mailbox {
        extension: account.number.clone(),
        greeting,
        longest: rules.max,
        silence: rules.silence,
        silence_threshold: rules.silence_threshold,
        capacity: rules.max_messages,
        folder: config.voicemail_folder(),
    };
    Voicemail::new(mailbox, Arc::clone(&services.keep))
}
