//! The two doors for programs: metrics and health on a local TCP port, and the control socket that
//! the command line uses. Both live on a thread of their own, so that neither delays a message.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use tokio::net::{TcpListener, UnixListener};

use offhook_pbx::office::DialCall;

use crate::desk::Desk;
use crate::health;
use crate::metrics;

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {error}")]
pub struct DoorError {
    place: String,
    error: std::io::Error,
}

/// The doors, bound and not yet served.
#[derive(Debug)]
pub struct Doors {
    tcp: Option<std::net::TcpListener>,
    problem: Option<String>,
    pub(crate) unix: std::os::unix::net::UnixListener,
}

impl Doors {
    /// Binds both. A metrics port that is taken is a warning, not a reason not to take calls.
    pub fn open(address: SocketAddr, socket: &Path) -> Result<Self, DoorError> {
        let (tcp, problem) = match std::net::TcpListener::bind(address) {
            Ok(tcp) => {
                tcp.set_nonblocking(true).map_err(|e| failed(address.to_string(), e))?;
                (Some(tcp), None)
            }
            Err(error) => {
                let problem = format!("no metrics on {address}: {error}");
                tracing::warn!("{problem}");
                (None, Some(problem))
            }
        };
        let name = || socket.display().to_string();
        // A socket file that a killed daemon left: we hold the folder's lock, so it is nobody's.
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(name(), error));
            }
            _ => {}
        }
        let bind = |at: &Path| std::os::unix::net::UnixListener::bind(at);
        let unix = crate::control::at_socket(socket, bind).map_err(|e| failed(name(), e))?;
        let owner_and_group = std::fs::Permissions::from_mode(0o660);
        std::fs::set_permissions(socket, owner_and_group).map_err(|e| failed(name(), e))?;
        unix.set_nonblocking(true).map_err(|e| failed(name(), e))?;
        Ok(Self { tcp, problem, unix })
    }

    /// Why there are no metrics, in words.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Serves until the process ends.
    pub fn serve(self, desk: Arc<Desk>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            runtime.block_on(async move {
                if let Err(error) = self.run(desk).await {
                    tracing::error!(%error, "metrics and control socket are closed");
                }
            });
        };
        std::thread::Builder::new().name("http".into()).spawn(serve).map(drop)
    }

    async fn run(self, desk: Arc<Desk>) -> std::io::Result<()> {
        let control = axum::serve(UnixListener::from_std(self.unix)?, control(Arc::clone(&desk)));
        let Some(tcp) = self.tcp else { return control.await };
        let public = axum::serve(TcpListener::from_std(tcp)?, public(desk));
        let (a, b) = tokio::join!(control.into_future(), public.into_future());
        a.and(b)
    }
}

fn failed(place: String, error: std::io::Error) -> DoorError {
    DoorError { place, error }
}

/// What anybody on this machine may read: numbers, no names.
fn public(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/metrics", get(async |State(desk): State<Arc<Desk>>| metrics_text(&desk)))
        .route("/health", get(async |State(desk): State<Arc<Desk>>| health::answer(&desk).await))
        .with_state(desk)
}

/// What the command line may do.
fn control(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/status", get(async |State(desk): State<Arc<Desk>>| answer(Ok(desk.status()))))
        .route("/metrics", get(async |State(desk): State<Arc<Desk>>| metrics_text(&desk)))
        .route("/reload", post(reload))
        .route("/phones/reload", post(reload_phones))
        .route("/flows/published", post(published))
        .route("/bans", get(async |State(desk): State<Arc<Desk>>| answer(Ok(desk.banned()))))
        .route("/bans/{address}", delete(lift))
        .route("/dial/{extension}/{number}", post(dial))
        .route("/calls/{id}/hangup", post(hang_up))
        .route("/calls/{id}/recording/{order}", post(tape))
        .with_state(desk)
}

fn metrics_text(desk: &Desk) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::text(desk)).into_response()
}

fn answer(outcome: Result<Value, String>) -> Response {
    match outcome {
        Ok(value) => axum::Json(value).into_response(),
        Err(error) => (StatusCode::CONFLICT, axum::Json(json!({"error": error}))).into_response(),
    }
}

/// Does it on the thread of signalling: the tasks that it starts must live there.
async fn at_home<T, F>(
    desk: &Arc<Desk>,
    work: impl FnOnce(Arc<Desk>) -> F + Send + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let done = desk.home.spawn(work(Arc::clone(desk)));
    done.await.map_err(|e| format!("the appliance is ending: {e}"))?
}

async fn reload(State(desk): State<Arc<Desk>>) -> Response {
    let done = at_home(&desk, |desk| async move { desk.reload().await }).await;
    answer(done.map(|changes| json!({"changes": changes})))
}

async fn published(State(desk): State<Arc<Desk>>) -> Response {
    desk.applications.published().await;
    answer(Ok(json!({})))
}

async fn reload_phones(State(desk): State<Arc<Desk>>) -> Response {
    let done = at_home(&desk, |desk| async move { desk.reload_phones().await }).await;
    answer(done.map(|count| json!({"phones": count})))
}

async fn lift(State(desk): State<Arc<Desk>>, UrlPath(address): UrlPath<IpAddr>) -> Response {
    answer(desk.lift_ban(address).map(|()| json!({"lifted": address.to_string()})))
}

async fn hang_up(State(desk): State<Arc<Desk>>, UrlPath(id): UrlPath<String>) -> Response {
    answer(desk.hang_up(&id).map(|()| json!({"hanging_up": id})))
}

async fn dial(
    State(desk): State<Arc<Desk>>,
    UrlPath((extension, number)): UrlPath<(String, String)>,
) -> Response {
    let call = DialCall { extension, number };
    let begun = crate::dial::begin(&desk.applications, &desk.office, call).await;
    answer(begun.map_err(|error| error.to_string()).map(|begun| {
        let by = if begun.by_cloud { "cloud" } else { "office" };
        json!({"call": begun.id, "by": by})
    }))
}

async fn tape(
    State(desk): State<Arc<Desk>>,
    UrlPath((id, order)): UrlPath<(String, String)>,
) -> Response {
    answer(desk.tape(&id, &order).map(|()| json!({"call": id, "recording": order})))
}

/// Where the control socket of this data folder is.
pub fn socket_of(data_dir: &Path) -> PathBuf {
    crate::control::socket_path(data_dir)
}
