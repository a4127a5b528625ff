//! The shape of a configuration: one immutable snapshot, with defaults for everything.
//!
//! A key's unit stands in its TOML name (`ring_seconds`); here the field is a [`Duration`] without
//! it (`ring`).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::net::{IpNet, PortRange};
use crate::secret::Secret;
use crate::target::{Pattern, RuleOrigin, Target};
use crate::trunk::Trunk;

/// Everything the operator may write. Made by [`crate::check()`], or [`Config::default`] for the
/// embedded defaults; never changed afterwards: a reload makes another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[[listen]]`; never empty.
    pub listen: Listens,
    /// `[http]`.
    pub http: Http,
    /// `[sip]`.
    pub sip: Sip,
    /// `[media]`.
    pub media: Media,
    /// `[registrar]`.
    pub registrar: Registrar,
    /// `[bans]`.
    pub bans: Bans,
    /// `[voicemail]`.
    pub voicemail: Voicemail,
    /// `[dialplan]`.
    pub dialplan: DialPlan,
    /// `[journal]`.
    pub journal: Journal,
    /// `[[trunk]]`, in the order they are tried (by `order`, then as written).
    pub trunks: Vec<Trunk>,
    /// `[[extension]]`, as written. Others live in the store (`offhook phone add`).
    pub extensions: Vec<Extension>,
    /// `[[group]]`, as written.
    pub groups: Vec<Group>,
    /// `[[number]]`, as written.
    pub numbers: Vec<NumberRule>,
}

/// How phone numbers appear in logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogNumbers {
    /// Last digits only.
    #[default]
    Masked,
    /// Whole.
    Full,
}

/// `[server]`: who we are and where our files are.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Digest realm. Changing it makes every stored HA1 useless: phones must be added again.
    pub realm: String,
    /// SIP domains that are ours, besides our own addresses.
    pub domains: Vec<String>,
    /// Database, recordings, voicemail.
    pub data_dir: PathBuf,
    /// Text of User-Agent and Server headers.
    pub user_agent: String,
    /// Address that peers outside must be told when we stand behind NAT.
    pub external_address: Option<IpAddr>,
    /// Addresses on our side of the NAT: they are told the interface's own address.
    pub local_networks: Vec<IpNet>,
    /// How long live calls may go on after SIGTERM.
    pub drain: Duration,
    /// How numbers appear in logs.
    pub log_numbers: LogNumbers,
    /// Time zone for spoken times and schedules; the system's when not given.
    pub time_zone: Option<TimeZone>,
}

/// Transports that can be listened on or used by a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// As written in the configuration and in a URI's `transport` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Default port (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        if self == Self::Tls { 5061 } else { 5060 }
    }
}

/// The listening sockets: what was written, or UDP and TCP on `0.0.0.0:5060`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listens(pub Vec<Listen>);

impl std::ops::Deref for Listens {
    type Target = [Listen];

    fn deref(&self) -> &[Listen] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Listens {
    type Item = &'a Listen;
    type IntoIter = std::slice::Iter<'a, Listen>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// `[[listen]]`: one listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Protocol.
    pub transport: Transport,
    /// Address and port; port 0 lets the system choose (tests).
    pub address: SocketAddr,
    /// Address that peers of this interface must be told, instead of `server.external_address`.
    pub external_address: Option<IpAddr>,
    /// Certificate chain and key; there for TLS, and only there.
    pub tls: Option<TlsFiles>,
}

/// Certificate and key of a TLS socket. Read again on reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// PEM file with the certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// `[http]`: metrics and the local interface of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where; loopback unless the operator says otherwise. Port 0 lets the system choose.
    pub address: SocketAddr,
}

/// `[sip]`: timers and limits of signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// Timer T1 (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// Timer T2.
    pub t2: Duration,
    /// Timer T4.
    pub t4: Duration,
    /// Transactions of each kind that may be open at once.
    pub max_transactions: usize,
    /// Calls that may be up at once.
    pub max_calls: usize,
    /// Connections that may be open at once.
    pub max_connections: usize,
    /// Largest message on a stream, in bytes.
    pub max_message_bytes: usize,
    /// Session interval that we ask for (RFC 4028); `None`: we never ask, but agree when asked.
    pub session_expires: Option<Duration>,
    /// Smallest session interval that we accept (RFC 4028 §5, 90 s or more).
    pub min_se: Duration,
    /// Whether we offer reliable provisional responses (RFC 3262).
    pub reliable_provisional: bool,
    /// Longest a call may ring before it is given up.
    pub max_ring: Duration,
    /// Longest a call may last; `None`: for ever.
    pub max_call: Option<Duration>,
    /// More certification authorities (PEM) for TLS to trunks, besides the system's.
    pub ca_files: Vec<PathBuf>,
}

/// Codecs that we can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Codec {
    Pcmu,
    Pcma,
}

