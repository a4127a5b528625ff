//! Asks a trunk by OPTIONS whether it is there.
//!
//! > What is found here orders the trunks and refuses nobody: a call whose trunks are all down is
//! > still tried over each of them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use offhook_config::Trunk;
use offhook_sip::header::{CSeq, HeaderName, MaxForwards, NameAddr};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, StatusCode};
use offhook_sip::uri::Uri;
use tokio::sync::mpsc;

use super::line::Line;
use super::service::Inner;
use crate::stack::{Owner, SipEvent, Target};

/// First pause after a failure; doubles, so that a trunk that is back is soon known to be.
const SOON: Duration = Duration::from_secs(2);
/// Longest pause while a trunk is down.
const LATEST: Duration = Duration::from_secs(30);
/// What is noted of a trunk that was not asked, but heard.
const HEARD: &str = "a call came through";

/// Asks until the trunk or all trunks are gone. The first question comes at once.
pub(super) async fn watch(
    inner: Weak<Inner>,
    trunk: Arc<Trunk>,
    line: Arc<Line>,
    interval: Duration,
    mut ids: Ids,
) {
    let Ok(uri) = trunk.health_uri().parse::<Uri>() else { return };
    let (owner, mut mailbox) = Owner::channel(8);
    let mut token = 0;
    let mut failures = 0;
    loop {
        let Some(strong) = inner.upgrade() else { return };
        token += 1;
        line.listen();
        // A new Call-ID each time, so that all addresses of the name get their turn.
        let request = options(&uri, &strong.config.user_agent, &mut ids);
        strong.sip.send(token, request, Target::Uri(uri.clone()), &owner);
        drop(strong);
        let found = tokio::select! {
            answer = answer(&mut mailbox, token) => match answer {
                // Some carriers leave OPTIONS unanswered and calls not.
                Some((false, _)) if line.was_heard() => (true, HEARD.to_owned()),
                Some(found) => found,
                None => return,
            },
            () = line.back() => (true, HEARD.to_owned()),
        };
        failures = if found.0 { 0 } else { failures + 1 };
        let pause = pause(failures, interval, &mut ids);
        let Some(strong) = inner.upgrade() else { return };
        line.set_down(!found.0);
        strong.health(&trunk, found.0, found.1);
        drop(strong);
        let heard = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = line.back() => true,
        };
        if heard {
            failures = 0;
            let Some(strong) = inner.upgrade() else { return };
            strong.health(&trunk, true, HEARD.to_owned());
            drop(strong);
            tokio::time::sleep(interval).await;
        }
    }
}

/// 2, 4, 8 … 30 s, each up to a quarter shorter, so that trunks that went down together are not
/// asked together.
fn pause(failures: u32, interval: Duration, ids: &mut Ids) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return interval };
    let pause = SOON.saturating_mul(1 << doublings.min(8)).min(LATEST).min(interval);
    let [random] = ids.bytes::<1>();
    pause.mul_f64(1.0 - f64::from(random) / 1024.0)
}

/// Whether the trunk is there, and what it or the stack said; `None`: the stack is gone.
async fn answer(mailbox: &mut mpsc::Receiver<SipEvent>, token: u64) -> Option<(bool, String)> {
    loop {
        match mailbox.recv().await? {
            SipEvent::Response { token: of, response, .. }
                if of == token && response.status.is_final() =>
            {
                // Any answer proves that somebody is there, except those that say "not now".
                let up = !matches!(
                    response.status,
                    StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT
                );
                let code = response.status.code();
                return Some((up, format!("{code} {}", response.reason_text())));
            }
            SipEvent::Failed { token: of, kind } if of == token => {
                return Some((false, kind.to_string()));
            }
            _ => {}
        }
    }
}

/// RFC 3261 §11.1.
fn options(uri: &Uri, user_agent: &str, ids: &mut Ids) -> Request {
    let mut request = Request::new(Method::Options, uri.clone());
    let headers = &mut request.headers;
    let mut local = uri.clone();
    if let Some(sip) = local.as_sip_mut() {
        sip.user = Some("offhook".into());
    }
    headers.push_typed(&MaxForwards(70));
    let from = NameAddr::new(local).with_tag(&ids.tag());
    headers.push(HeaderName::From, from.to_string());
    headers.push(HeaderName::To, NameAddr::new(uri.clone()).to_string());
    headers.push(HeaderName::CallId, ids.call_id());
    headers.push_typed(&CSeq { seq: 1, method: Method::Options });
    let contact = format!("<sip:offhook@{}>", crate::stack::CONTACT_PLACEHOLDER);
    headers.push(HeaderName::Contact, contact);
    headers.push(HeaderName::Accept, "application/sdp");
    headers.push(HeaderName::UserAgent, user_agent);
    request
}
