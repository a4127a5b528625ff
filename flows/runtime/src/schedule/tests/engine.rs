//! What is due is handed out once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use offhook_asl::machine::Pattern;
use serde_json::{Value, json};

use crate::schedule::{Due, Outcome, Schedules};
use crate::services::scheduler::Scheduler;
use crate::services::{ExecutionInfo, Integration, Request, Service};
use crate::store::{Entries, MemoryStore};

const START: &str = "2026-01-01T00:00:00Z";

fn at(seconds: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// A machine whose store outlives it.
struct Machine {
    store: Arc<MemoryStore>,
    schedules: Schedules,
    scheduler: Scheduler,
}

impl Machine {
    fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }

    fn on(store: Arc<MemoryStore>) -> Self {
        let entries: Arc<dyn Entries> = store.clone();
        let scheduler = Scheduler::new(entries.clone(), Box::new(|| {}));
        Self { store, schedules: Schedules::new(entries), scheduler }
    }

    /// As after `kill -9`.
    fn restarted(self) -> Self {
        Self::on(self.store)
    }

    async fn create(&self, name: &str, expression: &str, more: Value) {
        let mut arguments = json!({"Name": name, "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
                "RoleArn": "arn:aws:iam::000000000000:role/r"}});
        for (member, value) in more.as_object().unwrap() {
            arguments[member] = value.clone();
        }
        let request = Request {
            integration: Integration::Sdk,
            service: "scheduler".to_owned(),
            action: "createSchedule".to_owned(),
            pattern: Pattern::RequestResponse,
            arguments,
            execution: ExecutionInfo {
                arn: String::new(),
                name: String::new(),
                state_machine: String::new(),
                state: String::new(),
                transaction_id: None,
            },
            idempotency: String::new(),
            now: at(0),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
        };
        self.scheduler.call(request).await.unwrap();
    }

    async fn due(&self, seconds: i64) -> Due {
        self.schedules.due(at(seconds)).await.unwrap()
    }

    /// Does what is due, and says how many that were.
    async fn run(&self, seconds: i64) -> usize {
        let due = self.due(seconds).await;
        for invocation in &due.invocations {
            let done = self.schedules.finish(invocation, Outcome::Done, at(seconds)).await;
            assert_eq!(done.unwrap(), None);
        }
        due.invocations.len()
    }

    async fn deadline(&self) -> Option<Timestamp> {
        self.schedules.next_deadline().await.unwrap()
    }
}

#[tokio::test]
async fn a_schedule_that_comes_once_is_handed_out_once() {
    let machine = Machine::new();
    machine.create("once", "at(2026-01-01T00:01:00)", json!({})).await;
    assert_eq!(machine.run(59).await, 0);
    assert_eq!(machine.deadline().await, Some(at(60)));
    assert_eq!(machine.run(60).await, 1);
    assert_eq!(machine.run(61).await, 0);
    assert_eq!(machine.deadline().await, None);
    assert_eq!(machine.restarted().run(3600).await, 0);
}

#[tokio::test]
async fn at_now_is_due_although_the_time_has_passed() {
    let machine = Machine::new();
    machine.create("now", "at(2025-12-31T23:59:59)", json!({})).await;
    assert_eq!(machine.run(0).await, 1);
}

#[tokio::test]
async fn a_schedule_comes_again_and_again_until_its_end() {
    let machine = Machine::new();
    let end = json!({"EndDate": "2026-01-01T00:12:00Z"});
    machine.create("rate", "rate(5 minutes)", end).await;
    let mut times = Vec::new();
    for seconds in 0..1200 {
        if machine.run(seconds).await == 1 {
            times.push(seconds);
        }
    }
    assert_eq!(times, [0, 300, 600]);
    assert_eq!(machine.deadline().await, None);
}

#[tokio::test]
async fn a_crash_between_writing_down_and_doing_repeats_the_same_invocation() {
    let machine = Machine::new();
    machine.create("once", "at(2026-01-01T00:01:00)", json!({})).await;
    let first = machine.due(60).await.invocations;
    assert!(!first[0].again);
    let machine = machine.restarted();
    // Nothing is due by the clock, and yet it is asked for at once.
    assert_eq!(machine.deadline().await, Some(Timestamp::MIN));
    let second = machine.due(61).await.invocations;
    assert_eq!(second[0].id, first[0].id);
    assert!(second[0].again);
    machine.schedules.finish(&second[0], Outcome::Done, at(62)).await.unwrap();
    assert_eq!(machine.restarted().run(63).await, 0);
}

#[tokio::test]
async fn an_invocation_that_is_under_way_is_not_handed_out_again() {
    let machine = Machine::new();
    machine.create("once", "at(2026-01-01T00:01:00)", json!({})).await;
    let first = machine.due(60).await.invocations;
    assert_eq!(first.len(), 1);
    for minutes in 2..60 {
        assert!(machine.due(60 * minutes).await.invocations.is_empty());
    }
}

#[tokio::test]
async fn what_came_while_the_machine_was_off_is_done_once_and_late() {
    let machine = Machine::new();
    machine.create("hourly", "rate(1 hour)", json!({})).await;
    assert_eq!(machine.run(0).await, 1);
    let machine = machine.restarted();
    let due = machine.due(3600 * 5 + 10).await;
    assert_eq!(due.invocations.len(), 1);
    assert_eq!(due.invocations[0].scheduled, at(3600 * 5));
    assert_eq!((due.missed[0].first, due.missed[0].times), (at(3600), 4));
    machine.schedules.finish(&due.invocations[0], Outcome::Done, at(18_020)).await.unwrap();
    assert_eq!(machine.deadline().await, Some(at(3600 * 6)));
}

