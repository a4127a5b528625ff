//! `application/conference-info+xml` (RFC 4575 §5).

use std::fmt::Write as _;

use bytes::Bytes;
use offhook_sip::uri::{Host, Uri};

use super::Participant;
use crate::call::identity;

/// Its content type (RFC 4575 §3.4).
pub(super) const CONTENT_TYPE: &str = "application/conference-info+xml";

/// The whole state of a conference (RFC 4575 §4.1). `version` counts the documents of one
/// subscription; `host` is that of the addresses of those who are in it.
pub(super) fn full(
    entity: &str,
    version: u32,
    host: &Host,
    people: &[(u64, Participant)],
) -> Bytes {
    let mut xml = begin(entity, version, "full");
    let count = people.len();
    let _ = write!(xml, "<conference-state><user-count>{count}</user-count></conference-state>");
    xml.push_str("<users>");
    for (at, (id, who)) in people.iter().enumerate() {
        let known = people.iter().position(|(_, one)| one.number == who.number);
        // A number that is there twice is one user with two endpoints (§5.6); those who do not want
        // to be known are each one of their own.
        if who.is_anonymous() {
            user(&mut xml, &format!("sip:anonymous{id}@anonymous.invalid"), &[(*id, who)]);
        } else if known == Some(at) {
            let same = people.iter().filter(|(_, one)| one.number == who.number);
            let same: Vec<_> = same.map(|(id, who)| (*id, who)).collect();
            user(&mut xml, &identity::address(&who.number, host).to_string(), &same);
        }
    }
    xml.push_str("</users></conference-info>");
    xml.into()
}

/// The conference is over.
pub(super) fn deleted(entity: &str, version: u32) -> Bytes {
    let mut xml = begin(entity, version, "deleted");
    xml.push_str("</conference-info>");
    xml.into()
}

/// The address that is subscribed to, as the document names it: without parameters.
pub(super) fn entity_of(uri: &Uri) -> String {
    match uri {
        Uri::Sip(sip) => {
            let mut plain = sip.clone();
            (plain.params, plain.headers) = (Default::default(), None);
            Uri::Sip(plain).to_string()
        }
        other => other.to_string(),
    }
}

fn begin(entity: &str, version: u32, state: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{}\" \
         state=\"{state}\" version=\"{version}\">",
        escaped(entity)
    )
}

fn user(xml: &mut String, entity: &str, endpoints: &[(u64, &Participant)]) {
    let entity = escaped(entity);
    let _ = write!(xml, "<user entity=\"{entity}\" state=\"full\">");
    if let Some(name) = endpoints.iter().find_map(|(_, who)| who.name.as_deref()) {
        let _ = write!(xml, "<display-text>{}</display-text>", escaped(name));
    }
    for (id, who) in endpoints {
        // §5.8: what the participant's side of the stream does.
        let media = if who.muted { "recvonly" } else { "sendrecv" };
        let _ = write!(
            xml,
            "<endpoint entity=\"{entity};endpoint={id}\"><status>connected</status>\
             <media id=\"1\"><type>audio</type><status>{media}</status></media></endpoint>"
        );
    }
    xml.push_str("</user>");
}

/// Text or an attribute's value. Control characters are no characters of XML 1.0.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
