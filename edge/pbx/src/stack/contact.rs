//! Completes a Contact with the address of the interface that the request really takes.

use offhook_sip::flow::{Flow, Transport};
use offhook_sip::header::{Contact, HeaderName, Headers};
use offhook_sip::uri::{Host, Uri};

use super::CONTACT_PLACEHOLDER;
use crate::transport::advertise::Addresses;

/// Replaces [`CONTACT_PLACEHOLDER`], when it is there.
pub(super) fn complete(headers: &mut Headers, addresses: &Addresses, flow: &Flow) {
    let wanted = headers
        .get(&HeaderName::Contact)
        .is_some_and(|v| memmem(v.as_bytes(), CONTACT_PLACEHOLDER.as_bytes()));
    if !wanted {
        return;
    }
    let Ok(Some(Contact::Addr(mut addr))) = headers.typed::<Contact>() else { return };
    let Uri::Sip(uri) = &mut addr.uri else { return };
    if !matches!(&uri.host_port.host, Host::Name(name) if **name == *CONTACT_PLACEHOLDER) {
        return;
    }
    uri.host_port = addresses.sent_by(flow);
    match flow.transport {
        Transport::Udp => uri.params.remove("transport"),
        other => uri.params.set("transport", Some(other.param_name())),
    };
    headers.set_typed(&Contact::Addr(addr));
}

fn memmem(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}
