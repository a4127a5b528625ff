mod calls;
mod flows;
mod kept;
mod opening;
mod recordings;
mod voicemails;
mod writing;

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use offhook_pbx::event::{CallEvent, CallEventKind, Direction};
use offhook_pbx::keep::*;
use tempfile::TempDir;

use super::*;

/// Awaits a store's answer on this thread.
fn wait<T>(kept: Kept<T>) -> Result<T, KeepError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(kept)
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("offhook.db");
    (folder, path)
}

/// No maintenance and no lingering: nothing happens by itself.
fn quiet() -> Options {
    Options { linger: Duration::ZERO, maintain: false, ..Options::default() }
}

fn opened(path: &Path) -> Store {
    Store::open(path, &quiet()).unwrap()
}

fn later(seconds: u64) -> SystemTime {
    // Whole nanoseconds, as the store keeps them.
    SystemTime::now() + Duration::from_secs(seconds)
}

fn binding(aor: &str, contact: &str, expires: SystemTime) -> Binding {
    Binding {
        aor: aor.into(),
        contact: contact.into(),
        call_id: "c1".into(),
        cseq: 4_294_967_295,
        expires,
        transport: Transport::Tls,
        received: "[2001:db8::1]:5061".parse().unwrap(),
        local: "192.0.2.1:5061".parse().unwrap(),
        user_agent: Some("Desk \"7\"".into()),
        path: vec!["<sip:a;lr>".into(), "<sip:b;lr>, <sip:c>".into()],
        instance: Some("<urn:uuid:1>".into()),
        ice: true,
    }
}

fn call(id: &str, started: SystemTime) -> CallRecord {
    CallRecord {
        id: id.into(),
        started,
        answered: Some(started + Duration::from_secs(3)),
        ended: None,
        from: "+15551230000".into(),
        to: "101".into(),
        original_caller: Some("+442079460000".into()),
        source: "trunk:connect".into(),
        destination: None,
        disposition: "answered".into(),
        failure: None,
        hung_up_by: Some("caller".into()),
        transfers: Vec::new(),
        supervised: Vec::new(),
        cloud: Default::default(),
    }
}

fn note(text: &str, at: SystemTime) -> CallEvent {
    let kind = CallEventKind::Note { text: text.into() };
    CallEvent { at, leg: Some("A".into()), kind }
}

fn message(id: &str, file: &Path) -> Voicemail {
    Voicemail {
        id: id.into(),
        mailbox: "101".into(),
        caller: "+15551230000".into(),
        original_caller: None,
        call_id: "c".into(),
        received: later(0),
        duration_ms: 0,
        file: file.to_owned(),
        heard: false,
        saved: false,
    }
}
