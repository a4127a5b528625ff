//! Requests of EventBridge Scheduler, with the constraints of its model.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::schedule::{Expression, Record, RetryPolicy, Target};
use crate::services::sdk::Fault;
use crate::services::{Request, ServiceError};

/// `Target.Input` may have this many bytes, as the events of a Lambda function.
const INPUT_BYTES: usize = 256 * 1024;

/// Parameters that each action knows.
pub(super) fn known(action: &str) -> Option<&'static [&'static str]> {
    const SCHEDULE: &[&str] = &[
        "ActionAfterCompletion",
        "ClientToken",
        "Description",
        "EndDate",
        "FlexibleTimeWindow",
        "GroupName",
        "KmsKeyArn",
        "Name",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "StartDate",
        "State",
        "Target",
    ];
    Some(match action {
        "createSchedule" | "updateSchedule" => SCHEDULE,
        "getSchedule" => &["Name", "GroupName"],
        "deleteSchedule" => &["Name", "GroupName", "ClientToken"],
        "listSchedules" => &["GroupName", "MaxResults", "NamePrefix", "NextToken", "State"],
        "createScheduleGroup" => &["Name", "ClientToken", "Tags"],
        "getScheduleGroup" => &["Name"],
        "deleteScheduleGroup" => &["Name", "ClientToken"],
        "listScheduleGroups" => &["MaxResults", "NamePrefix", "NextToken"],
        _ => return None,
    })
}

/// The members of a request or of a part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    members: &'a Map<String, Value>,
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

fn constraint(value: &str, field: &str, constraint: &str) -> Fault {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
    ))
}

/// `GroupName` is `groupName` where AWS speaks of it.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    let first: String = letters.next().map(|c| c.to_ascii_lowercase()).into_iter().collect();
    format!("{first}{}", letters.as_str())
}

impl<'a> Fields<'a> {
    pub(super) fn of(request: &'a Request, known: &[&str]) -> Result<Self, ServiceError> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        let members = request.arguments.as_object().unwrap_or(&EMPTY);
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(ServiceError::new(
                "States.Runtime",
                format!("The field \"{name}\" is not supported by scheduler:{}", request.action),
            )),
            None => Ok(Self { members }),
        }
    }

    fn of_part(value: &'a Value, field: &str) -> Result<Self, Fault> {
        let members = value.as_object().ok_or_else(|| invalid(format!("{field} is an object")))?;
        Ok(Self { members })
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &str) -> Result<&'a Value, Fault> {
        self.get(name).ok_or_else(|| {
            invalid(format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                camel(name)
            ))
        })
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        let text = |value: &'a Value| {
            value.as_str().ok_or_else(|| invalid(format!("{name} must be a string")))
        };
        self.get(name).map(text).transpose()
    }

    /// A text of bounded length.
    fn bounded(&self, name: &str, most: usize) -> Result<Option<&'a str>, Fault> {
        match self.text(name)? {
            Some(text) if text.chars().count() > most => Err(constraint(
                text,
                &camel(name),
                &format!("Member must have length less than or equal to {most}"),
            )),
            text => Ok(text),
        }
    }

    /// The name of a schedule or a group.
    pub(super) fn name(&self, field: &str) -> Result<&'a str, Fault> {
        self.required(field)?;
        self.optional_name(field).map(Option::unwrap_or_default)
    }

    fn optional_name(&self, field: &str) -> Result<Option<&'a str>, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match self.bounded(field, 64)? {
            Some(name) if name.is_empty() || !name.chars().all(plain) => Err(constraint(
                name,
                &camel(field),
                "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$",
            )),
            name => Ok(name),
        }
    }

    pub(super) fn group(&self) -> Result<&'a str, Fault> {
        Ok(self.optional_name("GroupName")?.unwrap_or("default"))
    }

    pub(super) fn one_of(&self, name: &str, words: &[&'static str]) -> Result<&'static str, Fault> {
        let Some(text) = self.text(name)? else { return Ok(words.first().copied().unwrap_or("")) };
        words.iter().find(|word| **word == text && !text.is_empty()).copied().ok_or_else(|| {
            let set: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
            constraint(
                text,
                &camel(name),
                &format!("Member must satisfy enum value set: [{}]", set.join(", ")),
            )
        })
    }

    pub(super) fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let whole = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
        let number = value.as_i64().or_else(|| format!("{}", whole?).parse().ok());
        match number {
            Some(number) if number < least => Err(constraint(
                &number.to_string(),
                &camel(name),
                &format!("Member must have value greater than or equal to {least}"),
            )),
            Some(number) if number > most => Err(constraint(
                &number.to_string(),
                &camel(name),
                &format!("Member must have value less than or equal to {most}"),
            )),
            Some(number) => Ok(Some(number)),
            None => Err(invalid(format!("{name} must be a whole number"))),
        }
    }

    /// A time: ISO 8601 as Step Functions has it, or seconds since 1970.
    fn time(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let time = match value {
            Value::String(text) => text.parse().ok(),
            number => number.as_f64().filter(|n| n.abs() < 2e11).and_then(|seconds| {
                Timestamp::from_millisecond(format!("{:.0}", seconds * 1000.0).parse().ok()?).ok()
            }),
        };
        time.map(Some).ok_or_else(|| invalid(format!("{name} must be a time, not {value}")))
    }
}

