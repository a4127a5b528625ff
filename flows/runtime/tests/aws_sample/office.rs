//! A business number with its workflow, and a call that is played by hand.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use offhook_flows::clock::Clock;
use offhook_flows::names::MachineRef;
use offhook_flows::router::{FlowCall, Router};
use offhook_flows::runtime::{Options, Runtime};
use offhook_flows::services::dynamodb::DynamoDb;
use offhook_flows::services::{Answer, NoUpstream, Request, Service, Services};
use offhook_flows::store::{ExecutionRecord, MachineType, MemoryStore};
use offhook_sma::event::InvocationEvent;
use offhook_sma::reply::Reply;
use serde_json::{Map, Value, json};

pub(crate) const BUSINESS: &str = "+13055550100";
pub(crate) const OWNER: &str = "+13055550199";
pub(crate) const CUSTOMER: &str = "+17865550123";
const SAMPLE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data/aws-sample/definition.asl.json");
const LAMBDA: &str = "arn:aws:lambda:us-east-1:111122223333:function:place_chime_outbound_call";
const ROLE: &str = "arn:aws:iam::111122223333:role/EventBridgeExecuteLambdaRole";

/// The workflow with its five deployment values, or nothing where it is not there.
pub(crate) fn sample() -> Option<String> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let beside = beside.join("aws-sample/definition.asl.json");
    let text = std::fs::read_to_string(beside).or_else(|_| std::fs::read_to_string(SAMPLE)).ok()?;
    let mut definition: Value = serde_json::from_str(&text).unwrap();
    let assign = &mut definition["States"]["Init"]["Assign"];
    assign["BusinessInfo"]["BusinessPhoneNumber"] = BUSINESS.into();
    assign["BusinessInfo"]["OwnerPersonalPhoneNumber"] = OWNER.into();
    assign["Environment"]["BuckectName"] = "pstn-media-apps-13055550100".into();
    assign["Environment"]["PlaceOutboundCallLambdaArn"] = LAMBDA.into();
    assign["Environment"]["EventBridgeExecutionRoleForPlaceOutboundCallLambdaArn"] = ROLE.into();
    Some(definition.to_string())
}

/// Takes down what is scheduled.
#[derive(Clone, Default)]
pub(crate) struct Schedules(pub(crate) Arc<Mutex<Vec<Value>>>);

impl Service for Schedules {
    fn names(&self) -> &'static [&'static str] {
        &["scheduler"]
    }

    fn call(&self, request: Request) -> Answer {
        self.0.lock().unwrap().push(request.arguments);
        Box::pin(async { Ok(json!({ "ScheduleArn": "arn:aws:scheduler:::schedule/default/x" })) })
    }
}

pub(crate) struct Office {
    pub(crate) runtime: Runtime,
    pub(crate) router: Router,
    pub(crate) schedules: Schedules,
    calls: AtomicU32,
}

impl Office {
    /// The workflow is published; its clock shows `now`.
    pub(crate) async fn open(definition: &str, now: &str) -> Self {
        let store = Arc::new(MemoryStore::new());
        let schedules = Schedules::default();
        let tables = DynamoDb::new(store.clone(), None);
        tables.learn(&serde_json::from_str(definition).unwrap());
        let local: Vec<Arc<dyn Service>> = vec![Arc::new(tables), Arc::new(schedules.clone())];
        let mut options = Options::new(store, Services::new(local, Arc::new(NoUpstream)));
        options.clock = Clock::beginning_at(now.parse::<Timestamp>().unwrap());
        let runtime = Runtime::start(options).await.unwrap();
        let kind = MachineType::Standard;
        runtime.versions().publish("business", definition, kind, "").await.unwrap();
        let router = Router::new(runtime.clone());
        Self { runtime, router, schedules, calls: AtomicU32::new(0) }
    }

    pub(crate) fn call(&self, from: &str, to: &str, direction: &str) -> Call {
        let flow = self.router.call(MachineRef::latest("business"));
        let leg = json!({
            "CallId": "leg-a", "ParticipantTag": "LEG-A", "From": from, "To": to,
            "Direction": direction, "StartTimeInMilliseconds": "1735714800000",
        });
        let id =
            format!("23fe0cf1-fc36-4bdc-976d-{:012}", self.calls.fetch_add(1, Ordering::Relaxed));
        Call { flow, id, sequence: 0, attributes: Value::Null, legs: vec![leg] }
    }
}

/// What pbx knows of a call, and the events that it sends.
pub(crate) struct Call {
    pub(crate) flow: FlowCall,
    id: String,
    sequence: u32,
    attributes: Value,
    pub(crate) legs: Vec<Value>,
}

