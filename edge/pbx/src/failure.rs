//! The catalogue of call failures: code, whose fault, SIP status, whether to try again, remedy.
//!
//! `offhook calls show` prints the remedy, `docs/failures.md` is [`render_manual`]'s output, and
//! a test holds the two together.

use std::fmt::Write as _;

/// Whose fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The phone, the person, or the provider at the other end.
    Peer,
    /// What lies between.
    Network,
    /// This box or its configuration.
    Us,
}

impl Side {
    /// A word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Network => "network",
            Self::Us => "us",
        }
    }
}

/// One kind of failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable name, `kebab-case`; what the call record keeps.
    pub code: &'static str,
    /// Whose fault.
    pub side: Side,
    /// What the caller is answered.
    pub sip_status: u16,
    /// Whether the same call may work a moment later without anybody doing anything.
    pub retry: bool,
    /// What happened, one line.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $code:literal $side:ident $status:literal $retry:literal
        $meaning:literal $remedy:literal;)*) => {
        $($(#[$doc])* pub const $name: &Failure = &Failure {
            code: $code, side: Side::$side, sip_status: $status, retry: $retry,
            meaning: $meaning, remedy: $remedy,
        };)*
        /// All of them, in the manual's order.
        pub const CATALOGUE: &[&Failure] = &[$($name),*];
    };
}

