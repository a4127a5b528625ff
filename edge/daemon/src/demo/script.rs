//! The main job, played: a call that Amazon Connect handed back rings a desk phone with the
//! caller's own number; a second one, that nobody answers, becomes a voicemail.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use offhook_sip::digest;
use offhook_sip::header::{From_, HeaderName};
use offhook_sip::ids::Ids;
use offhook_sip::message::{Method, Request, Response, StatusCode};

use super::sound::Sound;
use super::ua::{ScriptError, Ua};

/// Who plays, and against whom.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The appliance's SIP socket (UDP).
    pub appliance: SocketAddr,
    /// Where the Voice Connector sits; the configuration must know it as a trunk's peer.
    pub connector: IpAddr,
    /// Its id: the first word of its host name, as the configuration has it.
    pub connector_id: String,
    /// Where the desk phone sits.
    pub phone: IpAddr,
    /// The phone's extension.
    pub extension: String,
    /// Its password.
    pub password: String,
    /// The office's number, routed to the extension.
    pub office_number: String,
}

/// The number that Connect's side shows, and the customer's own.
const CONNECT_NUMBER: &str = "+15550100999";
const CUSTOMER: &str = "+12065550123";

const SOON: Duration = Duration::from_secs(5);
const TONE_CALLER: f64 = 440.0;
const TONE_PHONE: f64 = 620.0;
/// The tone of the message that is left.
pub const TONE_MESSAGE: f64 = 700.0;

/// A step that really happened, in words, for the audience.
pub type Tell<'a> = &'a mut dyn FnMut(&str);

/// Plays the whole job. Whatever does not happen as it must ends it with an error.
pub fn play(cast: &Cast, tell: Tell<'_>) -> Result<(), ScriptError> {
    let mut phone = Ua::open(cast.phone, cast.appliance)?;
    register(&mut phone, cast, 300)?;
    tell(&format!("desk phone {} registered with digest authentication", cast.extension));
    let outcome = calls(&mut phone, cast, tell);
    // The phone leaves as it came, whatever happened.
    let gone = register(&mut phone, cast, 0);
    outcome.and(gone)
}

fn calls(phone: &mut Ua, cast: &Cast, tell: Tell<'_>) -> Result<(), ScriptError> {
    answered_call(phone, cast, tell)?;
    voicemail_call(phone, cast, tell)
}

fn register(phone: &mut Ua, cast: &Cast, expires: u32) -> Result<(), ScriptError> {
    let at = phone.address()?;
    let (call_id, tag) = (phone.ids.call_id(), phone.ids.tag());
    let secret = digest::Secret::Password(cast.password.as_str().into());
    let mut client = digest::Client::new(&cast.extension, secret, Ids::from_os());
    for cseq in 1..=2 {
        let branch = phone.ids.branch();
        let (user, server) = (&cast.extension, cast.appliance);
        let mut request = Ua::request_of(&format!(
            "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch={branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{server}>;tag={tag}\r\n\
             To: <sip:{user}@{server}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{user}@{at}>\r\nExpires: {expires}\r\nContent-Length: 0\r\n\r\n"
        ))?;
        client.authorize(&mut request);
        phone.send_request(&request)?;
        let response = phone.response(&Method::Register, "200 to REGISTER", SOON, |r| {
            r.status == StatusCode::OK || (cseq == 1 && r.status == StatusCode::UNAUTHORIZED)
        })?;
        if response.status == StatusCode::OK {
            return Ok(());
        }
        client
            .challenged(&request, &response)
            .map_err(|e| ScriptError::Wrong(format!("the challenge cannot be answered: {e}")))?;
    }
    Err(ScriptError::Wrong("REGISTER was challenged twice".into()))
}

/// The connector's side of one call.
struct Trunk {
    ua: Ua,
    sound: Sound,
    call_id: String,
    from: String,
    branch: String,
}

