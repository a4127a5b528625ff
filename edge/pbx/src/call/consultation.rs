//! A phone puts its call through to another one of its own: the call with who is to be put through
//! asks the other one ([`super::joining`]).
//!
//! > What is answered there decides: a call that rings is given up and its number called; one that
//! > talks takes our party, unless the cloud is to carry that out ([`super::consulted`]).

use std::time::Instant;

use offhook_config::Attended;
use offhook_sip::header::Replaces;
use offhook_sip::message::StatusCode;
use offhook_sma::action::LegTag;
use offhook_sma::event::Status;
use tokio::sync::{mpsc, oneshot};

use super::cloud::Stays;
use super::joining::{ANSWER, Dialog, Join, JoinRefused, Joined};
use super::leg::Part;
use super::transfer::{Stage, Transferor};
use super::{Call, Control, Done};

/// The other call of a phone, which is asked to take our party.
pub(super) struct Consultation {
    control: mpsc::Sender<Control>,
    dialog: Dialog,
    /// Sent, the other call hears that the cloud calls anew who was asked; dropped, that we gave up.
    life: Option<oneshot::Sender<()>>,
}

/// What a call is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// To take our party.
    Join,
    /// To say so when it talks with somebody outside, whom the cloud is to call anew; else to take
    /// our party.
    Move,
    /// The cloud does not: to take our party, if the phone has let go of one of its calls.
    JoinLetGo {
        /// Of ours.
        caller: bool,
    },
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
        let dialog = Dialog { call_id: replaces.call_id.clone(), tags };
        let Some(transfer) = &mut self.transfer else { return };
        let remaining = transfer.remaining;
        let consultation = Consultation { control: other, dialog, life: None };
        transfer.consultation = Some(Box::new(consultation));
        let moves = self.config().cloud.attended == Attended::Move && self.may_be_clouds(remaining);
        self.ask_consultation(now, number, if moves { Asks::Move } else { Asks::Join }, None);
    }

    /// Asks it. `instead`: why the caller stays with his phone when it does not take him.
    pub(super) fn ask_consultation(
        &mut self,
        now: Instant,
        number: String,
        asks: Asks,
        instead: Option<Stays>,
    ) {
        let answered = match self.order_join(asks) {
            Ok(answered) => answered,
            Err(status) => {
                return match instead {
                    Some(why) => self.stays_with_desk(now, why),
                    None => self.transfer_failed(now, status.code()),
                };
            }
        };
        let run = self.run_id();
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Joining { run, number, instead };
        }
        self.work.push(Box::pin(async move {
            let joined = match tokio::time::timeout(ANSWER, answered).await {
                Ok(Ok(joined)) => joined,
                Ok(Err(_)) | Err(_) => Err(JoinRefused::Unknown),
            };
            Done::Joined { run, joined }
        }));
    }

    /// Gives the order; what comes back is the answer to it.
    fn order_join(
        &mut self,
        asks: Asks,
    ) -> Result<oneshot::Receiver<Result<Joined, JoinRefused>>, StatusCode> {
        let gone = StatusCode::CALL_DOES_NOT_EXIST;
        let transfer = self.transfer.as_ref().ok_or(gone)?;
        let (remaining, by) = (transfer.remaining, transfer.extension.clone());
        let leg = self.leg_ref(remaining);
        let found = leg.and_then(|l| Some((l.media.as_ref()?.port.clone()?, l.party.clone())));
        let (port, party) = found.ok_or(StatusCode::SERVER_INTERNAL_ERROR)?;
        let (life, ends) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let (shown, beside) = (self.shown(remaining), self.lent(remaining));
        let (control, emergency) = (self.entry.control().clone(), self.emergency);
        let consultation = self.transfer.as_mut().and_then(|t| t.consultation.as_mut());
        let consultation = consultation.ok_or(gone)?;
        let join = Join {
            asks,
            dialog: Some(consultation.dialog.clone()),
            by,
            port,
            beside,
            party,
            shown,
            control,
            via: None,
            emergency,
            life: ends,
            answer,
        };
        let sent = consultation.control.try_send(Control::Join(Box::new(join)));
        sent.map_err(|_| gone)?;
        // The life of the order before ends now, and not earlier: the other call is not to give up
        // whoever waits there. All calls run on one thread, and look at their orders before the
        // ends of such lives ([`super::task`]), so that it has the new one first.
        consultation.life = Some(life);
        Ok(answered)
    }

    /// The cloud has taken the order: whoever was asked is called anew.
    pub(super) fn free_consulted(&mut self) {
        let consultation = self.transfer.as_mut().and_then(|t| t.consultation.take());
        if let Some(life) = consultation.and_then(|consultation| consultation.life) {
            // It may be over.
            let _ = life.send(());
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
        let (number, instead) = match &mut transfer.stage {
            Stage::Joining { run, number, instead } if *run == wanted => {
                (std::mem::take(number), instead.take())
            }
            _ => return,
        };
        let Joined { port, party, shown, control, emergency, life } = match joined {
            Ok(joined) => joined,
            Err(refused) => return self.on_join_refused(now, number, refused, instead),
        };
        let consultation = transfer.consultation.take();
        let Some(ours) = consultation.and_then(|consultation| consultation.life) else { return };
        self.report(now, StatusCode::OK);
        let Some(transfer) = self.transfer.take() else { return };
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

    fn on_join_refused(
        &mut self,
        now: Instant,
        number: String,
        refused: JoinRefused,
        instead: Option<Stays>,
    ) {
        let Some(transfer) = &mut self.transfer else { return };
        transfer.stage = Stage::Asked;
        // Nothing has failed yet: what the other call says is why.
        let says_why = matches!(refused, JoinRefused::Busy | JoinRefused::NotYours)
            && instead.as_ref().is_some_and(|why| !why.noted())
            && !transfer.by.is_gone();
        if let Some(why) = instead.filter(|_| !says_why) {
            if refused != JoinRefused::Kept {
                self.timeline.note(now, None, format!("its other call: {refused:?}"));
            }
            return self.stays_with_desk(now, why);
        }
        let (rings, dialled) = match refused {
            JoinRefused::NotTalking { dialled } => (true, dialled),
            JoinRefused::Talking { dialled } => (false, dialled),
            refused => {
                self.timeline.note(now, None, format!("its other call: {refused:?}"));
                let status = match refused {
                    JoinRefused::NotYours => 403,
                    JoinRefused::Busy => 480,
                    _ => 481,
                };
                return self.transfer_failed(now, status);
            }
        };
        if rings {
            // That call is given up.
            transfer.consultation = None;
        }
        if !self.is_settled() {
            // Something began while the other call was asked.
            return self.transfer_failed(now, 480);
        }
        // What was dialled there says more than the REFER, which names who answered.
        let number = if dialled.is_empty() { number } else { dialled };
        // The cloud moves its own leg there, where it has one.
        if self.ask_cloud(now, &number) {
            return;
        }
        if rings {
            self.call_target(now, &number);
        } else {
            self.ask_consultation(now, number, Asks::Join, None);
        }
    }
}
