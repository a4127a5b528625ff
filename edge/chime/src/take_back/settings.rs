//! The functions' settings: environment variables, those of AWS's sample under its names.

use std::collections::BTreeMap;
use std::time::Duration;

use offhook_sma::action::{AudioSource, may_set_header};

use super::carried::{Direct, Pass, TRANSACTION};
use super::connect::SwitchRules;
use super::deliver::Way;
use super::rules::{Exhausted, Rules, Words};
use super::target::Target;

use crate::credentials::{Environment, Source};
use crate::dnis::{DynamoDbConfig, DynamoDbPool};
use crate::sdk::Sdk;
use crate::{Aws, AwsConfig, Trust};

/// The environment, read with its problems in words.
pub struct Settings {
    environment: Environment,
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingsError {
    /// Of the variable.
    pub name: String,
    /// In words.
    pub problem: String,
}

fn problem(name: &str, problem: impl Into<String>) -> SettingsError {
    SettingsError { name: name.to_owned(), problem: problem.into() }
}

impl Settings {
    /// Of these variables.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }

    /// `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn runtime_api(&self) -> Option<String> {
        self.environment.get("AWS_LAMBDA_RUNTIME_API")
    }

    fn text(&self, name: &str, usual: &str) -> String {
        self.environment.get(name).unwrap_or_else(|| usual.to_owned())
    }

    /// A text that may be nothing: `-` in the variable, which cannot be empty in some tools.
    fn words(&self, name: &str, usual: &str) -> String {
        let text = self.text(name, usual);
        if text == "-" { String::new() } else { text }
    }

    fn needed(&self, name: &str) -> Result<String, SettingsError> {
        self.environment.get(name).ok_or_else(|| problem(name, "is not set"))
    }

