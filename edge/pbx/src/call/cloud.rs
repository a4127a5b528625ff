//! A phone gives a caller back whose own leg is in the cloud: the cloud is asked to move that leg,
//! and ours ends, so that no call goes in at one side of the office and out at the other.
//!
//! > The cloud's answer says that it will try. The caller is gone when his leg here is: until then
//! > he is the desk's, and whatever goes wrong, the desk has him still, or again.
//!
//! [`super::transfer`] comes here before it calls a number; what was asked for is decided by
//! [`super::homeward`]; a phone that gets its caller back after it hung up is rung by
//! [`super::called_back`].

use std::time::Instant;

use offhook_media::engine::{Playback, Repeat};
use offhook_sip::header::Headers;
use offhook_sip::message::StatusCode;
use offhook_sip::session::EndedBy;
use offhook_sma::action::AudioSource;
use offhook_sma::speech::SpeechParameters;

use super::called_back::{GivenBack, Phone};
use super::consultation::Asks;
use super::consulted::Consulted;
use super::homeward::{Homeward, Way};
use super::leg::{Leg, LegId};
use super::sounds::{Loaded, NotLoaded};
use super::transfer::{Stage, Transferor};
use super::{Call, Done};
use crate::cloud::CloudError;
use crate::failure::{self, Failure};

/// Of what is played here: its end is told to nobody.
const WORDS: u64 = u64::MAX;

const NOT_THE_CLOUDS: &str = "it is no call of the cloud's";

/// The cloud was asked to move the remaining party.
pub(super) struct InCloud {
    run: u64,
    /// What is called here when it is no call of the cloud after all.
    number: String,
    destination: String,
    way: Way,
    /// Our leg has to be gone by then. `None`: there is no answer yet.
    bye_by: Option<Instant>,
    /// It is.
    left: bool,
}

impl InCloud {
    /// Whether a leg that ends so may have gone to the cloud: the cloud hangs up, or we do for
    /// Connect. A session that expired or a dialog that was lost moved nobody.
    fn may_leave(&self, by: EndedBy) -> bool {
        match by {
            EndedBy::Remote => true,
            EndedBy::Local => self.bye_by.is_some() && matches!(self.way, Way::Connect { .. }),
            _ => false,
        }
    }
}

/// Why the caller stays.
pub(super) struct Stays {
    failure: &'static Failure,
    /// For the phone's display, and spoken.
    words: &'static str,
    /// For the timeline.
    detail: String,
    /// It has it.
    noted: bool,
}

impl Stays {
    /// Whether the timeline has it.
    pub(super) fn noted(&self) -> bool {
        self.noted
    }
}

impl Call {
    /// Asks the cloud to take the remaining party to what was dialled. `false`: this is no business
    /// of the cloud's.
    pub(super) fn ask_cloud(&mut self, now: Instant, number: &str) -> bool {
        let Some(transfer) = &self.transfer else { return false };
        let (remaining, extension) = (transfer.remaining, transfer.extension.clone());
        let homeward = match self.homeward(remaining, &extension, number) {
            Homeward::Here(number) => {
                // The code means nothing to a number's application.
                self.call_target(now, &number);
                return true;
            }
            Homeward::NotOurs => return false,
            Homeward::Refused { failure, words, detail } => {
                let detail = detail.unwrap_or(words).to_owned();
                self.stays(now, Stays { failure, words, detail, noted: false });
                return true;
            }
            Homeward::Cloud(homeward) => *homeward,
        };
        let run = self.run_id();
        let destination = homeward.way.destination();
        self.timeline.note(now, None, format!("the cloud is asked: {destination}"));
        let asked = homeward.order.zip(self.services.cloud.clone());
        let patience = self.config().cloud.answer;
        self.work.push(Box::pin(async move {
            let Some((order, cloud)) = asked else {
                return Done::Cloud { run, answer: Ok(()) };
            };
            let late = format!("no answer within {} s", patience.as_secs());
            let answer = tokio::time::timeout(patience, cloud.ask(order)).await;
            let answer = answer.unwrap_or(Err(CloudError::Unavailable(late)));
            Done::Cloud { run, answer }
        }));
        let (number, way) = (homeward.number, homeward.way);
        self.in_cloud(InCloud { run, number, destination, way, bye_by: None, left: false });
        self.music_while_asking(now);
        true
    }

