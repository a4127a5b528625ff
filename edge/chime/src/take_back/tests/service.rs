//! The service as a test plays it: it keeps attributes and legs, and tells what happens.

use futures_util::FutureExt as _;
use offhook_sma::InvocationEvent;
use offhook_sma::action::Action;
use serde_json::{Map, Value, json};

use super::memory::Memory;
use crate::take_back::{Application, Phase, Rules, State, Target, Turn};

pub(super) const CALLER: &str = "+12065550142";
pub(super) const ARN: &str = "arn:aws:chime:us-east-1:111122223333:vc/abcdef1ghij2klmno3pqr4";

pub(super) fn rules() -> Rules {
    Rules::default()
}

/// With a place for calls that nobody takes.
pub(super) fn rules_with_office() -> Rules {
    Rules { default_target: Some(office()), ..rules() }
}

pub(super) fn office() -> Target {
    Target { number: "+18555550111".to_owned(), arn: Some(ARN.to_owned()) }
}

#[derive(Clone)]
pub(super) struct Service {
    application: std::sync::Arc<Application<Memory>>,
    pub(super) transaction: String,
    pub(super) attributes: Option<Map<String, Value>>,
    /// A reply's attributes are added to those that are kept.
    pub(super) merges: bool,
    sequence: u32,
    pub(super) leg_a_up: bool,
    /// Every other leg that there was: id, and whether it is up.
    pub(super) others: Vec<(String, bool)>,
    /// In the list of participants, the other leg stands first.
    pub(super) other_first: bool,
    pub(super) last: Value,
}

impl Service {
    pub(super) fn new(pool: &Memory, rules: Rules, transaction: &str) -> Self {
        Self {
            application: std::sync::Arc::new(Application::new(rules, pool.clone())),
            transaction: transaction.to_owned(),
            attributes: None,
            merges: false,
            sequence: 0,
            leg_a_up: true,
            others: Vec::new(),
            other_first: false,
            last: Value::Null,
        }
    }

    /// Another call, which the same function runs.
    pub(super) fn beside(&self, transaction: &str) -> Self {
        let application = std::sync::Arc::clone(&self.application);
        let other = Self::new(&Memory::default(), rules(), transaction);
        Self { application, ..other }
    }

    fn participants(&self) -> Vec<Value> {
        let leg = |id: &str, tag: &str, up: bool, from: &str, to: &str, way: &str| {
            json!({"CallId": id, "ParticipantTag": tag, "From": from, "To": to, "Direction": way,
                "StartTimeInMilliseconds": "1648477951790",
                "Status": if up { "Connected" } else { "Disconnected" }})
        };
        let mut legs =
            vec![leg("leg-a", "LEG-A", self.leg_a_up, CALLER, "+18445550100", "Inbound")];
        for (id, up) in &self.others {
            legs.push(leg(id, "LEG-B", *up, "+18005550000", "+12065550100", "Outbound"));
        }
        if self.other_first {
            legs.reverse();
        }
        legs
    }

    /// Invokes the function, and keeps what it answers.
    pub(super) fn tell(&mut self, kind: &str, data: Value) -> Turn {
        self.sequence += 1;
        let mut event = json!({
            "SchemaVersion": "1.0", "Sequence": self.sequence, "InvocationEventType": kind,
            "CallDetails": {
                "TransactionId": self.transaction, "AwsAccountId": "111122223333",
                "AwsRegion": "us-east-1", "SipMediaApplicationId": "sma-1",
                "Participants": self.participants()
            }
        });
        if let Some(attributes) = &self.attributes {
            event["CallDetails"]["TransactionAttributes"] = json!(attributes);
        }
        if !data.is_null() {
            event["ActionData"] = data;
        }
        self.last = event;
        let turn = self.again();
        if let Some(attributes) = &turn.reply.transaction_attributes {
            assert!(attributes.len() <= 100 && attributes.values().all(Value::is_string));
            let kept = self.attributes.take().filter(|_| self.merges);
            self.attributes = Some(kept.into_iter().flatten().chain(attributes.clone()).collect());
        }
        turn.reply.check(&offhook_sma::Rules::default()).unwrap();
        for action in turn.reply.actions.iter().flatten() {
            action.check(CALLER).unwrap();
        }
        turn
    }

    /// The last invocation once more, as the service does it after five seconds.
    pub(super) fn again(&self) -> Turn {
        let event: InvocationEvent = serde_json::from_value(self.last.clone()).unwrap();
        // The pool of these tests answers at once; a claim's deadline needs a clock all the same.
        thread_local! {
            static CLOCK: tokio::runtime::Runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        }
        CLOCK.with(|clock| {
            clock.block_on(async { self.application.handle(&event).now_or_never() }).unwrap()
        })
    }

