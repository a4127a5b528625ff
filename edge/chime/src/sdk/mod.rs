//! `aws-sdk:` tasks: an action of a service, its parameters and its result as Step Functions writes
//! them, passed on to AWS. What is not in [`table`] is refused by name.

mod json;
mod query;
mod rest;
mod s3;
mod table;
mod xml;

use serde_json::Value;

use crate::aws::{Aws, AwsError, LIMITS, Service};
use crate::https::{Answer, HttpError, Limits};
use crate::lambda::Lambda;
use crate::sigv4::Draft;
use crate::task::{MAX_DATA, TaskError, too_large};

use self::table::{Protocol, Row};
pub(crate) use self::xml::error as xml_error;

/// What an answer may be here: a state could not hold more.
const TASK_LIMITS: Limits = Limits { body: MAX_DATA, ..LIMITS };

/// AWS's services for workflows.
#[derive(Debug, Clone)]
pub struct Sdk {
    aws: Aws,
    lambda: Lambda,
}

/// One call on its way.
struct Call<'a> {
    row: &'static Row,
    /// In Pascal case: `PutItem`.
    action: &'a str,
    parameters: &'a Value,
}

impl Sdk {
    /// With these credentials and addresses.
    #[must_use]
    pub fn new(aws: Aws) -> Self {
        Self { lambda: Lambda::new(aws.clone()), aws }
    }

    /// Whether a service is known, by its name in a resource: `dynamodb`.
    #[must_use]
    pub fn knows(service: &str) -> bool {
        table::row(service).is_some()
    }

    /// `arn:aws:states:::aws-sdk:SERVICE:ACTION`.
    ///
    /// # Errors
    /// `States.Runtime`: this is not passed on, or makes no sense. `Prefix.NameException`: the
    /// service said no. `Prefix.SdkClientException`: it could not be asked.
    pub async fn call(
        &self,
        service: &str,
        action: &str,
        parameters: &Value,
    ) -> Result<Value, TaskError> {
        let Some(row) = table::row(service) else {
            let words = format!("the service {service:?} is not passed on to AWS");
            return Err(TaskError::runtime(format!("{words}; known: {}", table::names())));
        };
        let good = !action.is_empty() && action.bytes().all(|b| b.is_ascii_alphanumeric());
        if !good {
            return Err(TaskError::runtime(format!("{action:?} is no action of {service}")));
        }
        if !parameters.is_object() {
            let words = format!("the parameters of {service}:{action} must be an object");
            return Err(TaskError::runtime(words));
        }
        let action = first(action, char::to_ascii_uppercase);
        let call = Call { row, action: &action, parameters };
        match &row.protocol {
            Protocol::Json { .. } => json::call(self, &call).await,
            Protocol::Query { .. } => query::call(self, &call).await,
            Protocol::Rest { .. } if row.name == "lambda" && call.action == "Invoke" => {
                crate::lambda_task::sdk_invoke(&self.lambda, parameters).await
            }
            Protocol::Rest { .. } => rest::call(self, &call).await,
            Protocol::S3 => s3::call(self, &call).await,
        }
    }

    /// What time it is, by the clock of a service as far as its answers have told it. The service
    /// by its name in a resource: `dynamodb`.
    #[must_use]
    pub fn now(&self, service: &str) -> jiff::Timestamp {
        self.aws.now(table::row(service).map_or(service, |row| row.prefix))
    }

    /// AWS Lambda, with the same credentials.
    #[must_use]
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }
}

impl Call<'_> {
    fn service(&self) -> Service<'static> {
        Service { prefix: self.row.prefix, signing: self.row.signing }
    }

    /// Asks the service at its usual address.
    async fn ask(&self, aws: &Aws, draft: Draft) -> Result<Answer, TaskError> {
        let endpoint = aws.endpoint(self.service(), aws.region());
        let endpoint = endpoint.map_err(|error| failed(self.row.errors, error))?;
        let draft = Draft { authority: endpoint.authority.clone(), ..draft };
        let answer = aws.call(self.service(), aws.region(), &endpoint, draft, TASK_LIMITS).await;
        answer.map_err(|error| failed(self.row.errors, error))
    }

    /// This action is not among those that are passed on.
    fn unknown(&self, known: &str) -> TaskError {
        TaskError::runtime(format!(
            "{}:{} is not passed on to AWS; known of this service: {known}",
            self.row.name,
            first(self.action, char::to_ascii_lowercase)
        ))
    }
}

/// The names that Step Functions has for what goes wrong.
pub(crate) fn failed(prefix: &str, error: AwsError) -> TaskError {
    match error {
        AwsError::Refused { status, code, message, .. } => {
            // Those of the SDK for Java, which Step Functions is built on, all end so.
            let end = if code.ends_with("Exception") { "" } else { "Exception" };
            let cause = format!("{message} (Service: {prefix}, Status Code: {status})");
            let refused = TaskError::new(format!("{prefix}.{code}{end}"), cause);
            TaskError { status: Some(status), ..refused }
        }
        AwsError::Http { error: HttpError::TooLarge(_), .. } => too_large(),
        AwsError::Unsendable(words) => TaskError::runtime(words),
        error => TaskError::new(format!("{prefix}.SdkClientException"), error.to_string()),
    }
}

/// A word with another first letter.
fn first(word: &str, change: fn(&char) -> char) -> String {
    let mut letters = word.chars();
    letters.next().map(|c| change(&c)).into_iter().chain(letters).collect()
}

/// Changes the first letter of all members: Step Functions writes them in Pascal case, some
/// services in camel case.
fn recase(value: Value, change: fn(&char) -> char) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (first(&name, change), recase(value, change)))
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| recase(item, change)).collect(),
        other => other,
    }
}

/// The JSON of an answer; nothing is an empty object.
fn json_of(answer: &Answer) -> Result<Value, TaskError> {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        TaskError::new("States.TaskFailed", format!("the service answered no JSON: {error}"))
    })
}

/// A scalar as it stands in a path, a query or a header.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
