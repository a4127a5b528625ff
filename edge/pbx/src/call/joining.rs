//! Two calls of one phone become one (REFER with Replaces, RFC 5589 §7).
//!
//! > Each call keeps its own leg, its timers and its record; they share the sound of two ports, and
//! > when one ends the other ends. No leg ever moves from one task to another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::engine::MediaPort;
use offhook_sip::header::{HeaderName, Headers, NameAddr, Replaces};
use offhook_sip::message::StatusCode;
use offhook_sma::action::LegTag;
use offhook_sma::event::Status;
use tokio::sync::{mpsc, oneshot};

use super::identity;
use super::leg::{LegId, Part, Party, Way};
use super::passing::Lent;
use super::runner::Running;
use super::transfer::{Stage, Transferor};
use super::{Call, Control, Done};
use crate::failure;

/// A call answers another one at once; one that does not is gone.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// A last word of the other call may be on its way when that call is over already.
const LAST_WORD: Duration = Duration::from_millis(200);

/// The other call.
pub(super) struct Partner {
    pub(super) control: mpsc::Sender<Control>,
    /// Of its leg: what we hear, and who hears us.
    pub(super) port: Arc<MediaPort>,
    pub(super) party: Party,
    pub(super) run: u64,
    pub(super) over: bool,
    /// Dropped, it tells the other call that we are gone, whatever the reason.
    _life: oneshot::Sender<()>,
}

/// Who a party is, for the display of the other one.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    number: String,
    name: Option<String>,
    /// It does not want to be shown.
    hidden: bool,
}

/// Asks a call to put our party in the place of the phone that it has in common with us.
#[derive(Debug)]
pub(crate) struct Join {
    /// The phone's dialog; `None`: the asked call is to take our party instead of its partner.
    dialog: Option<Dialog>,
    /// The phone's extension.
    by: String,
    port: Arc<MediaPort>,
    beside: Vec<Lent>,
    party: Party,
    shown: Shown,
    control: mpsc::Sender<Control>,
    /// The call that passed this on, in the place of `dialog`.
    via: Option<mpsc::Sender<Control>>,
    /// Somebody talks to an emergency service in it: no limit of either call ends it.
    emergency: bool,
    life: oneshot::Receiver<()>,
    answer: oneshot::Sender<Result<Joined, JoinRefused>>,
}

#[derive(Debug)]
struct Dialog {
    call_id: Box<str>,
    tags: [Box<str>; 2],
}

/// The answer: who is there now.
#[derive(Debug)]
pub(crate) struct Joined {
    port: Arc<MediaPort>,
    party: Party,
    shown: Shown,
    control: mpsc::Sender<Control>,
    emergency: bool,
    life: oneshot::Receiver<()>,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JoinRefused {
    /// There is no such call, or it ended this moment.
    Unknown,
    /// The dialog is another phone's.
    NotYours,
    /// It is being put through already.
    Busy,
    /// Nobody has answered it: it was given up, the number can be called.
    NotTalking { dialled: String },
}

enum Place {
    /// The phone's leg goes, the other one stays.
    Here { replaced: Option<LegId>, remaining: LegId },
    /// The other party is in another call itself.
    Elsewhere,
}

impl Call {
    /// Asks the call that Replaces names.
    pub(super) fn ask_to_join(&mut self, now: Instant, replaces: &Replaces, number: String) {
        // RFC 3891 §3 has the tags as the one who is asked sees them. Phones that know only their
        // own side of it write them the other way round.
        let tags = [replaces.to_tag.clone(), replaces.from_tag.clone()];
        let own = self.entry.control();
        let found = tags.iter().find_map(|tag| self.entry.call_of(&replaces.call_id, tag));
        let Some(other) = found.filter(|other| !other.same_channel(own)) else {
            return self.transfer_failed(now, StatusCode::CALL_DOES_NOT_EXIST.code());
        };
        let own = own.clone();
        let Some(transfer) = &self.transfer else { return };
        let (remaining, by) = (transfer.remaining, transfer.extension.clone());
        let leg = self.leg_ref(remaining);
        let found = leg.and_then(|l| Some((l.media.as_ref()?.port.clone()?, l.party.clone())));
        let Some((port, party)) = found else { return self.transfer_failed(now, 500) };
        let (life, ends) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let dialog = Some(Dialog { call_id: replaces.call_id.clone(), tags });
        let shown = self.shown(remaining);
        let (via, emergency) = (None, self.emergency);
        let beside = self.lent(remaining);
        let join = Join {
            dialog,
            by,
            port,
            beside,
            party,
            shown,
            control: own,
            via,
            emergency,
            life: ends,
            answer,
        };
        if other.try_send(Control::Join(Box::new(join))).is_err() {
            return self.transfer_failed(now, StatusCode::CALL_DOES_NOT_EXIST.code());
        }
        let run = self.run_id();
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Joining { run, number, life };
        }
        self.work.push(Box::pin(async move {
            let joined = match tokio::time::timeout(ANSWER, answered).await {
                Ok(Ok(joined)) => joined,
                Ok(Err(_)) | Err(_) => Err(JoinRefused::Unknown),
            };
            Done::Joined { run, joined }
        }));
    }

