//! Requests we send.

use std::time::Instant;

use bytes::Bytes;

use super::client::{Client, Invite, Machine};
use super::timers::Deadlines;
use super::{Action, ClientTx, Event, Input, Overloaded, TransactionLayer, Transmit, TxId};
use crate::flow::Flow;
use crate::header::{Headers, Via};
use crate::message::{Method, Request, Response, StatusCode};
use crate::uri::HostPort;

impl TransactionLayer {
    /// Starts a transaction: puts our Via with a new branch on top of `request`, sends it over
    /// `flow`, and sends it again as its transport asks for. `sent_by` is the address at which
    /// responses reach us. Not for CANCEL ([`Self::cancel`]) and ACK ([`Self::send_stateless`]).
    ///
    /// # Errors
    /// [`Overloaded`] when the table is full; nothing is sent then.
    pub fn send_request(
        &mut self,
        now: Instant,
        mut request: Request,
        flow: Flow,
        sent_by: &HostPort,
    ) -> Result<ClientTx, Overloaded> {
        let in_dialog = request.to_tag().is_some();
        let reserve = if in_dialog { 0 } else { self.config.client_reserve };
        if self.clients.len() + reserve >= self.config.max_client {
            return Err(Overloaded);
        }
        let via = self.add_via(&mut request, flow, sent_by);
        let tx = ClientTx(self.next_id());
        self.start_client(now, tx, &request, flow, &via);
        self.tidy();
        Ok(tx)
    }

    /// Gives an INVITE up (RFC 3261 §9.1): sends a CANCEL that carries `extra`, at once or as soon
    /// as a provisional response has come. A final response to the INVITE still follows, or a
    /// timeout; it may be a 2xx, which then wants ACK and BYE.
    ///
    /// `None`: not an INVITE, already answered, or already cancelled. A CANCEL that turned out to
    /// be unnecessary only reports [`Event::Terminated`].
    pub fn cancel(&mut self, now: Instant, invite: ClientTx, extra: Headers) -> Option<ClientTx> {
        use super::client_invite::State::{Calling, Proceeding};
        let client = self.clients.get(&invite)?;
        if !matches!(client.machine, Machine::Invite(Calling | Proceeding)) {
            return None;
        }
        let cancel = ClientTx(self.next_id());
        self.clients.get_mut(&invite)?.invite.as_mut()?.cancel = Some((cancel, extra));
        self.drive_client(now, invite, Some(Input::Cancel), None);
        self.tidy();
        Some(cancel)
    }

    /// Sends a request once, with our Via on top: the ACK to a 2xx (RFC 3261 §13.2.2.4), which its
    /// owner repeats for each retransmitted 2xx.
    pub fn send_stateless(&mut self, mut request: Request, flow: Flow, sent_by: &HostPort) {
        self.add_via(&mut request, flow, sent_by);
        self.transmit(flow, request.to_bytes());
    }

    /// A connection was lost or could not be made, or the peer's host says that nobody listens:
    /// requests on that way fail now instead of timing out (§17.1.4). Responses are left alone,
    /// since a retransmitted request may open a new way for them.
    pub fn transport_failed(&mut self, now: Instant, flow: &Flow) {
        let same_way = |other: &Flow| {
            other.transport == flow.transport
                && other.remote == flow.remote
                && (other.connection == flow.connection
                    || other.connection.is_none()
                    || flow.connection.is_none())
        };
        let mut failed: Vec<ClientTx> =
            self.clients.iter().filter(|(_, c)| same_way(&c.flow)).map(|(id, _)| *id).collect();
        failed.sort_unstable();
        for tx in failed {
            self.drive_client(now, tx, Some(Input::TransportError), None);
        }
        self.tidy();
    }

    fn add_via(&mut self, request: &mut Request, flow: Flow, sent_by: &HostPort) -> Via {
        let mut via = Via::new(flow.transport, sent_by.clone(), &self.ids.branch());
        // RFC 3581 §3: the answer shall come back through the same address translation.
        via.params.set("rport", None);
        request.headers.push_front_typed(&via);
        via
    }

    fn start_client(
        &mut self,
        now: Instant,
        tx: ClientTx,
        request: &Request,
        flow: Flow,
        via: &Via,
    ) {
        let key = self.keys.client(via.branch().unwrap_or_default(), &request.method);
        let machine = Machine::new(&request.method);
        let mut timers = Deadlines::default();
        for timer in machine.first_timers() {
            timers.arm(now, timer, &self.config, flow.transport.is_reliable());
        }
        self.queue.schedule(TxId::Client(tx), &mut timers);
        let kept = request.to_bytes();
        self.transmit(flow, kept.clone());
        let invite = (request.method == Method::Invite).then(|| Box::new(Invite::of(request)));
        self.client_keys.insert(key, tx);
        let client = Client { key, flow, machine, timers, kept, heard: false, invite };
        self.clients.insert(tx, client);
    }