catalogue! {
    /// The caller gave up.
    CANCELLED = "cancelled" Peer 487 false
        "The caller hung up before anybody answered."
        "Nothing is wrong.";
    /// 486.
    BUSY = "busy" Peer 486 true
        "Every phone that was called is busy."
        "Nothing is wrong. Give the extension a voice mailbox, or add phones to the group.";
    /// 600.
    BUSY_EVERYWHERE = "busy-everywhere" Peer 600 true
        "The other side says it is busy on all its phones."
        "Nothing is wrong.";
    /// 603.
    DECLINED = "declined" Peer 603 false
        "Somebody pressed reject."
        "Nothing is wrong.";
    /// Ring timeout.
    NO_ANSWER = "no-answer" Peer 480 true
        "It rang and nobody answered in time."
        "Raise `ring_seconds` (or `after_seconds` of `[voicemail]`), or give the extension a voice mailbox.";
    /// No binding.
    NOT_REGISTERED = "not-registered" Peer 480 true
        "No phone is registered for the extension."
        "Look at `offhook status`: is the phone on, on the network, and is its password right? `offhook phone add` prints what to type into it.";
    /// 404 by us.
    UNKNOWN_NUMBER = "unknown-number" Peer 404 false
        "The number dialled is no extension, no service and no number of the dial plan."
        "Check the number. Add the extension with `offhook phone add`, or a route as a `[[number]]`.";
    /// 404/604 from the network.
    NUMBER_NOT_IN_SERVICE = "number-not-in-service" Peer 404 false
        "The provider says that the number does not exist."
        "Check the number and that it is written in E.164 (`+` and country code).";
    /// 484.
    NUMBER_INCOMPLETE = "number-incomplete" Peer 484 false
        "The other side says that digits are missing."
        "Dial the whole number; check `[dialplan]` for the national prefix and country code.";
    /// 403 by the dial plan.
    NOT_ALLOWED = "not-allowed" Us 403 false
        "The configuration does not let this phone call this number."
        "Remove `outside_calls = false` from its `[[extension]]` if the call is wanted; who dials the code of `[supervision]` needs a `[[supervisor]]`.";
    /// Do not disturb.
    DO_NOT_DISTURB = "do-not-disturb" Peer 480 false
        "The extension does not want to be disturbed and has no voice mailbox."
        "Nothing is wrong.";
    /// Voice Connector's 403.
    CALLER_ID_NOT_OWNED = "caller-id-not-owned" Us 403 false
        "The trunk refused the caller's number: `Caller Id … is not valid`."
        "Set the trunk's `caller_id` (and that of an `[[extension]]` with one of its own) to a number in E.164 that is assigned to this Voice Connector or its group, in the AWS console under phone number inventory. An application's `CallerIdNumber` must be such a number too, where it is not the caller's own. With `keep_caller = true` the caller's own number is sent when a call is passed on from another trunk, which a Voice Connector refuses: without it Offhook sends yours, and the original caller in X-Original-Calling-Number.";
    /// Digest refused.
    TRUNK_CREDENTIALS = "trunk-credentials" Us 503 false
        "The trunk refused our user name or password."
        "Compare the trunk's `username` and `password` with the Voice Connector's termination credentials.";
    /// Any other 403.
    TRUNK_FORBIDDEN = "trunk-forbidden" Us 403 false
        "The trunk does not let us make this call."
        "Is this box's public address on the Voice Connector's termination allow list, is the called country among its calling regions, and does the connector want encryption (then set `transport = \"tls\"`)?";
    /// Nobody home.
    TRUNK_UNREACHABLE = "trunk-unreachable" Network 503 true
        "No trunk answered: name not resolved, connection refused, or no reply in time."
        "Look at `offhook status` for the trunk's health; check DNS, the internet line, and that the firewall lets UDP/TCP 5060 or TLS 5061 out.";
    /// 503 of the trunk.
    TRUNK_OVERLOADED = "trunk-overloaded" Peer 503 true
        "Every trunk is full or throttles us (Voice Connector: 1 call per second, 10 at once by default)."
        "Ask AWS for higher quotas, or add a second trunk.";
    /// None configured.
    NO_TRUNK = "no-trunk" Us 503 false
        "There is no trunk for calls to the outside."
        "Add a `[[trunk]]` to the configuration: docs/voice-connector.md.";
    /// Phone timeout.
    PHONE_UNREACHABLE = "phone-unreachable" Network 480 true
        "The phone is registered but does not answer SIP messages."
        "Is it on? If it is behind NAT, let it register over TCP or TLS, or send keep-alives; a SIP helper (ALG) in the router must be off.";
    /// 488.
    NO_COMMON_CODEC = "no-common-codec" Peer 488 false
        "The two sides have no audio format in common."
        "Enable PCMU or PCMA (G.711) on the phone or the trunk, which everything knows, or name a format in `[media] codecs` that it has: G722 or opus.";
    /// ICE or DTLS came to nothing.
    BROWSER_UNREACHABLE = "browser-unreachable" Network 503 true
        "The audio connection to a browser (WebRTC), or to a phone with ICE, did not come about, or broke off."
        "Let the UDP port of `[webrtc]` through the firewall to this box, and set `external_address` when the box is behind NAT. The call's timeline says how far it came.";
    /// A desk phone's handshake came to nothing.
    DTLS_FAILED = "dtls-failed" Peer 488 false
        "The handshake that makes the keys of encrypted audio (DTLS-SRTP) with a desk phone failed."
        "The call's timeline says why. The phone needs DTLS 1.2, and a certificate on P-256 or P-384 or with an RSA key of 2048 bits at least; SDES does without any.";
    /// SRTP missing.
    ENCRYPTION_REQUIRED = "encryption-required" Us 488 false
        "One side insists on encrypted audio (SRTP with SDES) and the other does not offer it."
        "Set `srtp` of the `[[trunk]]` or `srtp_phones` of `[media]` to `optional`, or enable SRTP (SDES) on the phone.";
    /// Unreadable SDP.
    BAD_SDP = "bad-sdp" Peer 488 false
        "A session description could not be read."
        "`offhook calls show ID` says what it was; report it with the device's name and firmware.";
    /// `offhook calls hangup` or the end of the daemon, before an answer.
    ENDED_BY_OPERATOR = "ended-by-operator" Us 503 true
        "The call was ended from our side before anybody answered: by the operator, or because the daemon stopped."
        "Nothing is wrong.";
    /// max_calls.
    OFFICE_FULL = "office-full" Us 503 true
        "The box carries as many calls as `max_calls` allows."
        "Raise `max_calls`, or look for a caller that floods you in `offhook calls list`.";
    /// SIGTERM.
    DRAINING = "draining" Us 503 true
        "The daemon is shutting down and takes no new calls."
        "Wait for the restart.";
    /// Port range exhausted.
    NO_MEDIA_PORTS = "no-media-ports" Us 503 true
        "No RTP port is free."
        "Widen `media.ports`; a call needs two ports for each leg.";
    /// 483.
    TOO_MANY_HOPS = "too-many-hops" Peer 483 false
        "The call has gone through too many servers (Max-Forwards)."
        "Two boxes forward this number to each other; look at the routes of both.";
    /// 482.
    LOOP = "loop" Peer 482 false
        "The call came back to us by a number that leads out again."
        "Look at forwards and trunk routes: the number called is our own.";
    /// 302 we do not follow.
    REDIRECT_REFUSED = "redirect-refused" Peer 480 false
        "A phone forwards its calls to a number that it may not call, or in circles."
        "Correct the forward on the phone, or allow the extension `outside_calls`.";
    /// Timer of the 2xx.
    ACK_MISSING = "ack-missing" Network 408 true
        "We answered, and the other side never confirmed it (no ACK within 32 s)."
        "The address in our Contact is probably not reachable from there: set `external_address`, and let port 5060 in.";
    /// RFC 4028.
    SESSION_EXPIRED = "session-expired" Network 408 true
        "The other side stopped refreshing the session (RFC 4028): it is gone."
        "Was the device or the line down? Nothing else is wrong.";
    /// RTP silence.
    NO_MEDIA = "no-media" Network 408 true
        "No audio came for a long time."
        "Open the media ports in the firewall and set `external_address`.";
    /// SRTP that never authenticates.
    WRONG_KEY = "wrong-key" Peer 488 false
        "Encrypted audio cannot be read: the keys do not fit."
        "The other side encrypts with another key than it said. Call again; if it happens each time, report it with the device's name and firmware, or switch `srtp` off for it.";
    /// A panic in a media thread.
    MEDIA_BROKEN = "media-broken" Us 500 true
        "A fault of Offhook ended the audio of a leg."
        "Please report it with the lines of the journal from that moment.";
    /// 5xx of a peer.
    PEER_ERROR = "peer-error" Peer 502 true
        "The other side answered with an error of its own."
        "Its status is in the timeline; ask its maker or provider.";
    /// 4xx of a peer.
    PEER_REFUSED = "peer-refused" Peer 480 false
        "The other side refused the call."
        "Its status is in the timeline.";
    /// Garbage.
    BAD_REQUEST = "bad-request" Peer 400 false
        "The INVITE lacked something or could not be understood."
        "Report it with the device's name and firmware.";
    /// Store.
    STORE_FAILED = "store-failed" Us 500 true
        "The message or record could not be written."
        "Is the disk full? The journal says what the store answered.";
    /// Application.
    APPLICATION_FAILED = "application-failed" Us 500 true
        "The application that runs the call failed or took too long."
        "The timeline names it and says what it answered.";
    /// `[dnis]`.
    NO_PAIR = "no-pair" Us 503 true
        "All pairs of numbers for Amazon Connect were in use, or could not be asked for, until the caller's wait was over."
        "Add numbers to `our_numbers` or `connect_numbers` of `[dnis]`; where a table or a database keeps the pairs, the journal says whether it can be asked. `wait_seconds`, `otherwise` and `voicemail` say what callers get meanwhile; the metric `offhook_dnis_exhausted_total` is for an alarm.";
    /// `flow:`, `lambda:`, `webhook:`.
    APPLICATION_MISSING = "application-missing" Us 500 false
        "The application that the number leads to is not there."
        "Compare `to` of [[number]] with `offhook flow list`: a workflow must be published before it is called.";
    /// Audio file.
    AUDIO_MISSING = "audio-missing" Us 500 false
        "A prompt could not be played: the file is missing or not readable as sound."
        "The timeline names the file. WAV, MP3, FLAC and Ogg are understood.";
    /// Neither engine, or not this text.
    SPEECH_FAILED = "speech-failed" Us 500 false
        "A text could not be spoken."
        "The timeline says why. `offhook check` tells whether espeak-ng is missing (`apt-get install espeak-ng`); with Amazon Polly compare region, key and rights.";
    /// 404 of `UpdateSipMediaApplicationCall`.
    CLOUD_CALL_GONE = "cloud-call-gone" Network 404 false
        "The cloud no longer has the call that a phone gave back to it."
        "Mostly nothing is wrong: the caller had just hung up. Else compare `[cloud]` with the headers of the call's INVITE in the timeline.";
    /// The code of `[cloud]`, dialled in a new call.
    NO_HELD_CALL = "no-held-call" Peer 404 false
        "A phone dialled the code of `[cloud]` and held no call that could be moved."
        "Put the call on hold at the same phone, then dial the code and the number.";
    /// 400, 401, 403 of AWS.
    CLOUD_REFUSED = "cloud-refused" Us 403 false
        "AWS refused to move a caller whom a phone gave back."
        "The timeline has AWS's words. The key of `[aws]` needs `chime:UpdateSipMediaApplicationCall` and `connect:UpdateContactAttributes`; the SIP media application and the instance must be in `[aws] region`.";
    /// 429, 5xx or silence of AWS.
    CLOUD_UNREACHABLE = "cloud-unreachable" Network 503 true
        "AWS did not answer when a phone gave a caller back."
        "See whether this machine reaches AWS by HTTPS (`offhook doctor`), and `answer_seconds` of `[cloud]`.";
    /// 202, and nothing came of it.
    CLOUD_SILENT = "cloud-did-not-move" Peer 504 true
        "AWS took the order to move a caller, and the caller was still here after `bye_seconds`."
        "Look into the log of the SIP media application's function: it was told CALL_UPDATE_REQUESTED.";
    /// kill -9.
    LOST = "lost" Us 500 true
        "The daemon ended while the call was up."
        "See the journal for why it ended.";
    /// Catch-all of ours.
    INTERNAL = "internal" Us 500 true
        "Something went wrong inside."
        "Please report it with `offhook calls show ID`.";
}

