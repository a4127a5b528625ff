//! What a server transport writes into the top Via (RFC 3261 §18.2.1, RFC 3581 §4). From it the
//! transaction layer knows where responses go (§18.2.2).

use std::net::SocketAddr;

use offhook_sip::flow::Flow;
use offhook_sip::header::Via;
use offhook_sip::message::Request;
use offhook_sip::uri::Host;

/// Stamps `received` and `rport`. `false`: the top Via cannot be read.
pub(super) fn stamp(request: &mut Request, flow: &Flow) -> bool {
    let Ok(Some(mut via)) = request.headers.typed::<Via>() else { return false };
    let before = via.clone();
    let source = flow.remote;
    // Without rport the response goes to the port of sent-by. Except where that port lies behind a
    // NAT: a sender that names another address than the one it comes from can only be reached
    // where it comes from, whether it asked for that or not.
    if !flow.transport.is_reliable() && via.rport().is_none() && behind_nat(&via, source) {
        via.params.set("rport", None);
    }
    via.stamp(source);
    if via != before {
        request.headers.set_first_typed(&via);
    }
    true
}

fn behind_nat(via: &Via, source: SocketAddr) -> bool {
    match &via.sent_by.host {
        Host::Ip(ip) => ip.to_canonical() != source.ip().to_canonical(),
        Host::Name(_) => false,
    }
}