    pub(super) fn receive_response(&mut self, now: Instant, response: Response, flow: Flow) {
        let found = self.client_of(&response);
        let Some((tx, client)) = found.and_then(|tx| Some((tx, self.clients.get_mut(&tx)?))) else {
            if self.config.report_stray {
                self.events.push_back(Event::StrayResponse { response, flow });
            }
            return;
        };
        let status = response.status;
        if status == StatusCode::TRYING && client.heard {
            return;
        }
        client.heard |= status.is_provisional();
        self.drive_client(now, tx, Some(status.into()), Some((response, flow)));
    }

    /// §17.1.3.
    fn client_of(&self, response: &Response) -> Option<ClientTx> {
        let via = response.top_via().ok()?;
        let cseq = response.cseq().ok()?;
        self.client_keys.get(&self.keys.client(via.branch()?, &cseq.method)).copied()
    }

    /// Feeds `input` to a transaction, and after it whatever timers are due.
    pub(super) fn drive_client(
        &mut self,
        now: Instant,
        tx: ClientTx,
        input: Option<Input>,
        mut in_hand: Option<(Response, Flow)>,
    ) {
        let Self { config, clients, events, transmits, .. } = self;
        let Some(client) = clients.get_mut(&tx) else { return };
        let flow = client.flow;
        let mut send = |bytes: &Bytes| {
            if !bytes.is_empty() {
                transmits.push_back(Transmit { flow, bytes: bytes.clone() });
            }
        };
        let mut cancel = false;
        let mut next = input.or_else(|| client.timers.take_due(now).map(Input::from));
        while let Some(input) = next {
            for action in client.machine.step(input) {
                match *action {
                    Action::Deliver => {
                        if let Some((response, flow)) = in_hand.take() {
                            events.push_back(Event::Response { tx, response, flow });
                        }
                    }
                    Action::Resend => send(&client.kept),
                    Action::SendAck => {
                        if let (Some(i), Some((response, _))) = (&client.invite, &in_hand) {
                            client.kept = i.ack(response);
                            send(&client.kept);
                        }
                    }
                    Action::SendCancel => cancel = true,
                    Action::Arm(timer) => {
                        client.timers.arm(now, timer, config, flow.transport.is_reliable());
                    }
                    Action::Double(timer) => client.timers.double(now, timer, config),
                    Action::StopTick => client.timers.tick = None,
                    Action::Forget => client.kept = Bytes::new(),
                    Action::ReportTimeout => events.push_back(Event::Timeout { tx }),
                    Action::ReportTransport => events.push_back(Event::TransportError { tx }),
                    Action::Send | Action::ReportNoAck => {}
                }
            }
            if client.machine.is_terminated() {
                break;
            }
            next = client.timers.take_due(now).map(Input::from);
        }
        if cancel {
            self.start_cancel(now, tx);
        }
        self.settle_client(tx);
    }

    fn start_cancel(&mut self, now: Instant, invite: ClientTx) {
        let spare = ClientTx(self.next_id());
        let Some(client) = self.clients.get_mut(&invite) else { return };
        let flow = client.flow;
        let Some(data) = client.invite.as_mut() else { return };
        // Timer C cancels without having been asked.
        let (tx, extra) = data.cancel.take().unwrap_or((spare, Headers::new()));
        let request = data.cancel(&extra);
        // §9.1: the CANCEL has the very Via of the INVITE.
        let Ok(via) = request.top_via() else { return };
        self.start_client(now, tx, &request, flow, &via);
    }

    /// After a transition: drops what the new state does not need.
    fn settle_client(&mut self, tx: ClientTx) {
        let Self { clients, client_keys, events, queue, .. } = self;
        let Some(client) = clients.get_mut(&tx) else { return };
        if client.machine.is_answered()
            && let Some((cancel, _)) = client.invite.take().and_then(|invite| invite.cancel)
        {
            events.push_back(Event::Terminated { tx: TxId::Client(cancel) });
        }
        if !client.machine.is_terminated() {
            queue.schedule(TxId::Client(tx), &mut client.timers);
            return;
        }
        client_keys.remove(&client.key);
        clients.remove(&tx);
        events.push_back(Event::Terminated { tx: TxId::Client(tx) });
    }
}