/// The entry with this code.
pub fn by_code(code: &str) -> Option<&'static Failure> {
    CATALOGUE.iter().find(|f| f.code == code).copied()
}

/// Who gave a final answer: the same status means different things from a phone and from a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// A desk phone of the office.
    Phone,
    /// A trunk.
    Trunk,
}

/// The catalogue's entry for a final response that is no success.
pub fn of_response(status: u16, reason: &str, from: Answerer) -> &'static Failure {
    let trunk = from == Answerer::Trunk;
    match status {
        // Voice Connector words it so; the number stands between the words.
        403 if trunk && contains(reason, "caller id") => CALLER_ID_NOT_OWNED,
        401 | 407 if trunk => TRUNK_CREDENTIALS,
        403 if trunk => TRUNK_FORBIDDEN,
        404 | 410 | 604 if trunk => NUMBER_NOT_IN_SERVICE,
        404 | 410 | 604 => NOT_REGISTERED,
        408 if trunk => TRUNK_UNREACHABLE,
        408 => PHONE_UNREACHABLE,
        480 => NO_ANSWER,
        482 => LOOP,
        483 => TOO_MANY_HOPS,
        484 => NUMBER_INCOMPLETE,
        486 => BUSY,
        600 => BUSY_EVERYWHERE,
        487 => CANCELLED,
        488 | 606 | 415 => NO_COMMON_CODEC,
        403 | 603 | 607 | 608 => DECLINED,
        503 if trunk => TRUNK_OVERLOADED,
        // A trunk's redirect is not followed: it would make us dial what a stranger names.
        300..=399 if trunk => PEER_REFUSED,
        300..=399 => REDIRECT_REFUSED,
        500..=599 => PEER_ERROR,
        _ => PEER_REFUSED,
    }
}

