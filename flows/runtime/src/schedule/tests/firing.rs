//! What a target is called with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::schedule::fire::request;
use crate::schedule::{
    Fired, Invocation, Keeper, OutboundCall, Outcome, RetryPolicy, Schedules, StartExecution,
    Target, Targets, fire,
};
use crate::services::scheduler::Scheduler;
use crate::services::{Answer, Request, Service, ServiceError, Services, Upstream};
use crate::store::MemoryStore;

#[derive(Default)]
struct Office {
    calls: Mutex<Vec<OutboundCall>>,
    starts: Mutex<Vec<StartExecution>>,
    asked: Mutex<Vec<Request>>,
    error: Mutex<Option<ServiceError>>,
}

impl Office {
    fn answer(&self) -> Result<(), ServiceError> {
        self.error.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Targets for Office {
    fn call_out(&self, call: OutboundCall) -> Fired {
        self.calls.lock().unwrap().push(call);
        Box::pin(std::future::ready(self.answer()))
    }

    fn start_execution(&self, start: StartExecution) -> Fired {
        self.starts.lock().unwrap().push(start);
        Box::pin(std::future::ready(self.answer()))
    }
}

struct Cloud(Arc<Office>);

impl Upstream for Cloud {
    fn call(&self, request: Request) -> Answer {
        self.0.asked.lock().unwrap().push(request);
        Box::pin(std::future::ready(Ok(Value::Null)))
    }
}

fn invocation(arn: &str, input: Option<Value>) -> Invocation {
    Invocation {
        id: "an-id".to_owned(),
        schedule: "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s".to_owned(),
        scheduled: Timestamp::UNIX_EPOCH,
        attempt: 1,
        again: false,
        target: Target {
            arn: arn.to_owned(),
            input: input.map(|input| input.to_string()),
            retry: RetryPolicy::default(),
            given: Value::Null,
        },
    }
}

async fn fired(office: &Arc<Office>, invocation: &Invocation) -> Outcome {
    let targets: Arc<dyn Targets> = office.clone();
    let services = Services::new(Vec::new(), Arc::new(Cloud(office.clone())));
    fire(invocation, Timestamp::UNIX_EPOCH, &targets, &services).await
}

#[tokio::test]
async fn the_samples_function_places_a_call_from_the_business_to_the_owner() {
    let office = Arc::new(Office::default());
    let arn = "arn:aws:lambda:us-east-1:471112581412:function:place_chime_outbound_call";
    let input = json!({"BusinessPhoneNumber": "+15550100", "CustomerPhoneNumber": "5550123",
        "BusinessOwnerPhoneNumber": "+15550111", "SipMediaApplicationId": "sma-1"});
    assert_eq!(fired(&office, &invocation(arn, Some(input))).await, Outcome::Done);
    let calls = office.calls.lock().unwrap();
    assert_eq!((calls[0].from.as_str(), calls[0].to.as_str()), ("+15550100", "+15550111"));
    assert_eq!(calls[0].sip_media_application, "sma-1");
    assert_eq!(calls[0].arguments["CustomerPhoneNumber"], "5550123");
    assert_eq!(calls[0].id, "an-id");
}

#[tokio::test]
async fn a_call_without_its_numbers_is_given_up_by_the_name_of_what_lacks() {
    let office = Arc::new(Office::default());
    let arn = "arn:aws:lambda:us-east-1:471112581412:function:place_chime_outbound_call:live";
    let input = json!({"CustomerPhoneNumber": "5550123", "BusinessPhoneNumber": "+1"});
    let Outcome::GiveUp(why) = fired(&office, &invocation(arn, Some(input))).await else {
        panic!()
    };
    assert!(why.ends_with("must have BusinessOwnerPhoneNumber"), "{why}");
}

#[tokio::test]
async fn a_state_machine_is_started_under_a_name_that_is_used_once() {
    let office = Arc::new(Office::default());
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:closing:live";
    let input =
        json!({"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>"});
    let invocation = invocation(arn, Some(input));
    assert_eq!(fired(&office, &invocation).await, Outcome::Done);
    {
        let starts = office.starts.lock().unwrap();
        assert_eq!((starts[0].machine.as_str(), starts[0].name.as_str()), (arn, "an-id"));
        assert_eq!(starts[0].input["at"], "1970-01-01T00:00:00Z");
        assert_eq!(starts[0].input["by"], invocation.schedule.as_str());
    }
    let there = ServiceError::new("StepFunctions.ExecutionAlreadyExistsException", "");
    *office.error.lock().unwrap() = Some(there);
    assert_eq!(fired(&office, &invocation).await, Outcome::Done);
    *office.error.lock().unwrap() =
        Some(ServiceError::new("StepFunctions.ThrottlingException", ""));
    assert!(matches!(fired(&office, &invocation).await, Outcome::Retry(_)));
}

#[tokio::test]
async fn other_targets_are_asked_of_the_services() {
    let office = Arc::new(Office::default());
    let other = "arn:aws:lambda:us-east-1:471112581412:function:other";
    assert_eq!(fired(&office, &invocation(other, None)).await, Outcome::Done);
    let queue = "arn:aws:sqs:us-east-1:000000000000:reports";
    assert_eq!(fired(&office, &invocation(queue, Some(json!("x")))).await, Outcome::Done);
    let any = "arn:aws:scheduler:::aws-sdk:dynamodb:deleteItem";
    assert_eq!(
        fired(&office, &invocation(any, Some(json!({"TableName": "T"})))).await,
        Outcome::Done
    );
    let asked: Vec<String> = {
        let asked = office.asked.lock().unwrap();
        asked.iter().map(|r| format!("{}:{} {}", r.service, r.action, r.idempotency)).collect()
    };
    assert_eq!(
        asked,
        ["lambda:invoke an-id", "sqs:sendMessage an-id", "dynamodb:deleteItem an-id"]
    );
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    assert!(matches!(fired(&office, &invocation(bus, None)).await, Outcome::GiveUp(_)));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_made_while_its_keeper_waits_places_its_call_in_time() {
    let office = Arc::new(Office::default());
    let store = Arc::new(MemoryStore::new());
    let clock = Clock::beginning_at("2026-01-01T00:00:00Z".parse().unwrap());
    let wake = Arc::new(Notify::new());
    let missed = Arc::new(Mutex::new(0));
    let told = Arc::clone(&missed);
    let keeper = Keeper {
        schedules: Schedules::new(store.clone()),
        clock,
        wake: wake.clone(),
        targets: office.clone(),
        services: Services::new(Vec::new(), Arc::new(Cloud(office.clone()))),
        tell: Box::new(move |_| *told.lock().unwrap() += 1),
    };
    let keeper = tokio::spawn(keeper.run());
    tokio::time::sleep(Duration::from_secs(60)).await;
    let scheduler = Scheduler::new(store, Box::new(move || wake.notify_one()));
    let input = json!({"BusinessPhoneNumber": "+15550100", "CustomerPhoneNumber": "5550123",
        "BusinessOwnerPhoneNumber": "+15550111", "SipMediaApplicationId": "sma-1"});
    let schedule = json!({"Name": "5550123_1", "ScheduleExpression": "at(2026-01-01T00:15:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:471112581412:function:place_chime_outbound_call",
            "RoleArn": "arn:aws:iam::471112581412:role/r", "Input": input.to_string()}});
    let mut asked =
        request(&invocation("", None), "scheduler", "createSchedule", schedule, clock.now());
    asked.region = "us-east-1".to_owned();
    scheduler.call(asked).await.unwrap();
    // The line is busy the first time.
    *office.error.lock().unwrap() = Some(ServiceError::new("Busy", "all lines are taken"));
    tokio::time::sleep(Duration::from_secs(14 * 60 + 1)).await;
    assert_eq!(office.calls.lock().unwrap().len(), 1);
    *office.error.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let calls = office.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].id, calls[1].id);
    assert_eq!(*missed.lock().unwrap(), 0);
    keeper.abort();
}
