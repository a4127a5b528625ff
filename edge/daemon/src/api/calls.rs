//! What the API may do with calls.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use offhook_pbx::office::{CreateCall, CreateError, OfficeHandle, UpdateError};

pub use super::error::ApiError;

/// Arguments of an update: names and values.
pub type Arguments = BTreeMap<String, String>;

/// Control of calls.
pub trait Calls: Send + Sync {
    /// Tells the application of a call `CALL_UPDATE_REQUESTED`; does not wait for what it does.
    ///
    /// # Errors
    /// The call is not told.
    fn update(
        &self,
        application: &str,
        transaction: &str,
        arguments: Arguments,
    ) -> Result<(), ApiError>;

    /// Begins a call and gives its transaction id.
    ///
    /// # Errors
    /// It is not begun.
    fn create(&self, call: CreateCall) -> BoxFuture<'_, Result<String, ApiError>>;
}

impl Calls for OfficeHandle {
    fn update(
        &self,
        application: &str,
        transaction: &str,
        arguments: Arguments,
    ) -> Result<(), ApiError> {
        let updated = self.update_call_of(application, transaction, arguments);
        updated.map_err(|error| match error {
            UpdateError::NotFound => ApiError::not_found(format!(
                "The requested resource couldn't be found: {application} runs no call {transaction}"
            )),
            UpdateError::TooManyArguments => ApiError::bad_request(error.to_string()),
            UpdateError::Busy => ApiError::throttled(),
        })
    }

    fn create(&self, call: CreateCall) -> BoxFuture<'_, Result<String, ApiError>> {
        let creating = self.create_call(call);
        Box::pin(async move { creating.await.map_err(not_created) })
    }
}

/// As the API says it.
pub fn not_created(error: CreateError) -> ApiError {
    let words = error.to_string();
    match error {
        // The operation has no NotFoundException.
        CreateError::NoSuchApplication(_)
        | CreateError::NoSuchExtension(_)
        | CreateError::InvalidNumber(_)
        | CreateError::InvalidHeader(_)
        | CreateError::TooMany(_) => ApiError::bad_request(words),
        CreateError::Refused(_) => ApiError::forbidden(words),
        CreateError::Full => ApiError::limit_exceeded(words),
        CreateError::Closing => ApiError::unavailable(words),
    }
}
