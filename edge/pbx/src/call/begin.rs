//! How a call begins: from the INVITE to the first event for its application.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use futures_util::stream::FuturesUnordered;
use offhook_config::{Aws, Config};
use offhook_media::engine::PortEvent;
use offhook_sip::dialog::wants_sips;
use offhook_sip::flow::{Flow, Transport};
use offhook_sip::header::{HeaderName, Headers};
use offhook_sip::message::{Request, Response, StatusCode};
use offhook_sip::session::{Session, SessionConfig, TRICKLE_ICE};
use offhook_sip::uri::Uri;
use offhook_sma::action::LegTag;
use offhook_sma::event::{CallDetails, Direction, EventType, Participant};
use offhook_sma::session::{Script, Transaction};
use tokio::sync::mpsc;

use super::identity::{self, Caller, Source};
use super::leg::{self, Leg, LegId, Part, Party, Way};
use super::origin::CloudOrigin;
use super::runner::{self, Running};
use super::task::now;
use super::timeline::{self, Timeline};
use super::{Begins, Call, House, NewCall, Settings, epoch_ms, guid};
use crate::event::CallEventKind;
use crate::keep::CallRecord;
use crate::office::application_id;
use crate::office::registry::Entry;
use crate::stack::{DialogKey, NewRequest, Owner};
use crate::trunk::CallSlot;
use offhook_media::dtmf::Carriers;

impl Call {
    pub(super) fn new(
        mut new: NewCall,
        mut house: House,
        owner: Owner,
        media_events: mpsc::Sender<PortEvent>,
        entry: Entry,
    ) -> Result<Box<Self>, Box<Response>> {
        let now = now();
        let (first, timeline, max_forwards) = match &new.begins {
            Begins::Invite(invite) => {
                let hops = hops_left(&invite.request).saturating_sub(1);
                let who = (new.id.as_str(), &new.caller, new.focus.as_deref());
                let slot = new.slot.take();
                let first = First::of(now, invite, who, slot, &mut house, &owner, &entry)?;
                let First { leg, timeline } = first;
                (Some(leg), timeline, hops)
            }
            Begins::Created(_) => {
                let timeline = Timeline::new(new.id.clone(), Arc::clone(&house.services.keep));
                (None, timeline, house.settings.trunks.max_forwards)
            }
        };
        let House { services, settings, router, mut ids } = house;
        // An emergency call is never ended by a limit of ours.
        let most = settings.config.sip.max_call.filter(|_| !new.emergency);
        let record = first_record(&settings.config, &new);
        let (creating, participant) = match (new.begins, &first) {
            (Begins::Created(created), _) => {
                let participant = created.participant(guid(&mut ids), record.started);
                (Some(created), participant)
            }
            (Begins::Invite(_), first) => {
                let call_id = first.as_ref().map(|leg| leg.call_id.clone()).unwrap_or_default();
                (None, first_participant(&new.caller, call_id, &record))
            }
        };
        let rules = router.rules();
        let app_name = new.app.name();
        let label = new.destination.as_deref().unwrap_or(app_name);
        let details = details(&settings.config.aws, new.id, label, participant);
        Ok(Box::new(Self {
            owner,
            ids,
            caller: new.caller,
            emergency: new.emergency,
            to_emergency: new.emergency,
            max_forwards,
            legs: first.into_iter().collect(),
            next_leg: 1,
            news: VecDeque::new(),
            media_events,
            reasons: Vec::new(),
            app: Some(new.app),
            app_name,
            app_run: 0,
            app_queue: VecDeque::new(),
            muted: false,
            rules,
            awaiting_reply: false,
            transaction: Transaction::new(details),
            script: Script::default(),
            running: Running::Nothing,
            action_deadline: None,
            invoked_for: LegTag::A,
            interrupting: false,
            hung_up: None,
            first_action_by: None,
            last_words: None,
            order: new.order,
            creating,
            listening: Vec::new(),
            leg_tapes: Vec::new(),
            bridging: None,
            transfer: None,
            early: None,
            given_back: None,
            consulted: None,
            code_keys: None,
            meeting: None,
            beside: None,
            partner: None,
            supervision: None,
            passing: None,
            leaving: None,
            music: None,
            silence_check: None,
            taping: Default::default(),
            tape_paused: false,
            shown_on: Vec::new(),
            popped: None,
            next_run: 1,
            work: FuturesUnordered::new(),
            timeline,
            record,
            failure: new.failure,
            ending: None,
            ends_at: most.map(|most| now + most),
            closed: false,
            entry,
            services,
            settings,
            router,
        }))
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.keep_record();
        if self.creating.is_some() {
            return self.begin_created(now);
        }
        if !self.offer_fits(now) {
            return;
        }
        match self.order.take() {
            Some(number) => self.move_held(now, number),
            None => self.tell(now, LegTag::A, EventType::NewInboundCall, None),
        }
    }