impl Codec {
    /// Encoding name of RFC 3551 §6.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

/// Whether media is encrypted with SRTP keys from SDES (RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Srtp {
    /// Plain RTP; offers of SRTP are refused.
    Off,
    /// Answered as offered; offered in plain.
    Optional,
    /// Plain RTP is refused.
    Required,
}

/// `[media]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// UDP ports for RTP (even) and RTCP (the next).
    pub ports: PortRange,
    /// Threads that move packets.
    pub threads: usize,
    /// Address to bind; `None`: that of the signalling interface.
    pub address: Option<IpAddr>,
    /// Codecs in order of preference, never empty.
    pub codecs: Vec<Codec>,
    /// SRTP with desk phones.
    pub srtp_phones: Srtp,
    /// Hang up a call that has had no packet for this long, unless on hold; `None`: never.
    pub silence_hangup: Option<Duration>,
}

/// `[registrar]`: limits of registrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registrar {
    /// Shorter ones are refused with 423 (RFC 3261 §10.3).
    pub min_expires: Duration,
    /// Longer ones are shortened.
    pub max_expires: Duration,
    /// When the phone names none.
    pub default_expires: Duration,
    /// Contacts of one extension.
    pub max_contacts: usize,
    /// Digests that phones are asked for, strongest first, never empty.
    pub digest: Vec<Digest>,
}

/// Hashes of digest authentication (RFC 7616 §3.3, RFC 8760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Digest {
    Md5,
    Sha256,
}

/// `[bans]`: what happens to sources of wrong passwords and to scanners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bans {
    /// This many failures within `window` ban a source; 0: nobody is ever banned.
    pub failures: u32,
    /// Span over which failures are counted.
    pub window: Duration,
    /// For how long.
    pub ban: Duration,
    /// Ranges that are never banned. Peers of trunks never are, without being listed.
    pub never: Vec<IpNet>,
}

/// `[voicemail]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voicemail {
    /// Where messages are; `None`: `voicemail` in the data folder. See [`Config::voicemail_folder`].
    pub folder: Option<PathBuf>,
    /// Ring time before the box answers.
    pub after: Duration,
    /// Longest message.
    pub max: Duration,
    /// Shorter messages are thrown away.
    pub min: Duration,
    /// Silence that ends a message; `None`: silence does not.
    pub silence: Option<Duration>,
    /// Mean absolute sample (of 32,767) below which a frame is silent.
    pub silence_threshold: u16,
    /// Messages of one mailbox; a full one says so instead of recording.
    pub max_messages: usize,
    /// What a phone dials to hear its messages.
    pub menu_number: String,
    /// Greeting of boxes that have none of their own; `None`: the built-in one.
    pub greeting: Option<PathBuf>,
    /// Folder with prompts that replace built-in ones.
    pub prompts: Option<PathBuf>,
}

/// `[dialplan]`: how dialled digits become E.164. Functions in [`crate::dialplan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialPlan {
    /// Our country, without plus.
    pub country_code: String,
    /// Digits before a number of another area: `1`, `0`, or empty.
    pub national_prefix: String,
    /// Digits before a number of another country: `011`, `00`.
    pub international_prefix: String,
    /// Our area, for numbers dialled without one.
    pub area_code: String,
    /// Emergency numbers: matched whole, before anything else, never blocked.
    pub emergency: Vec<String>,
    /// Numbers that go to the trunk as dialled (`411`).
    pub service: Vec<String>,
    /// Digits for an outside line (`9`), or empty.
    pub outside_prefix: String,
}

/// `[journal]`: how long call records and timelines are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Days; 0: for ever.
    pub keep_days: u32,
    /// Calls; 0: any number.
    pub keep_calls: u64,
}

/// What a configured extension authenticates with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionCredentials {
    /// The password itself, from `password`, `password_file` or `password_env`.
    Password(Secret),
    /// HA1 digests of `number:realm:password`, lower-case hex; at least one is there.
    Ha1 {
        /// MD5 (RFC 2617 §3.2.2.2).
        md5: Option<Secret>,
        /// SHA-256 (RFC 7616 §3.4.2).
        sha256: Option<Secret>,
    },
}

/// `[[extension]]`: overrides for a phone's account, or (with credentials) a whole account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What the office dials, and the digest user name. May hold letters.
    pub number: String,
    /// Shown to others.
    pub name: Option<String>,
    /// Whether unanswered calls go to voicemail.
    pub voicemail: bool,
    /// Ring time, instead of `voicemail.after`.
    pub ring: Option<Duration>,
    /// Caller's number on trunks, E.164.
    pub caller_id: Option<String>,
    /// Straight to voicemail.
    pub do_not_disturb: bool,
    /// Whether it may call numbers outside. Emergency numbers it always may.
    pub outside_calls: bool,
    /// `None`: the store's (made by `offhook phone add`).
    pub credentials: Option<ExtensionCredentials>,
}

/// How a group rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// All phones at once.
    #[default]
    All,
    /// One member after the other, as listed.
    Sequence,
}

