//! A conference as phones see it: its address, and who is in it (RFC 4575, RFC 4579).

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request, Response};

use super::scene::Scene;
use crate::net::PATIENCE;

/// The address of a conference, from the Contact that marks it as one.
///
/// # Panics
/// When the answer is no conference's.
pub fn address_of(answer: &Response) -> String {
    let contact = answer.headers.text(&HeaderName::Contact).expect("a Contact").into_owned();
    let (uri, mark) = contact.trim_start_matches('<').split_once('>').expect("a URI");
    assert_eq!(mark, ";isfocus", "{contact}");
    uri.to_owned()
}

/// The number in such an address.
pub fn number_of(uri: &str) -> &str {
    uri.trim_start_matches("sip:").split('@').next().unwrap_or_default()
}

/// SUBSCRIBE to a conference's address by a phone; the answer. `dialog`: the answer to the one
/// before, when this refreshes or ends that subscription.
///
/// # Panics
/// When there is no answer.
pub async fn subscribe(
    scene: &Scene,
    phone: u32,
    uri: &str,
    (expires, dialog): (u32, Option<&Response>),
) -> Response {
    let agent = scene.phone(phone);
    let mut request = Request::new(Method::Subscribe, uri.parse().expect("a URI"))
        .with(HeaderName::Event, "conference")
        .with(HeaderName::Expires, expires.to_string())
        .with(HeaderName::Contact, format!("<{}>", agent.contact()));
    if let Some(answer) = dialog {
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId] {
            let value = answer.headers.text(&name).expect("a header of the dialog").into_owned();
            request = request.with(name, value);
        }
    } else {
        request = request
            .with(HeaderName::From, format!("<sip:{phone}@office.example>"))
            .with(HeaderName::To, format!("<{uri}>"));
    }
    agent.request(request).await.expect("an answer")
}

/// The next NOTIFY of a conference to a phone: version, state of the subscription, and the
/// document.
///
/// # Panics
/// When none comes, or it is not as RFC 4575 wants it.
pub async fn told(scene: &Scene, phone: u32) -> (u32, String, String) {
    let end = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < end {
        // Media threads play tones in real time, which no paused clock waits for.
        let seen = scene.phone(phone).request_seen();
        let Ok(request) = tokio::time::timeout(Duration::from_millis(20), seen).await else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        if request.method != Method::Notify {
            continue;
        }
        let of = |name: HeaderName| request.headers.text(&name).expect("a header").into_owned();
        assert_eq!(of(HeaderName::Event), "conference");
        assert_eq!(of(HeaderName::ContentType), "application/conference-info+xml");
        let body = String::from_utf8(request.body.to_vec()).expect("text");
        let version = body.split("version=\"").nth(2).and_then(|rest| rest.split('"').next());
        let version = version.and_then(|version| version.parse().ok()).expect("a version");
        return (version, of(HeaderName::SubscriptionState), body);
    }
    panic!("{}", scene.net.ladder(""));
}
