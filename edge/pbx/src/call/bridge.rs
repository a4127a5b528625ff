//! `CallAndBridge`: who is called.
//!
//! [`super::place`] sends the INVITEs, [`super::answered`] and [`super::refused`] see to what comes
//! back.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use offhook_config::dialplan::Route;
use offhook_config::{Origin, Target};
use offhook_media::engine::MediaPort;
use offhook_sip::flow::Flow;
use offhook_sip::header::{HeaderName, Headers};
use offhook_sma::action::{CallAndBridge, Endpoint, EndpointType, LegTag, MAX_BRANCHES};

use super::best::Outcome;
use super::identity::Source;
use super::leg::{LegId, Way};
use super::runner::{Play, Running};
use super::{Call, Done};
use crate::failure::{self, Answerer, Failure};
use crate::office::Reachable;
use crate::office::route::may_call_out;
use crate::stack::SendFailure;
use crate::trunk::TrunkTarget;

/// A call to outside that nobody set a time for rings as long as the trunk says something, and no
/// longer than this: what `max_ring_seconds` may be at most.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A trunk that does not even say 100 Trying within this is given up, when there is another one.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// How somebody is called.
pub(super) struct Begins {
    /// So long, as far as the configuration lets any call ring.
    pub(super) ring: Duration,
    /// See [`Bridging::patient`].
    pub(super) patient: bool,
    /// See [`Bridging::tone`].
    pub(super) tone: bool,
    /// For the INVITE.
    pub(super) headers: Headers,
    /// The number to be shown.
    pub(super) caller_id: Option<String>,
}

/// A `CallAndBridge` that runs.
pub(super) struct Bridging {
    /// Until when it may ring.
    pub(super) deadline: Instant,
    /// How long one attempt may ring, and all of them together.
    pub(super) ring: Duration,
    pub(super) latest: Instant,
    /// Only trunks are called, for as long as we let a call ring: every provisional response starts
    /// that time anew (RFC 3261 §16.6 step 11), so that announcements before the answer are heard to
    /// their end.
    pub(super) patient: bool,
    /// Attempts whose way is being looked up.
    pub(super) looking_up: usize,
    pub(super) outcomes: Vec<Outcome>,
    /// One port per interface, shared by the branches until one answers.
    pub(super) ports: Vec<(IpAddr, MediaPort)>,
    pub(super) branches: Vec<Branch>,
    /// Whom this call was sent to: nobody twice, so that forwards cannot go in circles.
    pub(super) visited: HashSet<String>,
    pub(super) redirects: usize,
    /// Where phones forward to when all else has failed, the next one last.
    pub(super) later: Vec<Forward>,
    pub(super) rings: bool,
    /// The application has a tone of its own for the caller.
    pub(super) tone: bool,
    pub(super) early: Option<LegId>,
    pub(super) headers: Headers,
    pub(super) caller_id: Option<String>,
    pub(super) started: u64,
}

impl Bridging {
    /// Somebody who is called says that it goes on.
    pub(super) fn goes_on(&mut self, now: Instant) {
        if self.patient {
            let began = self.latest - self.ring;
            self.deadline = (now + self.ring).min(began + LONGEST);
        }
    }

    /// When [`Call::ring_timeout`] has something to do.
    pub(super) fn due(&self) -> Instant {
        let silent = self.branches.iter().filter_map(Branch::given_up_at).min();
        silent.map_or(self.deadline, |at| at.min(self.deadline))
    }
}

pub(super) struct Branch {
    pub(super) leg: LegId,
    pub(super) bind: IpAddr,
    pub(super) answerer: Answerer,
    /// When a trunk that said nothing yet is given up for the next one.
    pub(super) silent_until: Option<Instant>,
    /// What came before `Ended`.
    pub(super) outcome: Option<Outcome>,
    /// What to try when it will not have our offer.
    pub(super) again: Option<Again>,
    /// Over a trunk: those to be tried after it, the next one last. Every call out has its own, so
    /// that two phones which forward do not take each other's.
    pub(super) rest: Vec<TrunkTarget>,
    /// Who sent the call on, the last one first.
    pub(super) diverted: Diverted,
}

impl Branch {
    /// When it is given up unless it says something, since there is another trunk.
    pub(super) fn given_up_at(&self) -> Option<Instant> {
        self.silent_until.filter(|_| !self.rest.is_empty())
    }
}

/// Diversion header values (RFC 5806), the last diversion first.
pub(super) type Diverted = Vec<String>;

/// Where a phone forwards its calls to.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    /// The phone's extension: its rights count.
    pub(super) phone: String,
    pub(super) number: String,
    pub(super) diverted: Diverted,
}

/// What protects the audio that is offered to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    /// Nothing, unless the operator wants SDES everywhere.
    Plain,
    Sdes,
    Dtls,
}

impl Protection {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Sdes => "encrypted",
            Self::Dtls => "encrypted (DTLS)",
        }
    }
}

