//! Registers with a carrier and stays registered (RFC 3261 §10.2).

use std::sync::{Arc, Weak};
use std::time::Duration;

use offhook_config::{Register, Trunk, TrunkKind};
use offhook_sip::digest;
use offhook_sip::flow::Flow;
use offhook_sip::header::{CSeq, Contact, Expires, HeaderName, MaxForwards, MinExpires, NameAddr};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, Response, StatusCode};
use offhook_sip::uri::Uri;
use tokio::sync::{mpsc, oneshot};

use super::service::{Inner, client};
use crate::stack::{Owner, SendFailure, SipEvent, SipHandle, Target};

/// First pause after a failure; doubles up to [`SLOWEST`].
const SOON: Duration = Duration::from_secs(5);
const SLOWEST: Duration = Duration::from_secs(300);
/// Challenges and corrections answered for one registration.
const MAX_TRIES: usize = 4;
/// Never refreshed more often.
const SHORTEST: Duration = Duration::from_secs(15);
/// How often it is looked whether the connection that the registration went over still is.
const LOOK: Duration = Duration::from_secs(5);
/// A carrier that does not answer our farewell is left without.
const FAREWELL: Duration = Duration::from_secs(5);

/// One registration with its carrier.
struct Registration {
    uri: Uri,
    aor: Uri,
    user: String,
    call_id: String,
    tag: String,
    seq: u32,
    expires: Duration,
    /// The registrar has our contact, as far as we know.
    bound: bool,
    client: Option<digest::Client>,
    owner: Owner,
    mailbox: mpsc::Receiver<SipEvent>,
}

/// Registers until the trunk or all trunks are gone. Told to `stop`, it takes the registration
/// back and ends.
pub(super) async fn keep(
    inner: Weak<Inner>,
    trunk: Arc<Trunk>,
    mut ids: Ids,
    stop: oneshot::Receiver<()>,
) {
    let TrunkKind::Generic { register: Some(register), .. } = &trunk.kind else { return };
    let Some(mut registration) = Registration::new(&trunk, register, &mut ids) else { return };
    tokio::select! {
        () = registration.stay(&inner, &trunk) => return,
        told = stop => if told.is_err() { return },
    }
    if registration.bound {
        // RFC 3261 §10.2.2.
        registration.expires = Duration::ZERO;
        let _ = tokio::time::timeout(FAREWELL, registration.round(&inner)).await;
    }
}

impl Registration {
    fn new(trunk: &Trunk, register: &Register, ids: &mut Ids) -> Option<Self> {
        let transport = trunk.transport.map(|t| format!(";transport={}", t.as_str()));
        let transport = transport.unwrap_or_default();
        let user = trunk.credentials.as_ref().map_or(trunk.name.as_str(), |c| &c.username);
        let (owner, mailbox) = Owner::channel(16);
        Some(Self {
            uri: format!("sip:{}{transport}", register.registrar).parse().ok()?,
            aor: format!("sip:{user}@{}", trunk.host).parse().ok()?,
            user: user.into(),
            call_id: ids.call_id(),
            tag: ids.tag(),
            seq: 0,
            expires: register.expires,
            bound: false,
            client: client(trunk, Ids::from_seed(u64::from_le_bytes(ids.bytes()))),
            owner,
            mailbox,
        })
    }

    /// Registers again and again.
    async fn stay(&mut self, inner: &Weak<Inner>, trunk: &Arc<Trunk>) {
        let mut pause = SOON;
        loop {
            match self.round(inner).await {
                Ok((expires, flow)) => {
                    self.bound = true;
                    let Some(strong) = inner.upgrade() else { return };
                    // Calls come from where the registrar answers.
                    strong.registered_at(trunk, flow.remote.ip(), expires);
                    strong.registration(trunk, true, format!("for {} s", expires.as_secs()));
                    let sip = strong.sip.clone();
                    drop(strong);
                    pause = SOON;
                    wait(&sip, &flow, expires.mul_f64(0.9).max(SHORTEST)).await;
                }
                Err(why) => {
                    let Some(strong) = inner.upgrade() else { return };
                    strong.registration(trunk, false, why);
                    drop(strong);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(SLOWEST);
                }
            }
        }
    }

