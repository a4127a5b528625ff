//! An office that is asked by the table of pairs itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use offhook_chime::dnis::{DynamoDbConfig, DynamoDbPool, Left};
use offhook_chime::take_back::notes::{Leased, Notes, NotesConfig};
use offhook_chime::take_back::queue::{Moves, Taken, Told};
use offhook_chime::take_back::{Deliver as _, Update, Way};
use offhook_dnis::{Claim, Count, DnisPool as _, Lease, Pair};
use serde_json::{Value, json};

use crate::runtime::{Function, variables};
use crate::{CONNECT, Cloud};

/// Calls that answer as they are told, and note what they were asked.
#[derive(Default)]
struct Calls {
    answers: Mutex<HashMap<String, Taken>>,
    asked: Mutex<Vec<(String, BTreeMap<String, String>)>>,
}

impl Calls {
    fn answer(&self, call: &str, taken: Taken) {
        self.answers.lock().unwrap().insert(call.to_owned(), taken);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(call, _)| call.clone()).collect()
    }
}

impl Moves for Calls {
    fn update(&self, _: &str, call: &str, arguments: BTreeMap<String, String>) -> Taken {
        self.asked.lock().unwrap().push((call.to_owned(), arguments));
        self.answers.lock().unwrap().get(call).cloned().unwrap_or(Taken::Told)
    }
}

struct Office {
    cloud: Cloud,
    notes: Notes,
    leases: Vec<Lease>,
    calls: Calls,
    told: Vec<Told>,
}

impl Office {
    async fn start(calls: usize, max_age: Duration) -> Self {
        let cloud = Cloud::start(calls).await;
        let mut leases = Vec::new();
        for n in 1..=calls {
            leases.push(cloud.pool.claim(claim(&format!("t{n}"))).await.unwrap());
        }
        let config = NotesConfig { interval: Duration::from_millis(20), max_age };
        let notes = Notes::new(cloud.pool.clone(), config);
        Self { cloud, notes, leases, calls: Calls::default(), told: Vec::new() }
    }

    fn pool(&self) -> &DynamoDbPool {
        &self.cloud.pool
    }

    async fn leave(&self, call: usize, note: &str) -> bool {
        self.pool().leave_note(&self.leases[call - 1], note).await.unwrap()
    }

    async fn poll(&mut self) {
        let leased: Vec<_> =
            self.leases.iter().map(|l| (l.pair.clone(), l.owner.clone())).collect();
        let told = &mut self.told;
        self.notes.poll(&leased, &self.calls, &mut |one| told.push(one)).await.unwrap();
    }

    async fn left(&self, call: usize) -> Left {
        self.pool().note_left(&self.leases[call - 1]).await.unwrap()
    }

    async fn status(&self, call: usize) -> String {
        let Left::Answered(answer) = self.left(call).await else { panic!("it is not answered") };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        format!("{} {}", answer["Status"].as_str().unwrap(), answer["Message"].as_str().unwrap())
    }
}

fn claim(owner: &str) -> Claim {
    Claim {
        owner: owner.to_owned(),
        holder: "office-1".to_owned(),
        application: Some("flow:take-back".to_owned()),
        original_calling_number: "+12065550142".to_owned(),
        lease: Duration::from_secs(600),
    }
}

fn note(id: &str, call: &str) -> String {
    let sent = Timestamp::now().as_millisecond();
    json!({"Id": id, "SentTimestamp": sent, "SipMediaApplicationId": "flow:take-back",
        "TransactionId": call, "Arguments": {"TransferTarget": "101"}})
    .to_string()
}

