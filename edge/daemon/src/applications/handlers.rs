//! Handlers elsewhere, functions of AWS Lambda and webhooks, and what they go through: made once,
//! not for each call, so that certificates are not read and connections not opened while somebody
//! waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use offhook_chime::credentials::{Environment, Source as KeySource};
use offhook_chime::handler::{Handler, LambdaHandler};
use offhook_chime::http_task::HttpTasks;
use offhook_chime::lambda::{FunctionName, Lambda};
use offhook_chime::sigv4::Credentials;
use offhook_chime::webhook::Webhook;
use offhook_chime::{Aws, AwsConfig, Trust};
use offhook_config::Config;

use super::connections;

/// What makes handlers, and keeps them.
#[derive(Default)]
pub(super) struct Handlers {
    /// Read by [`Self::prepare`]: the system's certificates take their time.
    trust: Mutex<Option<Trust>>,
    kept: Mutex<Kept>,
}

/// What the calls of one configuration share.
#[derive(Default)]
pub struct Kept {
    /// Ways to AWS, or to what takes its place: they remember keys and connections.
    clouds: Vec<(offhook_config::Aws, Aws)>,
    webhooks: Vec<Hook>,
    /// The connections of HTTP tasks, and their tokens.
    http: Option<Arc<connections::Kept>>,
}

struct Hook {
    of: offhook_config::Webhook,
    /// Or why it cannot be made.
    made: Made,
}

type Made = Result<Arc<dyn Handler>, String>;

