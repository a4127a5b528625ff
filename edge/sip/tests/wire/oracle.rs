//! Other people's parsers as oracles: where both sides read a message, they must read the same.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use ezk_sip_types::header::typed as ezk;
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::ParseCtx;
use ezk_sip_types::print::AppendCtx;
use offhook_sip::message::Message;
use offhook_sip::parse::datagram;
use offhook_sip::uri::unescape;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rsip::message::HasHeaders;
use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};

use crate::{corpus, properties};

/// What is compared. `None`: the parser did not read that part, which is no disagreement.
#[derive(Debug, Default)]
struct Facts {
    method: Option<String>,
    uri: Option<String>,
    status: Option<u16>,
    call_id: Option<String>,
    cseq: Option<(u32, String)>,
    branch: Option<String>,
    from_tag: Option<String>,
    to_tag: Option<String>,
    body: Option<Vec<u8>>,
}

impl Facts {
    /// Names of the parts both know and see differently.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            matches!((a, b), (Some(a), Some(b)) if a != b)
        }
        [
            ("method", differ(self.method.as_ref(), other.method.as_ref())),
            ("uri", differ(self.uri.as_ref(), other.uri.as_ref())),
            ("status", differ(self.status.as_ref(), other.status.as_ref())),
            ("call-id", differ(self.call_id.as_ref(), other.call_id.as_ref())),
            ("cseq", differ(self.cseq.as_ref(), other.cseq.as_ref())),
            ("branch", differ(self.branch.as_ref(), other.branch.as_ref())),
            ("from-tag", differ(self.from_tag.as_ref(), other.from_tag.as_ref())),
            ("to-tag", differ(self.to_tag.as_ref(), other.to_tag.as_ref())),
            ("body", differ(self.body.as_ref(), other.body.as_ref())),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    fn known(&self) -> usize {
        [
            self.method.is_some() || self.status.is_some(),
            self.uri.is_some(),
            self.call_id.is_some(),
            self.cseq.is_some(),
            self.branch.is_some(),
            self.from_tag.is_some(),
            self.to_tag.is_some(),
            self.body.is_some(),
        ]
        .into_iter()
        .filter(|known| *known)
        .count()
    }
}

/// ezk prints some escapes decoded.
fn decoded(uri: &dyn ToString) -> String {
    unescape(&uri.to_string()).into_owned()
}

fn ours(octets: &Bytes) -> Option<Facts> {
    macro_rules! common {
        ($m:ident) => {
            Facts {
                call_id: $m.call_id().map(|c| c.into_owned()),
                cseq: $m.cseq().ok().map(|c| (c.seq, c.method.to_string())),
                branch: $m.top_via().ok().and_then(|v| v.branch().map(String::from)),
                from_tag: $m.from_tag(),
                to_tag: $m.to_tag(),
                body: Some($m.body.to_vec()),
                ..Facts::default()
            }
        };
    }
    Some(match datagram(octets.clone()).ok()? {
        Message::Request(m) => {
            Facts { method: Some(m.method.to_string()), uri: Some(decoded(&m.uri)), ..common!(m) }
        }
        Message::Response(m) => Facts { status: Some(m.status.code()), ..common!(m) },
    })
}

fn theirs_ezk(octets: &Bytes) -> Option<Facts> {
    let mut parser = PullParser::new(octets, 0);
    let first = std::str::from_utf8(parser.next()?.ok()?).ok()?;
    let (_, start) =
        MessageLine::parse(ParseCtx::new(octets, ezk_sip_types::parse::Parser::default()))(first)
            .ok()?;
    let mut headers = ezk_sip_types::Headers::new();
    for line in &mut parser {
        let (_, line) = Line::parse(octets, std::str::from_utf8(line.ok()?).ok()?).ok()?;
        headers.insert(line.name, line.value);
    }
    let from: Option<ezk::FromTo> = headers.get(ezk_sip_types::Name::FROM).ok();
    let to: Option<ezk::FromTo> = headers.get(ezk_sip_types::Name::TO).ok();
    let via: Option<ezk::Via> = headers.get_named().ok();
    let cseq: Option<ezk::CSeq> = headers.get_named().ok();
    let call_id: Option<ezk::CallID> = headers.get_named().ok();
    let length: Option<ezk::ContentLength> = headers.get_named().ok();
    let rest = octets.get(parser.head_end()..)?;
    let mut facts = Facts {
        call_id: call_id.map(|c| c.0.to_string()),
        cseq: cseq.map(|c| (c.cseq, c.method.to_string())),
        branch: via.and_then(|v| v.params.get_val("branch").map(ToString::to_string)),
        from_tag: from.and_then(|f| f.tag.map(|t| t.to_string())),
        to_tag: to.and_then(|t| t.tag.map(|t| t.to_string())),
        body: length.and_then(|l| rest.get(..l.0).map(<[u8]>::to_vec)),
        ..Facts::default()
    };
    match start {
        MessageLine::Request(line) => {
            facts.method = Some(line.method.to_string());
            facts.uri = Some(decoded(&line.uri.default_print_ctx()));
        }
        MessageLine::Response(line) => facts.status = Some(line.code.into_u16()),
    }
    Some(facts)
}