impl Call {
    /// Sends an event; gives the actions of the reply.
    pub(crate) async fn event(&mut self, kind: &str, data: Option<Value>) -> Vec<Value> {
        self.reply(kind, data).await.1
    }

    /// The same, with the whole reply.
    pub(crate) async fn reply(&mut self, kind: &str, data: Option<Value>) -> (Reply, Vec<Value>) {
        self.sequence += 1;
        let mut details = json!({
            "TransactionId": self.id,
            "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1",
            "SipMediaApplicationId": "8a912ad2-67aa-4852-a892-34a454d370c7",
            "Participants": self.legs,
        });
        if !self.attributes.is_null() {
            details["TransactionAttributes"] = self.attributes.clone();
        }
        let mut event = json!({
            "SchemaVersion": "1.0",
            "Sequence": self.sequence,
            "InvocationEventType": kind,
            "CallDetails": details,
        });
        if let Some(data) = data {
            event["ActionData"] = data;
        }
        let event: InvocationEvent = serde_json::from_value(event).unwrap();
        let reply = self.flow.handle(event).await.unwrap();
        if let Some(attributes) = &reply.transaction_attributes {
            self.attributes = json!(attributes);
        }
        let actions = json!(reply.actions.clone().unwrap_or_default());
        let actions = actions.as_array().unwrap().clone();
        (reply, actions)
    }

    pub(crate) fn status(&mut self, tag: &str, status: &str) {
        for leg in &mut self.legs {
            if leg["ParticipantTag"] == tag {
                leg["Status"] = status.into();
            }
        }
    }

    /// The last action of `actions` succeeded.
    pub(crate) async fn done(&mut self, actions: &[Value], more: Value) -> Vec<Value> {
        self.status("LEG-A", "Connected");
        let data = outcome(actions.last().unwrap(), more);
        self.event("ACTION_SUCCESSFUL", Some(data)).await
    }

    pub(crate) async fn failed(
        &mut self,
        actions: &[Value],
        error: &str,
        words: &str,
    ) -> Vec<Value> {
        let more = json!({ "ErrorType": error, "ErrorMessage": words });
        let data = outcome(actions.last().unwrap(), more);
        self.event("ACTION_FAILED", Some(data)).await
    }

    /// The other side of a bridge answered.
    pub(crate) async fn bridged(&mut self, actions: &[Value]) -> Vec<Value> {
        self.legs.push(json!({
            "CallId": "leg-b", "ParticipantTag": "LEG-B", "From": BUSINESS, "To": OWNER,
            "Direction": "Outbound", "StartTimeInMilliseconds": "1735714800000",
            "Status": "Connected",
        }));
        self.done(actions, json!({})).await
    }

    pub(crate) async fn hangup(&mut self, tag: &str) -> Vec<Value> {
        self.status(tag, "Disconnected");
        let id = if tag == "LEG-A" { "leg-a" } else { "leg-b" };
        let parameters = json!({ "SipResponseCode": 0, "CallId": id, "ParticipantTag": tag });
        let data = json!({ "Type": "Hangup", "Parameters": parameters });
        let actions = self.event("HANGUP", Some(data)).await;
        if tag == "LEG-B" {
            self.legs.retain(|leg| leg["ParticipantTag"] != "LEG-B");
        }
        actions
    }

    /// The execution as it ended.
    pub(crate) async fn end(&self, office: &Office) -> ExecutionRecord {
        let arn = self.flow.execution_arn().unwrap();
        office.runtime.wait_for_end(arn).await.unwrap()
    }

    /// The states that were entered, in order.
    pub(crate) async fn path(&self, office: &Office) -> Vec<String> {
        let arn = self.flow.execution_arn().unwrap();
        let events = office.runtime.execution_history(arn).await.unwrap();
        let json = json!(events);
        let names = json.as_array().unwrap().iter();
        let entered = names.filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str());
        entered.map(str::to_owned).collect()
    }
}

fn outcome(action: &Value, more: Value) -> Value {
    let mut data = action.as_object().unwrap().clone();
    data.extend(more.as_object().cloned().unwrap_or_else(Map::new));
    Value::Object(data)
}

pub(crate) fn types(actions: &[Value]) -> Vec<&str> {
    actions.iter().map(|action| action["Type"].as_str().unwrap()).collect()
}

pub(crate) fn text(action: &Value) -> &str {
    let parameters = &action["Parameters"];
    let said = parameters["Text"].as_str();
    said.or_else(|| parameters["SpeechParameters"]["Text"].as_str()).unwrap_or_default()
}