#[tokio::test]
async fn what_is_too_old_is_not_done_but_counted_and_told() {
    let machine = Machine::new();
    let target = json!({"Target": {"Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "RetryPolicy": {"MaximumEventAgeInSeconds": 600}}});
    machine.create("once", "at(2026-01-01T00:01:00)", target).await;
    let due = machine.due(60 + 601).await;
    assert!(due.invocations.is_empty());
    assert_eq!((due.missed[0].first, due.missed[0].times), (at(60), 1));
    assert!(due.missed[0].schedule.ends_with("schedule/default/once"));
    assert_eq!(machine.run(800).await, 0);
}

#[tokio::test]
async fn a_year_of_minutes_that_was_missed_does_not_take_a_year_to_count() {
    let machine = Machine::new();
    machine.create("often", "cron(* * * * ? *)", json!({})).await;
    let due = machine.due(366 * 86_400).await;
    assert_eq!(due.invocations.len(), 1);
    assert_eq!(due.invocations[0].scheduled, at(366 * 86_400));
    assert!(due.missed[0].times >= 10_000);
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_later_and_later_until_it_is_given_up() {
    let machine = Machine::new();
    let target = json!({"Target": {"Arn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
        "RoleArn": "arn:aws:iam::000000000000:role/r",
        "RetryPolicy": {"MaximumRetryAttempts": 3}}});
    machine.create("once", "at(2026-01-01T00:01:00)", target).await;
    let (mut seconds, mut attempts, mut given_up) = (60, Vec::new(), None);
    while seconds < 600 && given_up.is_none() {
        for invocation in machine.due(seconds).await.invocations {
            attempts.push((seconds, invocation.attempt, invocation.again));
            let failed = Outcome::Retry("busy".to_owned());
            given_up = machine.schedules.finish(&invocation, failed, at(seconds)).await.unwrap();
        }
        seconds += 1;
    }
    assert_eq!(attempts, [(60, 1, false), (62, 2, false), (66, 3, false), (74, 4, false)]);
    assert_eq!(given_up.unwrap().reason, "busy");
    assert_eq!(machine.deadline().await, None);
}

#[tokio::test]
async fn a_retry_waits_for_its_time_across_a_restart() {
    let machine = Machine::new();
    machine.create("once", "at(2026-01-01T00:01:00)", json!({})).await;
    let first = machine.due(60).await.invocations.remove(0);
    let failed = Outcome::Retry("busy".to_owned());
    machine.schedules.finish(&first, failed, at(60)).await.unwrap();
    let machine = machine.restarted();
    assert!(machine.due(61).await.invocations.is_empty());
    let second = machine.due(62).await.invocations.remove(0);
    assert_eq!((second.attempt, second.again), (2, false));
}

#[tokio::test]
async fn a_schedule_that_asked_for_it_is_deleted_when_it_is_over() {
    let machine = Machine::new();
    let delete = json!({"ActionAfterCompletion": "DELETE"});
    machine.create("once", "at(2026-01-01T00:01:00)", delete).await;
    assert_eq!(machine.run(60).await, 1);
    let left = machine.store.get_entry("scheduler/schedules".to_owned(), b"default\0once".to_vec());
    assert_eq!(left.await.unwrap(), None);
}

#[tokio::test]
async fn a_disabled_schedule_does_not_come() {
    let machine = Machine::new();
    machine.create("off", "rate(1 minute)", json!({"State": "DISABLED"})).await;
    assert_eq!(machine.run(3600).await, 0);
}

#[tokio::test]
async fn ten_thousand_schedules_come_each_at_its_time_and_each_once() {
    let machine = Machine::new();
    for n in 0..10_000 {
        let minute = n % 60;
        let name = format!("s{n}");
        machine.create(&name, &format!("at(2026-01-01T01:{minute:02}:00)"), json!({})).await;
    }
    let mut count = 0;
    for minute in 60..120 {
        loop {
            let due = machine.due(minute * 60).await;
            count += due.invocations.len();
            for invocation in &due.invocations {
                assert_eq!(invocation.scheduled, at(minute * 60));
                machine.schedules.finish(invocation, Outcome::Done, at(minute * 60)).await.unwrap();
            }
            if !due.more {
                break;
            }
        }
    }
    assert_eq!(count, 10_000);
    assert_eq!(machine.deadline().await, None);
}

#[tokio::test]
async fn hundreds_of_schedules_of_one_time_are_each_handed_out_once() {
    let machine = Machine::new();
    for n in 0..600 {
        machine.create(&format!("s{n}"), "at(2026-01-01T00:00:10)", json!({})).await;
    }
    let mut schedules = std::collections::BTreeSet::new();
    loop {
        let due = machine.due(10).await;
        for invocation in due.invocations {
            assert!(schedules.insert(invocation.schedule.clone()), "{}", invocation.schedule);
            machine.schedules.finish(&invocation, Outcome::Done, at(10)).await.unwrap();
        }
        if !due.more {
            break;
        }
    }
    assert_eq!(schedules.len(), 600);
    assert_eq!(machine.schedules.next_deadline().await.unwrap(), None);
}