/// A phone to be called once more, with audio that is protected otherwise.
pub(super) struct Again {
    pub(super) number: String,
    pub(super) contact: Reachable,
    /// What has not been tried, the next one last.
    pub(super) kinds: Vec<Protection>,
}

/// A call over a trunk that is to be made.
pub(super) struct Attempt {
    pub(super) run: u64,
    pub(super) way: TrunkTarget,
    pub(super) rest: Vec<TrunkTarget>,
    pub(super) diverted: Diverted,
}

impl Call {
    pub(super) fn start_bridging(&mut self, now: Instant, action: CallAndBridge) {
        let most = self.config().sip.max_ring;
        let ring = Duration::from_secs(action.call_timeout_seconds).min(most);
        let mut headers = Headers::new();
        for (name, value) in &action.sip_headers {
            if let Some(name) = HeaderName::parse(name.as_bytes()) {
                headers.push(name, value.clone());
            }
        }
        let patient = ring == most && action.endpoints.iter().all(|e| !is_local(e));
        let (tone, caller_id) = (action.ringback_tone.is_some(), action.caller_id_number);
        self.begin_bridging(now, Begins { ring, patient, tone, headers, caller_id });
        for endpoint in &action.endpoints {
            let arn = endpoint.arn.as_deref();
            match endpoint.bridge_endpoint_type {
                EndpointType::Extension => self.call_extension(now, &endpoint.uri, &[]),
                EndpointType::Group => self.call_group(now, &endpoint.uri, &[]),
                EndpointType::Trunk => self.call_out(now, &endpoint.uri, arn, &[]),
                // A phone of this office needs no way out, whatever a workflow calls it.
                EndpointType::Pstn if self.services.phonebook.account(&endpoint.uri).is_some() => {
                    self.call_extension(now, &endpoint.uri, &[]);
                }
                EndpointType::Pstn if !self.may_dial(&endpoint.uri) => {
                    self.missed(now, Outcome::of(failure::NOT_ALLOWED, endpoint.uri.clone()));
                }
                EndpointType::Pstn => self.call_out(now, &endpoint.uri, None, &[]),
                EndpointType::Aws => self.call_connector(now, &endpoint.uri, arn),
            }
        }
        if let Some(tone) = action.ringback_tone
            && self.bridging.is_some()
            && self.early_media_to_caller(now).is_ok()
        {
            self.load(tone, now, Play::Ringback);
        }
        self.go_on(now);
    }

    /// Whether an application may call this number for who called it: a phone that may not call
    /// outside may not do so by way of a workflow, and a workflow is no person in need.
    fn may_dial(&self, number: &str) -> bool {
        let config = self.config();
        let allowed = match &self.caller.source {
            Source::Phone(phone) => may_call_out(config, phone),
            Source::Trunk(_) | Source::Application(_) => true,
        };
        allowed && config.dialplan.emergency_number(number).is_none()
    }

    /// From now on somebody is called.
    pub(super) fn begin_bridging(&mut self, now: Instant, begins: Begins) {
        let Begins { ring, patient, tone, headers, caller_id } = begins;
        let most = self.config().sip.max_ring;
        let ring = ring.min(most);
        let started = self.run_id();
        self.bridging = Some(Box::new(Bridging {
            deadline: now + ring,
            ring,
            latest: now + most,
            patient,
            looking_up: 0,
            outcomes: Vec::new(),
            ports: Vec::new(),
            branches: Vec::new(),
            visited: HashSet::new(),
            redirects: 0,
            later: Vec::new(),
            rings: false,
            tone,
            early: None,
            headers,
            caller_id,
            started,
        }));
        self.running = Running::Bridging;
    }

    /// A Voice Connector hands its calls to a telephone system: when that is ours, the phone is
    /// here, by its own number or by the one that a `[[number]]` leads to it with. Else over the
    /// trunk that is this Voice Connector, or whichever there is.
    fn call_connector(&mut self, now: Instant, user: &str, arn: Option<&str>) {
        let id = arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
        let of_it = |trunk: &&offhook_config::Trunk| {
            let host = trunk.host.to_string();
            host.split('.').next().is_some_and(|first| first.eq_ignore_ascii_case(id))
        };
        let trunk = self.config().trunks.iter().find(of_it).map(|trunk| trunk.name.clone());
        // As if it had come from there.
        let origin = Origin::Trunk(trunk.as_deref().unwrap_or_default());
        let is_extension = |number: &str| self.services.phonebook.account(number).is_some();
        match self.config().route(origin, user, is_extension) {
            Route::To(Target::Extension(number)) => return self.call_extension(now, &number, &[]),
            Route::To(Target::Group(name)) => return self.call_group(now, &name, &[]),
            _ if is_extension(user) => return self.call_extension(now, user, &[]),
            _ => {}
        }
        self.call_out(now, user, trunk.as_deref(), &[]);
    }

