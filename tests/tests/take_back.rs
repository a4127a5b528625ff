//! The real daemon asked by an SQS queue (moto's) to move a call that an AWS Lambda function runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use offhook_chime::sdk::Sdk;
use offhook_tests::appliance::Appliance;
use offhook_tests::cloud::table;
use offhook_tests::lambda::{KEY, LambdaServer, SECRET};
use offhook_tests::moto::Moto;
use offhook_tests::net::{Net, eventually};
use offhook_tests::python;
use offhook_tests::sipp::Sipp;
use serde_json::{Value, json};

const CONNECT_CALL: &str = include_str!("scenarios/connect_call.xml");

/// A queue of moto's, as somebody elsewhere sees it.
struct Queue {
    sdk: Sdk,
    url: String,
    runtime: tokio::runtime::Runtime,
}

impl Queue {
    fn make(moto: &Moto) -> Self {
        let sdk = table::sdk(&moto.url());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut queue = Self { sdk, url: String::new(), runtime };
        let made = queue.ask("createQueue", &json!({"QueueName": "take-back"}));
        queue.url = made["QueueUrl"].as_str().unwrap().to_owned();
        queue
    }

    fn ask(&self, action: &str, what: &Value) -> Value {
        self.runtime.block_on(self.sdk.call("sqs", action, what)).unwrap()
    }

    fn update(&self, call: &str) {
        let body = json!({"SipMediaApplicationId": "lambda:ivr", "TransactionId": call,
            "Arguments": {"TransferTarget": "101"}});
        self.ask("sendMessage", &json!({"QueueUrl": self.url, "MessageBody": body.to_string()}));
    }

    fn is_empty(&self) -> bool {
        let what = json!({"QueueUrl": self.url, "AttributeNames": ["All"]});
        let got = self.ask("getQueueAttributes", &what);
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            .iter()
            .all(|name| got["Attributes"][name] == "0")
    }
}

#[test]
fn an_office_without_an_open_port_is_asked_by_a_queue_to_move_a_call() {
    let moto = Moto::start(python::with_moto());
    let queue = Queue::make(&moto);
    let net = Net::new();
    let lambda = LambdaServer::start((net.appliance(), 9482).into());
    lambda.function("ivr", |event| {
        let actions = match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => json!([
                {"Type": "Pause", "Parameters": {"DurationInMilliseconds": "30000"}}
            ]),
            _ => json!([]),
        };
        Ok(json!({"SchemaVersion": "1.0", "Actions": actions}))
    });
    let appliance = Appliance::start_on(
        net,
        &format!(
            "[aws]\nendpoint = \"{moto}\"\naccess_key = \"{KEY}\"\nsecret_key = \"{SECRET}\"\n\
             [take_back]\nqueue = \"{queue}\"\n\
             [[lambda]]\nname = \"ivr\"\nfunction = \"ivr\"\nendpoint = \"{lambda}\"\n\
             [[trunk]]\nname = \"connect\"\ntype = \"voice_connector\"\n\
             host = \"abcdefghij1234567890ab.voiceconnector.chime.aws\"\nregion = \"us-east-1\"\n\
             caller_id = \"+15550100100\"\npeers = [\"{trunk}/32\"]\noptions_seconds = 0\n\
             [[number]]\nmatch = \"+15550100100\"\nto = \"lambda:ivr\"\n",
            moto = moto.url(),
            queue = queue.url,
            lambda = lambda.url(),
            trunk = net.trunk(),
        ),
    );
    // A call that is not here is nobody's: its message does not stay.
    queue.update("23fe0cf1-fc36-4bdc-976d-3520c0a3ac86");
    eventually("the journal says what was thrown away", || {
        appliance.log().contains("an update of the queue is thrown away").then_some(())
    });
    assert!(queue.is_empty());

    // Other than SQS, moto gives a message only when the wait of whoever asked before is over: 20 s.
    let trunk = Sipp::start(CONNECT_CALL, (net.trunk(), 5060), appliance.sip(), &["-d", "28000"]);
    let call = eventually("the function has the call", || {
        let event = lambda.invoked("ivr").into_iter().next()?;
        Some(event["CallDetails"]["TransactionId"].as_str()?.to_owned())
    });
    queue.update(&call);
    let told = eventually("the function is told of the update", || {
        let update = |event: &Value| event["InvocationEventType"] == "CALL_UPDATE_REQUESTED";
        lambda.invoked("ivr").into_iter().find(update)
    });
    let arguments = &told["ActionData"]["Parameters"]["Arguments"];
    assert_eq!(*arguments, json!({"TransferTarget": "101"}));
    eventually("the message is gone", || queue.is_empty().then_some(()));
    trunk.finish();
    appliance.assert_nothing_left();
}
