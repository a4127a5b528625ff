//! What is particular to a leg with a browser: who is one, where its audio comes to, and how it is
//! found again.

use offhook_config::Config;
use offhook_media::webrtc::Peer;
use offhook_sip::dialog::Dialog;
use offhook_sip::flow::Transport;
use offhook_sip::uri::Uri;

use super::leg::{Leg, Party, Way};
use crate::office::Phonebook;
use crate::stack::MediaAddress;

impl Leg {
    /// A page that lost its WebSocket, as in a change of networks, comes back over another one and
    /// registers the same Contact there. Nobody can go to a browser, and nobody else can have that
    /// Contact under its account: what is left of its call goes that way (RFC 5626 §5.3).
    ///
    /// The newest registration wins even while the call's own connection looks open: after a change
    /// of networks it looks so until the wire gives it up, which takes a minute and a half, and the
    /// call may end before. Two pages are not mistaken for each other, because the libraries make up
    /// the Contact of each page. Pages that are all told to use one Contact replace each other's
    /// binding, and with it the way to a call (RFC 3261 §10.3).
    pub(super) fn follow_browser(&mut self, phonebook: &dyn Phonebook) {
        let (Party::Phone(number), Way::Flow(flow)) = (&self.party, self.way) else { return };
        let Some(Uri::Sip(target)) = self.session.dialog().map(Dialog::remote_target) else {
            return;
        };
        if flow.transport != Transport::Wss {
            return;
        }
        let place = (&target.user, &target.host_port);
        let is_it =
            |uri: &Uri| matches!(uri, Uri::Sip(uri) if (&uri.user, &uri.host_port) == place);
        let found = phonebook.contacts(number).into_iter().find(|contact| is_it(&contact.uri));
        if let Some(contact) = found.filter(|contact| contact.flow.transport == Transport::Wss) {
            self.way = Way::Flow(contact.flow);
        }
    }
}

/// Who is at the other end of a leg: pages speak over WebSocket, and nobody else does.
pub(super) fn peer_over(signalling: Transport) -> Peer {
    if signalling == Transport::Wss { Peer::Browser } else { Peer::Phone }
}

/// Where media of a browser's leg is bound, and its one candidate; `address`: signalling's. Where
/// `[webrtc] address` names an address, the port is nowhere else, whichever one a browser, or a proxy
/// before us, took for signalling: it is the candidate (RFC 8445 §5.1.1.1), unless who is outside is
/// told the NAT's.
pub(super) fn webrtc_address(config: &Config, address: MediaAddress) -> MediaAddress {
    let bind = config.webrtc.address.ip().to_canonical();
    if bind.is_unspecified() {
        return address;
    }
    let behind_nat =
        address.advertised != address.bind && address.advertised.is_ipv4() == bind.is_ipv4();
    MediaAddress { bind, advertised: if behind_nat { address.advertised } else { bind } }
}

#[cfg(test)]
mod tests;
