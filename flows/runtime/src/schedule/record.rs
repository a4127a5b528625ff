//! Schedules as they are kept, and what is to be done when one comes.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expression::Expression;

/// A schedule (EventBridge Scheduler API Reference, `GetSchedule`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `Arn`.
    pub arn: String,
    /// `Name`.
    pub name: String,
    /// `GroupName`.
    pub group: String,
    /// `ScheduleExpression`, which has been read once and found good.
    pub expression: String,
    /// `ScheduleExpressionTimezone`.
    pub timezone: String,
    /// `StartDate`.
    pub start: Option<Timestamp>,
    /// `EndDate`.
    pub end: Option<Timestamp>,
    /// `Description`.
    pub description: Option<String>,
    /// `State` is `ENABLED`.
    pub enabled: bool,
    /// `ActionAfterCompletion` is `DELETE`.
    pub delete_after: bool,
    /// `Target`.
    pub target: Target,
    /// `FlexibleTimeWindow`.
    pub window: Value,
    /// `KmsKeyArn`, kept and not used.
    pub kms_key: Option<String>,
    /// `CreationDate`.
    pub created: Timestamp,
    /// `LastModificationDate`; a rate without a start counts from here.
    pub modified: Timestamp,
    /// `ClientToken`, or the name of the request that made it.
    pub token: String,
    /// When it comes next.
    pub next: Option<Timestamp>,
    /// How often it came and nothing was done, because this machine was off.
    pub missed: u64,
}

/// What a schedule calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// `Arn`.
    pub arn: String,
    /// `Input`.
    pub input: Option<String>,
    /// `RetryPolicy`.
    pub retry: RetryPolicy,
    /// The member as it was given, for showing it again.
    pub given: Value,
}

/// How long and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// `MaximumEventAgeInSeconds`, 60 to 86400.
    pub age: i64,
    /// `MaximumRetryAttempts`, 0 to 185.
    pub attempts: u32,
}

impl Default for RetryPolicy {
    /// As AWS has it: for a day, 185 times.
    fn default() -> Self {
        Self { age: 86_400, attempts: 185 }
    }
}

/// One time of a schedule, on its way to its target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// The same for this time of this schedule, however often it is tried: whoever is called can
    /// tell by it that it was called before.
    pub id: String,
    /// The schedule's ARN.
    pub schedule: String,
    /// When it was to come.
    pub scheduled: Timestamp,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// An earlier attempt may have been made, and its outcome was lost with a restart.
    pub again: bool,
    /// What is called.
    pub target: Target,
}

impl Record {
    /// The first time strictly after `after` that lies within start and end.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let expression = Expression::parse(&self.expression).ok()?;
        let zone = TimeZone::get(&self.timezone).ok()?;
        if expression.is_once() {
            return expression.next_after(&zone, self.modified, after);
        }
        let before = |at: Timestamp| at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at);
        let after = self.start.map_or(after, |start| after.max(before(start)));
        let anchor = self.start.unwrap_or(self.modified);
        let next = expression.next_after(&zone, anchor, after)?;
        self.end.is_none_or(|end| next <= end).then_some(next)
    }

    /// The first time at or after its last modification; one that comes once may also be due
    /// already, since `at(now)` lies behind by the time that it takes to ask.
    pub fn first(&self) -> Option<Timestamp> {
        let before = self.modified.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        let once = Expression::parse(&self.expression).is_ok_and(|e| e.is_once());
        if once { self.next_after(Timestamp::MIN) } else { self.next_after(before) }
    }
}