    fn number(
        &self,
        name: &str,
        usual: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, SettingsError> {
        let Some(text) = self.environment.get(name) else { return Ok(usual) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => {
                let (from, to) = range.into_inner();
                Err(problem(name, format!("{text:?} is no number from {from} to {to}")))
            }
        }
    }

    fn seconds(
        &self,
        name: &str,
        usual: Duration,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Duration, SettingsError> {
        Ok(Duration::from_secs(self.number(name, usual.as_secs(), range)?))
    }

    fn flag(&self, name: &str) -> Result<bool, SettingsError> {
        match self.environment.get(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(problem(name, format!("{other:?} is neither true nor false"))),
        }
    }

    /// A header that the service lets an application set; `-`: none.
    fn header(&self, name: &str, usual: &str) -> Result<String, SettingsError> {
        let header = self.words(name, usual);
        if !header.is_empty() && !may_set_header(&header) {
            return Err(problem(name, format!("{header:?} is no header that may be set")));
        }
        Ok(header)
    }

    /// `VOICE_CONNECTOR_PHONE_NUMBER` and `VOICE_CONNECTOR_ARN`.
    fn target(&self) -> Result<Option<Target>, SettingsError> {
        let arn = self.environment.get("VOICE_CONNECTOR_ARN");
        if let Some(arn) = &arn
            && !arn.starts_with("arn:")
        {
            return Err(problem("VOICE_CONNECTOR_ARN", format!("{arn:?} is no ARN")));
        }
        let number = self.environment.get("VOICE_CONNECTOR_PHONE_NUMBER");
        Ok(number.map(|number| Target::named(&number, arn)))
    }

    /// `WAIT_MUSIC_BUCKET` and `WAIT_MUSIC_KEY`: an object of about five seconds.
    fn wait_music(&self) -> Result<Option<AudioSource>, SettingsError> {
        let (bucket, key) = ("WAIT_MUSIC_BUCKET", "WAIT_MUSIC_KEY");
        match (self.environment.get(bucket), self.environment.get(key)) {
            (None, None) => Ok(None),
            (Some(bucket_name), Some(key)) => Ok(Some(AudioSource::S3 { bucket_name, key })),
            (Some(_), None) => Err(problem(key, "is not set")),
            (None, Some(_)) => Err(problem(bucket, "is not set")),
        }
    }

    /// `CONNECT_PHONE_NUMBER` and `CONNECT_ARN`: Connect by a Voice Connector, which keeps headers.
    fn direct(&self) -> Result<Option<Direct>, SettingsError> {
        let (number, arn) = ("CONNECT_PHONE_NUMBER", "CONNECT_ARN");
        let (number, arn) = match (self.environment.get(number), self.environment.get(arn)) {
            (None, None) => return Ok(None),
            (Some(number), Some(arn)) if arn.starts_with("arn:") => (number, arn),
            (Some(_), Some(other)) => return Err(problem(arn, format!("{other:?} is no ARN"))),
            // The telephone network keeps no header.
            (Some(_), None) => return Err(problem(arn, "is not set")),
            (None, Some(_)) => return Err(problem(number, "is not set")),
        };
        let pass = match self.text("PASS_TRANSACTION", "header").as_str() {
            "header" => match self.header("TRANSACTION_HEADER", TRANSACTION)? {
                none if none.is_empty() => {
                    return Err(problem("TRANSACTION_HEADER", "is needed to pass the transaction"));
                }
                header => Pass::Header(header),
            },
            "user-to-user" => Pass::UserToUser,
            other => {
                let words = format!("{other:?} is neither header nor user-to-user");
                return Err(problem("PASS_TRANSACTION", words));
            }
        };
        let target = Target { number, arn: Some(arn) };
        Ok(Some(Direct { pass, target, trunk: None, pairs_behind: true }))
    }

    /// What the operator decides about the application.
    ///
    /// # Errors
    /// The first variable that makes no sense.
    pub fn rules(&self) -> Result<Rules, SettingsError> {
        let usual = Rules::default();
        let grace = usual.grace.as_secs() * 1_000;
        let returns = self.number("RETURNS_TO_CONNECT", u64::from(usual.returns), 0..=10)?;
        let exhausted = usual.exhausted;
        Ok(Rules {
            holder: self.text("LEASE_HOLDER", &usual.holder),
            voice: offhook_sma::speech::SpeechParameters {
                engine: Some(self.text("VOICE_ENGINE", "neural")),
                language_code: Some(self.text("LANGUAGE_CODE", "en-US")),
                voice_id: Some(self.text("VOICE_ID", "Joanna")),
                ..usual.voice
            },
            words: Words {
                greeting: self.words("WORDS_GREETING", &usual.words.greeting),
                hold: self.words("WORDS_HOLD", &usual.words.hold),
                wait: self.words("WORDS_WAIT", &usual.words.wait),
                returning: self.words("WORDS_RETURNING", &usual.words.returning),
                apology: self.words("WORDS_APOLOGY", &usual.words.apology),
            },
            ringing_lease: self.seconds(
                "RINGING_LEASE_SECONDS",
                usual.ringing_lease,
                30..=3_600,
            )?,
            lease: self.seconds("LEASE_SECONDS", usual.lease, 60..=86_400)?,
            connect_timeout: self.number(
                "CONNECT_TIMEOUT_SECONDS",
                usual.connect_timeout,
                1..=120,
            )?,
            target_timeout: self.number("TARGET_TIMEOUT_SECONDS", usual.target_timeout, 1..=120)?,
            default_target: self.target()?,
            extensions: false,
            words_while_ringing: false,
            transaction_header: self.header("TRANSACTION_HEADER", &usual.transaction_header)?,
            application_header: self.header("APPLICATION_HEADER", &usual.application_header)?,
            show_caller: self.flag("SHOW_CALLER")?,
            grace: Duration::from_millis(self.number("GRACE_MILLISECONDS", grace, 0..=30_000)?),
            returns: u32::try_from(returns).unwrap_or(usual.returns),
            direct: self.direct()?,
            exhausted: Exhausted {
                wait: self.seconds("EXHAUSTED_WAIT_SECONDS", exhausted.wait, 0..=600)?,
                step: exhausted.step,
                music: self.wait_music()?,
            },
        })
    }

    /// What the operator decides about the function of Connect.
    ///
    /// # Errors
    /// The first variable that makes no sense.
    pub fn switch_rules(&self) -> Result<SwitchRules, SettingsError> {
        let country_code = self.text("COUNTRY_CODE", "1");
        let digits = country_code.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(1..=3).contains(&country_code.len()) {
            return Err(problem("COUNTRY_CODE", format!("{country_code:?} is no country code")));
        }
        let extension_digits = self.number("EXTENSION_DIGITS", 6, 1..=32)?;
        let deadline = self.number("DEADLINE_MILLISECONDS", 2_500, 200..=7_500)?;
        Ok(SwitchRules {
            application: self.environment.get("SIP_MEDIA_APPLICATION_ID"),
            target: self.target()?,
            country_code,
            extension_digits: usize::try_from(extension_digits).unwrap_or(usize::MAX),
            transaction_header: self.header("TRANSACTION_HEADER", TRANSACTION)?,
            deadline: Duration::from_millis(deadline),
        })
    }

    /// AWS, with the credentials that Lambda gives.
    ///
    /// # Errors
    /// No region, an address that is none, or no TLS.
    pub fn sdk(&self) -> Result<Sdk, SettingsError> {
        let services = [
            ("dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
            ("voice-chime", "AWS_ENDPOINT_URL_CHIME_SDK_VOICE"),
            ("sqs", "AWS_ENDPOINT_URL_SQS"),
        ];
        let own =
            |(service, name): (&str, &str)| Some((service.to_owned(), self.environment.get(name)?));
        let config = AwsConfig {
            region: self.needed("AWS_REGION")?,
            credentials: Source::Chain,
            endpoint: self.environment.get("AWS_ENDPOINT_URL"),
            endpoints: services.into_iter().filter_map(own).collect::<BTreeMap<_, _>>(),
        };
        let trust = Trust::system().map_err(|error| problem("TLS", error))?;
        let aws = Aws::new(config, trust, self.environment.clone());
        Ok(Sdk::new(aws.map_err(|error| problem("AWS_REGION, AWS_ENDPOINT_URL…", error))?))
    }

    /// The pool in `INTEGRATION_TABLE`.
    ///
    /// # Errors
    /// The first variable that makes no sense.
    pub fn pool(&self, sdk: Sdk) -> Result<DynamoDbPool, SettingsError> {
        let usual = DynamoDbConfig::new(self.needed("INTEGRATION_TABLE")?);
        let name = "OLD_CLAIM_SECONDS";
        let age_of_old_claims = self.seconds(name, usual.age_of_old_claims, 60..=604_800)?;
        Ok(DynamoDbPool::new(
            sdk,
            DynamoDbConfig { age_of_old_claims, patience: Duration::from_secs(1), ..usual },
        ))
    }

    /// How updates are brought: `UPDATE_BY`.
    ///
    /// # Errors
    /// It is none of the ways, or the queue's URL is missing.
    pub fn way(&self, sdk: Sdk, pool: &DynamoDbPool) -> Result<Way, SettingsError> {
        match self.text("UPDATE_BY", "api").as_str() {
            "api" => Ok(Way::Api(sdk)),
            "sqs" => Ok(Way::Queue(sdk, self.needed("UPDATE_QUEUE_URL")?)),
            "table" => Ok(Way::Table(pool.clone())),
            other => {
                let words = format!("{other:?} is none of api, sqs, table");
                Err(problem("UPDATE_BY", words))
            }
        }
    }
}
