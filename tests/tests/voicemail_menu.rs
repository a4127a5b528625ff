//! The voicemail menu: what keys do to messages; asked from another phone the mailbox, the PIN, three
//! tries a call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use offhook_pbx::app::{Application, VoicemailMenu};
use offhook_pbx::keep::{Extension, Extensions, Keep, Voicemail, Voicemails};
use offhook_pbx::pin;
use offhook_sma::action::{Action, AudioSource, PlaybackControl};
use offhook_sma::event::{ActionData, ActionError, CallDetails, EventType, error_type};
use offhook_sma::session::Transaction;
use offhook_tests::sim::keep::MemoryKeep;

struct Menu {
    app: VoicemailMenu,
    transaction: Transaction,
    /// What the menu waits for.
    last: Vec<Action>,
}

impl Menu {
    async fn call(own: Option<&str>, keep: &Arc<MemoryKeep>, guard: &Arc<pin::Guard>) -> Self {
        let keep = Arc::clone(keep) as Arc<dyn Keep>;
        let lamp = Arc::new(|_: &str| {});
        let details = CallDetails {
            transaction_id: "t".into(),
            transaction_attributes: None,
            aws_account_id: "000000000000".into(),
            aws_region: "local".into(),
            sip_rule_id: None,
            sip_media_application_id: "voicemail-menu".into(),
            participants: Vec::new(),
            other: Default::default(),
        };
        let app = VoicemailMenu::new(own.map(str::to_owned), keep, lamp, Arc::clone(guard));
        let mut menu = Self { app, transaction: Transaction::new(details), last: Vec::new() };
        menu.tell(EventType::NewInboundCall, None).await;
        menu
    }

    async fn tell(&mut self, kind: EventType, data: Option<ActionData>) {
        let event = self.transaction.event(kind, data);
        self.last = self.app.handle(event).await.unwrap().actions.unwrap_or_default();
    }

    /// Keys pressed at what was asked last.
    async fn press(&mut self, digits: &str) {
        let mut data = ActionData::of(self.last.last().unwrap().clone());
        data.received_digits = Some(digits.to_owned());
        self.tell(EventType::ActionSuccessful, Some(data)).await;
    }

    /// What was said without asking is over.
    async fn go_on(&mut self) {
        let data = ActionData::of(self.last.last().unwrap().clone());
        self.tell(EventType::ActionSuccessful, Some(data)).await;
    }

    async fn fail(&mut self, kind: &'static str) {
        let data = ActionData::of(self.last.last().unwrap().clone());
        let data = data.failed(&ActionError::new(kind, ""));
        self.tell(EventType::ActionFailed, Some(data)).await;
    }

    /// Prompts of the last reply, and whether the call ends after them.
    fn hears(&self) -> (Vec<String>, bool) {
        let source = |action: &Action| match action {
            Action::PlayAudio(a) => Some(a.audio_source.clone()),
            Action::PlayAudioAndGetDigits(a) => Some(a.audio_source.clone()),
            _ => None,
        };
        let name = |source: AudioSource| match source {
            AudioSource::Builtin { name } => name,
            AudioSource::File { path } => path,
            other => unreachable!("{other:?}"),
        };
        let ends = matches!(self.last.last(), Some(Action::Hangup(_)));
        (self.last.iter().filter_map(source).map(name).collect(), ends)
    }
}

async fn office() -> Arc<MemoryKeep> {
    let keep = Arc::new(MemoryKeep::default());
    let extension = |number: &str, pin: Option<&str>| Extension {
        number: number.into(),
        name: String::new(),
        ha1_md5: String::new(),
        ha1_sha256: String::new(),
        realm: String::new(),
        voicemail: true,
        pin: pin.map(|pin| pin::hash(pin, [7; 16])),
        do_not_disturb: false,
        greeting: None,
    };
    keep.put_extension(extension("101", Some("4711"))).await.unwrap();
    keep.put_extension(extension("102", None)).await.unwrap();
    let message = Voicemail {
        id: "m".into(),
        mailbox: "101".into(),
        caller: "+15551234567".into(),
        original_caller: None,
        call_id: "c".into(),
        received: SystemTime::now(),
        duration_ms: 0,
        file: PathBuf::from("/m.wav"),
        heard: false,
        saved: false,
    };
    keep.begin_voicemail(message).await.unwrap();
    keep.finish_voicemail("m".into(), 3_000).await.unwrap();
    keep
}