    /// An offer that nothing can be agreed on with is refused before a phone rings for it.
    pub(super) fn offer_fits(&mut self, now: Instant) -> bool {
        let Some(leg) = self.legs.first() else { return false };
        let (Way::Flow(flow) | Way::ByUri { seen: Some(flow) }, Some(offer)) =
            (leg.way, leg.session.remote_sdp())
        else {
            return true;
        };
        let local = self.services.sip.media_address(&flow).advertised;
        let engine = &self.services.engine;
        let keys = (engine.webrtc_sample(), engine.fingerprint().clone());
        let peer = flow.remote.ip();
        let Err(error) = leg::check_offer(self.config(), &leg.party, (local, peer), keys, offer)
        else {
            return true;
        };
        let text = error.text();
        self.fail(now, runner::failure_of(&error), Some(error.sip_status()), &text);
        let mut headers = Headers::new();
        // RFC 3261 §20.43: says to the other side's operator what was wrong.
        let text = text.replace(['"', '\\'], "'");
        headers.push(HeaderName::Warning, format!("{} offhook \"{text}\"", error.warn_code()));
        let status = StatusCode::new(error.sip_status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
        if let Some(leg) = self.legs.first_mut() {
            let _ = leg.session.reject(now, status, None, headers);
        }
        false
    }
}

/// How the dialog of such a caller is kept; `focus`: it is with a conference.
fn session_config(
    settings: &Settings,
    source: &Source,
    flow: &Flow,
    focus: bool,
) -> Arc<SessionConfig> {
    let usual = match source {
        Source::Phone(_) => &settings.phones,
        Source::Trunk(_) | Source::Application(_) => &settings.trunks,
    };
    let browser = flow.transport == Transport::Wss;
    if !focus && !browser {
        return Arc::clone(usual);
    }
    let mut own = SessionConfig { is_focus: focus, ..(**usual).clone() };
    own.supported.extend(browser.then(|| TRICKLE_ICE.into()));
    Arc::new(own)
}

/// The caller's leg, and the timeline that begins with it.
struct First {
    leg: Leg,
    timeline: Timeline,
}

impl First {
    /// A request that no session can be made of gives the answer to it.
    fn of(
        now: Instant,
        invite: &NewRequest,
        (id, caller, focus): (&str, &Caller, Option<&str>),
        slot: Option<CallSlot>,
        house: &mut House,
        owner: &Owner,
        entry: &Entry,
    ) -> Result<Self, Box<Response>> {
        let House { services, settings, ids, .. } = house;
        let NewRequest { tx, request, flow } = invite;
        let contact = Uri::Sip(services.sip.contact_uri(flow, focus, wants_sips(request)));
        let config = session_config(settings, &caller.source, flow, focus.is_some());
        let session =
            Session::incoming(now, config, ids, request, *tx, contact).map_err(Box::new)?;
        let (party, way) = match &caller.source {
            Source::Phone(number) => (Party::Phone(number.clone()), Way::Flow(*flow)),
            Source::Trunk(name) | Source::Application(name) => {
                (Party::Trunk(name.clone()), Way::ByUri { seen: Some(*flow) })
            }
        };
        let mut timeline = Timeline::new(id.to_owned(), Arc::clone(&services.keep));
        timeline.add(now, Some('A'), CallEventKind::Leg { party: party.label() });
        timeline.request(now, 'A', crate::event::Direction::In, request, timeline::peer_of(flow));
        let key = DialogKey::new(session.call_id(), session.local_tag());
        let listed = match &party {
            Party::Phone(number) => {
                Some(entry.list(session.call_id(), session.local_tag(), number))
            }
            Party::Trunk(_) => None,
        };
        let leg = Leg {
            id: LegId(0),
            label: 'A',
            part: Part::Caller,
            number: caller.number.as_str().into(),
            hidden: caller.is_hidden(),
            call_id: guid(ids),
            way,
            media: None,
            carriers: Carriers::default(),
            answered: false,
            confirmed: false,
            digest: None,
            _dialog: services.sip.register_dialog(key, owner),
            _listed: listed,
            party,
            session,
            first: None,
            _slot: slot,
        };
        Ok(Self { leg, timeline })
    }
}

/// The record of a call that has just come.
fn first_record(config: &Config, new: &NewCall) -> CallRecord {
    CallRecord {
        id: new.id.clone(),
        started: SystemTime::now(),
        answered: None,
        ended: None,
        from: identity::recorded_number(config, &new.caller.number),
        to: new.dialled.clone(),
        original_caller: new.caller.original.clone(),
        source: new.caller.source.label(),
        destination: new.destination.clone(),
        // Until somebody answers or it ends.
        disposition: "ringing".to_owned(),
        failure: None,
        hung_up_by: None,
        transfers: Vec::new(),
        supervised: Vec::new(),
        cloud: new.caller.cloud.as_deref().map(CloudOrigin::ids).unwrap_or_default(),
    }
}

fn first_participant(caller: &Caller, call_id: String, record: &CallRecord) -> Participant {
    Participant {
        call_id,
        participant_tag: LegTag::A,
        to: record.to.clone(),
        from: record.from.clone(),
        direction: Direction::Inbound,
        start_time_in_milliseconds: epoch_ms(record.started),
        status: None,
        sip_headers: caller.sip_headers(),
        other: Default::default(),
    }
}

/// Max-Forwards of a request; 70 when it says nothing (RFC 3261 §20.22).
pub(crate) fn hops_left(request: &Request) -> u32 {
    let text = request.headers.text(&HeaderName::MaxForwards);
    text.and_then(|t| t.trim().parse().ok()).unwrap_or(70)
}

/// The SIP rule of a number: of the trigger `ToPhoneNumber`, one for each number, whose value it is.
pub(super) fn sip_rule(number: &str) -> String {
    application_id(&format!("rule:{number}"))
}

/// The call as an application sees it at its beginning. `label`: where it leads (`flow:menu`).
pub(super) fn details(aws: &Aws, id: String, label: &str, participant: Participant) -> CallDetails {
    CallDetails {
        transaction_id: id,
        transaction_attributes: None,
        aws_account_id: aws.account.clone(),
        aws_region: aws.region.clone(),
        sip_rule_id: (participant.direction == Direction::Inbound)
            .then(|| sip_rule(&participant.to)),
        sip_media_application_id: application_id(label),
        participants: vec![participant],
        other: Default::default(),
    }
}
