//! Asks a trunk by OPTIONS whether it is there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use offhook_config::Trunk;
use offhook_sip::header::{CSeq, HeaderName, MaxForwards, NameAddr};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, StatusCode};
use offhook_sip::uri::Uri;

use super::service::Inner;
use crate::stack::{Owner, SipEvent, Target};

/// First pause after a failure; doubles up to the usual interval, so that a trunk that is back is
/// soon known to be.
const SOON: Duration = Duration::from_secs(5);

/// Asks until the trunk or all trunks are gone. The first question comes at once.
pub(super) async fn watch(inner: Weak<Inner>, trunk: Arc<Trunk>, interval: Duration, mut ids: Ids) {
    let Ok(uri) = trunk.health_uri().parse::<Uri>() else { return };
    let (owner, mut mailbox) = Owner::channel(8);
    let mut token = 0;
    let mut pause = interval;
    loop {
        let Some(strong) = inner.upgrade() else { return };
        token += 1;
        // A new Call-ID each time, so that all addresses of the name get their turn.
        let request = options(&uri, &strong.config.user_agent, &mut ids);
        strong.sip.send(token, request, Target::Uri(uri.clone()), &owner);
        drop(strong);
        let (up, last) = loop {
            match mailbox.recv().await {
                Some(SipEvent::Response { token: of, response, .. })
                    if of == token && response.status.is_final() =>
                {
                    // Any answer proves that somebody is there, except those that say "not now".
                    let up = !matches!(
                        response.status,
                        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT
                    );
                    let code = response.status.code();
                    break (up, format!("{code} {}", response.reason_text()));
                }
                Some(SipEvent::Failed { token: of, kind }) if of == token => {
                    break (false, kind.to_string());
                }
                Some(_) => {}
                None => return,
            }
        };
        let Some(strong) = inner.upgrade() else { return };
        strong.health(&trunk, up, last);
        drop(strong);
        pause = match (up, pause) {
            (true, _) => interval,
            (false, before) if before >= interval => SOON.min(interval),
            (false, before) => (before * 2).min(interval.saturating_sub(Duration::from_millis(1))),
        };
        tokio::time::sleep(pause).await;
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
