//! Amazon Lex V2 as far as `StartConversation` goes: bots that a test writes, behind HTTP/2, event
//! streams, and signatures of the request and of each event that are checked.

mod bot;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, poll_fn};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::{SignedDuration, Timestamp};
use offhook_chime::eventstream::{Decoder, Value};
use offhook_chime::sigv4::{self, Credentials, Received, Scope, Seal};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use self::bot::read;
pub use self::bot::{Bot, Told};

/// The access key that it takes: that of the Lambda server of tests, since an office has one.
pub const KEY: &str = "AKIALAMBDATEST";
/// Its secret.
pub const SECRET: &str = "secret-of-the-lambda-server-of-tests";

/// What is done with a request.
pub enum Plan {
    /// An HTTP status, an exception and its message.
    Refuses(u16, &'static str, &'static str),
    /// Nothing, for ever.
    Hangs,
    /// An answer is begun, and nothing of what comes is read.
    Deaf,
    /// A bot talks.
    Talks(Box<dyn FnOnce(Bot) -> BoxFuture<'static, ()> + Send>),
}

impl Plan {
    /// A bot that does this.
    pub fn talks<F: Future<Output = ()> + Send + 'static>(
        bot: impl FnOnce(Bot) -> F + Send + 'static,
    ) -> Self {
        Self::Talks(Box::new(move |told| Box::pin(bot(told))))
    }
}

/// A request's path in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which it was signed for.
    pub region: String,
    /// The bot's id.
    pub bot: String,
    /// Its alias.
    pub alias: String,
    /// `en_US`.
    pub locale: String,
    /// The session's id.
    pub session: String,
}

/// Octets of a request that may be under way: few, so that who is not heard notices.
const WINDOW: u32 = 16 << 10;

/// By how many milliseconds the time of an event may be another one than here.
const SKEW: u64 = 5 * 60 * 1000;

type Planner = dyn Fn(&Asked) -> Plan + Send + Sync;

struct Inner {
    plan: Box<Planner>,
    asked: Mutex<Vec<Asked>>,
    told: Mutex<Vec<Told>>,
    /// What was not signed, or signed wrongly.
    forged: Mutex<Vec<String>>,
    open: AtomicUsize,
    tls: Option<TlsAcceptor>,
    /// How far its clock is before ours.
    ahead: SignedDuration,
}

impl Inner {
    fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.ahead).expect("a time")
    }
}