fn contains(text: &str, lower: &str) -> bool {
    text.to_ascii_lowercase().contains(lower)
}

/// `docs/failures.md`.
pub fn render_manual() -> String {
    let mut out = String::from(
        "# Why a call failed, and what to do\n\n\
         `offhook calls show ID` names one of these codes. The page is made from the program's own\n\
         catalogue (`edge/pbx/src/failure.rs`); a test fails when they differ.\n\n\
         Calls turned away at the door have no record, so that a flood fills no disk: `office-full`,\n\
         `draining`, and a trunk's `max_calls` (`trunk-overloaded`) are counted in the metrics and told\n\
         in the journal only.\n\n\
         | code | SIP | whose | again? | what happened | remedy |\n|---|---|---|---|---|---|\n",
    );
    for f in CATALOGUE {
        let again = if f.retry { "may work" } else { "no" };
        let (code, status, side) = (f.code, f.sip_status, f.side.as_str());
        let _ = writeln!(
            out,
            "| `{code}` | {status} | {side} | {again} | {} | {} |",
            f.meaning, f.remedy
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_is_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failures.md");
        if std::env::var_os("OFFHOOK_WRITE_DOCS").is_some() {
            std::fs::write(path, render_manual()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), render_manual());
    }

    #[test]
    fn codes_are_unique_and_statuses_are_final() {
        for (i, f) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE.iter().skip(i + 1).all(|g| g.code != f.code), "{}", f.code);
            assert!((300..700).contains(&f.sip_status));
            assert_eq!(by_code(f.code), Some(*f));
        }
    }

    #[test]
    fn a_voice_connector_that_refuses_the_callers_number_gets_its_own_remedy() {
        let reason = "Caller Id +14435550123 is not valid";
        assert_eq!(of_response(403, reason, Answerer::Trunk), CALLER_ID_NOT_OWNED);
        assert_eq!(of_response(403, "Forbidden", Answerer::Trunk), TRUNK_FORBIDDEN);
        assert_eq!(of_response(403, "Forbidden", Answerer::Phone), DECLINED);
        assert!(CALLER_ID_NOT_OWNED.remedy.contains("caller_id"));
    }
}
