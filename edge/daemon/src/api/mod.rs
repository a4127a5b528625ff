//! AWS's API of calls for programs: `CreateSipMediaApplicationCall` and
//! `UpdateSipMediaApplicationCall` (Amazon Chime SDK Voice API), signed requests over HTTP.
//!
//! > Nothing is done for a request whose signature was not checked, and nothing about a call is
//! > decided here: [`calls::Calls`] does that.

pub mod calls;
pub mod command;
mod door;
mod error;
pub mod keys;
mod operations;
mod rate;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use jiff::Timestamp;
use offhook_chime::sigv4::{self, Received};
use offhook_config::Config;

use self::calls::Calls;
use self::error::ApiError;
use self::keys::KeyFile;
use self::operations::Operation;
use self::rate::Rate;
use self::tls::Tls;

/// The name that this API is signed for.
const SERVICE: &str = "chime";

/// The API's socket, bound and not yet served.
#[derive(Debug)]
pub struct Api {
    listener: std::net::TcpListener,
    tls: Option<Tls>,
    keys: KeyFile,
    rate: Rate,
}

impl Api {
    /// Binds where the configuration says; `None`: nowhere.
    ///
    /// # Errors
    /// In words. Calls of phones do not depend on it.
    pub fn open(config: &Config) -> Result<Option<Self>, String> {
        let api = &config.api;
        let Some(address) = api.listen else { return Ok(None) };
        let failed = |error: &dyn std::fmt::Display| format!("no API on {address}: {error}");
        let tls = match (&api.certificate, &api.key) {
            (Some(certificate), Some(key)) => {
                Some(Tls::load(certificate, key).map_err(|error| failed(&error))?)
            }
            _ => None,
        };
        let listener = std::net::TcpListener::bind(address).map_err(|error| failed(&error))?;
        listener.set_nonblocking(true).map_err(|error| failed(&error))?;
        let keys = KeyFile::of(&config.server.data_dir);
        Ok(Some(Self { listener, tls, keys, rate: Rate::new(api.requests_per_second) }))
    }

    /// Where it is.
    ///
    /// # Errors
    /// Of the socket.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves on a thread of its own until the process ends.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn serve(self, calls: Arc<dyn Calls>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let Self { listener, tls, keys, rate } = self;
        let service = Arc::new(Service { calls, keys, rate });
        let serve = move || {
            let served = runtime.block_on(door::serve(listener, tls, service));
            if let Err(error) = served {
                tracing::error!(%error, "the API is closed");
            }
        };
        std::thread::Builder::new().name("api".into()).spawn(serve).map(drop)
    }
}

/// What answers requests.
pub(crate) struct Service {
    calls: Arc<dyn Calls>,
    keys: KeyFile,
    rate: Rate,
}

impl Service {
    /// Answers one request, whose body is whole.
    pub(crate) async fn answer(&self, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let done = self.perform(head, body).await;
        let mut response = match done {
            Ok((status, body)) => operations::written(status, body),
            Err(error) => error.written(),
        };
        let id = request_id();
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    async fn perform(
        &self,
        head: &Parts,
        body: &[u8],
    ) -> Result<(u16, serde_json::Value), ApiError> {
        let key = self.who(head, body)?;
        if !self.rate.allows(&key, Instant::now()) {
            return Err(ApiError::throttled());
        }
        match operations::read(&head.method, head.uri.path(), body)? {
            Operation::Update { application, transaction, arguments } => {
                self.calls.update(&application, &transaction, arguments)?;
                tracing::info!(key, call = transaction, "a program updates a call");
                Ok((202, operations::call(&transaction)))
            }
            Operation::Create(call) => {
                let application = call.application.clone();
                let transaction = self.calls.create(call).await?;
                tracing::info!(key, call = transaction, application, "a program begins a call");
                Ok((201, operations::call(&transaction)))
            }
        }
    }

    /// The access key that signed.
    fn who(&self, head: &Parts, body: &[u8]) -> Result<String, ApiError> {
        let keys = self.keys.current().map_err(|error| {
            tracing::error!(%error, "no program can be let in");
            ApiError::unavailable("the access keys cannot be read")
        })?;
        let received = Received {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        };
        let secret = |id: &str| keys.secret(id).map(str::to_owned);
        let verified = sigv4::verify(received, SERVICE, Timestamp::now(), secret)?;
        Ok(verified.key_id)
    }
}

/// A GUID, as AWS gives with each answer.
fn request_id() -> String {
    let n = rand::random::<u128>();
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        (n >> 80) & 0xffff,
        (n >> 64) & 0xffff,
        (n >> 48) & 0xffff,
        n & 0xffff_ffff_ffff
    )
}
