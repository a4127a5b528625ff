//! What a server transport writes into the top Via, and where the response then goes.

use std::net::{IpAddr, SocketAddr};

use offhook_sip::flow::Flow;
use offhook_sip::header::Via;
use offhook_sip::message::Request;
use offhook_sip::uri::Host;

/// Stamps `received` and `rport` (RFC 3261 §18.2.1, RFC 3581 §4) and gives back the flow that
/// responses take (§18.2.2). `None`: the top Via cannot be read.
pub(super) fn stamp(request: &mut Request, flow: Flow) -> Option<Flow> {
    let mut via: Via = request.headers.typed().ok()??;
    let source = flow.remote;
    let asks = via.rport().is_some();
    let before = via.clone();
    via.stamp(source);
    if via != before {
        request.headers.set_first_typed(&via);
    }
    if flow.transport.is_reliable() || asks {
        return Some(flow);
    }
    Some(Flow { remote: reply_address(&via, source), ..flow })
}

/// §18.2.2: without rport the response goes to the port of sent-by. Except where that port lies
/// behind a NAT: a sender that names another address than the one it comes from can only be
/// reached where it comes from.
fn reply_address(via: &Via, source: SocketAddr) -> SocketAddr {
    let behind_nat = match &via.sent_by.host {
        Host::Ip(ip) => same(*ip) != same(source.ip()),
        Host::Name(_) => false,
    };
    if behind_nat { source } else { (source.ip(), via.sent_by.port.unwrap_or(5060)).into() }
}

fn same(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}
