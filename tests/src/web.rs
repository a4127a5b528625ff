//! An HTTP server on a thread of its own, which answers as a closure says.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use offhook_chime::sigv4::{self, AuthError, Received, Verified};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST`.
    pub method: String,
    /// From the first slash on, as it stood in the request.
    pub path: String,
    /// After the question mark; or empty.
    pub query: String,
    /// All of them.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Asked {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whose signature (SigV4) it bears for a service of AWS's at a time, when these are the only
    /// credentials.
    ///
    /// # Errors
    /// What AWS would refuse it with.
    pub fn signed(
        &self,
        service: &str,
        now: Timestamp,
        (key, secret): (&str, &str),
    ) -> Result<Verified, AuthError> {
        let received = Received {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        };
        let secret = |id: &str| (id == key).then(|| secret.to_owned());
        sigv4::verify(received, service, now, secret)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Says {
    /// 200 and so on.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Says {
    /// With a body of JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    /// With any body.
    pub fn text(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self { status, headers, body: body.as_bytes().to_vec() }
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: 204, ..Self::default() }
    }

    /// With one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The server. Dropping it ends it.
pub struct Web {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// Serves on a loopback address. `answer` may block: each request has a thread.
    pub fn start(answer: impl Fn(Asked) -> Says + Send + Sync + 'static) -> Self {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into(), answer)
    }

    /// The same on an address of the test's own.
    pub fn start_on(
        address: SocketAddr,
        answer: impl Fn(Asked) -> Says + Send + Sync + 'static,
    ) -> Self {
        Self::run(address, None, answer)
    }

    /// The same with TLS, under a certificate for `localhost` that nobody vouches for; and that
    /// certificate, as PEM.
    pub fn start_self_signed(
        answer: impl Fn(Asked) -> Says + Send + Sync + 'static,
    ) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider's own")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .expect("a certificate and its key");
        let tls = TlsAcceptor::from(Arc::new(config));
        let web = Self::run((Ipv4Addr::LOCALHOST, 0).into(), Some(tls), answer);
        (web, made.cert.pem())
    }

    fn run(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        answer: impl Fn(Asked) -> Says + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let answer = Arc::new(answer);
        let connections: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&connections);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    () = accept(listener, tls, count, answer) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, connections, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept<F>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Arc<AtomicUsize>,
    answer: Arc<F>,
) where
    F: Fn(Asked) -> Says + Send + Sync + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let (answer, tls) = (Arc::clone(&answer), tls.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| serve(request, Arc::clone(&answer)));
            let http = hyper::server::conn::http1::Builder::new();
            match tls {
                None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                }
            }
        });
    }
}

async fn serve<F>(
    request: Request<Incoming>,
    answer: Arc<F>,
) -> Result<Response<Full<Bytes>>, Infallible>
where
    F: Fn(Asked) -> Says + Send + Sync + 'static,
{
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    let says = tokio::task::spawn_blocking(move || answer(asked)).await.unwrap_or_else(|error| {
        Says::text(500, "text/plain", &format!("the test's server broke: {error}"))
    });
    let start = Response::builder().status(says.status);
    let response = says.headers.iter().fold(start, |response, (n, v)| response.header(n, v));
    Ok(response.body(Full::new(Bytes::from(says.body))).expect("an answer"))
}
