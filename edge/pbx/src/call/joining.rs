//! Two calls of one phone become one (REFER with Replaces, RFC 5589 §7).
//!
//! > Each call keeps its own leg, its timers and its record; they share the sound of two ports, and
//! > when one ends the other ends. No leg ever moves from one task to another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::engine::MediaPort;
use offhook_sip::header::{HeaderName, Headers, NameAddr};
use offhook_sip::message::StatusCode;
use offhook_sma::action::LegTag;
use offhook_sma::event::Status;
use tokio::sync::{mpsc, oneshot, oneshot::error::TryRecvError};

use super::consultation::Asks;
use super::identity;
use super::leg::{Leg, LegId, Part, Party, Way};
use super::passing::Lent;
use super::runner::Running;
use super::{Call, Control, Done};
use crate::failure;

/// A call answers another one at once, or when it is settled; one that does neither is gone.
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
    pub(super) number: String,
    name: Option<String>,
    /// It does not want to be shown.
    hidden: bool,
}

/// Asks a call to put our party in the place of the phone that it has in common with us.
#[derive(Debug)]
pub(crate) struct Join {
    pub(super) asks: Asks,
    /// The phone's dialog; `None`: the asked call is to take our party instead of its partner.
    pub(super) dialog: Option<Dialog>,
    /// The phone's extension.
    pub(super) by: String,
    pub(super) port: Arc<MediaPort>,
    pub(super) beside: Vec<Lent>,
    pub(super) party: Party,
    pub(super) shown: Shown,
    pub(super) control: mpsc::Sender<Control>,
    /// The call that passed this on, in the place of `dialog`.
    pub(super) via: Option<mpsc::Sender<Control>>,
    /// Somebody talks to an emergency service in it: no limit of either call ends it.
    pub(super) emergency: bool,
    pub(super) life: oneshot::Receiver<()>,
    pub(super) answer: oneshot::Sender<Result<Joined, JoinRefused>>,
}

#[derive(Debug, Clone)]
pub(super) struct Dialog {
    pub(super) call_id: Box<str>,
    pub(super) tags: [Box<str>; 2],
}

/// The answer: who is there now.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(super) port: Arc<MediaPort>,
    pub(super) party: Party,
    pub(super) shown: Shown,
    pub(super) control: mpsc::Sender<Control>,
    pub(super) emergency: bool,
    pub(super) life: oneshot::Receiver<()>,
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
    /// It talks with somebody outside, and waits for what the cloud says.
    Talking { dialled: String },
    /// The phone has both of its calls still.
    Kept,
}

impl Join {
    /// Whether who asked is over, or asks no more.
    pub(super) fn is_void(&mut self) -> bool {
        self.answer.is_closed() || !matches!(self.life.try_recv(), Err(TryRecvError::Empty))
    }

    /// Refuses, and gives who asked and its life. `None`: it is gone.
    pub(super) fn refuse_for(
        self,
        why: JoinRefused,
    ) -> Option<(mpsc::Sender<Control>, oneshot::Receiver<()>)> {
        self.answer.send(Err(why)).ok()?;
        Some((self.control, self.life))
    }
}

pub(super) enum Place {
    /// The phone's leg goes, the other one stays.
    Here { replaced: Option<LegId>, remaining: LegId },
    /// The other party is in another call itself.
    Elsewhere,
}

impl Call {
    /// Another call asks.
    pub(super) fn on_join(&mut self, now: Instant, join: Join) {
        // What the phone let go of here is for the order that it waits for.
        let join = match self.place_for(&join, false) {
            Err(why) if self.consulted.is_none() => self.keep_early_join(now, join, &why),
            _ => Some(join),
        };
        if let Some(join) = join {
            self.take_up_join(now, join);
        }
    }

    /// Takes it up as things are.
    pub(super) fn take_up_join(&mut self, now: Instant, mut join: Join) {
        let consulted = self.consulted.take_if(|known| known.is_awaited_by(&join.control));
        let let_go = consulted.is_some_and(|known| known.is_let_go());
        if join.is_void() {
            self.timeline.note(now, None, "the call that was to become one with this is over");
            not_joined(join.via.as_ref());
            if let_go {
                self.nobody_left(now);
            }
            return;
        }
        let (replaced, remaining) = match self.place_for(&join, let_go) {
            Ok(Place::Here { replaced: Some(phone), remaining })
                if join.asks == Asks::Move && self.was_called_outside(remaining) =>
            {
                return self.await_cloud(now, join, phone);
            }
            Ok(Place::Here { replaced, remaining }) => (replaced, remaining),
            Ok(Place::Elsewhere) => return self.pass_join_on(join),
            Err(refused) => return self.refuse_join(now, join, refused),
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
            if let_go {
                return self.nobody_left(now);
            }
            return self.music_for_hold();
        }
        if join.emergency {
            self.becomes_emergency();
        }
        if let Some(phone) = replaced {
            self.leaves_its_place(now, phone);
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

    /// Asks the call that has the other party.
    fn pass_join_on(&mut self, mut join: Join) {
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
    }

    /// Says no. A call that nobody has answered is given up.
    pub(super) fn refuse_join(&mut self, now: Instant, join: Join, why: JoinRefused) {
        not_joined(join.via.as_ref());
        let give_up = matches!(why, JoinRefused::NotTalking { .. });
        let _ = join.answer.send(Err(why));
        if give_up {
            if self.record.answered.is_none() {
                self.fail(now, failure::CANCELLED, None, "");
            }
            self.hang_up_all(now, "given up by the phone, which put another call through");
        }
    }

    /// Somebody else takes a phone's place in the call: its leg ends.
    pub(super) fn leaves_its_place(&mut self, now: Instant, phone: LegId) {
        let Some(leg) = self.leg(phone) else { return };
        let Some(tag) = leg.tag() else { return };
        leg.part = Part::Leaving;
        leg.session.hangup(now, Headers::new());
        self.transaction.set_status(tag, Status::Disconnected);
    }

    /// The phone's leg that an order names.
    pub(super) fn leg_of_dialog(&self, dialog: &Dialog) -> Option<&Leg> {
        let named = |leg: &&Leg| {
            leg.session.call_id() == &*dialog.call_id
                && dialog.tags.iter().any(|tag| **tag == *leg.session.local_tag())
        };
        self.legs.iter().find(named)
    }

    /// `let_go`: the phone has hung up here already.
    pub(super) fn place_for(&self, join: &Join, let_go: bool) -> Result<Place, JoinRefused> {
        if self.transfer.is_some() || self.consulted.is_some() {
            return Err(JoinRefused::Busy);
        }
        if let_go {
            let remaining =
                self.legs.iter().find(|leg| leg.tag().is_some() && leg.port().is_some());
            let remaining = remaining.ok_or(JoinRefused::Unknown)?.id;
            return Ok(Place::Here { replaced: None, remaining });
        }
        if join.asks == (Asks::JoinLetGo { caller: false }) {
            return Err(JoinRefused::Kept);
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
        let leg = self.leg_of_dialog(dialog).ok_or(JoinRefused::Unknown)?;
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

    /// An emergency call is never ended by a limit of ours, whichever of the joined calls has it.
    pub(super) fn becomes_emergency(&mut self) {
        self.emergency = true;
        (self.ends_at, self.silence_check) = (None, None);
    }

    pub(super) fn take_partner(
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