fn heard(prompts: &[&str], ends: bool) -> (Vec<String>, bool) {
    (prompts.iter().map(|p| (*p).to_owned()).collect(), ends)
}

#[tokio::test]
async fn from_another_phone_the_pin_opens_the_mailbox() {
    let (keep, guard) = (office().await, Arc::default());
    let mut menu = Menu::call(Some("102"), &keep, &guard).await;
    assert_eq!(menu.hears(), heard(&["vm-no-messages"], false));
    menu.press("*").await;
    assert_eq!(menu.hears(), heard(&["vm-enter-mailbox"], false));
    menu.press("101").await;
    assert_eq!(menu.hears(), heard(&["vm-enter-pin"], false));
    menu.press("0000").await;
    assert_eq!(menu.hears(), heard(&["vm-wrong-pin"], false));
    menu.press("4711").await;
    assert_eq!(menu.hears(), heard(&["vm-you-have 1 vm-new-message"], false));
}

#[tokio::test]
async fn three_wrong_pins_end_the_call_and_a_mailbox_without_one_stays_shut() {
    let (keep, guard) = (office().await, Arc::default());
    for mailbox in ["101", "102", "999"] {
        let mut menu = Menu::call(None, &keep, &guard).await;
        menu.press(mailbox).await;
        for _ in 0..2 {
            menu.press("0000").await;
            assert_eq!(menu.hears(), heard(&["vm-wrong-pin"], false));
        }
        menu.press("0000").await;
        assert_eq!(menu.hears(), heard(&["vm-wrong-pin"], true), "{mailbox}");
    }
}

#[tokio::test]
async fn guesses_are_counted_over_calls_and_ones_own_phone_is_not_locked_out() {
    let (keep, guard) = (office().await, Arc::default());
    for _ in 0..3 {
        let mut menu = Menu::call(None, &keep, &guard).await;
        menu.press("101").await;
        for _ in 0..3 {
            menu.press("0000").await;
        }
    }
    let mut menu = Menu::call(None, &keep, &guard).await;
    menu.press("101").await;
    menu.press("4711").await;
    assert_eq!(menu.hears(), heard(&["vm-wrong-pin"], false));
    let menu = Menu::call(Some("101"), &keep, &guard).await;
    assert_eq!(menu.hears(), heard(&["vm-you-have 1 vm-new-message"], false));
}

#[tokio::test]
async fn a_message_that_cannot_be_played_stays_new() {
    let (keep, guard) = (office().await, Arc::default());
    let mut menu = Menu::call(Some("101"), &keep, &guard).await;
    menu.fail(error_type::INVALID_DIGITS_RECEIVED).await;
    assert_eq!(menu.hears(), heard(&["/m.wav"], false));
    menu.fail(error_type::INVALID_AUDIO_SOURCE).await;
    assert_eq!(menu.hears(), heard(&["error"], false));
    menu.go_on().await;
    assert_eq!(menu.hears(), heard(&["vm-no-more"], true));
    assert!(!keep.list_voicemails("101".into()).await.unwrap()[0].heard);
}

/// 101's mailbox with a second, newer message.
async fn two_messages() -> Arc<MemoryKeep> {
    let keep = office().await;
    let first = keep.list_voicemails("101".into()).await.unwrap().remove(0);
    let received = first.received + Duration::from_secs(60);
    let file = PathBuf::from("/n.wav");
    let second = Voicemail { id: "n".into(), received, file, ..first };
    keep.begin_voicemail(second).await.unwrap();
    keep.finish_voicemail("n".into(), 9_000).await.unwrap();
    keep
}

async fn kept(keep: &MemoryKeep) -> Vec<(String, bool, bool)> {
    let all = keep.list_voicemails("101".into()).await.unwrap();
    all.into_iter().map(|m| (m.id, m.heard, m.saved)).collect()
}

fn stays(id: &str, heard: bool, saved: bool) -> (String, bool, bool) {
    (id.to_owned(), heard, saved)
}