fn theirs_rsip(octets: &Bytes) -> Option<Facts> {
    let message = rsip::SipMessage::try_from(octets.to_vec()).ok()?;
    let branch = |via: &rsip::headers::Via| via.typed().ok()?.branch().map(ToString::to_string);
    let strip = |branch: String| branch.trim_start_matches(";branch=").to_string();
    let mut facts = Facts {
        call_id: message.call_id_header().ok().map(|c| c.value().to_string()),
        cseq: message
            .cseq_header()
            .ok()
            .and_then(|c| c.typed().ok())
            .map(|c| (c.seq, c.method.to_string())),
        branch: message.via_header().ok().and_then(branch).map(strip),
        from_tag: message
            .from_header()
            .ok()
            .and_then(|f| f.tag().ok().flatten())
            .map(|t| t.value().to_string()),
        to_tag: message
            .to_header()
            .ok()
            .and_then(|t| t.tag().ok().flatten())
            .map(|t| t.value().to_string()),
        // rsip hands out what follows the head, whatever Content-Length says.
        body: Some(message.body().clone()),
        ..Facts::default()
    };
    assert!(message.headers().iter().count() > 0);
    match &message {
        rsip::SipMessage::Request(request) => {
            facts.method = Some(request.method().to_string());
            facts.uri = Some(decoded(request.uri()));
        }
        rsip::SipMessage::Response(response) => {
            facts.status = Some(response.status_code().code());
        }
    }
    Some(facts)
}

type Parser = fn(&Bytes) -> Option<Facts>;

/// Runs an oracle; one that panics has not read the message.
fn ask(parser: Parser, octets: &Bytes) -> Option<Facts> {
    catch_unwind(AssertUnwindSafe(|| parser(octets))).ok().flatten()
}

/// Faults of the oracles, message by message; each was looked at.
const KNOWN: &[(&str, &str, &[&str])] = &[
    // Keeps what lies behind the body, against RFC 3261 §18.3.
    ("rsip", "rfc4475/dblreq", &["body"]),
    // Decodes `%66` in a branch, where `%` is no escape (RFC 4475 §3.1.1.3).
    ("ezk", "rfc4475/intmeth", &["branch"]),
];

fn known(oracle: &str, name: &str) -> &'static [&'static str] {
    KNOWN.iter().find(|k| k.0 == oracle && k.1 == name).map_or(&[], |k| k.2)
}

#[test]
fn the_torture_messages_are_read_as_the_oracles_read_them() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut wrong = Vec::new();
    let mut agreed = [0, 0];
    for (name, octets) in corpus::all() {
        let Some(ours) = ours(&octets) else { continue };
        let oracles: [(&str, Parser); 2] = [("ezk", theirs_ezk), ("rsip", theirs_rsip)];
        for (i, (oracle, parser)) in oracles.into_iter().enumerate() {
            let Some(theirs) = ask(parser, &octets) else { continue };
            let differences = ours.differences(&theirs);
            if differences != known(oracle, &name) {
                wrong.push(format!(
                    "{oracle} {name}: {differences:?}\n ours   {ours:?}\n theirs {theirs:?}"
                ));
            }
            agreed[i] += theirs.known() - differences.len();
        }
    }
    std::panic::set_hook(hook);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreed.iter().all(|n| *n > 100), "the oracles read too little: {agreed:?}");
}

#[test]
fn ordinary_messages_are_read_as_the_oracles_read_them() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let message = properties::message().new_tree(&mut runner).unwrap().current();
        let octets = message.to_bytes();
        let ours = ours(&octets).unwrap();
        for parser in [theirs_ezk as Parser, theirs_rsip] {
            if let Some(theirs) = ask(parser, &octets) {
                let differences = ours.differences(&theirs);
                assert!(differences.is_empty(), "{differences:?}\n{ours:?}\n{theirs:?}");
                assert!(theirs.known() >= 4, "{theirs:?}");
            }
        }
    }
}
