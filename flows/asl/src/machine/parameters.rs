//! What a task gives to a service, as far as it is written out: names that the service does not
//! take, and what it cannot do without.
//!
//! AWS refuses such a definition (`SCHEMA_VALIDATION_FAILED: The field "MesageBody" is not supported by
//! Step Functions`), or takes it and ends the execution when it comes to the task (`The field 'QueueUrl'
//! is required but was missing`, `States.Runtime`, which no `Catch` takes). Here they run, so these are
//! warnings. Of the names, those of optimized integrations are known here; of `aws-sdk` ones only that
//! they begin with a capital, whatever the API's own do (developer guide, "Passing parameters to a
//! service API").

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

const REFUSED: &str = "AWS refuses the definition, or ends the execution there (States.Runtime).";

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
        let is_it = |known: &&Action| known.service == service && known.name == action;
        let Some(known) = ACTIONS.iter().find(is_it) else { return };
        for name in members.keys() {
            let plain = plain(name, language);
            let taken =
                || known.required.iter().chain(known.optional.iter().copied().flatten()).copied();
            if taken().any(|name| name == plain) {
                continue;
            }
            let near = nearest(plain, taken());
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
        for name in members.keys().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        {
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
