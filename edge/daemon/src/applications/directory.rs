//! Applications by their `SipMediaApplicationId`: what programs and workflows name them by.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_config::{Config, Target};
use offhook_flows::Runtime;
use offhook_pbx::keep::Extensions as _;
use offhook_pbx::office::{CreateCall, CreateError, DialCall, OfficeHandle, application_id};

use super::{Applications, published};
use crate::api::calls::{ApiError, Arguments, Calls, not_created};
use crate::dial::{CLICK_TO_CALL, DialError, begin};

impl Applications {
    /// What calls that begin now keep.
    pub fn config_in_force(&self) -> Arc<Config> {
        self.config()
    }

    /// Extensions that stand in no configuration.
    ///
    /// # Errors
    /// In words.
    pub async fn phones(&self) -> Result<Vec<String>, String> {
        let phones = self.store().load_extensions().await.map_err(|error| error.to_string())?;
        Ok(phones.into_iter().map(|phone| phone.number).collect())
    }

    /// What `to` of a number says (or would say), by the id that events tell; the words themselves
    /// are taken too.
    pub(super) async fn label_of(&self, id: &str) -> Option<String> {
        if id.parse::<Target>().ok().filter(is_application).is_some() {
            return Some(id.to_owned());
        }
        let is_it = |label: &String| application_id(label) == id;
        if let Some(label) = configured(&self.config()).into_iter().find(is_it) {
            return Some(label);
        }
        self.published_labels().await.into_iter().find(is_it)
    }

    /// Whether calls may be begun for what `to` of a number would say: a workflow has to be published,
    /// which is told before somebody's telephone rings. AWS has no word for it, as an application is
    /// there or is not (`BadRequestException`).
    ///
    /// # Errors
    /// It is not published.
    pub(super) async fn ready(&self, label: &str) -> Result<(), CreateError> {
        let Ok(Target::Flow(name)) = label.parse::<Target>() else { return Ok(()) };
        let Some(versions) = self.runtime().map(Runtime::versions) else { return Ok(()) };
        match published::is_there(&self.config(), versions, &name).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(CreateError::NoSuchApplication(format!("{label}: it is not published")))
            }
            // What cannot be read now may be read when the call begins, which says so.
            Err(error) => {
                tracing::error!(%error, "published workflows cannot be read");
                Ok(())
            }
        }
    }

    /// `flow:NAME`, `flow:NAME@ALIAS` and `flow:NAME@VERSION` of all that is published.
    async fn published_labels(&self) -> Vec<String> {
        let Some(versions) = self.runtime().map(Runtime::versions) else { return Vec::new() };
        let read = async { Ok((versions.numbers().await?, versions.aliases(None).await?)) };
        let (all, aliases) = match read.await {
            Ok(read) => read,
            Err(error) => {
                let error: offhook_flows::store::StoreError = error;
                tracing::error!(%error, "published workflows cannot be read");
                return Vec::new();
            }
        };
        let of_versions = all
            .iter()
            .flat_map(|(name, version)| [format!("flow:{name}"), format!("flow:{name}@{version}")]);
        let of_aliases =
            aliases.iter().map(|alias| format!("flow:{}@{}", alias.machine, alias.name));
        of_versions.chain(of_aliases).collect()
    }
}

/// Those that a configuration names, with a number or without.
fn configured(config: &Config) -> Vec<String> {
    let targets = config.numbers.iter().map(|number| &number.to);
    let numbers = targets.filter(|to| is_application(to)).map(ToString::to_string);
    let lambdas = config.lambdas.iter().map(|lambda| format!("lambda:{}", lambda.name));
    let webhooks = config.webhooks.iter().map(|webhook| format!("webhook:{}", webhook.name));
    numbers.chain(lambdas).chain(webhooks).collect()
}

fn is_application(target: &Target) -> bool {
    matches!(target, Target::Flow(_) | Target::Lambda(_) | Target::Webhook(_))
}

/// The office's calls for programs that name applications by their id.
pub struct ById {
    /// Whose ids.
    pub applications: Arc<Applications>,
    /// Whose calls.
    pub office: OfficeHandle,
}

impl ById {
    /// `FromPhoneNumber` is the extension, `ToPhoneNumber` what its phone would dial.
    async fn click(&self, call: CreateCall) -> Result<String, ApiError> {
        let CreateCall { from: extension, to: number, sip_headers, arguments, .. } = call;
        if !sip_headers.is_empty() || !arguments.is_empty() {
            let words = format!("{CLICK_TO_CALL} takes neither SipHeaders nor ArgumentsMap");
            return Err(ApiError::bad_request(words));
        }
        let call = DialCall { extension, number };
        match begin(&self.applications, &self.office, call).await {
            Ok(begun) => Ok(begun.id),
            Err(DialError::Office(error)) => Err(not_created(error)),
            Err(error) => Err(ApiError::unavailable(error.to_string())),
        }
    }
}

impl Calls for ById {
    fn update(
        &self,
        application: &str,
        transaction: &str,
        arguments: Arguments,
    ) -> Result<(), ApiError> {
        self.office.update(application, transaction, arguments)
    }

    fn create(&self, call: CreateCall) -> BoxFuture<'_, Result<String, ApiError>> {
        Box::pin(async move {
            if call.application == CLICK_TO_CALL {
                return self.click(call).await;
            }
            let label = self.applications.label_of(&call.application).await;
            let application = label.unwrap_or(call.application);
            self.applications.ready(&application).await.map_err(not_created)?;
            self.office.create(CreateCall { application, ..call }).await
        })
    }
}