    /// Another call asks.
    pub(super) fn on_join(&mut self, now: Instant, mut join: Join) {
        let (replaced, remaining) = match self.place_for(&join) {
            Ok(Place::Here { replaced, remaining }) => (replaced, remaining),
            Ok(Place::Elsewhere) => {
                join.dialog = None;
                join.via = Some(self.entry.control().clone());
                self.stop_music();
                let order = Control::Join(Box::new(join));
                let partner = self.partner.as_ref();
                let told = partner.is_some_and(|partner| partner.control.try_send(order).is_ok());
                if !told {
                    // The answer's sender is gone with the order.
                    self.music_for_hold();
                }
                return;
            }
            Err(refused) => {
                not_joined(join.via.as_ref());
                let give_up = matches!(refused, JoinRefused::NotTalking { .. });
                let _ = join.answer.send(Err(refused));
                if give_up {
                    if self.record.answered.is_none() {
                        self.fail(now, failure::CANCELLED, None, "");
                    }
                    self.hang_up_all(now, "given up by the phone, which put another call through");
                }
                return;
            }
        };
        let port = self.leg_ref(remaining).and_then(|l| l.media.as_ref()?.port.clone());
        let party = self.leg_ref(remaining).map(|leg| leg.party.clone());
        let (Some(port), Some(party)) = (port, party) else {
            return not_joined(join.via.as_ref());
        };
        let (life, ends) = oneshot::channel();
        let control = self.entry.control().clone();
        let shown = self.shown(remaining);
        let emergency = self.emergency;
        let port_of = Arc::clone(&port);
        let joined = Joined { port: port_of, party, shown, control, emergency, life: ends };
        // Before the other call can play anything of its own.
        self.stop_music();
        port.stop_play();
        if join.answer.send(Ok(joined)).is_err() {
            // It gave up waiting: nothing was changed here.
            not_joined(join.via.as_ref());
            return self.music_for_hold();
        }
        if join.emergency {
            self.becomes_emergency();
        }
        if let Some(leg) = replaced.and_then(|id| self.leg(id)) {
            let tag = leg.tag();
            leg.part = Part::Leaving;
            leg.session.hangup(now, Headers::new());
            if let Some(tag) = tag {
                self.transaction.set_status(tag, Status::Disconnected);
            }
        }
        self.let_hear(&port, &join.port);
        let ours = self.lent(remaining);
        self.join_lent(now, &ours, &join.beside);
        self.transfer_ordered(now, None, &join.by, &join.shown.number, true);
        self.transfer_status(StatusCode::OK.code());
        self.keep_record();
        self.take_partner(join.control, join.port, join.party, join.life, life);
        self.tell_who(now, remaining, &join.shown);
        self.music_for_hold();
    }