impl Trunk {
    /// Sends the INVITE in the shape a Voice Connector gives it: a proxy that records its route,
    /// private addresses behind it, a stray parameter after To.
    fn invite(cast: &Cast) -> Result<Self, ScriptError> {
        let mut ua = Ua::open(cast.connector, cast.appliance)?;
        let at = ua.address()?;
        let sound = Sound::open(cast.connector)?;
        let (call_id, tag, branch) = (ua.ids.call_id(), ua.ids.tag(), ua.ids.branch());
        let from = format!("<sip:{CONNECT_NUMBER}@10.0.58.47:5060>;tag={tag}");
        let number = &cast.office_number;
        let (server, id) = (cast.appliance, &cast.connector_id);
        ua.send(
            &format!(
                "INVITE sip:{number}@{server};transport=UDP SIP/2.0\r\n\
                 Record-Route: <sip:{at};lr;ftag={tag};nat=yes>\r\n\
                 Via: SIP/2.0/UDP {at};branch={branch};rport\r\n\
                 Via: SIP/2.0/UDP 10.0.58.47:5060;received=10.0.58.47;branch=z9hG4bKinner{tag}\r\n\
                 Max-Forwards: 66\r\nFrom: {from}\r\nTo: <sip:{number}@{server}>;transport=UDP\r\n\
                 Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:10.0.58.47:5060;alias=10.0.58.47~5060~1>\r\n\
                 Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nUser-Agent: simulated Voice Connector\r\n\
                 X-VoiceConnector-ID: {id}\r\nX-Original-Calling-Number: {CUSTOMER}\r\n\
                 Content-Type: application/sdp\r\n"
            ),
            &sound.sdp("Sonus_UAC")?,
        )?;
        Ok(Self { ua, sound, call_id, from, branch })
    }

    /// Waits for the 200, starts talking and acknowledges.
    fn answered(&mut self, limit: Duration, tone: f64) -> Result<Response, ScriptError> {
        let ok =
            self.ua.response(&Method::Invite, "200 to INVITE", limit, |r| r.status.is_success())?;
        self.sound.start(media(&ok.body)?, tone)?;
        self.in_dialog(&Method::Ack, 1, &ok)?;
        Ok(ok)
    }

    /// Sends ACK or BYE within the dialog.
    fn in_dialog(&mut self, method: &Method, cseq: u32, ok: &Response) -> Result<(), ScriptError> {
        let at = self.ua.address()?;
        let target = contact(ok.headers.text(&HeaderName::Contact).as_deref())?;
        let to = ok.headers.text(&HeaderName::To).unwrap_or_default().into_owned();
        // ACK of a 2xx and BYE are transactions of their own (RFC 3261 §13.2.2.4).
        self.branch = self.ua.ids.branch();
        let (from, call_id, branch) = (&self.from, &self.call_id, &self.branch);
        self.ua.send(
            &format!(
                "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch={branch};rport\r\n\
                 Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
                 CSeq: {cseq} {method}\r\n"
            ),
            "",
        )
    }

    fn hang_up(&mut self, ok: &Response) -> Result<(), ScriptError> {
        self.in_dialog(&Method::Bye, 2, ok)?;
        self.ua.response(&Method::Bye, "200 to BYE", SOON, |r| r.status.is_success())?;
        Ok(())
    }
}

fn answered_call(phone: &mut Ua, cast: &Cast, tell: Tell<'_>) -> Result<(), ScriptError> {
    let mut trunk = Trunk::invite(cast)?;
    tell(&format!(
        "the Voice Connector delivers a call from {CONNECT_NUMBER}, X-Original-Calling-Number {CUSTOMER}"
    ));
    let invite = phone.request(&Method::Invite, SOON)?;
    shows_the_customer(&invite)?;
    let tag = phone.ids.tag();
    let contact = format!("Contact: <sip:{}@{}>\r\n", cast.extension, phone.address()?);
    phone.answer(&invite, StatusCode::RINGING, &tag, &contact, "")?;
    trunk.ua.response(&Method::Invite, "180 Ringing", SOON, |r| r.status == StatusCode::RINGING)?;
    tell(&format!("the desk phone rings and shows {CUSTOMER}; the caller hears it ring"));

    let mut sound = Sound::open(cast.phone)?;
    let extra = format!("{contact}Content-Type: application/sdp\r\n");
    phone.answer(&invite, StatusCode::OK, &tag, &extra, &sound.sdp("phone")?)?;
    sound.start(media(&invite.body)?, TONE_PHONE)?;
    let ok = trunk.answered(SOON, TONE_CALLER)?;
    phone.request(&Method::Ack, SOON)?;
    hears(&sound, TONE_CALLER, "the desk phone does not hear the caller")?;
    hears(&trunk.sound, TONE_PHONE, "the caller does not hear the desk phone")?;
    tell(&format!(
        "answered; audio flows both ways (the phone hears {TONE_CALLER} Hz, the caller {TONE_PHONE} Hz)"
    ));

    trunk.hang_up(&ok)?;
    let bye = phone.request(&Method::Bye, SOON)?;
    phone.answer(&bye, StatusCode::OK, &tag, "", "")?;
    tell("the caller hangs up; the desk phone is told at once");
    Ok(())
}

