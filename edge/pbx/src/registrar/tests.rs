use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use offhook_sip::digest;
use offhook_sip::header::{Contact, HeaderName, MinExpires};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Request, Response, StatusCode};

use super::{Authenticator, Directory, Registrar, RegistrarConfig, Verdict};
use crate::keep::{Binding, BindingChange, Bindings, Extension, KeepError, Kept};
use crate::stack::Target;
use crate::stack::lab::{Lab, request, settle, udp};
use crate::trunk::Peers;

/// Keeps in memory; can be told to fail.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) rows: Mutex<Vec<Binding>>,
    pub(crate) broken: Mutex<Option<KeepError>>,
    pub(crate) panics: AtomicBool,
}

impl Bindings for Memory {
    fn load_bindings(&self) -> Kept<Vec<Binding>> {
        let rows = self.rows.lock().unwrap().clone();
        Box::pin(async move { Ok(rows) })
    }

    fn change_bindings(&self, changes: Vec<BindingChange>) -> Kept<()> {
        assert!(!self.panics.swap(false, Ordering::Relaxed), "a fault of the store");
        if let Some(error) = self.broken.lock().unwrap().clone() {
            return Box::pin(async { Err(error) });
        }
        let mut rows = self.rows.lock().unwrap();
        for change in changes {
            match change {
                BindingChange::Put(b) => {
                    rows.retain(|r| (&r.aor, &r.contact) != (&b.aor, &b.contact));
                    rows.push(b);
                }
                BindingChange::Remove { aor, contact } => {
                    rows.retain(|r| (&r.aor, &r.contact) != (&aor, &contact));
                }
            }
        }
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn extension(number: &str) -> Extension {
    Extension {
        number: number.into(),
        name: number.into(),
        ha1_md5: digest::ha1_md5(number, "lab", "secret").as_hex().into(),
        ha1_sha256: digest::ha1_sha256(number, "lab", "secret").as_hex().into(),
        realm: "lab".into(),
        voicemail: true,
        pin: None,
        do_not_disturb: false,
        greeting: None,
    }
}

/// A lab with a registrar and what it needs.
pub(crate) struct Desk {
    pub(crate) lab: Lab,
    pub(crate) registrar: Registrar,
    pub(crate) auth: Authenticator,
    pub(crate) peers: Peers,
    pub(crate) memory: Arc<Memory>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(Arc::default())
    }

    pub(crate) fn with(memory: Arc<Memory>) -> Self {
        let lab = Lab::new();
        let directory = Directory::new();
        directory.replace(["101", "102"].map(extension));
        let peers = Peers::new();
        let auth = Authenticator::new(
            "lab",
            Arc::clone(&lab.addresses),
            Ids::from_seed(5),
            directory,
            peers.clone(),
            lab.bans.clone(),
            Arc::clone(&lab.metrics),
        );
        let config = RegistrarConfig {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            default_expires: Duration::from_secs(1800),
            max_contacts: 3,
            server: "Offhook".into(),
            hashes: vec![digest::Hash::Sha256, digest::Hash::Md5],
        };
        let registrar = Registrar::new(
            config,
            Arc::clone(&memory) as Arc<dyn Bindings>,
            auth.clone(),
            lab.sip.clone(),
            Arc::clone(&lab.wire) as _,
            Arc::clone(&lab.metrics),
        );
        Self { lab, registrar, auth, peers, memory }
    }

    pub(super) async fn exchange(&mut self, source: &str, text: String) -> Response {
        self.lab.datagram(source, text).await;
        while let Ok(new) = self.lab.requests.try_recv() {
            self.registrar.handle(new);
        }
        self.lab.sent_response().await.1
    }

    /// A REGISTER with digest, from first to last answer.
    pub(crate) async fn register(&mut self, phone: &mut Phone, more: &str) -> Response {
        phone.seq += 1;
        let first = phone.text(more);
        let challenge = self.exchange(&phone.source.clone(), first.clone()).await;
        assert_eq!(challenge.status, StatusCode::UNAUTHORIZED);
        phone.seq += 1;
        let again = phone.answered(&first, &phone.text(more), &challenge);
        self.exchange(&phone.source.clone(), again).await
    }
}

/// A phone.
pub(crate) struct Phone {
    pub(crate) user: &'static str,
    pub(crate) source: String,
    pub(crate) call_id: String,
    pub(crate) seq: u32,
    client: digest::Client,
}

impl Phone {
    pub(crate) fn new(user: &'static str, source: &str) -> Self {
        Self::with_password(user, "secret", source)
    }

