//! Applications by their `SipMediaApplicationId`: what programs and workflows name them by.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_config::{Config, Target};
use offhook_flows::Runtime;
use offhook_pbx::office::{CreateCall, OfficeHandle, application_id};

use super::Applications;
use crate::api::calls::{ApiError, Arguments, Calls};

impl Applications {
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
            let label = self.applications.label_of(&call.application).await;
            let application = label.unwrap_or(call.application);
            self.office.create(CreateCall { application, ..call }).await
        })
    }
}