    pub(super) fn state(&self) -> State {
        State::read(self.attributes.as_ref())
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    pub(super) fn inbound(&mut self) -> Turn {
        self.tell("NEW_INBOUND_CALL", Value::Null)
    }

    pub(super) fn succeeded(&mut self, action: &str) -> Turn {
        let data = parameters(action);
        self.tell("ACTION_SUCCESSFUL", data)
    }

    pub(super) fn failed(&mut self, action: &str, error: &str) -> Turn {
        let mut data = parameters(action);
        data["ErrorType"] = json!(error);
        data["ErrorMessage"] = json!("it went wrong");
        self.tell("ACTION_FAILED", data)
    }

    /// Whoever was being called answers.
    pub(super) fn bridged(&mut self) -> Turn {
        self.others.push((format!("leg-b{}", self.others.len() + 1), true));
        self.succeeded("CallAndBridge")
    }

    /// The other leg is down, and nobody was told yet.
    pub(super) fn other_down(&mut self) -> String {
        let other = self.others.iter_mut().rfind(|(_, up)| *up).expect("another leg");
        other.1 = false;
        other.0.clone()
    }

    pub(super) fn tell_hangup(&mut self, tag: &str, id: &str) -> Turn {
        let parameters = json!({"SipResponseCode": 0, "CallId": id, "ParticipantTag": tag});
        self.tell("HANGUP", json!({"Type": "Hangup", "Parameters": parameters}))
    }

    pub(super) fn other_hangs_up(&mut self) -> Turn {
        let id = self.other_down();
        self.tell_hangup("LEG-B", &id)
    }

    pub(super) fn caller_hangs_up(&mut self) -> Turn {
        self.leg_a_up = false;
        self.tell_hangup("LEG-A", "leg-a")
    }

    pub(super) fn update(&mut self, arguments: Value) -> Turn {
        let parameters = json!({"Arguments": arguments});
        let data = json!({"Type": "CallUpdateRequest", "Parameters": parameters});
        self.tell("CALL_UPDATE_REQUESTED", data)
    }

    /// As Connect's function asks.
    pub(super) fn taken_back(&mut self) -> Turn {
        self.update(json!({
            "Transfer": "true", "TransferTarget": "+18555550111", "TransferTargetArn": ARN,
            "X-Queue": "sales"
        }))
    }

    /// A call that is with Connect.
    pub(super) fn at_connect(pool: &Memory, rules: Rules, transaction: &str) -> Self {
        let mut service = Self::new(pool, rules, transaction);
        service.inbound();
        service.bridged();
        assert_eq!(service.phase(), Phase::Connect);
        service
    }

    /// A call that is with the office.
    pub(super) fn at_office(pool: &Memory, rules: Rules, transaction: &str) -> Self {
        let mut service = Self::at_connect(pool, rules, transaction);
        service.taken_back();
        service.other_hangs_up();
        service.succeeded("Hangup");
        service.bridged();
        assert_eq!(service.phase(), Phase::Bridged);
        service
    }
}

fn parameters(action: &str) -> Value {
    let parameters = match action {
        "Speak" => json!({"Text": "x"}),
        "Pause" => json!({"DurationInMilliseconds": "5000"}),
        "CallAndBridge" => json!({"CallTimeoutSeconds": 30, "Endpoints":
            [{"BridgeEndpointType": "PSTN", "Uri": "+12065550100"}]}),
        "PlayAudio" => {
            json!({"AudioSource": {"Type": "S3", "BucketName": "b", "Key": "music.wav"}})
        }
        _ => json!({"ParticipantTag": "LEG-B"}),
    };
    json!({"Type": action, "Parameters": parameters})
}

/// The actions of an answer in short. `None`: what runs goes on.
pub(super) fn shown(turn: &Turn) -> Option<Vec<String>> {
    let one = |action: &Action| match action {
        Action::CallAndBridge(bridge) => {
            let headers = bridge.sip_headers.iter();
            let headers: Vec<String> = headers.map(|(n, v)| format!(" {n}={v}")).collect();
            let to = &bridge.endpoints[0];
            let way = if to.arn.is_some() { "AWS" } else { "PSTN" };
            let shown = bridge.caller_id_number.as_deref().unwrap_or_default();
            format!("call {way} {} as {shown}{}", to.uri, headers.concat())
        }
        Action::Hangup(hangup) => {
            let tag = hangup.target.participant_tag.map(|tag| format!("{tag:?}"));
            let leg = hangup.target.call_id.clone().or(tag);
            format!("hang up {}", leg.unwrap_or_default())
        }
        Action::Speak(speak) => {
            let text = speak.speech.text.clone().unwrap_or_default();
            format!("say {}", text.split(['.', ',']).next().unwrap_or_default())
        }
        Action::Pause(pause) => format!("wait {}", pause.duration_in_milliseconds),
        other => other.name().to_owned(),
    };
    turn.reply.actions.as_ref().map(|actions| actions.iter().map(one).collect())
}

#[track_caller]
pub(super) fn expect<const N: usize>(turn: &Turn, wanted: [&str; N]) {
    let shown = shown(turn).expect("a list of actions");
    assert_eq!(shown, wanted.map(str::to_owned), "{:?}", turn.note);
}

#[track_caller]
pub(super) fn expect_nothing(turn: &Turn) {
    assert!(shown(turn).is_none_or(|actions| actions.is_empty()), "{:?}", shown(turn));
}
