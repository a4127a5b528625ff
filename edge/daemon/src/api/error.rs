//! Errors as AWS writes them: the name in `x-amzn-errortype`, `Code` and `Message` in the body.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use offhook_chime::sigv4::AuthError;
use serde_json::json;

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    /// `BadRequestException`.
    name: &'static str,
    /// `BadRequest`: one of the API's `ErrorCode`; those of the signature have none.
    code: Option<&'static str>,
    message: String,
}

impl ApiError {
    fn new(
        status: u16,
        name: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { status, name, code: Some(code), message: message.into() }
    }

    /// The request makes no sense.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequestException", "BadRequest", message)
    }

    /// It is not allowed.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "ForbiddenException", "Forbidden", message)
    }

    /// There is no such call.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NotFoundException", "NotFound", message)
    }

    /// There are as many calls as there may be.
    #[must_use]
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(400, "ResourceLimitExceededException", "ResourceLimitExceeded", message)
    }

    /// Too many requests.
    #[must_use]
    pub fn throttled() -> Self {
        Self::new(429, "ThrottledClientException", "Throttled", "Rate exceeded")
    }

    /// Not now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailableException", "ServiceUnavailable", message)
    }

    /// Whether the same may go well a little later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// There is no such operation here.
    pub(super) fn unknown_operation() -> Self {
        let message = "Offhook has CreateSipMediaApplicationCall and UpdateSipMediaApplicationCall";
        Self { code: None, ..Self::new(404, "UnknownOperationException", "", message) }
    }

    /// The body is larger than any of this API.
    pub(super) fn too_large() -> Self {
        let message = "Request size exceeded";
        Self { code: None, ..Self::new(413, "RequestEntityTooLargeException", "", message) }
    }

    /// The body did not come in time.
    pub(super) fn too_slow() -> Self {
        let message = "The request was not received in time";
        Self { code: None, ..Self::new(408, "RequestTimeoutException", "", message) }
    }

    /// As an answer.
    pub(super) fn written(&self) -> Response<Full<Bytes>> {
        let body = match self.code {
            Some(code) => json!({"Code": code, "Message": self.message}),
            None => json!({"Message": self.message}),
        };
        let mut response = super::operations::written(self.status, body);
        let headers = response.headers_mut();
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.name));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == 429 {
            headers.insert("retry-after", HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self { status: 403, name: error.name(), code: None, message: error.to_string() }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
