//! `/health`: whether a call can come, is heard, and is written down. For monitors that ask by HTTP.

use std::time::Duration;

use axum::http::StatusCode;
use offhook_store::Store;

use crate::desk::Desk;

/// What one part may take to answer: a monitor's patience is short.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks all parts at once; 503 with a line for each that is not well.
pub async fn answer(desk: &Desk) -> (StatusCode, String) {
    let (signalling, database, media) =
        tokio::join!(signalling(desk), database(&desk.store), media(desk));
    let going = desk.office.is_draining().then(|| GOING.to_owned());
    say([signalling, database, media, going].into_iter().flatten().collect())
}

const GOING: &str = "going: new calls are turned away";
const MEDIA: &str = "media: a thread that carries audio has ended; the journal tells why, and \
    Offhook has to be started again";

async fn signalling(desk: &Desk) -> Option<String> {
    match tokio::time::timeout(LIMIT, desk.sip.is_well()).await {
        Ok(true) => None,
        Ok(false) => Some("signalling: no call can come; the journal tells why".to_owned()),
        Err(_) => Some(format!("signalling: no answer within {LIMIT:?}")),
    }
}

async fn media(desk: &Desk) -> Option<String> {
    match tokio::time::timeout(LIMIT, desk.engine.is_well()).await {
        Ok(true) => None,
        Ok(false) => Some(MEDIA.to_owned()),
        Err(_) => Some(format!("media: no answer within {LIMIT:?}")),
    }
}

async fn database(store: &Store) -> Option<String> {
    match tokio::time::timeout(LIMIT, store.probe()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("database: {error}")),
        Err(_) => Some(format!("database: nothing was written within {LIMIT:?}")),
    }
}

fn say(problems: Vec<String>) -> (StatusCode, String) {
    match &problems[..] {
        [] => (StatusCode::OK, "ok\n".to_owned()),
        problems => (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n"),
    }
}
