//! `CallAndBridge`: who is called, who answers first, and what the caller hears meanwhile.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use offhook_config::Origin;
use offhook_config::dialplan::Route;
use offhook_media::engine::MediaPort;
use offhook_media::sdp::Direction as MediaDirection;
use offhook_sip::digest;
use offhook_sip::flow::Flow;
use offhook_sip::header::{Contact, HeaderName, Headers, NameAddr};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Response, StatusCode};
use offhook_sip::session::{EndedBy, OutgoingInvite, SendFailure as SessionFailure, Session};
use offhook_sip::uri::{Host, HostPort, Uri};
use offhook_sma::action::{CallAndBridge, EndpointType, LegTag};
use offhook_sma::event::{ActionError, Direction, Participant, Status, error_type};

use super::best::{Outcome, best, status_for_caller};
use super::identity::{self, Identity, Source};
use super::leg::{Leg, LegId, LegMedia, Part, Party, Way, first_codec, media_bind, media_fact};
use super::runner::{Play, Running, failure_of};
use super::{Call, Done, epoch_ms, guid};
use crate::event::CallEventKind;
use crate::failure::{self, Answerer, Failure};
use crate::stack::{DialogKey, SendFailure, Target};
use crate::trunk::{CallSlot, TrunkTarget};

/// Phones that ring at once for one call.
const MAX_BRANCHES: usize = 64;
/// Redirections followed in one call.
const MAX_REDIRECTS: usize = 5;

/// A `CallAndBridge` that runs.
pub(super) struct Bridging {
    /// Until when it may ring.
    pub(super) deadline: Instant,
    /// Trunks still to be tried, the next one last.
    trunks: Vec<Attempt>,
    /// Attempts whose way is being looked up.
    looking_up: usize,
    outcomes: Vec<Outcome>,
    /// One port per interface, shared by the branches until one answers.
    ports: Vec<(IpAddr, MediaPort)>,
    branches: Vec<Branch>,
    /// Whom this call was sent to: nobody twice, so that forwards cannot go in circles.
    visited: HashSet<String>,
    redirects: usize,
    rings: bool,
    early: Option<LegId>,
    headers: Headers,
    caller_id: Option<String>,
    started: u64,
}

struct Branch {
    leg: LegId,
    bind: IpAddr,
    answerer: Answerer,
    /// What came before `Ended`.
    outcome: Option<Outcome>,
}

/// A call over a trunk that is to be made.
pub(super) struct Attempt {
    run: u64,
    way: TrunkTarget,
}