/// `[[group]]`: extensions that ring together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Named in `group:NAME`.
    pub name: String,
    /// What the office dials for it.
    pub number: Option<String>,
    /// Extensions, never empty.
    pub members: Vec<String>,
    /// How it rings.
    pub strategy: Strategy,
    /// Ring time (of each member in a sequence).
    pub ring: Duration,
    /// Mailbox that answers when nobody does; `None`: the caller hears that nobody answers.
    pub voicemail: Option<String>,
}

/// `[[number]]`: where a dialled number goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberRule {
    /// Dialled number, whole or beginning.
    pub pattern: Pattern,
    /// Who may dial it.
    pub from: RuleOrigin,
    /// Where it goes.
    pub to: Target,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            realm: "offhook".into(),
            domains: Vec::new(),
            data_dir: "/var/lib/offhook".into(),
            user_agent: "Offhook".into(),
            external_address: None,
            local_networks: private_networks(),
            drain: Duration::from_secs(30),
            log_numbers: LogNumbers::Masked,
            time_zone: None,
        }
    }
}

impl Default for Listens {
    fn default() -> Self {
        let any = SocketAddr::from(([0, 0, 0, 0], 5060));
        let listen =
            |transport| Listen { transport, address: any, external_address: None, tls: None };
        Self(vec![listen(Transport::Udp), listen(Transport::Tcp)])
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9480)) }
    }
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            max_transactions: 20_000,
            max_calls: 1_000,
            max_connections: 4_096,
            max_message_bytes: 65_536,
            session_expires: Some(Duration::from_secs(1_800)),
            min_se: Duration::from_secs(90),
            reliable_provisional: true,
            max_ring: Duration::from_secs(180),
            max_call: None,
            ca_files: Vec::new(),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            ports: PortRange { first: 10_000, last: 29_999 },
            threads: 1,
            address: None,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            srtp_phones: Srtp::Optional,
            silence_hangup: None,
        }
    }
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3_600),
            default_expires: Duration::from_secs(3_600),
            max_contacts: 10,
            // RFC 8760 §2.4 wants a phone to pass over a challenge that it does not know. Many that
            // are in use (everything on libre before 2.0) give up at the sight of a second one.
            digest: vec![Digest::Md5],
        }
    }
}

impl Default for Bans {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(600),
            never: private_networks(),
        }
    }
}

impl Default for Voicemail {
    fn default() -> Self {
        Self {
            folder: None,
            after: Duration::from_secs(20),
            max: Duration::from_secs(180),
            min: Duration::from_secs(1),
            silence: Some(Duration::from_secs(5)),
            silence_threshold: 200,
            max_messages: 100,
            menu_number: "*97".into(),
            greeting: None,
            prompts: None,
        }
    }
}

impl Default for DialPlan {
    fn default() -> Self {
        Self {
            country_code: "1".into(),
            national_prefix: "1".into(),
            international_prefix: "011".into(),
            area_code: String::new(),
            emergency: vec!["911".into(), "112".into()],
            service: Vec::new(),
            outside_prefix: String::new(),
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self { keep_days: 90, keep_calls: 100_000 }
    }
}

impl Default for Extension {
    fn default() -> Self {
        Self {
            number: String::new(),
            name: None,
            voicemail: true,
            ring: None,
            caller_id: None,
            do_not_disturb: false,
            outside_calls: true,
            credentials: None,
        }
    }
}

impl Config {
    /// Where voicemail messages are.
    pub fn voicemail_folder(&self) -> PathBuf {
        self.voicemail.folder.clone().unwrap_or_else(|| self.server.data_dir.join("voicemail"))
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.server.data_dir.join("offhook.db")
    }

    /// A trunk by name.
    pub fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.trunks.iter().find(|t| t.name == name)
    }

    /// Trunks that claim a source address as a peer of theirs. Several may: two connectors of one
    /// region share their ranges.
    pub fn trunks_of(&self, source: IpAddr) -> impl Iterator<Item = &Trunk> {
        self.trunks.iter().filter(move |t| t.is_peer(source))
    }

    /// A group by name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }

    /// A configured extension by number.
    pub fn extension(&self, number: &str) -> Option<&Extension> {
        self.extensions.iter().find(|e| e.number == number)
    }

    /// Whether an address may be banned: not in `bans.never` and no trunk's peer.
    pub fn bannable(&self, source: IpAddr) -> bool {
        !self.bans.never.iter().any(|n| n.contains(source))
            && self.trunks_of(source).next().is_none()
    }
}

/// Loopback, RFC 1918, link-local and unique local addresses.
fn private_networks() -> Vec<IpNet> {
    vec![
        IpNet::v4([127, 0, 0, 0], 8),
        IpNet::v4([10, 0, 0, 0], 8),
        IpNet::v4([172, 16, 0, 0], 12),
        IpNet::v4([192, 168, 0, 0], 16),
        IpNet::v4([169, 254, 0, 0], 16),
        IpNet::v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
        IpNet::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        IpNet::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ]
}
