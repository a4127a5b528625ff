//! Applications by their `SipMediaApplicationId`: what programs and workflows name them by.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_config::Target;
use offhook_pbx::office::{CreateCall, OfficeHandle, application_id};

use super::Applications;
use crate::api::calls::{ApiError, Arguments, Calls};

impl Applications {
    /// What `to` of a number says, by the id that events tell; the words themselves are taken too.
    pub(super) fn label_of(&self, id: &str) -> Option<String> {
        let config = self.config();
        let targets = config.numbers.iter().map(|number| &number.to);
        let known = targets.filter(|to| is_application(to)).map(ToString::to_string);
        let mut known = known.filter(|label| label == id || application_id(label) == id);
        let spelled = || id.parse::<Target>().ok().filter(is_application).map(|_| id.to_owned());
        known.next().or_else(spelled)
    }
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
        let application = self.applications.label_of(&call.application).unwrap_or(call.application);
        self.office.create(CreateCall { application, ..call })
    }
}
