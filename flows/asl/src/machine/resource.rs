//! The `Resource` of a Task: which service, which action, and how its result comes.
//!
//! Source: Step Functions developer guide, "Integrating services" and "Service integration patterns".

use serde::{Deserialize, Serialize};

/// How a service's answer becomes the task's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// The response is the result.
    RequestResponse,
    /// `.sync`: the result comes when the job that was started ends.
    Sync,
    /// `.sync:2`: as `.sync`, with JSON where `.sync` has text that is JSON.
    Sync2,
    /// `.waitForTaskToken`: the result comes with the task's token.
    WaitForTaskToken,
}

impl Pattern {
    /// Whether the task goes on after the service has answered (a `TaskSubmitted` event).
    pub fn is_submitted(self) -> bool {
        self != Self::RequestResponse
    }
}

/// A parsed `Resource`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// `arn:aws:states:::service:action[.pattern]` and `arn:aws:states:::aws-sdk:service:action`.
    Service {
        /// The text as it is in the definition.
        arn: String,
        /// `sqs`, or `aws-sdk:scheduler`: a history event's `resourceType`.
        service: String,
        /// `sendMessage`, without the pattern.
        action: String,
        /// How the result comes.
        pattern: Pattern,
    },
    /// The ARN of a Lambda function: its answer is the result.
    Lambda {
        /// The function's ARN.
        arn: String,
    },
    /// The ARN of an activity: a worker asks for the task.
    Activity {
        /// The activity's ARN.
        arn: String,
    },
}

impl Resource {
    /// Reads a `Resource`; the error is a sentence for the one who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, kind, rest @ ..] = parts.as_slice() else {
            return Err(format!("'{text}' is not an ARN."));
        };
        if partition.starts_with("${") {
            return Err(format!("'{text}' is not an ARN."));
        }
        if !partition.starts_with("aws") && !partition.starts_with('<') {
            return Err(format!("'{partition}' is not a partition of AWS."));
        }
        let arn = text.to_owned();
        match (*kind, rest) {
            ("states", ["", "", "aws-sdk", service, action @ ..]) => {
                Self::service(arn, format!("aws-sdk:{service}"), &action.join(":"))
            }
            ("states", ["", "", service, action @ ..]) => {
                Self::service(arn, (*service).to_owned(), &action.join(":"))
            }
            ("states", [_, _, "activity", name, ..]) if !name.is_empty() => {
                Ok(Self::Activity { arn })
            }
            ("lambda", [_, _, "function", name, ..]) if !name.is_empty() => {
                Ok(Self::Lambda { arn })
            }
            _ => Err(format!(
                "'{text}' is neither a service integration, a Lambda function nor an activity."
            )),
        }
    }

    fn service(arn: String, service: String, action: &str) -> Result<Self, String> {
        let (action, pattern) = match action.split_once('.') {
            None => (action, Pattern::RequestResponse),
            Some((action, "sync")) => (action, Pattern::Sync),
            Some((action, "sync:2")) => (action, Pattern::Sync2),
            Some((action, "waitForTaskToken")) => (action, Pattern::WaitForTaskToken),
            Some((_, other)) => {
                return Err(format!(
                    "'.{other}' is not a pattern: use .sync, .sync:2 or .waitForTaskToken."
                ));
            }
        };
        if service.is_empty() || service == "aws-sdk:" || action.is_empty() || action.contains(':')
        {
            return Err(format!("'{arn}' does not name a service and one of its actions."));
        }
        Ok(Self::Service { arn, service, action: action.to_owned(), pattern })
    }

    /// The text it was parsed from.
    pub fn arn(&self) -> &str {
        match self {
            Self::Service { arn, .. } | Self::Lambda { arn } | Self::Activity { arn } => arn,
        }
    }

    /// How the result comes. An activity's comes with its token, too.
    pub fn pattern(&self) -> Pattern {
        match self {
            Self::Service { pattern, .. } => *pattern,
            Self::Lambda { .. } => Pattern::RequestResponse,
            Self::Activity { .. } => Pattern::WaitForTaskToken,
        }
    }

    /// A history event's `resourceType`: `sqs`, `aws-sdk:s3`.
    pub fn resource_type(&self) -> &str {
        match self {
            Self::Service { service, .. } => service,
            Self::Lambda { .. } => "lambda",
            Self::Activity { .. } => "activity",
        }
    }

    /// A history event's `resource`: `sendMessage.waitForTaskToken`.
    pub fn resource_name(&self) -> &str {
        let Self::Service { arn, .. } = self else { return self.arn() };
        match self.pattern() {
            Pattern::Sync2 => {
                // The action is followed by `.sync:2`, which has a colon of its own.
                let head = arn.len().saturating_sub(":2".len());
                arn.get(..head).and_then(|head| head.rfind(':')).map_or(arn, |at| &arn[at + 1..])
            }
            _ => arn.rsplit(':').next().unwrap_or(arn),
        }
    }
}
