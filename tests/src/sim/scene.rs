//! An office with three phones and a trunk, as most tests of calls want it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use offhook_pbx::bots::Bots;
use offhook_pbx::cloud::Cloud;
use offhook_pbx::keep::CallRecord;
use offhook_pbx::office::Applications;
use offhook_sip::header::HeaderName;
use offhook_sip::message::Request;

use super::agent::{Agent, AgentConfig, Dial, Left};
use super::line::Line;
use super::net::{SimNet, Weather};
use super::office::{Leftovers, Outside, SimOffice, fresh_ports};

/// Where the appliance is.
pub const OFFICE: SocketAddr = at(1);
/// Where the trunk is.
pub const TRUNK: SocketAddr = at(9);

/// A host of the simulated network, at the port of SIP.
pub const fn at(host: u8) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 2, 0, host), 5060))
}

/// An office with three phones and a trunk (`carrier`, which hands in `+15550001000` for 101).
///
/// 101 is Ann, 102 is Bob, 103 may not call outside; none has voicemail. 200 rings all three.
#[derive(Debug)]
pub struct Scene {
    /// The network.
    pub net: SimNet,
    /// The appliance.
    pub office: SimOffice,
    /// 101, 102 and 103, registered.
    pub phones: Vec<Agent>,
    /// The carrier's edge.
    pub trunk: Agent,
}

impl Scene {
    /// As described.
    pub async fn open() -> Self {
        Self::with("").await
    }

    /// With more configuration behind it.
    pub async fn with(more: &str) -> Self {
        Self::set("", more).await
    }

    /// With applications for `flow:NAME`, and more configuration.
    pub async fn running(applications: Arc<dyn Applications>, more: &str) -> Self {
        Self::build("", "", more, Some(applications), (None, None)).await
    }

    /// The same with more keys in `[server]`.
    pub async fn in_folder(applications: Arc<dyn Applications>, server: &str, more: &str) -> Self {
        Self::build(server, "", more, Some(applications), (None, None)).await
    }

    /// With more keys in `[media]`, and more configuration behind everything.
    ///
    /// # Panics
    /// When the configuration is wrong or a phone cannot register.
    pub async fn set(media: &str, more: &str) -> Self {
        Self::build("", media, more, None, (None, None)).await
    }

    /// With a cloud that has the callers' own legs, and more configuration.
    pub async fn in_cloud(cloud: Arc<dyn Cloud>, more: &str) -> Self {
        Self::build("", "", more, None, (Some(cloud), None)).await
    }

    /// With such a cloud, applications for `flow:NAME`, and more configuration.
    pub async fn in_cloud_running(
        cloud: Arc<dyn Cloud>,
        applications: Arc<dyn Applications>,
        more: &str,
    ) -> Self {
        Self::build("", "", more, Some(applications), (Some(cloud), None)).await
    }

    /// With bots, applications for `flow:NAME`, and more configuration.
    pub async fn talking(
        bots: Arc<dyn Bots>,
        applications: Arc<dyn Applications>,
        more: &str,
    ) -> Self {
        Self::build("", "", more, Some(applications), (None, Some(bots))).await
    }

    async fn build(
        server: &str,
        media: &str,
        more: &str,
        applications: Option<Arc<dyn Applications>>,
        (cloud, bots): Outside,
    ) -> Self {
        let net = SimNet::start(7, Weather::CALM);
        let ports = fresh_ports();
        let config = format!(
            r#"
[[listen]]
transport = "udp"
address = "{OFFICE}"
[server]
domains = ["office.example"]
{server}
[media]
ports = "{ports}"
address = "127.0.0.1"
{media}
[[extension]]
number = "101"
name = "Ann"
password = "secret-101"
voicemail = false
ring_seconds = 20
[[extension]]
number = "102"
name = "Bob"
password = "secret-102"
voicemail = false
[[extension]]
number = "103"
password = "secret-103"
voicemail = false
outside_calls = false
[[group]]
name = "all"
number = "200"
members = ["101", "102", "103"]
[[trunk]]
name = "carrier"
type = "generic"
host = "{TRUNK}"
transport = "udp"
caller_id = "+15550009999"
srtp = "off"
[[number]]
match = "+15550001000"
to = "extension:101"
{more}
"#
        );
        let office = SimOffice::with_bots(&net, &config, 1, applications, cloud, bots);
        let mut phones = Vec::new();
        for n in 1..=3u8 {
            let (user, password) = (format!("10{n}"), format!("secret-10{n}"));
            let phone = AgentConfig::phone(at(10 + n), &user, &password, OFFICE);
            phones.push(Agent::start(&net, phone));
        }
        let trunk = Agent::start(&net, AgentConfig::carrier(TRUNK, "carrier", OFFICE));
        for phone in &phones {
            phone.register(3600).await;
        }
        Self { net, office, phones, trunk }
    }

    /// A phone by its number.
    ///
    /// # Panics
    /// When there is none.
    pub fn phone(&self, number: u32) -> &Agent {
        &self.phones[number as usize - 101]
    }

    /// The last call's record.
    ///
    /// # Panics
    /// When there is none.
    pub fn record(&self) -> CallRecord {
        self.office.keep.records().pop().expect("a record")
    }

    /// Everything is over: nothing may be left of it.
    ///
    /// # Panics
    /// When something is.
    pub async fn close(self) -> Vec<CallRecord> {
        assert_eq!(self.office.settle().await, Leftovers::default(), "{}", self.net.ladder(""));
        for agent in self.phones.iter().chain([&self.trunk]) {
            assert_eq!(agent.left().await, Left::default());
        }
        self.net.close();
        self.office.keep.records()
    }
}

/// A header of a request.
///
/// # Panics
/// When the name is none.
pub fn text(request: &Request, name: &str) -> Option<String> {
    let name = HeaderName::parse(name.as_bytes()).expect("a header name");
    request.headers.text(&name).map(std::borrow::Cow::into_owned)
}

/// Both sides of a call that is answered at once.
///
/// # Panics
/// When it is not answered.
pub async fn connect(from: &Agent, number: &str, to: &Agent) -> (Line, Line) {
    let mut out = from.dial(Dial::to(number));
    let mut back = to.call().await;
    back.ring();
    out.progressed(180).await;
    back.answer();
    out.answered().await;
    back.confirmed().await;
    (out, back)
}