fn dropped(call: &str, why: &str) -> Told {
    Told::Dropped { transaction: call.to_owned(), why: why.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_at_a_lease_moves_its_call_once_however_often_it_is_written() {
    let mut office = Office::start(2, Duration::from_secs(60)).await;
    office.poll().await;
    assert!(office.told.is_empty());
    let text = note("n1", "t1");
    assert!(office.leave(1, &text).await);
    office.poll().await;
    assert_eq!(office.told, [Told::Done { transaction: "t1".to_owned() }]);
    assert_eq!(office.status(1).await, "taken ");
    // Whoever was not answered writes again.
    assert!(office.leave(1, &text).await);
    office.poll().await;
    office.poll().await;
    assert_eq!(office.calls.asked(), ["t1"]);
    // Another request is another one.
    assert!(office.leave(1, &note("n2", "t1")).await);
    office.poll().await;
    assert_eq!(office.calls.asked(), ["t1", "t1"]);
    let arguments = BTreeMap::from([("TransferTarget".to_owned(), "101".to_owned())]);
    assert_eq!(office.calls.asked.lock().unwrap()[0].1, arguments);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_of_two_takers_gets_a_note() {
    let office = Office::start(1, Duration::from_secs(60)).await;
    assert!(office.leave(1, &note("n1", "t1")).await);
    let leased = [(office.leases[0].pair.clone(), "t1".to_owned())];
    let found = office.pool().notes(&leased).await.unwrap().remove(0);
    assert!(office.pool().take_note(&found, "one").await.unwrap());
    assert!(!office.pool().take_note(&found, "two").await.unwrap());
    assert_eq!(office.left(1).await, Left::Answered("one".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_answered_in_the_row() {
    let mut office = Office::start(6, Duration::from_secs(60)).await;
    office.calls.answer("t1", Taken::Hopeless("too many arguments".to_owned()));
    office.calls.answer("t2", Taken::Elsewhere);
    for (call, text) in [
        (1, note("n1", "t1")),
        (2, note("n2", "t2")),
        (3, "take him back".to_owned()),
        (4, note("n4", "t1")),
        (5, note("n5", "t5").replace("SentTimestamp", "Sent")),
        (6, note("", "t6")),
    ] {
        assert!(office.leave(call, &text).await);
    }
    office.poll().await;
    office.told.sort_by_key(|told| format!("{told:?}"));
    let wanted = [
        dropped("t1", "too many arguments"),
        dropped("t2", "there is no such call"),
        dropped("t3", "the message is no JSON"),
        dropped("t4", "the message is about another call"),
        dropped("t5", "the message has no SentTimestamp in milliseconds since 1970"),
        dropped("t6", "the message has no Id"),
    ];
    assert_eq!(office.told, wanted);
    assert_eq!(office.status(1).await, "refused too many arguments");
    assert_eq!(office.status(2).await, "ended there is no such call");
    assert_eq!(office.status(3).await, "refused the message is no JSON");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_is_answered_as_it_was() {
    let mut office = Office::start(1, Duration::from_secs(60)).await;
    office.calls.answer("t1", Taken::Hopeless("too many arguments".to_owned()));
    let text = note("n1", "t1");
    for _ in 0..2 {
        assert!(office.leave(1, &text).await);
        office.poll().await;
        assert_eq!(office.status(1).await, "refused too many arguments");
    }
    assert_eq!(office.calls.asked(), ["t1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_busy_is_asked_again_and_not_for_ever() {
    let mut office = Office::start(1, Duration::from_secs(600)).await;
    office.calls.answer("t1", Taken::Later("the office is busy".to_owned()));
    assert!(office.leave(1, &note("n1", "t1")).await);
    for _ in 0..40 {
        office.poll().await;
    }
    assert_eq!(office.calls.asked().len(), 5);
    assert_eq!(office.told, [dropped("t1", "the office is busy")]);
    assert_eq!(office.status(1).await, "unavailable the office is busy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_is_not_done_after_a_newer_one() {
    let mut office = Office::start(1, Duration::from_secs(600)).await;
    office.calls.answer("t1", Taken::Later("the office is busy".to_owned()));
    let old = note("n1", "t1");
    assert!(office.leave(1, &old).await);
    office.poll().await;
    office.calls.answer("t1", Taken::Told);
    assert!(office.leave(1, &note("n2", "t1")).await);
    for _ in 0..10 {
        office.poll().await;
    }
    assert_eq!(office.calls.asked(), ["t1", "t1"]);
    let done = Told::Done { transaction: "t1".to_owned() };
    assert_eq!(office.told, [dropped("t1", "a newer request took its place"), done]);
    assert!(office.leave(1, &old).await);
    office.poll().await;
    assert_eq!(office.status(1).await, "refused a newer request took its place");
    assert_eq!(office.calls.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_is_old_moves_nobody() {
    let mut office = Office::start(1, Duration::from_secs(60)).await;
    let long_ago = Timestamp::now().as_millisecond() - 61_000;
    let mut text: Value = serde_json::from_str(&note("n1", "t1")).unwrap();
    text["SentTimestamp"] = json!(long_ago.to_string());
    assert!(office.leave(1, &text.to_string()).await);
    office.poll().await;
    assert_eq!(office.told, [dropped("t1", "it is too old")]);
    assert!(office.calls.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_is_of_the_time_of_the_table_and_not_of_the_machine_that_writes_it() {
    let cloud = Cloud::start(1).await;
    let ahead = Duration::from_secs(20 * 60);
    let clock = Arc::new(move || Timestamp::now() + ahead);
    let config = DynamoDbConfig { clock: Some(clock), ..DynamoDbConfig::new("integration") };
    let pool = DynamoDbPool::new(cloud.sdk.clone(), config);
    let lease = pool.claim(claim("t1")).await.unwrap();
    let leased = [(lease.pair.clone(), "t1".to_owned())];
    let update =
        Update { application: "flow:take-back".to_owned(), lease, arguments: BTreeMap::new() };
    Way::Table(pool.clone()).deliver(&update).await.unwrap();
    let times =
        NotesConfig { interval: Duration::from_millis(20), max_age: Duration::from_secs(60) };
    let (mut notes, calls, mut told) = (Notes::new(pool, times), Calls::default(), Vec::new());
    notes.poll(&leased, &calls, &mut |one| told.push(one)).await.unwrap();
    assert_eq!(told, [Told::Done { transaction: "t1".to_owned() }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_given_back_or_claimed_anew_has_no_note() {
    let mut office = Office::start(1, Duration::from_secs(60)).await;
    let first = office.leases[0].clone();
    assert!(office.leave(1, &note("n1", "t1")).await);
    assert_eq!(office.pool().release("t1", Some(&first.pair)).await.unwrap(), 1);
    assert!(!office.leave(1, &note("n2", "t1")).await, "the lease is over");
    let second = office.pool().claim(claim("t2")).await.unwrap();
    assert_eq!(second.pair, first.pair);
    office.leases = vec![first, second];
    office.poll().await;
    assert_eq!((office.told.len(), office.calls.asked().len()), (0, 0));
    assert_eq!(office.left(1).await, Left::Gone);
    // A function of the sample claims without taking away what stands there: it is another's.
    assert!(office.leave(2, &note("n3", "t2")).await);
    let pair = &office.leases[1].pair;
    let key = json!({"sma_number": {"S": pair.our_number},
        "connect_number": {"S": pair.connect_number}});
    let what = json!({"TableName": "integration", "Key": key,
        "UpdateExpression": "SET transaction_id = :t, in_use = :true, call_timestamp = :now",
        "ExpressionAttributeValues": {":t": {"S": "t3"}, ":true": {"S": "true"},
            ":now": {"N": Timestamp::now().as_second().to_string()}}});
    office.cloud.ask("dynamodb", "updateItem", what).await;
    let leased = [(pair.clone(), "t3".to_owned())];
    let told = &mut office.told;
    office.notes.poll(&leased, &office.calls, &mut |one| told.push(one)).await.unwrap();
    assert_eq!(office.told, [dropped("t3", "the message is about another call")]);
    assert!(office.calls.asked().is_empty());
}

/// Those of the test.
struct Few(Vec<(Pair, String)>);

impl Leased for Few {
    fn leased(&self) -> Vec<(Pair, String)> {
        self.0.clone()
    }

    fn some(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(async {
            if self.0.is_empty() {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connects_function_is_told_what_the_office_made_of_its_request() {
    let office = Office::start(2, Duration::from_secs(60)).await;
    let Office { cloud, notes, leases, calls, .. } = office;
    calls.answer("t2", Taken::Elsewhere);
    let few = Few(leases.iter().map(|l| (l.pair.clone(), l.owner.clone())).collect());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(async move {
        notes.run(&few, &calls, move |one| drop(tell.send(one))).await;
    });
    let url = cloud.url();
    let by = [("UPDATE_BY", "table"), ("VOICE_CONNECTOR_PHONE_NUMBER", "+18555550111")];
    let mut connect = Function::start(CONNECT, &variables(&url, &by));
    let mut ask = |lease: &Lease| {
        let parameters = json!({"Purpose": "TransferCall", "CallingNumber": lease.pair.our_number,
            "CalledNumber": lease.pair.connect_number});
        connect.ask(&json!({"Name": "ContactFlowEvent", "Details": {"ContactData": {
            "ContactId": "c-1", "InitialContactId": "c-1"}, "Parameters": parameters}}))
    };
    assert_eq!(ask(&leases[0])["status"], "transferring");
    assert_eq!(told.recv().await.unwrap(), Told::Done { transaction: "t1".to_owned() });
    let ended = ask(&leases[1]);
    assert_eq!(
        (&ended["status"], &ended["message"]),
        (&json!("ended"), &json!("there is no such call"))
    );
    running.abort();
    // Nobody looks any more: the request stands there, as it would in a queue.
    assert_eq!(ask(&leases[0])["status"], "transferring");
    assert_eq!(cloud.pool.note_left(&leases[0]).await.unwrap(), Left::There);
    assert_eq!(cloud.pool.release_holder("office-1").await.unwrap(), 2);
    assert_eq!(cloud.pool.count().await.unwrap(), Count { free: 2, leased: 0 });
}
