//! Which optimised integrations there are: a `Resource` that names another is refused by AWS.
//!
//! Source: developer guide, "Integrating optimized services".

use super::fields::nearest;
use super::resource::{Pattern, Resource};
use super::sdk::{ALIASES, SERVICES};

/// A service with its actions, and the patterns besides request and response.
struct Known {
    service: &'static str,
    actions: &'static [&'static str],
    patterns: &'static [Pattern],
}

const WAIT: &[Pattern] = &[Pattern::WaitForTaskToken];

const KNOWN: [Known; 10] = [
    Known { service: "lambda", actions: &["invoke"], patterns: WAIT },
    Known { service: "sqs", actions: &["sendMessage"], patterns: WAIT },
    Known { service: "sns", actions: &["publish"], patterns: WAIT },
    Known { service: "events", actions: &["putEvents"], patterns: WAIT },
    Known { service: "apigateway", actions: &["invoke"], patterns: WAIT },
    Known { service: "http", actions: &["invoke"], patterns: &[] },
    Known {
        service: "dynamodb",
        actions: &["getItem", "putItem", "updateItem", "deleteItem"],
        patterns: &[],
    },
    Known {
        service: "states",
        actions: &["startExecution"],
        patterns: &[Pattern::Sync, Pattern::Sync2, Pattern::WaitForTaskToken],
    },
    Known {
        service: "ecs",
        actions: &["runTask"],
        patterns: &[Pattern::Sync, Pattern::WaitForTaskToken],
    },
    Known { service: "batch", actions: &["submitJob"], patterns: &[Pattern::Sync] },
];

/// Services whose actions are too many to be told here.
const OTHERS: [&str; 14] = [
    "athena",
    "bedrock",
    "bedrockagentcore",
    "codebuild",
    "databrew",
    "eks",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "glue",
    "mediaconvert",
    "s3",
    "sagemaker",
    "sagemaker-geospatial",
];

/// What is wrong with a Task's resource, and what may be meant.
pub(super) enum Doubt {
    /// AWS has no such integration.
    Wrong(String, Option<String>),
    /// The same, which was not told always.
    WrongNow(String, Option<String>),
    /// None that we know of.
    Unknown(String, Option<String>),
}

fn meant(name: Option<&str>) -> Option<String> {
    name.map(|name| format!("did you mean '{name}'?"))
}

/// Looks a resource up.
pub(super) fn doubt(resource: &Resource) -> Option<Doubt> {
    let Resource::Service { service, action, pattern, .. } = resource else { return None };
    if let Some(service) = service.strip_prefix("aws-sdk:") {
        let message = format!("An aws-sdk integration has no {} pattern.", words(*pattern));
        let synchronous = matches!(pattern, Pattern::Sync | Pattern::Sync2);
        let wrong = synchronous.then_some(Doubt::Wrong(message, None));
        return wrong.or_else(|| sdk_doubt(service, action));
    }
    let Some(known) = KNOWN.iter().find(|known| known.service == service) else {
        if OTHERS.contains(&service.as_str()) {
            return None;
        }
        let names = KNOWN.iter().map(|known| known.service).chain(OTHERS);
        let message = format!("'{service}' is not a service that Step Functions integrates.");
        let other = || format!("its whole API is at arn:aws:states:::aws-sdk:{service}:{action}");
        let suggestion = meant(nearest(service, names)).or_else(|| Some(other()));
        return Some(Doubt::Unknown(message, suggestion));
    };
    if !known.actions.contains(&action.as_str()) {
        let message = format!("The integration of {service} has no action '{action}'.");
        let near = nearest(action, known.actions.iter().copied());
        let all = || Some(format!("it has {}", known.actions.join(", ")));
        return Some(Doubt::Wrong(message, meant(near).or_else(all)));
    }
    if *pattern != Pattern::RequestResponse && !known.patterns.contains(pattern) {
        let message = format!("The integration of {service} has no {} pattern.", words(*pattern));
        return Some(Doubt::Wrong(message, None));
    }
    None
}

/// Of `arn:aws:states:::aws-sdk:service:action`: services are in lower case, actions in camel case.
fn sdk_doubt(service: &str, action: &str) -> Option<Doubt> {
    let lower = service.to_lowercase();
    if service != lower {
        let message =
            format!("'{service}' is not a service of aws-sdk: their names are lower case.");
        return Some(Doubt::WrongNow(message, meant(Some(&lower))));
    }
    let mut chars = action.chars();
    let first = chars.next().filter(char::is_ascii_uppercase);
    if let Some(first) = first {
        let camel = format!("{}{}", first.to_ascii_lowercase(), chars.as_str());
        let message = format!("'{action}' is not an action of aws-sdk: theirs are in camel case.");
        return Some(Doubt::WrongNow(message, meant(Some(&camel))));
    }
    if let Some((_, actions)) = SERVICES.iter().find(|known| known.0 == service) {
        let message = format!("aws-sdk:{service} has no action '{action}' that is known here.");
        let near = nearest(action, actions.iter().copied());
        let is_known = actions.contains(&action);
        return (!is_known).then(|| Doubt::Unknown(message, meant(near)));
    }
    let is_near = |name: &str| name.len() > 3 && strsim::damerau_levenshtein(service, name) == 1;
    let near = SERVICES.iter().map(|known| known.0).find(|name| is_near(name));
    let alias = ALIASES.iter().find(|alias| alias.0 == service).map(|alias| alias.1);
    let near = near.or(alias)?;
    let message = format!("'{service}' is not a service of aws-sdk that is known here.");
    Some(Doubt::Unknown(message, meant(Some(near))))
}

fn words(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::RequestResponse => "request and response",
        Pattern::Sync => ".sync",
        Pattern::Sync2 => ".sync:2",
        Pattern::WaitForTaskToken => ".waitForTaskToken",
    }
}
