use std::sync::{Arc, Mutex};

use offhook_sma::action::{CallAndBridge, EndpointType};
use offhook_sma::event::{CallDetails, Direction, Participant, Status};
use offhook_sma::session::Transaction;

use super::*;

fn transaction() -> Transaction {
    Transaction::new(CallDetails {
        transaction_id: "t".into(),
        transaction_attributes: None,
        aws_account_id: "000000000000".into(),
        aws_region: "local".into(),
        sip_rule_id: None,
        sip_media_application_id: "dial".into(),
        other: Default::default(),
        participants: vec![Participant {
            other: Default::default(),
            call_id: "a".into(),
            participant_tag: LegTag::A,
            to: "101".into(),
            from: "+15551234567".into(),
            direction: Direction::Inbound,
            start_time_in_milliseconds: "0".into(),
            status: Some(Status::Connected),
            sip_headers: Default::default(),
        }],
    })
}

async fn tell(app: &mut dyn Application, kind: EventType, data: Option<ActionData>) -> Vec<Action> {
    let event = transaction().event(kind, data);
    app.handle(event).await.unwrap().actions.unwrap_or_default()
}

fn failed(action: &Action, status: u16) -> Option<ActionData> {
    let mut data = ActionData::of(action.clone());
    data.sip_status = Some(status);
    Some(data)
}

fn dialled(actions: &[Action]) -> &CallAndBridge {
    match actions {
        [Action::CallAndBridge(c)] => c,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sequence_tries_one_after_the_other_and_reports_what_says_most() {
    let steps = ["101", "102", "103"].map(|e| Step::one(EndpointType::Extension, e, 15)).to_vec();
    let mut app = Dial::new(steps, None);
    let mut actions = tell(&mut app, EventType::NewInboundCall, None).await;
    for (extension, status) in [("101", 480), ("102", 486), ("103", 480)] {
        assert_eq!(dialled(&actions).endpoints[0].uri, extension);
        let data = failed(&actions[0], status);
        actions = tell(&mut app, EventType::ActionFailed, data).await;
    }
    assert_eq!(actions, [hang_up(LegTag::A, 486)]);
}

#[tokio::test]
async fn when_one_side_hangs_up_the_other_is_hung_up() {
    let mut app = Dial::new(vec![Step::one(EndpointType::Extension, "101", 15)], None);
    let actions = tell(&mut app, EventType::NewInboundCall, None).await;
    let data = Some(ActionData::of(actions[0].clone()));
    assert!(tell(&mut app, EventType::ActionSuccessful, data).await.is_empty());
    for (gone, other) in [(LegTag::A, LegTag::B), (LegTag::B, LegTag::A)] {
        let data = Some(ActionData::of(hang_up(gone, 0)));
        assert_eq!(tell(&mut app, EventType::Hangup, data).await, [hang_up(other, 0)]);
    }
}

struct Told(Arc<Mutex<Vec<(EventType, u32)>>>);

impl Immediate for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn reply(&mut self, event: &InvocationEvent) -> Reply {
        self.0.lock().unwrap().push((event.invocation_event_type, event.sequence));
        Reply::nothing()
    }
}

#[tokio::test]
async fn an_application_hears_of_a_click_when_the_phone_is_answered_as_if_it_had_dialled() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let before = [EventType::NewOutboundCall, EventType::Ringing, EventType::CallUpdateRequested];
    for (then, wanted) in [
        (vec![EventType::Hangup], vec![]),
        (
            vec![EventType::CallAnswered, EventType::Hangup],
            vec![(EventType::NewInboundCall, 1), (EventType::Hangup, 2)],
        ),
    ] {
        let (mut app, mut call) = (Click::new(Box::new(Told(Arc::clone(&told)))), transaction());
        for kind in before.into_iter().chain(then) {
            let reply = app.handle(call.event(kind, None)).await.unwrap();
            assert_eq!(reply, Reply::nothing());
        }
        assert_eq!(*told.lock().unwrap(), wanted);
    }
    let mut details = transaction().details().clone();
    details.participants[0].direction = Direction::Outbound;
    let mut call = Transaction::new(details);
    // A second time it changes nothing.
    for _ in 0..2 {
        call.set_inbound(LegTag::A, |to| format!("rule of {to}"));
        let leg = call.participant(LegTag::A).unwrap();
        assert_eq!((leg.from.as_str(), leg.to.as_str()), ("101", "+15551234567"));
        assert_eq!(leg.direction, Direction::Inbound);
        let rule = call.details().sip_rule_id.as_deref();
        assert_eq!(rule, Some("rule of +15551234567"));
    }
}

#[test]
fn a_disk_that_is_nearly_full_takes_no_message() {
    let folder = std::env::temp_dir().join("offhook-no-such-folder/101");
    assert!(super::voicemail::disk_has_room(&folder, 1));
    assert!(!super::voicemail::disk_has_room(&folder, u64::MAX));
}

#[tokio::test]
async fn what_came_of_an_order_is_spoken_or_at_least_sounded_and_kept_at_the_end() {
    let no_call = crate::failure::NO_HELD_CALL;
    for (well, failure, sound) in [(true, None, "beep"), (false, Some(no_call), "error")] {
        let mut app = super::Told::new("words", well, failure);
        let actions = tell(&mut app, EventType::NewInboundCall, None).await;
        let [Action::Speak(speak), Action::Hangup(_)] = &*actions else { panic!("{actions:?}") };
        assert_eq!(speak.speech.text.as_deref(), Some("words"));
        assert_eq!(app.take_failure(), None, "an answer would make history of it");
        let mute = failed(&actions[0], 0);
        let actions = tell(&mut app, EventType::ActionFailed, mute).await;
        let [Action::PlayAudio(played), Action::Hangup(_)] = &*actions else {
            panic!("{actions:?}")
        };
        assert_eq!(played.audio_source, builtin(sound));
        let actions = tell(&mut app, EventType::ActionFailed, failed(&actions[0], 0)).await;
        assert!(matches!(&*actions, [Action::Hangup(_)]), "{actions:?}");
        assert_eq!(tell(&mut app, EventType::Hangup, None).await, []);
        assert_eq!(app.take_failure().map(|given_up| given_up.failure), failure);
        assert_eq!(app.take_failure(), None, "once");
    }
}