/// The server. Dropping it ends it.
pub struct LexServer {
    address: SocketAddr,
    inner: Arc<Inner>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LexServer {
    /// One that does with each request what `plan` says.
    pub fn start(
        address: SocketAddr,
        plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static,
    ) -> Self {
        Self::run(address, None, SignedDuration::ZERO, plan)
    }

    /// The same with TLS.
    pub fn start_tls(
        address: SocketAddr,
        config: rustls::ServerConfig,
        plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static,
    ) -> Self {
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::run(address, Some(tls), SignedDuration::ZERO, plan)
    }

    /// The same whose clock is so far before ours.
    pub fn start_ahead(
        address: SocketAddr,
        ahead: SignedDuration,
        plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static,
    ) -> Self {
        Self::run(address, None, ahead, plan)
    }

    fn run(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        ahead: SignedDuration,
        plan: impl Fn(&Asked) -> Plan + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Inner {
            plan: Box::new(plan),
            asked: Mutex::default(),
            told: Mutex::default(),
            forged: Mutex::default(),
            open: AtomicUsize::new(0),
            tls,
            ahead,
        });
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&inner);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, inner, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is: `http://…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// At which port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.inner.open.load(Ordering::SeqCst)
    }

    /// Which bots were asked for.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.inner.asked).clone()
    }

    /// All that bots were told, but for sound.
    pub fn told(&self) -> Vec<Told> {
        locked(&self.inner.told).clone()
    }

    /// Requests and events without a good signature.
    pub fn forged(&self) -> Vec<String> {
        locked(&self.inner.forged).clone()
    }
}

impl Drop for LexServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        let inner = Arc::clone(&inner);
        inner.open.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let shared = Arc::clone(&inner);
            let service = service_fn(move |request| serve(request, Arc::clone(&shared)));
            let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            http.initial_stream_window_size(WINDOW);
            match inner.tls.clone() {
                None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        drop(http.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
            inner.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

fn body(mut from: mpsc::Receiver<Bytes>) -> StreamBody<Pieces> {
    let pieces = poll_fn(move |context| {
        from.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    });
    StreamBody::new(Box::pin(pieces))
}

async fn serve(
    request: Request<Incoming>,
    inner: Arc<Inner>,
) -> Result<Response<StreamBody<Pieces>>, Infallible> {
    let (head, incoming) = request.into_parts();
    let (says, from) = mpsc::channel(64);
    let date = inner.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer = |status: u16, kind: &str, body: StreamBody<Pieces>| {
        let answer = Response::builder().status(status).header("date", &date);
        let answer = answer.header("x-amzn-errortype", kind);
        Ok(answer.body(body).expect("an answer"))
    };
    let (asked, seal) = match signed(&head, inner.now()) {
        Ok(signed) => signed,
        Err(words) => {
            locked(&inner.forged).push(words);
            drop(says);
            return answer(403, "InvalidSignatureException", body(from));
        }
    };
    locked(&inner.asked).push(asked.clone());
    match (inner.plan)(&asked) {
        Plan::Refuses(status, kind, message) => {
            let words = json!({ "message": message }).to_string();
            says.try_send(words.into()).expect("room");
            drop(says);
            answer(status, kind, body(from))
        }
        Plan::Hangs => std::future::pending().await,
        Plan::Deaf => {
            tokio::spawn(async move {
                let _kept = (incoming, says);
                std::future::pending::<()>().await;
            });
            Ok(streams(&date, from))
        }
        Plan::Talks(bot) => {
            let (tells, told) = mpsc::channel(1000);
            tokio::spawn(hear(incoming, seal, tells, inner));
            tokio::spawn(bot(Bot { says, told, asked, events: 0 }));
            Ok(streams(&date, from))
        }
    }
}

/// A stream begins.
fn streams(date: &str, from: mpsc::Receiver<Bytes>) -> Response<StreamBody<Pieces>> {
    let kind = "application/vnd.amazon.eventstream";
    let answer = Response::builder().status(200).header("date", date);
    answer.header("content-type", kind).body(body(from)).expect("an answer")
}

/// Whether the request is signed by whom it may be, and asks for a conversation.
fn signed(head: &hyper::http::request::Parts, now: Timestamp) -> Result<(Asked, Seal), String> {
    let mut headers: HeaderMap = head.headers.clone();
    // HTTP/2 has it in the address.
    let authority = head.uri.authority().ok_or("no :authority")?.as_str();
    headers.insert("host", authority.parse().map_err(|_| "no host")?);
    let received = Received {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &[],
    };
    let secret = |id: &str| (id == KEY).then(|| SECRET.to_owned());
    let (verified, signature) =
        sigv4::verify_streamed(received, "lex", now, secret).map_err(|error| error.to_string())?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("content-type") != Some("application/vnd.amazon.eventstream")
        || text("x-amz-lex-conversation-mode") != Some("AUDIO")
        || head.method != "POST"
    {
        return Err(format!("no conversation of sound: {headers:?}"));
    }
    let parts: Vec<&str> = head.uri.path().split('/').collect();
    let [
        "",
        "bots",
        bot,
        "botAliases",
        alias,
        "botLocales",
        locale,
        "sessions",
        session,
        "conversation",
    ] = parts[..]
    else {
        return Err(format!("{} is no operation", head.uri.path()));
    };
    let asked = Asked {
        region: verified.region.clone(),
        bot: bot.to_owned(),
        alias: alias.to_owned(),
        locale: locale.to_owned(),
        session: session.to_owned(),
    };
    let scope = Scope { region: &verified.region, service: "lex" };
    Ok((asked, Seal::new(Credentials::new(KEY, SECRET), scope, signature)))
}

/// Reads the caller's side. What is not signed, or not in its turn, ends it.
async fn hear(mut body: Incoming, mut seal: Seal, tells: mpsc::Sender<Told>, inner: Arc<Inner>) {
    let mut decoder = Decoder::default();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        let pushed = decoder.push(data);
        let mut messages = Vec::new();
        while let (Ok(()), Ok(Some(message))) = (&pushed, decoder.message()) {
            messages.push(message);
        }
        for message in messages {
            let at = match message.get(":date") {
                Some(Value::Timestamp(at)) => *at,
                _ => 0,
            };
            if inner.now().as_millisecond().abs_diff(at) > SKEW {
                return locked(&inner.forged).push(format!("an event was signed at {at}"));
            }
            let told = seal.open(&message).ok_or("a signature is wrong".to_owned());
            match told.and_then(|event| read(&event)) {
                Ok(told) => {
                    if !matches!(told, Told::Audio(_)) {
                        locked(&inner.told).push(told.clone());
                    }
                    // A bot that does not listen any more misses it.
                    let _ = tells.send(told).await;
                }
                Err(words) => return locked(&inner.forged).push(words),
            }
        }
    }
    locked(&inner.told).push(Told::Over);
    let _ = tells.send(Told::Over).await;
}