    fn is_with_cloud(&self) -> bool {
        self.transfer.as_ref().is_some_and(|t| matches!(t.stage, Stage::Cloud(_)))
    }

    /// Whether it is the cloud's to say what becomes of the remaining party, or that of another call
    /// that may take it, which answers at once or is given up. The application is told of nothing
    /// until then: what it would do is for a party that may be gone.
    pub(super) fn awaits_word_of_party(&self) -> bool {
        let stage = self.transfer.as_ref().map(|transfer| &transfer.stage);
        matches!(stage, Some(Stage::Cloud(_) | Stage::Joining { .. }))
    }

    fn in_cloud(&mut self, asked: InCloud) {
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Cloud(Box::new(asked));
        }
    }

    fn asked(&mut self) -> Option<&mut InCloud> {
        match &mut self.transfer.as_mut()?.stage {
            Stage::Cloud(asked) => Some(asked),
            _ => None,
        }
    }

    /// The cloud has answered.
    pub(super) fn on_cloud(&mut self, now: Instant, run: u64, answer: Result<(), CloudError>) {
        let patience = self.config().cloud.bye;
        let required = self.config().cloud.attributes_required;
        let Some(asked) = self.asked().filter(|asked| asked.run == run) else { return };
        let (left, releases) = (asked.left, matches!(asked.way, Way::Connect { .. }));
        match answer {
            Ok(()) if left => self.moved(now),
            Ok(()) => {
                asked.bye_by = Some(now + patience);
                self.taken(now, releases);
            }
            // He hung up, or was hung up on, meanwhile.
            Err(error) if left => {
                self.timeline.note(now, None, format!("the cloud did not take him: {error}"));
                self.end_transfer(now);
            }
            Err(CloudError::NotThere) => self.is_not_the_clouds(now),
            Err(error) if releases && !required => {
                asked.bye_by = Some(now + patience);
                self.timeline.note(now, None, format!("attributes are not written: {error}"));
                self.taken(now, true);
            }
            Err(error) => self.stays(now, why(&error, releases)),
        }
    }

    /// The cloud will have the caller: it hangs up here, or we do.
    fn taken(&mut self, now: Instant, releases: bool) {
        self.free_consulted();
        let remaining = self.transfer.as_ref().map(|transfer| transfer.remaining);
        if let Some(leg) = remaining.filter(|_| releases).and_then(|id| self.leg(id)) {
            // What its flow does then is said there: "Resume flow after disconnect".
            leg.session.hangup(now, Headers::new());
            return;
        }
        self.timeline.note(now, None, "the cloud moves the caller");
        self.report_with(Some("The cloud moves the call"));
        self.report(now, StatusCode::SESSION_PROGRESS);
    }

    /// The pair of numbers is nobody's: the office calls, as ever.
    fn is_not_the_clouds(&mut self, now: Instant) {
        let consulted = self.transfer.as_ref().is_some_and(|t| t.consultation.is_some());
        let Some(asked) = self.asked() else { return };
        let number = std::mem::take(&mut asked.number);
        let words = "This call is not in the cloud";
        let (failure, detail) = (failure::CLOUD_CALL_GONE, words.to_owned());
        let why = Stays { failure, words, detail, noted: false };
        if consulted {
            self.timeline.note(now, None, NOT_THE_CLOUDS);
            self.quiet();
            // Whoever was asked may have hung up.
            return self.ask_consultation(now, number, Asks::Join, Some(why));
        }
        if number.is_empty() {
            return self.stays(now, why);
        }
        self.timeline.note(now, None, NOT_THE_CLOUDS);
        self.quiet();
        if let Some(transfer) = &mut self.transfer {
            transfer.stage = Stage::Asked;
        }
        self.call_target(now, &number);
    }

    /// A leg is down. `true`: its party is on its way through the cloud, or may be.
    pub(super) fn left_for_cloud(&mut self, now: Instant, id: LegId, by: EndedBy) -> bool {
        let remains = self.transfer.as_ref().is_some_and(|t| t.remaining == id);
        let Some(asked) = self.asked().filter(|asked| remains && asked.may_leave(by)) else {
            return false;
        };
        asked.left = true;
        if asked.bye_by.is_some() {
            self.moved(now);
        }
        // Else the BYE was faster than the answer: that says what it was.
        true
    }

    /// Whether a leg that ends now ends because the cloud has its party.
    pub(super) fn is_moved(&self, id: LegId, by: EndedBy) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| {
            let taken = |asked: &InCloud| asked.bye_by.is_some() && asked.may_leave(by);
            let taken = matches!(&transfer.stage, Stage::Cloud(asked) if taken(asked));
            taken && transfer.remaining == id
        })
    }

    fn moved(&mut self, now: Instant) {
        self.free_consulted();
        let Some(asked) = self.asked() else { return };
        let destination = std::mem::take(&mut asked.destination);
        self.report(now, StatusCode::OK);
        let Some(transfer) = self.transfer.take() else { return };
        self.timeline.note(now, None, "the cloud has the caller");
        self.forget_updates(now);
        self.music = None;
        self.record.destination = Some(destination);
        self.keep_record();
        if let Transferor::Leg { id, gone: false, .. } = transfer.by {
            self.leave(now, id);
        }
    }

    /// When [`Call::cloud_timeout`] is due.
    pub(super) fn cloud_deadline(&self) -> Option<Instant> {
        match &self.transfer.as_ref()?.stage {
            Stage::Cloud(asked) => asked.bye_by,
            _ => None,
        }
    }

    /// The cloud took the order and the caller is still here.
    pub(super) fn cloud_timeout(&mut self, now: Instant) {
        if self.cloud_deadline().is_none_or(|at| at > now) {
            return;
        }
        let seconds = self.config().cloud.bye.as_secs();
        let detail = format!("the caller is still here after {seconds} s");
        let words = "The cloud did not take the call";
        let failure = failure::CLOUD_SILENT;
        self.stays(now, Stays { failure, words, detail, noted: false });
    }

    /// It comes to nothing. A phone that has let go of one of the two calls that it puts together has
    /// nothing to go back to: they are joined here.
    fn stays(&mut self, now: Instant, mut why: Stays) {
        self.note_why(now, &mut why);
        self.quiet();
        let Some(transfer) = &self.transfer else { return };
        if transfer.consultation.is_none() {
            return self.stays_with_desk(now, why);
        }
        let asks = Asks::JoinLetGo { caller: transfer.by.is_gone() };
        self.ask_consultation(now, String::new(), asks, Some(why));
    }

    fn note_why(&mut self, now: Instant, why: &mut Stays) {
        if !std::mem::replace(&mut why.noted, true) {
            let failure = why.failure;
            self.timeline.failure(now, None, failure, Some(failure.sip_status), &why.detail);
        }
    }

    /// The caller is the desk's, which rings when its phone is gone.
    pub(super) fn stays_with_desk(&mut self, now: Instant, mut why: Stays) {
        self.note_why(now, &mut why);
        let Stays { failure, words, .. } = why;
        let Some(transfer) = &mut self.transfer else { return };
        // Its phone talks there, or nobody does any more.
        transfer.consultation = None;
        if transfer.by.is_gone() {
            transfer.stage = Stage::Asked;
            transfer.words = Some(words);
            let status = StatusCode::new(failure.sip_status);
            transfer.tell_orderer(status.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE));
            let extension = transfer.extension.clone();
            self.transfer_status(failure.sip_status);
            self.timeline.note(now, None, "the phone has hung up: it rings again");
            return self.ring_desk_again(now, &extension);
        }
        let phone = match &transfer.by {
            Transferor::Leg { id, .. } => Some(Phone::Leg(*id)),
            Transferor::Call { .. } => self.partner.as_ref().map(|p| Phone::Partner { run: p.run }),
        };
        if let Some(phone) = phone {
            let (remaining, extension) = (transfer.remaining, transfer.extension.clone());
            self.given_back = Some(Box::new(GivenBack::new(now, phone, remaining, extension)));
        }
        self.report_with(Some(words));
        self.transfer_failed(now, failure.sip_status);
    }

    /// A person who has no display for it hears why.
    pub(super) fn say_to(&mut self, leg: LegId, words: &str) {
        let text = AudioSource::Speech(Box::new(SpeechParameters::text(words)));
        let loading = self.services.sounds.load(text);
        self.work.push(Box::pin(async move { Done::Words { leg, clips: loading.await } }));
    }

    pub(super) fn on_words(&mut self, now: Instant, leg: LegId, clips: Result<Loaded, NotLoaded>) {
        let playback = match clips {
            Ok(clips) => Playback { parts: clips.parts, ..Playback::of(WORDS, Vec::new()) },
            Err(error) => {
                self.timeline.note(now, None, format!("a tone for words: {}", error.text));
                super::conference::beep(&self.services)
            }
        };
        if let Some(port) = self.leg_ref(leg).and_then(Leg::port) {
            port.play(playback);
        }
    }

    /// A caller who was on hold, or whose phone has hung up, hears music until the cloud has him.
    pub(super) fn music_while_asking(&mut self, now: Instant) {
        let Some(transfer) = &self.transfer else { return };
        if !matches!(&transfer.stage, Stage::Cloud(asked) if !asked.left) {
            return;
        }
        let waits = match &transfer.by {
            Transferor::Leg { id, gone, .. } => *gone || self.holds(*id),
            Transferor::Call { held, gone, .. } => *gone || *held,
        };
        if waits {
            self.play_while_waiting(now, transfer.remaining);
        }
    }

    /// Music for a leg that waits for what the cloud says.
    pub(super) fn play_while_waiting(&mut self, now: Instant, leg: LegId) {
        let Some(source) = self.hold_music() else { return };
        if let Some(clips) = self.services.sounds.at_hand(&source) {
            return self.on_waiting_music(now, leg, Ok(clips));
        }
        let loading = self.services.sounds.load(source);
        self.work.push(Box::pin(async move { Done::WaitingMusic { leg, clips: loading.await } }));
    }

    fn waits_for_cloud(&self, leg: LegId) -> bool {
        let consulted = self.consulted.as_deref();
        self.is_with_cloud() && self.transfer.as_ref().is_some_and(|t| t.remaining == leg)
            || consulted.is_some_and(Consulted::is_let_go)
    }

    pub(super) fn on_waiting_music(
        &mut self,
        now: Instant,
        leg: LegId,
        clips: Result<Loaded, NotLoaded>,
    ) {
        if !self.waits_for_cloud(leg) {
            return;
        }
        match clips {
            Ok(clips) => {
                let (parts, repeat) = (clips.parts, Repeat::Forever);
                if let Some(port) = self.leg_ref(leg).and_then(Leg::port) {
                    port.play(Playback { parts, repeat, ..Playback::of(WORDS, Vec::new()) });
                }
            }
            Err(error) => self.timeline.note(now, None, format!("no music: {}", error.text)),
        }
    }

    /// Whether a leg's phone holds the call.
    pub(super) fn holds(&self, id: LegId) -> bool {
        let media = self.leg_ref(id).and_then(|leg| leg.media.as_ref());
        media.is_some_and(|media| media.held)
    }

    /// Nothing plays to the remaining party any more.
    fn quiet(&self) {
        let remaining = self.transfer.as_ref().map(|transfer| transfer.remaining);
        if let Some(port) = remaining.and_then(|id| self.leg_ref(id)).and_then(Leg::port) {
            port.stop_play();
        }
    }
}

/// What the phone is told.
fn why(error: &CloudError, attributes: bool) -> Stays {
    let detail = error.to_string();
    let (failure, words) = match error {
        CloudError::NotThere | CloudError::Gone(_) => {
            (failure::CLOUD_CALL_GONE, "The cloud has no such call any more")
        }
        CloudError::Refused(_) if attributes => {
            (failure::CLOUD_REFUSED, "The cloud does not take the attributes")
        }
        CloudError::Refused(_) => (failure::CLOUD_REFUSED, "The cloud may not move the call"),
        CloudError::Unavailable(_) => (failure::CLOUD_UNREACHABLE, "The cloud does not answer"),
    };
    Stays { failure, words, detail, noted: false }
}