    /// One registration with its challenges; how long it holds, and the way the answer came.
    async fn round(&mut self, inner: &Weak<Inner>) -> Result<(Duration, Flow), String> {
        for _ in 0..MAX_TRIES {
            self.seq += 1;
            let mut request = self.request();
            if let Some(client) = &mut self.client {
                client.authorize(&mut request);
            }
            {
                let strong = inner.upgrade().ok_or("ended")?;
                request.headers.push(HeaderName::UserAgent, strong.config.user_agent.as_str());
                let target = Target::Uri(self.uri.clone());
                strong.sip.send(self.seq.into(), request.clone(), target, &self.owner);
            }
            let (response, flow) = self.answer().await.map_err(|f| f.to_string())?;
            match response.status {
                status if status.is_success() => {
                    if let Some(client) = &mut self.client {
                        client.accepted(&response);
                    }
                    return Ok((self.granted(&response), flow));
                }
                StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    let client = self.client.as_mut().ok_or("it asks for a password")?;
                    client.challenged(&request, &response).map_err(|e| e.to_string())?;
                }
                // §10.2.8: too brief, the registrar says how long it wants.
                StatusCode::INTERVAL_TOO_BRIEF => {
                    let least = response.headers.typed::<MinExpires>().ok().flatten();
                    let least = least.ok_or("423 without Min-Expires")?;
                    self.expires = Duration::from_secs(least.0.into());
                }
                status => {
                    return Err(format!("{} {}", status.code(), response.reason_text()));
                }
            }
        }
        Err("it asks again and again".into())
    }

    async fn answer(&mut self) -> Result<(Response, Flow), SendFailure> {
        loop {
            match self.mailbox.recv().await {
                Some(SipEvent::Response { token, response, flow })
                    if token == u64::from(self.seq) && response.status.is_final() =>
                {
                    return Ok((response, flow));
                }
                Some(SipEvent::Failed { token, kind }) if token == u64::from(self.seq) => {
                    return Err(kind);
                }
                Some(_) => {}
                None => return Err(SendFailure::Cancelled),
            }
        }
    }

    fn request(&self) -> Request {
        let mut request = Request::new(Method::Register, self.uri.clone());
        let headers = &mut request.headers;
        headers.push_typed(&MaxForwards(70));
        let from = NameAddr::new(self.aor.clone()).with_tag(&self.tag);
        headers.push(HeaderName::From, from.to_string());
        headers.push(HeaderName::To, NameAddr::new(self.aor.clone()).to_string());
        // §10.2: one Call-ID for all registrations with this registrar.
        headers.push(HeaderName::CallId, self.call_id.as_str());
        headers.push_typed(&CSeq { seq: self.seq, method: Method::Register });
        let contact = format!("<sip:{}@{}>", self.user, crate::stack::CONTACT_PLACEHOLDER);
        headers.push(HeaderName::Contact, contact);
        headers.push(HeaderName::Expires, self.expires.as_secs().to_string());
        request
    }

    /// What the registrar granted our contact: its `expires`, or the header, or what we asked.
    fn granted(&self, response: &Response) -> Duration {
        let contacts = response.headers.typed_list::<Contact>().unwrap_or_default();
        let ours = contacts.iter().find(|c| {
            let user = c.uri().and_then(Uri::user_decoded);
            user.as_deref() == Some(self.user.as_str())
        });
        let header = response.headers.typed::<Expires>().ok().flatten().map(|e| e.0);
        let seconds = ours.and_then(Contact::expires).or(header);
        seconds.map_or(self.expires, |s| Duration::from_secs(s.into()))
    }
}

/// Until it is time to refresh, or until the connection is gone: calls of a carrier come over the
/// one that we registered over (RFC 5626 §4.4), and would find nobody.
async fn wait(sip: &SipHandle, flow: &Flow, refresh: Duration) {
    let due = tokio::time::Instant::now() + refresh;
    if !flow.transport.is_reliable() {
        return tokio::time::sleep_until(due).await;
    }
    while sip.is_alive(flow) && tokio::time::Instant::now() < due {
        tokio::time::sleep_until(due.min(tokio::time::Instant::now() + LOOK)).await;
    }
}