impl Handlers {
    /// Whose certificates are believed.
    pub(super) fn trust(&self) -> Result<Trust, String> {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trust) = &*trust {
            return Ok(trust.clone());
        }
        // Only what was read is kept: the next one may find them.
        Ok(trust.insert(Trust::system()?).clone())
    }

    /// Reads and makes what a configuration needs; may wait for a disk. What is as it was is kept,
    /// but for files of certificates, which may have been renewed.
    pub(super) fn prepare(&self, config: &Config) -> Kept {
        let trust = self.trust();
        if let Err(error) = &trust {
            tracing::error!(error, "no certificates");
        }
        let wanted = clouds_of(config);
        let mut clouds = self.kept().clouds.clone();
        clouds.retain(|(of, _)| wanted.contains(of));
        let before = self.kept().http.clone();
        let http = connections::Kept::new(config, &trust, before.as_deref());
        let mut kept = Kept { clouds, webhooks: Vec::new(), http: Some(Arc::new(http)) };
        for webhook in &config.webhooks {
            let made = match self.kept_webhook(webhook).filter(|_| webhook.ca_file.is_none()) {
                Some(made) => made,
                None => self.make_webhook(webhook),
            };
            if let Err(error) = &made {
                tracing::error!(webhook = webhook.name, error, "a webhook cannot run calls");
            }
            kept.webhooks.push(Hook { of: webhook.clone(), made });
        }
        kept
    }

    /// Calls that begin from now on share these.
    pub(super) fn take_up(&self, kept: Kept) {
        *self.kept() = kept;
    }

    /// HTTP tasks, once [`Self::take_up`] has been.
    pub(super) fn http_tasks(&self) -> Result<HttpTasks, String> {
        let kept = self.kept();
        kept.http
            .as_ref()
            .map(|http| http.tasks())
            .ok_or_else(|| "no connection is there yet".into())
    }

    /// The way to AWS.
    pub(super) fn aws(&self, config: &offhook_config::Aws) -> Result<Aws, String> {
        let mut kept = self.kept();
        if let Some((_, aws)) = kept.clouds.iter().find(|(of, _)| of == config) {
            return Ok(aws.clone());
        }
        let aws = Aws::new(aws_config(config), self.trust()?, Environment::of_process())?;
        kept.clouds.push((config.clone(), aws.clone()));
        Ok(aws)
    }

    /// A function of `[[lambda]]`, or one by its ARN.
    pub(super) fn lambda(&self, config: &Config, name: &str) -> Made {
        let (function, qualifier, aws) = match config.lambda(name) {
            Some(lambda) => (&*lambda.function, lambda.qualifier.as_deref(), cloud(config, lambda)),
            None => (name, None, config.aws.clone()),
        };
        let function = FunctionName::parse(function)?.at(qualifier);
        let aws = self.aws(&aws)?;
        Ok(Arc::new(LambdaHandler::new(Lambda::new(aws), function)))
    }

    /// The web server of a `[[webhook]]`.
    pub(super) fn webhook(&self, config: &Config, name: &str) -> Made {
        let webhook = config.webhook(name).ok_or_else(|| format!("there is no webhook {name}"))?;
        // A call that keeps a configuration of before a reload has one of its own.
        self.kept_webhook(webhook).unwrap_or_else(|| self.make_webhook(webhook))
    }

    fn kept_webhook(&self, webhook: &offhook_config::Webhook) -> Option<Made> {
        let kept = self.kept();
        kept.webhooks.iter().find(|hook| hook.of == *webhook).map(|hook| hook.made.clone())
    }

    fn make_webhook(&self, webhook: &offhook_config::Webhook) -> Made {
        let trust = match &webhook.ca_file {
            Some(file) => Trust::with_file(file)?,
            None => self.trust()?,
        };
        Ok(Arc::new(Webhook::new(&webhook.url, webhook.secret.expose(), trust)?))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a function is invoked.
fn cloud(config: &Config, lambda: &offhook_config::Lambda) -> offhook_config::Aws {
    let endpoint = lambda.endpoint.clone().or_else(|| config.aws.endpoint.clone());
    offhook_config::Aws { endpoint, ..config.aws.clone() }
}

fn clouds_of(config: &Config) -> Vec<offhook_config::Aws> {
    let own = config.lambdas.iter().map(|lambda| cloud(config, lambda));
    own.chain([config.aws.clone()]).collect()
}

/// `[aws]` in the words of the client.
pub(crate) fn aws_config(aws: &offhook_config::Aws) -> AwsConfig {
    let credentials = match (&aws.keys, &aws.profile) {
        (Some(keys), _) => KeySource::Fixed(Credentials {
            session_token: keys.session.as_ref().map(|token| token.expose().to_owned()),
            ..Credentials::new(&*keys.id, keys.secret.expose())
        }),
        (None, Some(profile)) => KeySource::Profile { name: Some(profile.clone()), file: None },
        (None, None) => KeySource::Chain,
    };
    AwsConfig {
        region: aws.region.clone(),
        credentials,
        endpoint: aws.endpoint.clone(),
        ..AwsConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        offhook_config::check(text, Path::new("t.toml")).unwrap()
    }

    fn same(one: &Made, other: &Made) -> bool {
        Arc::ptr_eq(one.as_ref().unwrap(), other.as_ref().unwrap())
    }

    #[test]
    fn certificates_are_read_at_the_start_and_at_a_reload_and_not_for_a_call() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&file, certificate.cert.pem()).unwrap();
        let config = config(&format!(
            "[[webhook]]\nname = \"crm\"\nurl = \"https://localhost/\"\n\
             secret = \"0123456789abcdef\"\nca_file = {file:?}\n\
             [[webhook]]\nname = \"plain\"\nurl = \"https://localhost/\"\n\
             secret = \"0123456789abcdef\"\n"
        ));
        let handlers = Handlers::default();
        handlers.take_up(handlers.prepare(&config));
        let ask = |name| handlers.webhook(&config, name);
        let (first, plain) = (ask("crm"), ask("plain"));
        std::fs::write(&file, "nothing").unwrap();
        assert!(same(&first, &ask("crm")), "calls share one");
        handlers.take_up(handlers.prepare(&config));
        let error = ask("crm").err().unwrap();
        assert!(error.contains("holds no certificate"), "{error}");
        assert!(same(&plain, &ask("plain")), "with its connections");
        std::fs::write(&file, certificate.cert.pem()).unwrap();
        assert!(ask("crm").is_err(), "until it is reloaded");
        handlers.take_up(handlers.prepare(&config));
        ask("crm").unwrap();
    }

    #[tokio::test]
    async fn a_connection_is_read_again_at_a_reload_and_a_bad_one_fails_only_its_own_tasks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "nothing").unwrap();
        let config = config(&format!(
            "[[connection]]\nname = \"own\"\nauthorization = \"none\"\nca_file = {file:?}\n\
             [[connection]]\nname = \"plain\"\nauthorization = \"none\"\n"
        ));
        let handlers = Handlers::default();
        assert!(handlers.http_tasks().is_err());
        let ask = async |name: &str| {
            let task = serde_json::json!({
                "ApiEndpoint": "https://127.0.0.1:1/", "Method": "GET",
                "Authentication": {"ConnectionArn": format!("arn:aws:events:eu-central-1:1:connection/{name}/1")},
            });
            handlers.http_tasks().unwrap().invoke(&task).await.unwrap_err()
        };
        handlers.take_up(handlers.prepare(&config));
        let error = ask("own").await;
        assert_eq!(error.error, "Events.ConnectionResource.InvalidConnectionState");
        assert!(error.cause.contains("holds no certificate"), "{}", error.cause);
        assert_eq!(ask("plain").await.error, "States.Http.Socket");
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&file, certificate.cert.pem()).unwrap();
        handlers.take_up(handlers.prepare(&config));
        assert_eq!(ask("own").await.error, "States.Http.Socket");
    }

    #[test]
    fn a_reload_keeps_the_ways_to_aws_that_are_the_same_and_no_others() {
        let text = |port: u16| {
            format!(
                "[[lambda]]\nname = \"ivr\"\nfunction = \"ivr\"\n\
                 endpoint = \"http://127.0.0.1:{port}\"\n"
            )
        };
        let handlers = Handlers::default();
        for port in [1, 2, 3] {
            let config = config(&text(port));
            handlers.take_up(handlers.prepare(&config));
            handlers.lambda(&config, "ivr").unwrap();
            handlers.lambda(&config, "ivr").unwrap();
            handlers.aws(&config.aws).unwrap();
            assert_eq!(handlers.kept().clouds.len(), 2);
        }
    }
}