#[tokio::test]
async fn in_a_message_four_and_six_go_five_seconds_back_and_on_and_five_pauses() {
    let (keep, guard) = (office().await, Arc::default());
    let mut menu = Menu::call(Some("101"), &keep, &guard).await;
    let controls = |menu: &Menu| match &menu.last[..] {
        [Action::PlayAudioAndGetDigits(a)] => {
            let key = |c: &PlaybackControl| (c.digit.clone(), c.seek_milliseconds);
            a.playback_controls.iter().map(key).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(controls(&menu), []);
    menu.fail(error_type::INVALID_DIGITS_RECEIVED).await;
    assert_eq!(menu.hears(), heard(&["/m.wav"], false));
    let keys = [("4", -5000), ("5", 0), ("6", 5000)].map(|(key, ms)| (key.to_owned(), ms));
    assert_eq!(controls(&menu), keys);
    // After its end, back is again, and on is nowhere.
    menu.press("4").await;
    assert_eq!(menu.hears(), heard(&["/m.wav"], false));
    menu.press("6").await;
    assert_eq!(menu.hears(), heard(&["invalid vm-message-menu"], false));
}

#[tokio::test(start_paused = true)]
async fn three_deletes_no_message_of_which_nothing_was_heard() {
    let (keep, guard) = (two_messages().await, Arc::default());
    let mut menu = Menu::call(Some("101"), &keep, &guard).await;
    assert_eq!(menu.hears(), heard(&["vm-you-have 2 vm-new-messages"], false));
    // Pressed while the count is said, and again when the first message has just begun.
    menu.press("3").await;
    assert_eq!(menu.hears(), heard(&["/m.wav"], false));
    menu.press("3").await;
    assert_eq!(menu.hears(), heard(&["vm-message-menu"], false));
    assert_eq!(kept(&keep).await, [stays("m", false, false), stays("n", false, false)]);
    // After the choices were said it is meant.
    menu.press("3").await;
    assert_eq!(menu.hears(), heard(&["vm-deleted"], false));
    assert_eq!(kept(&keep).await, [stays("n", false, false)]);
    // "Message deleted" asks for nothing: a key pressed meanwhile has no effect.
    menu.go_on().await;
    assert_eq!(menu.hears(), heard(&["/n.wav"], false));
    // Half of it was heard: enough to judge.
    tokio::time::advance(Duration::from_secs(4)).await;
    menu.press("3").await;
    assert_eq!(menu.hears(), heard(&["vm-deleted"], false));
    assert_eq!(kept(&keep).await, []);
    menu.go_on().await;
    assert_eq!(menu.hears(), heard(&["vm-no-more"], true));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_heard_when_it_was_heard_and_not_when_it_was_skipped() {
    let (keep, guard) = (two_messages().await, Arc::default());
    let mut menu = Menu::call(Some("101"), &keep, &guard).await;
    menu.press("#").await;
    menu.press("#").await;
    assert_eq!(menu.hears(), heard(&["/n.wav"], false));
    assert_eq!(kept(&keep).await[0], stays("m", false, false));
    // To its end, then the choices, then a key that is none of them.
    menu.fail(error_type::INVALID_DIGITS_RECEIVED).await;
    assert_eq!(menu.hears(), heard(&["vm-message-menu"], false));
    assert_eq!(kept(&keep).await[1], stays("n", true, false));
    menu.press("7").await;
    assert_eq!(menu.hears(), heard(&["invalid vm-message-menu"], false));
    menu.press("1").await;
    assert_eq!(menu.hears(), heard(&["/n.wav"], false));
    // It was heard before in this call: no question.
    menu.press("2").await;
    assert_eq!(menu.hears(), heard(&["vm-kept"], false));
    assert_eq!(kept(&keep).await, [stays("m", false, false), stays("n", true, true)]);

    // The next call: the new one first, then the old one, which may be deleted at once.
    let mut menu = Menu::call(Some("101"), &keep, &guard).await;
    let counts = "vm-you-have 1 vm-new-message vm-and 1 vm-old-message";
    assert_eq!(menu.hears(), heard(&[counts], false));
    menu.fail(error_type::INVALID_DIGITS_RECEIVED).await;
    menu.press("#").await;
    assert_eq!(menu.hears(), heard(&["/n.wav"], false));
    menu.press("3").await;
    assert_eq!(menu.hears(), heard(&["vm-deleted"], false));
    assert_eq!(kept(&keep).await, [stays("m", false, false)]);
}
