//! An office that is asked by a queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use offhook_chime::take_back::queue::{Moves, Queue, QueueConfig, Taken, Told};
use serde_json::{Value, json};

use crate::Cloud;

/// Calls that answer as they are told, and note what they were asked.
#[derive(Default)]
struct Calls {
    answers: HashMap<String, Taken>,
    asked: Mutex<Vec<(String, BTreeMap<String, String>)>>,
}

impl Moves for Calls {
    fn update(&self, _: &str, call: &str, arguments: BTreeMap<String, String>) -> Taken {
        self.asked.lock().unwrap().push((call.to_owned(), arguments));
        self.answers.get(call).cloned().unwrap_or(Taken::Told)
    }
}

struct Office {
    cloud: Cloud,
    url: String,
    queue: Queue,
    told: Vec<Told>,
}

impl Office {
    async fn start(max_age: Duration) -> Self {
        let cloud = Cloud::start(0).await;
        let made = cloud.ask("sqs", "createQueue", json!({"QueueName": "take-back"})).await;
        let url = made["QueueUrl"].as_str().unwrap().to_owned();
        let config = QueueConfig { url: url.clone(), wait: Duration::ZERO, max_age };
        let queue = Queue::new(cloud.sdk.clone(), config);
        Self { cloud, url, queue, told: Vec::new() }
    }

    async fn send(&self, body: &str) {
        let what = json!({"QueueUrl": self.url, "MessageBody": body});
        self.cloud.ask("sqs", "sendMessage", what).await;
    }

    async fn update(&self, call: &str) {
        let body = json!({"SipMediaApplicationId": "ivr", "TransactionId": call,
            "Arguments": {"TransferTarget": "101"}});
        self.send(&body.to_string()).await;
    }

    async fn poll(&mut self, calls: &Calls) {
        let told = &mut self.told;
        self.queue.poll(calls, &mut |one| told.push(one)).await.unwrap();
    }

    /// Messages that wait or are hidden.
    async fn left(&self) -> u64 {
        let what = json!({"QueueUrl": self.url, "AttributeNames": ["All"]});
        let got = self.cloud.ask("sqs", "getQueueAttributes", what).await;
        let number =
            |name: &str| -> u64 { got["Attributes"][name].as_str().unwrap().parse().unwrap() };
        number("ApproximateNumberOfMessages") + number("ApproximateNumberOfMessagesNotVisible")
    }
}

fn dropped(call: &str, why: &str) -> Told {
    Told::Dropped { transaction: call.to_owned(), why: why.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_told_and_what_never_can_be_done_is_thrown_away() {
    let mut office = Office::start(Duration::from_secs(60)).await;
    let mut calls = Calls::default();
    let gone = Taken::Hopeless("there is no such call".to_owned());
    calls.answers.insert("t2".to_owned(), gone);
    office.update("t1").await;
    office.update("t2").await;
    for body in [
        "take him back",
        r#"{"TransactionId": "t3", "Arguments": {}}"#,
        r#"{"SipMediaApplicationId": "ivr", "TransactionId": "t3"}"#,
        r#"{"SipMediaApplicationId": "ivr", "TransactionId": "t3", "Arguments": {"a": 1}}"#,
    ] {
        office.send(body).await;
    }
    office.poll(&calls).await;
    office.told.sort_by_key(|told| format!("{told:?}"));
    let wanted = [
        Told::Done { transaction: "t1".to_owned() },
        dropped("", "the argument a is no text"),
        dropped("", "the message has no Arguments"),
        dropped("", "the message has no SipMediaApplicationId"),
        dropped("", "the message is no JSON"),
        dropped("t2", "there is no such call"),
    ];
    assert_eq!(office.told, wanted);
    let arguments = BTreeMap::from([("TransferTarget".to_owned(), "101".to_owned())]);
    assert!(calls.asked.lock().unwrap().contains(&("t1".to_owned(), arguments)));
    assert_eq!(office.left().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_now_comes_back_and_not_for_ever() {
    let mut office = Office::start(Duration::from_secs(600)).await;
    let mut calls = Calls::default();
    calls.answers.insert("t1".to_owned(), Taken::Later("the office is busy".to_owned()));
    office.update("t1").await;
    // Each time it is visible again after two seconds.
    while office.told.is_empty() {
        office.poll(&calls).await;
    }
    assert_eq!(office.told, [dropped("t1", "it came 5 times: the office is busy")]);
    assert_eq!(calls.asked.lock().unwrap().len(), 5);
    assert_eq!(office.left().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_is_old_moves_nobody() {
    let mut office = Office::start(Duration::ZERO).await;
    let calls = Calls::default();
    office.update("t1").await;
    while office.told.is_empty() {
        office.poll(&calls).await;
    }
    assert_eq!(office.told, [dropped("t1", "it is too old")]);
    assert!(calls.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_cannot_be_asked_is_told_once_and_asked_again() {
    let Office { cloud, url, .. } = Office::start(Duration::from_secs(60)).await;
    let config = QueueConfig {
        url: url.replace("take-back", "nowhere"),
        wait: Duration::ZERO,
        max_age: Duration::from_secs(60),
    };
    let queue = Queue::new(cloud.sdk.clone(), config);
    let (calls, (tell, mut told)) = (Calls::default(), tokio::sync::mpsc::unbounded_channel());
    let running = tokio::spawn(async move {
        queue.run(&calls, move |one| drop(tell.send(one))).await;
    });
    let first = told.recv().await.unwrap();
    assert!(matches!(&first, Told::Unreachable(why) if why.contains("Queue")), "{first:?}");
    let what: Value = json!({"QueueName": "nowhere"});
    cloud.ask("sqs", "createQueue", what).await;
    assert_eq!(told.recv().await.unwrap(), Told::Reachable);
    running.abort();
}