    pub(crate) fn with_password(user: &'static str, password: &'static str, source: &str) -> Self {
        let secret = digest::Secret::Password(password.into());
        let client = digest::Client::new(user, secret, Ids::from_seed(9));
        let call_id = format!("reg-{user}-{source}");
        Self { user, source: source.into(), call_id, seq: 0, client }
    }

    fn text(&self, more: &str) -> String {
        let uri = format!("sip:{}@lab.test", self.user);
        request("REGISTER", &uri, &self.source, &self.call_id, self.seq, more)
    }

    pub(crate) fn answered(&mut self, first: &str, again: &str, challenge: &Response) -> String {
        self.client.challenged(&parse(first), challenge).unwrap();
        let mut request = parse(again);
        self.client.authorize(&mut request);
        String::from_utf8(request.to_bytes().to_vec()).unwrap()
    }
}

pub(crate) fn parse(text: &str) -> Request {
    match offhook_sip::parse::datagram(text.to_owned().into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn contacts(response: &Response) -> Vec<(String, u32)> {
    let list = response.headers.typed_list::<Contact>().unwrap();
    let mut list: Vec<_> =
        list.iter().map(|c| (c.uri().unwrap().to_string(), c.expires().unwrap())).collect();
    list.sort();
    list
}

#[tokio::test(start_paused = true)]
async fn a_phone_registers_is_kept_and_found() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let more = "Contact: <sip:101@203.0.113.5:5060>;expires=7200\r\nUser-Agent: Desk 1\r\n";
    let ok = desk.register(&mut phone, more).await;
    assert_eq!(ok.status, StatusCode::OK);
    assert_eq!(contacts(&ok), [("sip:101@203.0.113.5:5060".into(), 3600)], "the ceiling");
    let rows = desk.memory.rows.lock().unwrap().clone();
    assert_eq!(rows.len(), 1, "kept before the 200");
    assert_eq!(rows[0].user_agent.as_deref(), Some("Desk 1"));
    let found = desk.registrar.lookup("101");
    assert_eq!(found[0].target, Target::Flow(udp("203.0.113.5:5060")));
    assert!(desk.registrar.lookup("102").is_empty());
    assert_eq!(desk.lab.survivors().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_contact_behind_nat_is_reached_where_it_came_from() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:41000");
    desk.register(&mut phone, "Contact: <sip:101@10.0.0.7:5060>\r\n").await;
    let contact = desk.registrar.lookup("101").remove(0);
    assert_eq!(contact.uri.to_string(), "sip:101@10.0.0.7:5060");
    assert_eq!(contact.target, Target::Flow(udp("203.0.113.5:41000")));
}

#[tokio::test(start_paused = true)]
async fn bindings_expire_by_themselves_and_leave_the_store() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>\r\nExpires: 60\r\n").await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(desk.registrar.lookup("101").len(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    settle().await;
    assert!(desk.registrar.lookup("101").is_empty());
    assert!(desk.memory.rows.lock().unwrap().is_empty());
    assert_eq!(desk.lab.metrics.bindings.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn several_contacts_query_and_both_ways_to_unregister() {
    let mut desk = Desk::new();
    let mut a = Phone::new("101", "203.0.113.5:5060");
    let mut b = Phone::new("101", "203.0.113.6:5060");
    desk.register(&mut a, "Contact: <sip:101@203.0.113.5>\r\nExpires: 600\r\n").await;
    let ok = desk.register(&mut b, "Contact: <sip:101@203.0.113.6>\r\nExpires: 600\r\n").await;
    assert_eq!(contacts(&ok).len(), 2);
    let query = desk.register(&mut a, "").await;
    assert_eq!(contacts(&query).len(), 2);
    let one = desk.register(&mut a, "Contact: <sip:101@203.0.113.5>;expires=0\r\n").await;
    assert_eq!(contacts(&one).len(), 1);
    let bad = desk.register(&mut b, "Contact: *\r\nExpires: 60\r\n").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let none = desk.register(&mut b, "Contact: *\r\nExpires: 0\r\n").await;
    assert!(contacts(&none).is_empty());
    assert!(desk.memory.rows.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn too_brief_is_refused_with_the_floor() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let refused = desk.register(&mut phone, "Contact: <sip:a@203.0.113.5>;expires=30\r\n").await;
    assert_eq!(refused.status, StatusCode::INTERVAL_TOO_BRIEF);
    assert_eq!(refused.headers.typed::<MinExpires>().unwrap().unwrap().0, 60);
}

#[tokio::test(start_paused = true)]
async fn an_old_request_of_the_same_call_changes_nothing() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    phone.seq = 10;
    desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>\r\nExpires: 600\r\n").await;
    phone.seq = 5;
    let late = desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>;expires=0\r\n").await;
    assert_eq!(late.status, StatusCode::SERVER_INTERNAL_ERROR);
    assert_eq!(desk.registrar.lookup("101").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_contact_too_many_pushes_out_the_one_that_ends_first() {
    let mut desk = Desk::new();
    for n in 1..=4 {
        let mut phone = Phone::new("101", &format!("203.0.113.{n}:5060"));
        let more = format!("Contact: <sip:101@203.0.113.{n}>;expires={}\r\n", 600 + n);
        desk.register(&mut phone, &more).await;
    }
    let hosts: Vec<_> = desk.registrar.lookup("101").iter().map(|c| c.uri.to_string()).collect();
    assert_eq!(hosts, ["sip:101@203.0.113.4", "sip:101@203.0.113.3", "sip:101@203.0.113.2"]);
    assert_eq!(desk.memory.rows.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_and_an_unknown_user_look_the_same_and_are_banned() {
    let mut desk = Desk::new();
    let mut answers = Vec::new();
    for (user, password) in [("101", "wrong"), ("999", "secret")] {
        let mut phone = Phone::with_password(user, password, "203.0.113.5:5060");
        let answer = desk.register(&mut phone, "Contact: <sip:x@203.0.113.5>\r\n").await;
        answers.push((answer.status, answer.reason_text().into_owned()));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(!desk.lab.bans.is_banned("203.0.113.5".parse().unwrap()));
    for n in 0..3 {
        let mut phone = Phone::with_password("101", "wrong", "203.0.113.5:5060");
        phone.call_id = format!("again{n}");
        desk.register(&mut phone, "Contact: <sip:x@203.0.113.5>\r\n").await;
    }
    assert!(desk.lab.bans.is_banned("203.0.113.5".parse().unwrap()));
    assert!(desk.memory.rows.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_registers_for_somebody_else() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    phone.seq = 1;
    let forged = |p: &Phone| {
        let uri = "sip:101@lab.test";
        request("REGISTER", uri, &p.source, "forged", p.seq, "Contact: <sip:x@203.0.113.5>\r\n")
            .replace("To: <sip:101@lab.test>", "To: <sip:102@lab.test>")
    };
    let first = forged(&phone);
    let challenge = desk.exchange("203.0.113.5:5060", first.clone()).await;
    phone.seq = 2;
    let again = phone.answered(&first, &forged(&phone), &challenge);
    let refused = desk.exchange("203.0.113.5:5060", again).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_kept_for_a_moment_is_not_confirmed() {
    let mut desk = Desk::new();
    *desk.memory.broken.lock().unwrap() = Some(KeepError::Overloaded);
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let refused = desk.register(&mut phone, "Contact: <sip:101@203.0.113.5>\r\n").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.has(&HeaderName::RetryAfter));
}

#[tokio::test(start_paused = true)]
async fn bindings_survive_a_restart() {
    let memory = Arc::new(Memory::default());
    let mut desk = Desk::with(Arc::clone(&memory));
    let mut phone = Phone::new("101", "203.0.113.5:41000");
    desk.register(&mut phone, "Contact: <sip:101@10.0.0.7>\r\nExpires: 600\r\n").await;
    drop(desk);
    let mut old = memory.rows.lock().unwrap()[0].clone();
    old.contact = "sip:gone@10.0.0.8".into();
    old.expires = SystemTime::now() - Duration::from_secs(5);
    memory.rows.lock().unwrap().push(old);
    let desk = Desk::with(memory);
    assert_eq!(desk.registrar.load().await.unwrap(), 1);
    assert_eq!(desk.registrar.lookup("101")[0].target, Target::Flow(udp("203.0.113.5:41000")));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_says_it_has_ice_is_known_for_it_also_after_a_restart() {
    let memory = Arc::new(Memory::default());
    let mut desk = Desk::with(Arc::clone(&memory));
    let mut phone = Phone::new("101", "203.0.113.5:41000");
    for (params, ice) in [("", false), (";+sip.ice", true), (";+SIP.ICE", true), ("", false)] {
        let contact = format!("Contact: <sip:101@10.0.0.7>{params}\r\nExpires: 600\r\n");
        desk.register(&mut phone, &contact).await;
        assert_eq!(desk.registrar.lookup("101")[0].ice, ice, "{params}");
    }
    desk.register(&mut phone, "Contact: <sip:101@10.0.0.7>;+sip.ice\r\nExpires: 600\r\n").await;
    drop(desk);
    let desk = Desk::with(memory);
    assert_eq!(desk.registrar.load().await.unwrap(), 1);
    assert!(desk.registrar.lookup("101")[0].ice);
}

#[tokio::test(start_paused = true)]
async fn path_is_kept_answered_and_used() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:5060");
    let more = "Contact: <sip:101@10.0.0.7>\r\nPath: <sip:198.51.100.9;lr>\r\nSupported: path\r\n";
    let ok = desk.register(&mut phone, more).await;
    assert_eq!(ok.headers.text(&HeaderName::Path).unwrap(), "<sip:198.51.100.9;lr>");
    let contact = desk.registrar.lookup("101").remove(0);
    assert_eq!(contact.route, ["<sip:198.51.100.9;lr>"]);
    assert_eq!(contact.target, Target::Uri("sip:198.51.100.9;lr".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_credentials_is_challenged_and_in_the_end_banned() {
    let desk = Desk::new();
    let source = "203.0.113.77:5060";
    for n in 0..5 {
        assert!(!desk.lab.bans.is_banned("203.0.113.77".parse().unwrap()));
        let invite = parse(&request("INVITE", "sip:00441@lab.test", source, "i", n, ""));
        // Nobody heard the answer at first (RFC 3261 §17.1.1.2, Timer A).
        for _ in 0..7 {
            let verdict = desk.auth.authenticate(&invite, &udp(source));
            assert!(matches!(verdict, Verdict::Challenge(_)));
        }
    }
    assert!(desk.lab.bans.is_banned("203.0.113.77".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_moved_leaves_its_old_address_behind() {
    let mut desk = Desk::new();
    let mut phone = Phone::new("101", "203.0.113.5:41000");
    let contact = "Contact: <sip:101@10.0.0.5>\r\n";
    desk.register(&mut phone, contact).await;
    assert!(desk.peers.is_phone("203.0.113.5:41000".parse().unwrap()));
    phone.source = "203.0.113.8:42000".into();
    desk.register(&mut phone, contact).await;
    assert!(!desk.peers.is_phone("203.0.113.5:41000".parse().unwrap()));
    assert!(desk.peers.is_phone("203.0.113.8:42000".parse().unwrap()));
    desk.register(&mut phone, "Contact: *\r\nExpires: 0\r\n").await;
    assert!(!desk.peers.is_phone("203.0.113.8:42000".parse().unwrap()));
}