    pub(super) fn call_group(&mut self, now: Instant, name: &str, diverted: &[String]) {
        let Some(group) = self.settings.config.group(name).cloned() else {
            return self.missed(now, Outcome::of(failure::UNKNOWN_NUMBER, name));
        };
        for member in &group.members {
            // Whoever calls the own group does not ring.
            if self.caller.source != Source::Phone(member.clone()) {
                self.call_extension(now, member, diverted);
            }
        }
    }

    pub(super) fn call_extension(&mut self, now: Instant, number: &str, diverted: &[String]) {
        if !self.visit(format!("extension:{number}")) {
            return;
        }
        let Some(account) = self.services.phonebook.account(number) else {
            return self.missed(now, Outcome::of(failure::UNKNOWN_NUMBER, number));
        };
        let configured = self.config().extension(number);
        if account.do_not_disturb || configured.is_some_and(|e| e.do_not_disturb) {
            return self.missed(now, Outcome::of(failure::DO_NOT_DISTURB, number));
        }
        let own = self.tagged(LegTag::A).map(|leg| leg.way);
        let mut rang = false;
        for contact in self.services.phonebook.contacts(number) {
            // Calling one's own number rings one's other phones.
            let same = matches!(own, Some(Way::Flow(flow)) if flow.remote == contact.flow.remote);
            if same && self.caller.source == Source::Phone(number.to_owned()) {
                continue;
            }
            let full = self.bridging.as_ref().is_none_or(|b| b.branches.len() >= MAX_BRANCHES);
            if full {
                break;
            }
            rang = true;
            if let Err(outcome) = self.ring_phone(now, number, contact, diverted) {
                self.missed(now, outcome);
            }
        }
        if !rang {
            self.missed(now, Outcome::of(failure::NOT_REGISTERED, number));
        }
    }

    /// Over the trunks, in their order of health; over one, when it is named.
    pub(super) fn call_out(
        &mut self,
        now: Instant,
        number: &str,
        named: Option<&str>,
        diverted: &[String],
    ) {
        let mut ways = self.services.phonebook.ways_out(number, named, self.to_emergency);
        if ways.is_empty() {
            return self.missed(now, Outcome::of(failure::NO_TRUNK, number));
        }
        ways.reverse();
        self.next_trunk(now, ways, diverted.to_vec());
    }

    /// Tries the next of these trunks, the last in the list.
    pub(super) fn next_trunk(
        &mut self,
        now: Instant,
        mut rest: Vec<TrunkTarget>,
        diverted: Diverted,
    ) {
        while let Some(mut way) = rest.pop() {
            // An emergency call is never turned away by a limit of ours.
            if !way.slot.take() && !self.to_emergency {
                let detail = format!("{} carries as many calls as it may", way.trunk.name);
                self.missed(now, Outcome::of(failure::TRUNK_OVERLOADED, detail));
                continue;
            }
            let Some(bridging) = &mut self.bridging else { return };
            bridging.looking_up += 1;
            let attempt = Attempt { run: bridging.started, way, rest, diverted };
            let sip = self.services.sip.clone();
            self.work.push(Box::pin(async move {
                let flow = sip.flow_for(&attempt.way.target).await;
                Done::Flow { attempt: Box::new(attempt), flow }
            }));
            return;
        }
    }

    /// The way to a trunk is known.
    pub(super) fn on_flow(
        &mut self,
        now: Instant,
        attempt: Attempt,
        flow: Result<Flow, SendFailure>,
    ) {
        let Some(bridging) = &mut self.bridging else { return };
        if bridging.started != attempt.run {
            return;
        }
        bridging.looking_up -= 1;
        let (rest, diverted) = (attempt.rest.clone(), attempt.diverted.clone());
        let outcome = match flow {
            Ok(flow) => self.ring_trunk(now, attempt, flow).err(),
            Err(error) => Some(unreachable(&attempt.way.trunk.name, &error.to_string())),
        };
        if let Some(outcome) = outcome {
            self.missed(now, outcome);
            self.next_trunk(now, rest, diverted);
        }
        self.go_on(now);
    }

    pub(super) fn visit(&mut self, party: String) -> bool {
        self.bridging.as_mut().is_some_and(|b| b.visited.insert(party))
    }

    pub(super) fn missed(&mut self, now: Instant, outcome: Outcome) {
        let status = Some(outcome.status);
        self.timeline.failure(now, None, outcome.failure, status, &outcome.detail);
        if let Some(bridging) = &mut self.bridging {
            bridging.outcomes.push(outcome);
        }
    }
}

fn is_local(endpoint: &Endpoint) -> bool {
    matches!(endpoint.bridge_endpoint_type, EndpointType::Extension | EndpointType::Group)
}

/// The trunk refuses us rather than the number: another one may not.
pub(super) fn refused_us(failure: &Failure) -> bool {
    [failure::TRUNK_CREDENTIALS, failure::TRUNK_FORBIDDEN, failure::CALLER_ID_NOT_OWNED]
        .contains(&failure)
}

pub(super) fn unreachable(trunk: &str, why: &str) -> Outcome {
    Outcome::of(failure::TRUNK_UNREACHABLE, format!("{trunk}: {why}"))
}