    fn place_for(&self, join: &Join) -> Result<Place, JoinRefused> {
        if self.transfer.is_some() {
            return Err(JoinRefused::Busy);
        }
        let Some(dialog) = &join.dialog else {
            let partner = self.partner.as_deref().zip(join.via.as_ref());
            if !partner.is_some_and(|(partner, via)| partner.control.same_channel(via)) {
                return Err(JoinRefused::Unknown);
            }
            let leg = self.legs.iter().find(|leg| leg.tag().is_some() && leg.port().is_some());
            let leg = leg.ok_or(JoinRefused::Unknown)?;
            return Ok(Place::Here { replaced: None, remaining: leg.id });
        };
        let named = |leg: &&super::leg::Leg| {
            leg.session.call_id() == &*dialog.call_id
                && dialog.tags.iter().any(|tag| **tag == *leg.session.local_tag())
        };
        let leg = self.legs.iter().find(named).ok_or(JoinRefused::Unknown)?;
        if leg.party != Party::Phone(join.by.clone()) {
            return Err(JoinRefused::NotYours);
        }
        match leg.part {
            Part::Caller | Part::Callee => {}
            Part::Gone => return Err(JoinRefused::Unknown),
            Part::Branch | Part::Leaving | Part::Beside => return Err(JoinRefused::Busy),
        }
        let dialled = JoinRefused::NotTalking { dialled: self.record.to.clone() };
        // Somebody is there already, though perhaps without the ACK yet, and is not hung up; nor is
        // an emergency call, to be dialled once more.
        let refused = match leg.part {
            Part::Caller if self.other(leg.id).is_none() && !self.emergency => dialled,
            _ => JoinRefused::Busy,
        };
        let talks = leg.answered && leg.confirmed && self.bridging.is_none();
        if !talks || !matches!(self.running, Running::Nothing) {
            return Err(refused);
        }
        let other = self.other(leg.id).filter(|other| other.confirmed && other.port().is_some());
        match other {
            Some(other) => Ok(Place::Here { replaced: Some(leg.id), remaining: other.id }),
            None if self.partner.is_some() => Ok(Place::Elsewhere),
            None => Err(refused),
        }
    }

    /// The other call's answer.
    pub(super) fn on_joined(
        &mut self,
        now: Instant,
        wanted: u64,
        joined: Result<Joined, JoinRefused>,
    ) {
        let Some(transfer) = &mut self.transfer else { return };
        let number = match &mut transfer.stage {
            Stage::Joining { run, number, .. } if *run == wanted => std::mem::take(number),
            _ => return,
        };
        let Joined { port, party, shown, control, emergency, life } = match joined {
            Ok(joined) => joined,
            Err(JoinRefused::NotTalking { dialled }) => {
                transfer.stage = Stage::Asked;
                if !self.is_settled() {
                    // Something began while the other call was asked.
                    return self.transfer_failed(now, 480);
                }
                let number = if dialled.is_empty() { number } else { dialled };
                // That call is given up. The cloud moves its own leg there, where it has one.
                if !self.ask_cloud(now, &number) {
                    self.call_target(now, &number);
                }
                return;
            }
            Err(refused) => {
                self.timeline.note(now, None, format!("its other call: {refused:?}"));
                let status = match refused {
                    JoinRefused::NotYours => 403,
                    JoinRefused::Busy => 480,
                    JoinRefused::Unknown | JoinRefused::NotTalking { .. } => 481,
                };
                return self.transfer_failed(now, status);
            }
        };
        self.report(now, StatusCode::OK);
        let Some(transfer) = self.transfer.take() else { return };
        let Stage::Joining { life: ours, .. } = transfer.stage else { return };
        if let Transferor::Leg { id, part, gone, .. } = transfer.by {
            let tag = if part == Part::Caller { LegTag::A } else { LegTag::B };
            self.transaction.set_status(tag, Status::Disconnected);
            if !gone {
                self.leave(now, id);
            }
        }
        let text = format!("the call is put through to {}", shown.number);
        self.timeline.note(now, None, text);
        self.record.destination = Some(party.label());
        if emergency {
            self.becomes_emergency();
        }
        self.keep_record();
        self.take_partner(control, port, party, life, ours);
        self.tell_who(now, transfer.remaining, &shown);
        self.music_for_hold();
    }

