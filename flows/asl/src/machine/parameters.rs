//! What a task gives to a service, as far as it is written out: names that the service does not
//! take, and what it cannot do without.
//!
//! AWS refuses such a definition (`SCHEMA_VALIDATION_FAILED: The field "MesageBody" is not supported by
//! Step Functions`), or takes it and ends the execution when it comes to the task: which of both is not
//! told anywhere (a `TaskToken` beside the `Payload` of `lambda:invoke.waitForTaskToken` was seen to be
//! taken), so these are warnings of a definition. What a task then comes to is looked at again
//! ([`refusal`]), with what was made of it by paths and JSONata.
//!
//! Of the names, those of optimized integrations are known here; of `aws-sdk` ones only that they begin
//! with a capital, whatever the API's own do (developer guide, "Passing parameters to a service API").
//! What a value of the wrong type comes to is known of one field only (`QueryParameters` of
//! `apigateway:invoke` "has an invalid format"): such a value goes on to the service, which says what is
//! wrong.

use super::fields::nearest;
use super::load::Loader;
use super::model::Language;
use super::problem::Code;
use super::reader::Object;
use super::resource::{Pattern, Resource};
use super::source::escape;
use serde_json::{Map, Value};

/// An action of an optimized integration.
struct Action {
    service: &'static str,
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static [&'static str]],
}

const REFUSED: &str = "the execution ends there (States.Runtime, which no Catch takes), unless AWS \
                       refuses the definition before.";

fn known(service: &str, action: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|known| known.service == service && known.name == action)
}

impl Action {
    fn takes(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.required.iter().chain(self.optional.iter().copied().flatten()).copied()
    }
}

/// Why a task is not begun with `arguments`, in AWS's words and as AWS lists them: the end of the cause
/// of `States.Runtime`. (That each is told in a sentence is recorded; in which order several stand is
/// not.)
pub(crate) fn refusal(resource: &Resource, arguments: &Value) -> Option<String> {
    let (Resource::Service { service, action, .. }, Value::Object(members)) = (resource, arguments)
    else {
        return None;
    };
    let unsupported =
        |name: &String| format!("The field \"{name}\" is not supported by Step Functions");
    let missing = |name: &&str| format!("The field '{name}' is required but was missing");
    let sentences: Vec<String> = if service.starts_with("aws-sdk:") {
        members.keys().filter(|name| is_small(name)).map(unsupported).collect()
    } else {
        let known = known(service, action)?;
        let is_taken = |name: &&String| known.takes().any(|one| one == name.as_str());
        let is_there = |name: &&&str| members.contains_key(**name);
        let strange = members.keys().filter(|name| !is_taken(name)).map(unsupported);
        strange.chain(known.required.iter().filter(|name| !is_there(name)).map(missing)).collect()
    };
    (!sentences.is_empty()).then(|| format!("[{}]", sentences.join(", ")))
}

fn is_small(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
}

const TABLE: &[&str] = &["TableName", "Key"];
/// Of what writes an item or deletes it.
const WRITE: &[&str] = &[
    "ConditionExpression",
    "ConditionalOperator",
    "Expected",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
];
/// Of what changes one besides (DynamoDB API reference, "UpdateItem").
const UPDATE: &[&str] = &["AttributeUpdates", "UpdateExpression"];

/// Source: developer guide, the page of each service under "Integrating optimized services".
const ACTIONS: [Action; 9] = [
    Action {
        service: "lambda",
        name: "invoke",
        required: &["FunctionName"],
        optional: &[&[
            "ClientContext",
            "DurableExecutionName",
            "InvocationType",
            "LogType",
            "Payload",
            "Qualifier",
            "TenantId",
        ]],
    },
    Action {
        service: "sqs",
        name: "sendMessage",
        required: &["QueueUrl", "MessageBody"],
        optional: &[&[
            "DelaySeconds",
            "MessageAttributes",
            "MessageDeduplicationId",
            "MessageGroupId",
            "MessageSystemAttributes",
        ]],
    },
    Action {
        service: "sns",
        name: "publish",
        required: &["Message"],
        optional: &[&[
            "MessageAttributes",
            "MessageDeduplicationId",
            "MessageGroupId",
            "MessageStructure",
            "PhoneNumber",
            "Subject",
            "TargetArn",
            "TopicArn",
        ]],
    },
    Action {
        service: "states",
        name: "startExecution",
        required: &["StateMachineArn"],
        optional: &[&["Input", "Name", "TraceHeader"]],
    },
    Action {
        service: "events",
        name: "putEvents",
        required: &["Entries"],
        optional: &[&["EndpointId"]],
    },
    Action {
        service: "dynamodb",
        name: "getItem",
        required: TABLE,
        optional: &[&[
            "AttributesToGet",
            "ConsistentRead",
            "ExpressionAttributeNames",
            "ProjectionExpression",
            "ReturnConsumedCapacity",
        ]],
    },
    Action {
        service: "dynamodb",
        name: "putItem",
        required: &["TableName", "Item"],
        optional: &[WRITE],
    },
    Action { service: "dynamodb", name: "updateItem", required: TABLE, optional: &[WRITE, UPDATE] },
    Action { service: "dynamodb", name: "deleteItem", required: TABLE, optional: &[WRITE] },
];

impl Loader {
    /// Warns of what a task gives to its service that AWS does not hand over.
    pub(super) fn given(&mut self, task: &Object<'_>, resource: &Resource, language: Language) {
        let Resource::Service { service, action, pattern, .. } = resource else { return };
        let field = match language {
            Language::JsonPath => "Parameters",
            Language::Jsonata => "Arguments",
        };
        let Some(Value::Object(members)) = task.get(field) else { return };
        let at = task.path(field);
        if service.starts_with("aws-sdk:") {
            return self.small_letters(&at, members);
        }
        let Some(known) = known(service, action) else { return };
        for name in members.keys() {
            let plain = plain(name, language);
            if known.takes().any(|name| name == plain) {
                continue;
            }
            let near = nearest(plain, known.takes());
            let inside = (*pattern == Pattern::WaitForTaskToken && plain.contains("oken"))
                .then(|| "the token belongs into what the service hands on".to_owned());
            let suggestion = inside.or_else(|| near.map(|near| format!("did you mean '{near}'?")));
            let message = format!("{service}:{action} takes no '{plain}': {REFUSED}");
            let place = format!("{at}/{}", escape(name));
            self.report.warn_with(&place, Code::Suspicious, message, suggestion);
        }
        let has = |name: &str| members.keys().any(|key| plain(key, language) == name);
        for name in known.required.iter().filter(|name| !has(name)) {
            let message = format!("{service}:{action} needs '{name}': {REFUSED}");
            self.report.warn(&at, Code::Suspicious, message);
        }
    }

    fn small_letters(&mut self, at: &str, members: &Map<String, Value>) {
        for name in members.keys().filter(|name| is_small(name)) {
            let (first, rest) = name.split_at(1);
            let message = format!(
                "Parameters of aws-sdk begin with a capital, and '{name}' does not: {REFUSED}"
            );
            let suggestion = Some(format!("did you mean '{}{rest}'?", first.to_ascii_uppercase()));
            let place = format!("{at}/{}", escape(name));
            self.report.warn_with(&place, Code::Suspicious, message, suggestion);
        }
    }
}

/// A key of a template without what says that its value is a path.
fn plain(name: &str, language: Language) -> &str {
    match language {
        Language::JsonPath => name.strip_suffix(".$").unwrap_or(name),
        Language::Jsonata => name,
    }
}