/// The schedule that a request describes; when it comes next is not yet in it.
pub(super) fn record(request: &Request, fields: Fields<'_>) -> Result<Record, Fault> {
    let (name, group) = (fields.name("Name")?, fields.group()?);
    fields.required("ScheduleExpression")?;
    let expression = fields.bounded("ScheduleExpression", 256)?.unwrap_or_default();
    Expression::parse(expression)
        .map_err(|why| invalid(format!("Invalid Schedule Expression {expression}: {why}.")))?;
    let timezone = fields.bounded("ScheduleExpressionTimezone", 50)?.unwrap_or("UTC");
    TimeZone::get(timezone)
        .map_err(|_| invalid(format!("Invalid ScheduleExpressionTimezone: {timezone}.")))?;
    let (start, end) = (fields.time("StartDate")?, fields.time("EndDate")?);
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        return Err(invalid("The StartDate must come before the EndDate."));
    }
    if end.is_some_and(|end| end < request.now) {
        return Err(invalid("The EndDate you specify cannot be earlier than the current time."));
    }
    let window = fields.required("FlexibleTimeWindow")?;
    check_window(window)?;
    let token = match fields.bounded("ClientToken", 64)? {
        Some(token) => token.to_owned(),
        None if request.idempotency.is_empty() => crate::services::sdk::uuid(),
        None => request.idempotency.clone(),
    };
    Ok(Record {
        arn: format!(
            "arn:aws:scheduler:{}:{}:schedule/{group}/{name}",
            request.region, request.account
        ),
        name: name.to_owned(),
        group: group.to_owned(),
        expression: expression.to_owned(),
        timezone: timezone.to_owned(),
        start,
        end,
        description: fields.bounded("Description", 512)?.map(str::to_owned),
        enabled: fields.one_of("State", &["ENABLED", "DISABLED"])? == "ENABLED",
        delete_after: fields.one_of("ActionAfterCompletion", &["NONE", "DELETE"])? == "DELETE",
        target: target(fields.required("Target")?)?,
        window: window.clone(),
        kms_key: fields.bounded("KmsKeyArn", 2048)?.map(str::to_owned),
        created: request.now,
        modified: request.now,
        token,
        next: None,
        missed: 0,
    })
}

fn check_window(window: &Value) -> Result<(), Fault> {
    let fields = Fields::of_part(window, "FlexibleTimeWindow")?;
    fields.required("Mode")?;
    let mode = fields.one_of("Mode", &["OFF", "FLEXIBLE"])?;
    let minutes = fields.integer("MaximumWindowInMinutes", 1, 1440)?;
    match (mode, minutes) {
        ("FLEXIBLE", None) => {
            Err(invalid("MaximumWindowInMinutes must be provided when the Mode is FLEXIBLE."))
        }
        ("OFF", Some(_)) => {
            Err(invalid("MaximumWindowInMinutes cannot be provided when the Mode is OFF."))
        }
        _ => Ok(()),
    }
}

fn target(given: &Value) -> Result<Target, Fault> {
    let fields = Fields::of_part(given, "Target")?;
    let arn = fields.required("Arn").and_then(|_| fields.bounded("Arn", 1600))?.unwrap_or_default();
    if arn.split(':').count() < 6 || !arn.starts_with("arn:") {
        return Err(invalid(format!("Provided Arn is not in correct format: {arn}")));
    }
    fields.required("RoleArn").and_then(|_| fields.bounded("RoleArn", 1600))?;
    let input = fields.bounded("Input", INPUT_BYTES)?.map(str::to_owned);
    let mut retry = RetryPolicy::default();
    if let Some(policy) = fields.get("RetryPolicy") {
        let policy = Fields::of_part(policy, "RetryPolicy")?;
        if let Some(age) = policy.integer("MaximumEventAgeInSeconds", 60, 86_400)? {
            retry.age = age;
        }
        if let Some(attempts) = policy.integer("MaximumRetryAttempts", 0, 185)? {
            retry.attempts = u32::try_from(attempts).unwrap_or(0);
        }
    }
    Ok(Target { arn: arn.to_owned(), input, retry, given: given.clone() })
}