    /// An emergency call is never ended by a limit of ours, whichever of the joined calls has it.
    pub(super) fn becomes_emergency(&mut self) {
        self.emergency = true;
        (self.ends_at, self.silence_check) = (None, None);
    }

    fn take_partner(
        &mut self,
        control: mpsc::Sender<Control>,
        port: Arc<MediaPort>,
        party: Party,
        theirs: oneshot::Receiver<()>,
        ours: oneshot::Sender<()>,
    ) {
        let run = self.run_id();
        // One that was there before hears of its end by this.
        let partner = Partner { control, port, party, run, over: false, _life: ours };
        self.partner = Some(Box::new(partner));
        self.meet_again();
        self.work.push(Box::pin(async move {
            let _ = theirs.await;
            Done::PartnerGone { run }
        }));
    }

    /// The other call is over.
    pub(super) fn on_partner_gone(&mut self, now: Instant, run: u64) {
        let before = self.transfer.as_ref().and_then(|t| t.partner_before());
        let known = self.partner.as_deref().or(before).is_some_and(|p| p.run == run);
        if !known {
            return;
        }
        if self.transfer.as_mut().is_some_and(|t| t.other_call_ended()) {
            // The phone that puts our party through hung up meanwhile: it goes on without it.
            self.partner = None;
            return self.music_while_asking(now);
        }
        if let Some(partner) = &mut self.partner
            && self.transfer.is_some()
            && !partner.over
        {
            partner.over = true;
            self.work.push(Box::pin(async move {
                tokio::time::sleep(LAST_WORD).await;
                Done::PartnerGone { run }
            }));
            return;
        }
        if self.partner_rings_again(now, run) {
            return;
        }
        self.stop_music();
        self.partner = None;
        let caller = self.legs.iter().any(|leg| leg.tag() == Some(LegTag::A));
        self.ends(if caller { "callee" } else { "caller" }, "hung up");
        self.hang_up_all(now, "the other party hung up");
    }

    /// A number of the office, and whose it is.
    pub(super) fn shown_number(&self, number: String) -> Shown {
        let account = self.services.phonebook.account(&number);
        let name = account.map(|a| a.name.clone()).filter(|name| !name.is_empty());
        Shown { number, name, hidden: false }
    }

    pub(super) fn shown(&self, id: LegId) -> Shown {
        let caller = self.identity_of(id);
        let name = caller.shown_name().map(str::to_owned);
        Shown { number: caller.shown().to_owned(), name, hidden: caller.is_hidden() }
    }

    /// Shows a phone who it talks to now (RFC 5876 §3.3: P-Asserted-Identity in an UPDATE).
    pub(super) fn tell_who(&mut self, now: Instant, id: LegId, who: &Shown) {
        let Some(leg) = self.leg_ref(id).filter(|leg| leg.party.is_phone()) else { return };
        let Way::Flow(flow) = leg.way else { return };
        if !leg.session.peer_takes_update() {
            return;
        }
        let host = identity::our_host(self.config(), &self.services.sip.local_contact(&flow));
        let mut asserted = if who.hidden {
            // Something must take the place of the name on the display.
            identity::anonymous()
        } else {
            NameAddr::new(identity::address(&who.number, &host))
        };
        if let Some(name) = &who.name {
            asserted = asserted.with_display(name);
        }
        let mut headers = Headers::new();
        headers.push(HeaderName::PAssertedIdentity, asserted.to_string());
        if let Some(leg) = self.leg(id) {
            let _ = leg.session.update(now, None, headers);
        }
    }
}

/// Tells the call that passed a [`Join`] on that nothing came of it.
fn not_joined(via: Option<&mpsc::Sender<Control>>) {
    if let Some(via) = via {
        let _ = via.try_send(Control::NotJoined);
    }
}