fn voicemail_call(phone: &mut Ua, cast: &Cast, tell: Tell<'_>) -> Result<(), ScriptError> {
    let mut trunk = Trunk::invite(cast)?;
    let invite = phone.request(&Method::Invite, SOON)?;
    let tag = phone.ids.tag();
    phone.answer(&invite, StatusCode::RINGING, &tag, "", "")?;
    tell("a second call rings the desk phone; nobody answers");
    let cancel = phone.request(&Method::Cancel, Duration::from_secs(60))?;
    phone.answer(&cancel, StatusCode::OK, &tag, "", "")?;
    phone.answer(&invite, StatusCode::REQUEST_TERMINATED, &tag, "", "")?;
    phone.request(&Method::Ack, SOON)?;
    let ok = trunk.answered(SOON, TONE_MESSAGE)?;
    tell("the ringing stops and voicemail answers");
    // The greeting is speech, the beep a tone of 1 kHz; recording starts behind the beep.
    within(Duration::from_secs(30), "the caller does not hear the beep", || {
        trunk.sound.heard_tone_ms(super::BEEP_HZ) >= 100
    })?;
    std::thread::sleep(Duration::from_millis(2500));
    trunk.hang_up(&ok)?;
    tell("greeting and beep were heard; the caller speaks for 2.5 seconds and hangs up");
    let notify = phone.request(&Method::Notify, SOON)?;
    phone.answer(&notify, StatusCode::OK, &tag, "", "")?;
    let body = String::from_utf8_lossy(&notify.body).into_owned();
    if !body.contains("Messages-Waiting: yes") {
        return Err(ScriptError::Wrong(format!("the message lamp is not lit: {body}")));
    }
    tell("the desk phone's message lamp is lit (NOTIFY, Messages-Waiting: yes)");
    Ok(())
}

/// The phone must be shown the customer and be given the header itself.
fn shows_the_customer(invite: &Request) -> Result<(), ScriptError> {
    let from = invite.headers.typed::<From_>().ok().flatten();
    let user = from.as_ref().and_then(|f| f.0.uri.user_decoded()).unwrap_or_default();
    let passed = invite.headers.text(&HeaderName::Other("X-Original-Calling-Number".into()));
    let asserted = invite.headers.text(&HeaderName::PAssertedIdentity).unwrap_or_default();
    if user != CUSTOMER || passed.as_deref() != Some(CUSTOMER) || !asserted.contains(CUSTOMER) {
        return Err(ScriptError::Wrong(format!(
            "the phone is shown {user:?}, X-Original-Calling-Number {passed:?}, P-Asserted-Identity {asserted:?}"
        )));
    }
    Ok(())
}

fn hears(sound: &Sound, frequency: f64, otherwise: &str) -> Result<(), ScriptError> {
    within(SOON, otherwise, || sound.heard_tone_ms(frequency) >= 500)
}

fn within(
    limit: Duration,
    otherwise: &str,
    mut done: impl FnMut() -> bool,
) -> Result<(), ScriptError> {
    let end = std::time::Instant::now() + limit;
    while !done() {
        if std::time::Instant::now() >= end {
            return Err(ScriptError::Wrong(otherwise.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The URI in a Contact value.
fn contact(value: Option<&str>) -> Result<String, ScriptError> {
    let uri = value.and_then(|v| v.split_once('<')?.1.split_once('>')).map(|(uri, _)| uri);
    uri.map(str::to_owned).ok_or_else(|| ScriptError::Wrong("no Contact in the answer".into()))
}

/// Where the SDP wants its audio.
fn media(body: &[u8]) -> Result<SocketAddr, ScriptError> {
    let text = String::from_utf8_lossy(body);
    let line = |prefix: &str| text.lines().find_map(|l| l.strip_prefix(prefix)).map(str::to_owned);
    let ip = line("c=IN IP4 ").and_then(|v| v.trim().parse::<IpAddr>().ok());
    let port = line("m=audio ").and_then(|v| v.split(' ').next()?.parse::<u16>().ok());
    match (ip, port) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err(ScriptError::Wrong(format!("no audio address in the SDP:\n{text}"))),
    }
}