impl Call {
    pub(super) fn start_bridging(&mut self, now: Instant, action: CallAndBridge) {
        if let Err(error) = check(&action) {
            return self.action_failed(now, &error);
        }
        let most = self.config().sip.max_ring;
        let ring = Duration::from_secs(action.call_timeout_seconds).min(most);
        let mut headers = Headers::new();
        for (name, value) in &action.sip_headers {
            if let Some(name) = HeaderName::parse(name.as_bytes()) {
                headers.push(name, value.clone());
            }
        }
        let started = self.run_id();
        self.bridging = Some(Box::new(Bridging {
            deadline: now + ring,
            trunks: Vec::new(),
            looking_up: 0,
            outcomes: Vec::new(),
            ports: Vec::new(),
            branches: Vec::new(),
            visited: HashSet::new(),
            redirects: 0,
            rings: false,
            early: None,
            headers,
            caller_id: action.caller_id_number,
            started,
        }));
        self.running = Running::Bridging;
        for endpoint in &action.endpoints {
            let arn = endpoint.arn.as_deref();
            match endpoint.bridge_endpoint_type {
                EndpointType::Extension => self.call_extension(now, &endpoint.uri),
                EndpointType::Group => self.call_group(now, &endpoint.uri),
                EndpointType::Trunk => self.call_out(now, &endpoint.uri, arn),
                EndpointType::Pstn | EndpointType::Aws => self.call_out(now, &endpoint.uri, None),
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

    // --- whom ---

    fn call_group(&mut self, now: Instant, name: &str) {
        let Some(group) = self.settings.config.group(name).cloned() else {
            return self.missed(now, Outcome::of(failure::UNKNOWN_NUMBER, name));
        };
        for member in &group.members {
            // Whoever calls the own group does not ring.
            if self.caller.source != Source::Phone(member.clone()) {
                self.call_extension(now, member);
            }
        }
    }

    fn call_extension(&mut self, now: Instant, number: &str) {
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
        let own = self.legs.first().map(|leg| leg.way);
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
            if let Err(outcome) = self.ring_phone(now, number, contact) {
                self.missed(now, outcome);
            }
        }
        if !rang {
            self.missed(now, Outcome::of(failure::NOT_REGISTERED, number));
        }
    }

    /// Over the trunks, in their order of health; over one, when it is named.
    fn call_out(&mut self, now: Instant, number: &str, named: Option<&str>) {
        let ways = self.services.phonebook.ways_out(number, named, self.emergency);
        if ways.is_empty() {
            return self.missed(now, Outcome::of(failure::NO_TRUNK, number));
        }
        let Some(run) = self.bridging.as_ref().map(|b| b.started) else { return };
        let attempts: Vec<Attempt> =
            ways.into_iter().rev().map(|way| Attempt { run, way }).collect();
        if let Some(bridging) = &mut self.bridging {
            bridging.trunks = attempts;
        }
        self.next_trunk(now);
    }

    /// Tries the next trunk; `false` when there is none left.
    fn next_trunk(&mut self, now: Instant) -> bool {
        loop {
            let Some(bridging) = &mut self.bridging else { return false };
            let Some(mut attempt) = bridging.trunks.pop() else { return false };
            // An emergency call is never turned away by a limit of ours.
            if !attempt.way.slot.take() && !self.emergency {
                let name = &attempt.way.trunk.name;
                let detail = format!("{name} carries as many calls as it may");
                self.missed(now, Outcome::of(failure::TRUNK_OVERLOADED, detail));
                continue;
            }
            if let Some(bridging) = &mut self.bridging {
                bridging.looking_up += 1;
            }
            let sip = self.services.sip.clone();
            self.work.push(Box::pin(async move {
                let flow = sip.flow_for(&attempt.way.target).await;
                Done::Flow { attempt, flow }
            }));
            return true;
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
        let outcome = match flow {
            Ok(flow) => self.ring_trunk(now, attempt, flow).err(),
            Err(error) => Some(unreachable(&attempt.way.trunk.name, &error.to_string())),
        };
        if let Some(outcome) = outcome {
            self.missed(now, outcome);
            self.next_trunk(now);
        }
        self.go_on(now);
    }

    fn visit(&mut self, party: String) -> bool {
        self.bridging.as_mut().is_some_and(|b| b.visited.insert(party))
    }

    fn missed(&mut self, now: Instant, outcome: Outcome) {
        let status = Some(outcome.status);
        self.timeline.failure(now, None, outcome.failure, status, &outcome.detail);
        if let Some(bridging) = &mut self.bridging {
            bridging.outcomes.push(outcome);
        }
    }

    // --- placing ---

    fn ring_phone(
        &mut self,
        now: Instant,
        number: &str,
        contact: crate::office::Reachable,
    ) -> Result<(), Outcome> {
        let local = self.services.sip.local_contact(&contact.flow);
        let host = identity::our_host(self.config(), &local);
        let identity = identity::toward_phone(&self.caller, &host);
        let to = NameAddr::new(identity::address(number, &host));
        let placed = Placed {
            party: Party::Phone(number.to_owned()),
            way: Way::Flow(contact.flow),
            flow: contact.flow,
            uri: contact.uri,
            to,
            route: contact.route,
            identity,
            digest: None,
            first: None,
            slot: None,
        };
        self.place(now, placed)
    }

    fn ring_trunk(&mut self, now: Instant, attempt: Attempt, flow: Flow) -> Result<(), Outcome> {
        let config = Arc::clone(&self.settings.config);
        let digest = attempt.way.digest(Ids::from_os()).map(Box::new);
        let TrunkTarget { trunk, uri, target, slot, .. } = attempt.way;
        let extension = match &self.caller.source {
            Source::Phone(number) => config.extension(number),
            Source::Trunk(_) => None,
        };
        let asked = self.bridging.as_ref().and_then(|b| b.caller_id.clone());
        let own = asked.or_else(|| extension.and_then(|e| e.caller_id.clone()));
        let local = self.services.sip.local_contact(&flow);
        let identity = identity::toward_trunk(&self.caller, &trunk, own.as_deref(), &local.host);
        let to = NameAddr::new(without_params(&uri));
        let placed = Placed {
            party: Party::Trunk(trunk.name.clone()),
            way: Way::ByUri { seen: None },
            flow,
            uri,
            to,
            route: Vec::new(),
            identity,
            digest,
            first: Some(target),
            slot: Some(slot),
        };
        self.place(now, placed)
    }

    /// Sends an INVITE.
    fn place(&mut self, now: Instant, placed: Placed) -> Result<(), Outcome> {
        let address = self.services.sip.media_address(&placed.flow);
        let bind = media_bind(self.config(), address);
        let port = self.branch_port(bind)?;
        let session_id = self.session_id();
        let mut media = LegMedia::new(
            self.config(),
            &placed.party,
            (address.advertised, port).into(),
            session_id,
        );
        if let Some(codec) = self.caller_codec() {
            media.prefer(codec);
        }
        let sdp = media.offer(MediaDirection::SendRecv);
        let contact = Uri::Sip(self.services.sip.contact_uri(&placed.flow, None));
        let mut headers = placed.identity.headers;
        if let Some(bridging) = &self.bridging {
            for header in bridging.headers.iter() {
                headers.set(header.name.clone(), header.value.clone());
            }
        }
        let base = if placed.digest.is_some() {
            &self.settings.challenged
        } else {
            &self.settings.session
        };
        let config = if base.max_forwards == self.max_forwards {
            Arc::clone(base)
        } else {
            let mut config = (**base).clone();
            config.max_forwards = self.max_forwards;
            Arc::new(config)
        };
        let invite = OutgoingInvite {
            request_uri: placed.uri,
            from: placed.identity.from,
            to: placed.to,
            contact,
            call_id: None,
            route: placed.route,
            headers,
            sdp: Some(sdp),
        };
        let session = Session::outgoing(now, config, &mut self.ids, invite);
        let key = DialogKey::new(session.call_id(), session.local_tag());
        let dialog = self.services.sip.register_dialog(key, &self.owner);
        let id = LegId(self.next_leg);
        self.next_leg += 1;
        let label = char::from(b'A' + u8::try_from(id.0.min(25)).unwrap_or(25));
        let kind = CallEventKind::Leg { party: placed.party.label() };
        self.timeline.add(now, Some(label), kind);
        let answerer = match placed.party {
            Party::Phone(_) => Answerer::Phone,
            Party::Trunk(_) => Answerer::Trunk,
        };
        let call_id = guid(&mut self.ids);
        self.legs.push(Leg {
            id,
            label,
            part: Part::Branch,
            party: placed.party,
            call_id,
            session,
            way: placed.way,
            media: Some(media),
            answered: false,
            confirmed: false,
            digest: placed.digest,
            _dialog: dialog,
            first: placed.first,
            _slot: placed.slot,
        });
        if let Some(bridging) = &mut self.bridging {
            bridging.branches.push(Branch { leg: id, bind, answerer, outcome: None });
        }
        Ok(())
    }

    /// The port for an interface: made for the first branch there, shared by the others.
    fn branch_port(&mut self, bind: IpAddr) -> Result<u16, Outcome> {
        let known = self.bridging.as_ref().and_then(|b| b.ports.iter().find(|(ip, _)| *ip == bind));
        if let Some((_, port)) = known {
            return Ok(port.rtp_addr().port());
        }
        let port =
            self.open_port(bind).map_err(|error| Outcome::of(failure::NO_MEDIA_PORTS, error))?;
        let number = port.rtp_addr().port();
        if let Some(bridging) = &mut self.bridging {
            bridging.ports.push((bind, port));
        }
        Ok(number)
    }

    /// What the caller speaks, or will probably speak.
    fn caller_codec(&self) -> Option<offhook_media::codec::Codec> {
        let caller = self.legs.iter().find(|leg| leg.tag() == Some(LegTag::A))?;
        let agreed = caller.media.as_ref().and_then(LegMedia::codec);
        agreed.or_else(|| caller.session.remote_sdp().and_then(|sdp| first_codec(sdp)))
    }

    // --- what comes back ---

    /// A provisional response on a branch.
    pub(super) fn on_ringing(
        &mut self,
        now: Instant,
        id: LegId,
        status: StatusCode,
        sdp: Option<Bytes>,
    ) {
        let Some(bridging) = &self.bridging else { return };
        if !bridging.branches.iter().any(|b| b.leg == id) {
            return;
        }
        // Early media of several phones at once would be a babel: of a lone branch only.
        let lone = bridging.branches.len() == 1 && bridging.trunks.is_empty();
        let lone = lone || bridging.branches.iter().all(|b| b.leg == id || b.outcome.is_some());
        if let Some(sdp) = sdp
            && lone
            && bridging.early.is_none_or(|early| early == id)
            && matches!(self.running, Running::Bridging)
            && self.early_media(now, id, &sdp).is_ok()
        {
            return;
        }
        // 183 without media tells a caller nothing that 180 does not.
        let tells = matches!(status.code(), 180 | 183);
        let Some(bridging) = &mut self.bridging else { return };
        if !tells || bridging.rings || bridging.early.is_some() {
            return;
        }
        bridging.rings = true;
        if let Some(caller) = self.tagged(LegTag::A).filter(|leg| !leg.answered) {
            let _ = caller.session.provisional(now, StatusCode::RINGING, None, Headers::new());
        }
    }

    /// Lets the caller hear what a branch sends before it answers (announcements, ringback of the
    /// network).
    fn early_media(&mut self, now: Instant, id: LegId, sdp: &Bytes) -> Result<(), ()> {
        let again = self.bridging.as_ref().is_some_and(|b| b.early == Some(id));
        self.claim_port(id);
        let leg = self.leg(id).ok_or(())?;
        let label = leg.label;
        let media = leg.media.as_mut().ok_or(())?;
        let stream = media.accept(sdp).map_err(|_| ())?;
        self.timeline.add(now, Some(label), media_fact(&stream));
        if again {
            return Ok(());
        }
        self.early_media_to_caller(now)?;
        if let Some(bridging) = &mut self.bridging {
            bridging.early = Some(id);
        }
        self.join(id);
        Ok(())
    }

    /// 183 with our description, unless the caller has one.
    fn early_media_to_caller(&mut self, now: Instant) -> Result<(), ()> {
        let caller = self.tagged(LegTag::A).ok_or(())?;
        // An offer of ours may go only into a reliable response; then the caller has to wait.
        if caller.answered || caller.session.remote_sdp().is_none() {
            return if caller.answered { Ok(()) } else { Err(()) };
        }
        let said = caller.media.as_ref().is_some_and(|m| m.said.is_some());
        let sdp = self.caller_sdp(now, self.bridged_codec()).map_err(|_| ())?;
        if said {
            return Ok(());
        }
        let caller = self.tagged(LegTag::A).ok_or(())?;
        let status = StatusCode::SESSION_PROGRESS;
        caller.session.provisional(now, status, Some(sdp), Headers::new()).map_err(|_| ())
    }

    fn bridged_codec(&self) -> Option<offhook_media::codec::Codec> {
        let agreed = |leg: &Leg| leg.media.as_ref().and_then(LegMedia::codec);
        self.legs.iter().filter(|leg| leg.part != Part::Caller).find_map(agreed)
    }

    /// Gives a branch the port that it offered.
    fn claim_port(&mut self, id: LegId) {
        let Some(bridging) = &mut self.bridging else { return };
        let Some(bind) = bridging.branches.iter().find(|b| b.leg == id).map(|b| b.bind) else {
            return;
        };
        let Some(at) = bridging.ports.iter().position(|(ip, _)| *ip == bind) else { return };
        let (_, port) = bridging.ports.swap_remove(at);
        if let Some(media) = self.leg(id).and_then(|leg| leg.media.as_mut()) {
            media.port = Some(port);
        }
    }

    /// Lets the caller and another leg hear each other.
    fn join(&self, id: LegId) {
        let a = self.legs.iter().find(|leg| leg.tag() == Some(LegTag::A)).and_then(Leg::port);
        let b = self.leg_ref(id).and_then(Leg::port);
        if let (Some(a), Some(b)) = (a, b) {
            self.services.engine.bridge(a, b);
        }
    }

    /// Somebody answered.
    pub(super) fn on_answered(&mut self, now: Instant, id: LegId, sdp: Option<Bytes>) {
        let known = self.bridging.as_ref().is_some_and(|b| b.branches.iter().any(|b| b.leg == id));
        if !known {
            // Answered in the moment when it was cancelled: the session said BYE to it already.
            if let Some(leg) = self.leg(id) {
                leg.session.hangup(now, Headers::new());
            }
            return;
        }
        if let Err(outcome) = self.agree(now, id, sdp.as_ref()) {
            self.set_outcome(id, outcome);
            if let Some(leg) = self.leg(id) {
                leg.session.hangup(now, Headers::new());
            }
            return;
        }
        let early = self.bridging.as_ref().and_then(|b| b.early);
        self.stop_bridging(now, &[id]);
        self.running = Running::Bridging;
        if let Some(port) = self.tagged(LegTag::A).and_then(|leg| leg.port()) {
            port.stop_play();
        }
        let codec = self.leg_ref(id).and_then(|l| l.media.as_ref()).and_then(LegMedia::codec);
        if let Err(error) = self.answer_caller(now, codec) {
            if let Some(leg) = self.leg(id) {
                leg.part = Part::Gone;
                leg.media = None;
                leg.session.hangup(now, Headers::new());
            }
            return self.action_failed(now, &error);
        }
        if early != Some(id) {
            self.join(id);
        }
        self.connected(now, id);
    }

    fn agree(&mut self, now: Instant, id: LegId, sdp: Option<&Bytes>) -> Result<(), Outcome> {
        let Some(sdp) = sdp else { return Err(Outcome::of(failure::BAD_SDP, "no answer")) };
        if self.leg_ref(id).is_some_and(|leg| leg.port().is_none()) {
            self.claim_port(id);
        }
        let Some(leg) = self.leg(id) else { return Err(Outcome::of(failure::INTERNAL, "")) };
        let label = leg.label;
        let Some(media) = &mut leg.media else { return Err(Outcome::of(failure::INTERNAL, "")) };
        match media.accept(sdp) {
            Ok(stream) => {
                self.timeline.add(now, Some(label), media_fact(&stream));
                Ok(())
            }
            Err(error) => Err(Outcome::of(failure_of(&error), error.to_string())),
        }
    }

    /// Both legs are up: the action is done.
    fn connected(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.leg(id) else { return };
        leg.part = Part::Callee;
        leg.answered = true;
        leg.confirmed = true;
        let (party, call_id) = (leg.party.clone(), leg.call_id.clone());
        let to = match &party {
            Party::Phone(number) => number.clone(),
            Party::Trunk(_) => self.record.to.clone(),
        };
        let answered = SystemTime::now();
        self.transaction.add_participant(Participant {
            call_id,
            participant_tag: LegTag::B,
            to,
            from: self.caller.shown().to_owned(),
            direction: Direction::Outbound,
            start_time_in_milliseconds: epoch_ms(answered),
            status: Some(Status::Connected),
            sip_headers: Default::default(),
        });
        self.record.answered.get_or_insert(answered);
        self.record.disposition = "answered".to_owned();
        self.record.destination = Some(party.label());
        self.keep_record();
        self.timeline.flush();
        self.action_done(now, |_| {});
    }

    /// A branch was refused.
    pub(super) fn on_rejected(&mut self, now: Instant, id: LegId, response: &Response) {
        let Some(bridging) = &self.bridging else { return };
        let Some(branch) = bridging.branches.iter().find(|b| b.leg == id) else { return };
        let answerer = branch.answerer;
        let status = response.status.code();
        if (300..400).contains(&status) && answerer == Answerer::Phone {
            let outcome = match self.follow(now, id, response) {
                Ok(()) => return,
                Err(outcome) => outcome,
            };
            self.set_outcome(id, outcome);
            return;
        }
        let reason = String::from_utf8_lossy(&response.reason).into_owned();
        self.set_outcome(id, Outcome::of_response(status, &reason, answerer));
    }

    fn set_outcome(&mut self, id: LegId, outcome: Outcome) {
        let branches = self.bridging.iter_mut().flat_map(|b| b.branches.iter_mut());
        if let Some(branch) = branches.into_iter().find(|b| b.leg == id) {
            branch.outcome = Some(outcome);
        }
    }

    /// A phone forwards its calls (302): followed within the office, and outside where the phone
    /// itself may call.
    fn follow(&mut self, now: Instant, id: LegId, response: &Response) -> Result<(), Outcome> {
        let refused = |detail: String| Outcome::of(failure::REDIRECT_REFUSED, detail);
        let Some(Party::Phone(phone)) = self.leg_ref(id).map(|leg| leg.party.clone()) else {
            return Err(refused(String::new()));
        };
        let contacts: Vec<Contact> = response.headers.typed_list().unwrap_or_default();
        let first = contacts.iter().find_map(|c| c.addr()).and_then(|a| a.uri.user_decoded());
        let Some(user) = first else { return Err(refused("302 without a number".to_owned())) };
        let number = identity::number_of(&user);
        let Some(bridging) = &mut self.bridging else { return Err(refused(number)) };
        bridging.redirects += 1;
        if bridging.redirects > MAX_REDIRECTS || !bridging.visited.insert(format!("to:{number}")) {
            return Err(refused(format!("{phone} forwards in circles to {number}")));
        }
        self.timeline.note(now, None, format!("{phone} forwards the call to {number}"));
        let host = self.legs.first().map(|leg| leg.way);
        let host = match host {
            Some(Way::Flow(flow) | Way::ByUri { seen: Some(flow) }) => {
                identity::our_host(self.config(), &self.services.sip.local_contact(&flow))
            }
            _ => Host::Name("invalid".into()),
        };
        // RFC 5806: who sent the call on.
        let diverted = NameAddr::new(identity::address(&phone, &host))
            .with_param("reason", Some("unconditional"));
        let config = Arc::clone(&self.settings.config);
        let phonebook = Arc::clone(&self.services.phonebook);
        let route = config.route(Origin::Phone, &number, |n| phonebook.account(n).is_some());
        let may_call_out = config.extension(&phone).is_none_or(|e| e.outside_calls);
        if let Some(bridging) = &mut self.bridging {
            bridging.headers.push(HeaderName::Diversion, diverted.to_string());
        }
        match route {
            Route::To(offhook_config::Target::Extension(to)) => self.call_extension(now, &to),
            Route::To(offhook_config::Target::Group(name)) => self.call_group(now, &name),
            Route::Outside(to) if may_call_out => self.call_out(now, &to, None),
            _ => return Err(refused(format!("{phone} may not forward to {number}"))),
        }
        Ok(())
    }

    /// A branch is over without an answer.
    pub(super) fn branch_ended(
        &mut self,
        now: Instant,
        id: LegId,
        by: EndedBy,
        status: Option<StatusCode>,
    ) {
        let name = self.leg_ref(id).map(|leg| leg.party.label()).unwrap_or_default();
        let Some(bridging) = &mut self.bridging else { return };
        let Some(at) = bridging.branches.iter().position(|b| b.leg == id) else { return };
        let branch = bridging.branches.swap_remove(at);
        let trunk = branch.answerer == Answerer::Trunk;
        if bridging.early == Some(id) {
            bridging.early = None;
        }
        let silent: &'static Failure =
            if trunk { failure::TRUNK_UNREACHABLE } else { failure::PHONE_UNREACHABLE };
        let outcome = match (branch.outcome, by, status) {
            (Some(outcome), ..) => Some(outcome),
            // A redirection that was followed: its targets stand for it.
            (None, EndedBy::Rejected, _) => None,
            (None, EndedBy::Failure(SessionFailure::Overloaded), _) => {
                Some(Outcome::of(failure::OFFICE_FULL, name.clone()))
            }
            (None, EndedBy::Failure(_) | EndedBy::DialogLost, _) => {
                Some(Outcome::of(silent, name.clone()))
            }
            (None, EndedBy::Protocol, _) => Some(Outcome::of(failure::BAD_SDP, name.clone())),
            (None, _, Some(status)) => {
                Some(Outcome::of_response(status.code(), "", branch.answerer))
            }
            (None, _, None) => Some(Outcome::of(failure::PEER_REFUSED, name.clone())),
        };
        // Another trunk may do better: when this one is down, full or broken, not when the number
        // called is busy or does not exist (those would be the same everywhere).
        let elsewhere = trunk
            && outcome
                .as_ref()
                .is_some_and(|o| o.failure.retry && !matches!(o.status, 480 | 486 | 600))
            || trunk && outcome.as_ref().is_some_and(|o| refused_us(o.failure));
        if let Some(outcome) = outcome {
            self.missed(now, outcome);
        }
        if elsewhere {
            self.next_trunk(now);
        } else if trunk && let Some(bridging) = &mut self.bridging {
            bridging.trunks.clear();
        }
        self.go_on(now);
    }

    /// Ends the action when nobody is left who could answer.
    fn go_on(&mut self, now: Instant) {
        let Some(bridging) = &self.bridging else { return };
        if !bridging.branches.is_empty() || bridging.looking_up > 0 {
            return;
        }
        let outcome = best(&bridging.outcomes).cloned();
        let outcome = outcome.unwrap_or_else(|| Outcome::of(failure::NOT_REGISTERED, ""));
        self.nobody_answered(now, &outcome);
    }

    /// It rang long enough.
    pub(super) fn ring_timeout(&mut self, now: Instant) {
        let Some(bridging) = &self.bridging else { return };
        if bridging.deadline > now {
            return;
        }
        // A trunk that said nothing at all was not rung.
        let rang = bridging.rings || bridging.early.is_some();
        let trunk = bridging.branches.iter().all(|b| b.answerer == Answerer::Trunk);
        let failure = match (rang, trunk) {
            (true, _) => failure::NO_ANSWER,
            (false, true) => failure::TRUNK_UNREACHABLE,
            (false, false) => failure::PHONE_UNREACHABLE,
        };
        let seen = best(&bridging.outcomes).filter(|o| !rang && o.status != 480).cloned();
        let outcome = seen.unwrap_or_else(|| Outcome::of(failure, "it rang long enough"));
        self.nobody_answered(now, &outcome);
    }

    fn nobody_answered(&mut self, now: Instant, outcome: &Outcome) {
        self.stop_bridging(now, &[]);
        if let Some(port) = self.tagged(LegTag::A).and_then(|leg| leg.port()) {
            port.stop_play();
        }
        // What is told last is what counts: a sequence of attempts has many.
        self.failure = Some(outcome.failure);
        let mut error = ActionError::new(error_type::CALL_NOT_ANSWERED, "Call not answered");
        error.sip_status = Some(status_for_caller(outcome));
        error.message = format!("Call not answered: {}", outcome.failure.meaning);
        let detail = format!("{} ({})", outcome.failure.code, outcome.detail);
        self.timeline.note(now, None, detail);
        self.running = Running::Nothing;
        self.action_failed(now, &error);
    }

    /// Cancels every branch but those in `but`; with one answered the others are told so
    /// (RFC 3326), and their phones show no missed call.
    pub(super) fn stop_bridging(&mut self, now: Instant, but: &[LegId]) {
        let Some(bridging) = self.bridging.take() else { return };
        let mut reason = self.reason_headers();
        if !but.is_empty() {
            reason = Headers::new();
            let text = "SIP;cause=200;text=\"Call completed elsewhere\"";
            reason.push(HeaderName::Reason, text.to_owned());
        }
        for branch in &bridging.branches {
            if but.contains(&branch.leg) {
                continue;
            }
            if let Some(leg) = self.leg(branch.leg) {
                leg.part = Part::Gone;
                leg.media = None;
                leg.session.hangup(now, reason.clone());
            }
        }
        if matches!(self.running, Running::Bridging) {
            self.running = Running::Nothing;
        }
    }
}

/// All that an INVITE of ours takes.
struct Placed {
    party: Party,
    way: Way,
    flow: Flow,
    uri: Uri,
    to: NameAddr,
    route: Vec<NameAddr>,
    identity: Identity,
    digest: Option<Box<digest::Client>>,
    first: Option<Target>,
    slot: Option<CallSlot>,
}

fn check(action: &CallAndBridge) -> Result<(), ActionError> {
    let invalid = |text: &str| ActionError::new(error_type::INVALID_ACTION_PARAMETER, text);
    if !(1..=3600).contains(&action.call_timeout_seconds) {
        return Err(invalid(
            "The MaxCallTimeout parameter is invalid. Timeout must be between 0 and 120 seconds.",
        ));
    }
    let local = |kind| matches!(kind, EndpointType::Extension | EndpointType::Group);
    let all_local = action.endpoints.iter().all(|e| local(e.bridge_endpoint_type));
    let most = if all_local { MAX_BRANCHES } else { 1 };
    if action.endpoints.is_empty() || action.endpoints.len() > most {
        return Err(invalid("Invalid number of endpoints provided."));
    }
    if action.endpoints.iter().any(|e| e.uri.is_empty()) {
        return Err(invalid("Endpoint parameter is invalid."));
    }
    Ok(())
}

/// The trunk refuses us rather than the number: another one may not.
fn refused_us(failure: &Failure) -> bool {
    [failure::TRUNK_CREDENTIALS, failure::TRUNK_FORBIDDEN, failure::CALLER_ID_NOT_OWNED]
        .contains(&failure)
}

fn unreachable(trunk: &str, why: &str) -> Outcome {
    Outcome::of(failure::TRUNK_UNREACHABLE, format!("{trunk}: {why}"))
}

/// To is an address, not a way: no URI parameters (RFC 3261 §19.1.1 forbids `transport` there).
fn without_params(uri: &Uri) -> Uri {
    let Uri::Sip(sip) = uri else { return uri.clone() };
    let mut to =
        offhook_sip::uri::SipUri::new(HostPort { host: sip.host_port.host.clone(), port: None });
    to.user.clone_from(&sip.user);
    Uri::Sip(to)
}
