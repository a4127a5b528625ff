//! Calls what a schedule names.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use serde_json::{Map, Value, json};

use crate::services::{ExecutionInfo, Integration, Request, ServiceError, Services};

use super::engine::Outcome;
use super::record::Invocation;

/// An outbound call that this machine is to make: what AWS's sample has a Lambda function do with
/// `CreateSipMediaApplicationCall`.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboundCall {
    /// The same for the same time of the same schedule.
    pub id: String,
    /// An earlier attempt may have been made.
    pub again: bool,
    /// `FromPhoneNumber`: the business's number.
    pub from: String,
    /// `ToPhoneNumber`: the owner's.
    pub to: String,
    /// `SipMediaApplicationId`.
    pub sip_media_application: String,
    /// `ArgumentsMap`.
    pub arguments: Map<String, Value>,
}

/// An execution that is to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct StartExecution {
    /// Its name, which is the same for the same time of the same schedule: an execution of that
    /// name that is there already is the one.
    pub name: String,
    /// ARN of the state machine, a version or an alias.
    pub machine: String,
    /// Its input.
    pub input: Value,
}

/// What a target on this machine answers.
pub type Fired = BoxFuture<'static, Result<(), ServiceError>>;

/// What schedules call on this machine.
pub trait Targets: Send + Sync {
    /// Makes a call.
    fn call_out(&self, call: OutboundCall) -> Fired;
    /// Starts an execution.
    fn start_execution(&self, start: StartExecution) -> Fired;
    /// Whether a Lambda function is the one that places outbound calls, by its name.
    fn places_calls(&self, function: &str) -> bool {
        function == "place_chime_outbound_call"
    }
}

/// Calls the target of an invocation: state machines and the function that places calls are on
/// this machine; other functions, queues and universal targets are asked of the services, which
/// pass on what they do not serve.
pub async fn fire(
    invocation: &Invocation,
    now: Timestamp,
    targets: &Arc<dyn Targets>,
    services: &Services,
) -> Outcome {
    let input = input(invocation);
    let arn = &invocation.target.arn;
    let fields: Vec<&str> = arn.splitn(7, ':').collect();
    let result = match fields.as_slice() {
        ["arn", _, "states", _, _, "stateMachine", _] => {
            let input = serde_json::from_str(&input).unwrap_or(Value::String(input));
            let (name, machine) = (invocation.id.clone(), arn.clone());
            targets.start_execution(StartExecution { name, machine, input }).await
        }
        ["arn", _, "lambda", _, _, "function", name] => {
            let name = name.split(':').next().unwrap_or(name);
            if targets.places_calls(name) {
                match outbound_call(invocation, &input) {
                    Ok(call) => targets.call_out(call).await,
                    Err(why) => return Outcome::GiveUp(why),
                }
            } else {
                let arguments = json!({"FunctionName": arn, "InvocationType": "Event",
                    "Payload": serde_json::from_str(&input).unwrap_or(Value::String(input))});
                services
                    .call(request(invocation, "lambda", "invoke", arguments, now))
                    .await
                    .map(drop)
            }
        }
        ["arn", _, "sqs", region, account, queue] => {
            let url = format!("https://sqs.{region}.amazonaws.com/{account}/{queue}");
            let arguments = json!({"QueueUrl": url, "MessageBody": input});
            services.call(request(invocation, "sqs", "sendMessage", arguments, now)).await.map(drop)
        }
        ["arn", _, "scheduler", "", "", "aws-sdk", api] => {
            let Some((service, action)) = api.split_once(':') else {
                return Outcome::GiveUp(format!("{arn} names no action of a service"));
            };
            let Ok(arguments) = serde_json::from_str(&input) else {
                return Outcome::GiveUp(format!("the Input of {arn} must be JSON"));
            };
            services.call(request(invocation, service, action, arguments, now)).await.map(drop)
        }
        _ => return Outcome::GiveUp(format!("{arn} is no target that is served here")),
    };
    match result {
        Ok(()) => Outcome::Done,
        Err(error) if error.error.ends_with("ExecutionAlreadyExistsException") => Outcome::Done,
        Err(error) if is_final(&error) => Outcome::GiveUp(error.to_string()),
        Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// Whether another attempt would come to the same.
fn is_final(error: &ServiceError) -> bool {
    const FINAL: [&str; 6] = [
        "ValidationException",
        "ResourceNotFoundException",
        "StateMachineDoesNotExistException",
        "AccessDeniedException",
        "InvalidExecutionInputException",
        "States.TaskFailed",
    ];
    FINAL.iter().any(|name| error.error.ends_with(name))
}

/// `Input` with the context attributes filled in (EventBridge Scheduler User Guide, "Context
/// attributes"); without one, the event that AWS sends.
fn input(invocation: &Invocation) -> String {
    let Some(input) = &invocation.target.input else {
        return json!({
            "version": "0",
            "id": invocation.id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "time": seconds(invocation.scheduled),
            "resources": [invocation.schedule],
            "detail": "{}",
        })
        .to_string();
    };
    input
        .replace("<aws.scheduler.schedule-arn>", &invocation.schedule)
        .replace("<aws.scheduler.scheduled-time>", &seconds(invocation.scheduled))
        .replace("<aws.scheduler.execution-id>", &invocation.id)
        .replace("<aws.scheduler.attempt-number>", &invocation.attempt.to_string())
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What the sample's function makes of its event.
fn outbound_call(invocation: &Invocation, input: &str) -> Result<OutboundCall, String> {
    let event: Value = serde_json::from_str(input)
        .map_err(|_| "the Input of a schedule that places a call must be JSON".to_owned())?;
    let text = |key: &str| match event.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(format!("the Input of a schedule that places a call must have {key}")),
    };
    text("CustomerPhoneNumber")?;
    Ok(OutboundCall {
        id: invocation.id.clone(),
        again: invocation.again,
        from: text("BusinessPhoneNumber")?,
        to: text("BusinessOwnerPhoneNumber")?,
        sip_media_application: text("SipMediaApplicationId")?,
        arguments: arguments_of(&event),
    })
}

/// `ArgumentsMap` of a call that is placed for such an event: `CustomerPhoneNumber`, and what a
/// workflow adds to hand it to its next call.
pub fn arguments_of(event: &Value) -> Map<String, Value> {
    const OF_THE_CALL: [&str; 3] =
        ["BusinessPhoneNumber", "BusinessOwnerPhoneNumber", "SipMediaApplicationId"];
    let members = event.as_object().into_iter().flatten();
    let more = members.filter(|(name, _)| !OF_THE_CALL.contains(&name.as_str()));
    more.map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(super) fn request(
    invocation: &Invocation,
    service: &str,
    action: &str,
    arguments: Value,
    now: Timestamp,
) -> Request {
    let mut fields = invocation.schedule.split(':').skip(3);
    let (region, account) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
    Request {
        integration: Integration::Sdk,
        service: service.to_owned(),
        action: action.to_owned(),
        pattern: Pattern::RequestResponse,
        arguments,
        execution: ExecutionInfo {
            arn: invocation.schedule.clone(),
            name: invocation.id.clone(),
            state_machine: invocation.schedule.clone(),
            state: String::new(),
            transaction_id: None,
        },
        idempotency: invocation.id.clone(),
        now,
        region: region.to_owned(),
        account: account.to_owned(),
    }
}
