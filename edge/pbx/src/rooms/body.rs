//! `application/conference-info+xml` (RFC 4575 §5).

use std::fmt::Write as _;

use bytes::Bytes;
use offhook_sip::uri::{Host, Uri};

use super::Participant;
use crate::call::identity;

/// Its content type (RFC 4575 §3.4).
pub(super) const CONTENT_TYPE: &str = "application/conference-info+xml";

/// Octets of a document that goes into a datagram with its request, whose lines are some 450 more:
/// both fit a packet of an Ethernet, where phones that are reached over UDP are.
pub(super) const DATAGRAM: usize = 1_000;

/// How much is said of those who are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Endpoints,
    Names,
    Count,
}

/// The whole state of a conference (RFC 4575 §4.1). `version` counts the documents of one
/// subscription; `host` is that of the addresses of those who are in it. Where that is longer than
/// `most` octets, it says who is there but not by what, and else how many they are: elements of
/// which something is left out are marked as partial (§4.4).
pub(super) fn full(
    entity: &str,
    version: u32,
    host: &Host,
    people: &[(u64, Participant)],
    most: usize,
) -> Bytes {
    let document = |detail| document(entity, version, host, people, detail);
    let mut details = [Detail::Endpoints, Detail::Names].into_iter().map(document);
    let fits = details.find(|xml| xml.len() <= most);
    fits.unwrap_or_else(|| document(Detail::Count)).into()
}

fn document(
    entity: &str,
    version: u32,
    host: &Host,
    people: &[(u64, Participant)],
    detail: Detail,
) -> String {
    let mut xml = begin(entity, version, "full");
    let count = people.len();
    let _ = write!(xml, "<conference-state><user-count>{count}</user-count></conference-state>");
    if detail == Detail::Count {
        xml.push_str("<users state=\"partial\"></users></conference-info>");
        return xml;
    }
    let endpoints = detail == Detail::Endpoints;
    xml.push_str("<users>");
    for (at, (id, who)) in people.iter().enumerate() {
        let known = people.iter().position(|(_, one)| one.number == who.number);
        // A number that is there twice is one user with two endpoints (§5.6); those who do not want
        // to be known are each one of their own.
        if who.is_anonymous() {
            let entity = format!("sip:anonymous{id}@anonymous.invalid");
            user(&mut xml, &entity, &[(*id, who)], endpoints);
        } else if known == Some(at) {
            let same = people.iter().filter(|(_, one)| one.number == who.number);
            let same: Vec<_> = same.map(|(id, who)| (*id, who)).collect();
            let entity = identity::address(&who.number, host).to_string();
            user(&mut xml, &entity, &same, endpoints);
        }
    }
    xml.push_str("</users></conference-info>");
    xml
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

fn user(xml: &mut String, entity: &str, endpoints: &[(u64, &Participant)], all: bool) {
    let entity = escaped(entity);
    let state = if all { "full" } else { "partial" };
    let _ = write!(xml, "<user entity=\"{entity}\" state=\"{state}\">");
    if let Some(name) = endpoints.iter().find_map(|(_, who)| who.name.as_deref()) {
        let _ = write!(xml, "<display-text>{}</display-text>", escaped(name));
    }
    for (id, who) in endpoints.iter().filter(|_| all) {
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

/// Text or an attribute's value. Control characters and the last two of Unicode's first plane are no
/// characters of XML 1.0 (§2.2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
