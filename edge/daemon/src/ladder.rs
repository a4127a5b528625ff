//! A call's timeline as a ladder: one column for us, one for each leg, time running down.

use std::fmt::Write as _;
use std::time::SystemTime;

use offhook_pbx::event::{CallEvent, CallEventKind, Direction};
use offhook_pbx::quality::PathQuality;

use crate::output::{plain, reason};

const COLUMN: usize = 34;

/// Draws the ladder. `started` is the zero of the time column (seconds).
pub fn draw(started: SystemTime, events: &[CallEvent]) -> String {
    let legs = legs(events);
    let mut out = String::new();
    head(&mut out, &legs, events);
    for event in events {
        let after = event.at.duration_since(started).unwrap_or_default().as_secs_f64();
        let column = event.leg.as_ref().and_then(|l| legs.iter().position(|x| x == l));
        match (&event.kind, column) {
            (CallEventKind::Sip { direction, line, cseq, body, .. }, Some(column)) => {
                let label = sip_label(line, cseq, body.as_deref());
                let _ =
                    writeln!(out, "{after:8.3}  {}", arrow(column, legs.len(), *direction, &label));
            }
            (kind, _) => {
                let leg = event.leg.as_deref().map_or_else(String::new, |l| format!("{l}: "));
                let words = match kind {
                    CallEventKind::Failure { .. } | CallEventKind::Note { .. } => {
                        reason(&words(kind))
                    }
                    _ => plain(&words(kind)),
                };
                let _ = writeln!(out, "{after:8.3}  · {leg}{words}");
            }
        }
    }
    out
}

/// The legs in order of appearance.
fn legs(events: &[CallEvent]) -> Vec<String> {
    let mut legs: Vec<String> = Vec::new();
    for leg in events.iter().filter_map(|e| e.leg.as_ref()) {
        if !legs.contains(leg) {
            legs.push(leg.clone());
        }
    }
    legs
}

/// Names of the columns: the legs' parties.
fn head(out: &mut String, legs: &[String], events: &[CallEvent]) {
    let mut line = format!("{:8}  {:<COLUMN$}", "", "Offhook");
    for leg in legs {
        let party = events.iter().find_map(|e| match &e.kind {
            CallEventKind::Leg { party } if e.leg.as_ref() == Some(leg) => Some(party.as_str()),
            _ => None,
        });
        let _ = write!(line, "{:<COLUMN$}", plain(&format!("{leg} {}", party.unwrap_or(""))));
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

fn sip_label(line: &str, cseq: &str, body: Option<&str>) -> String {
    // A response says which request it answers; a request's method is its first word anyway.
    let method = cseq.split_whitespace().nth(1).unwrap_or("");
    let mut label = if line.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{line} ({method})")
    } else {
        line.to_owned()
    };
    if let Some(body) = body {
        let _ = write!(label, " +{}", body.rsplit('/').next().unwrap_or(body));
    }
    label
}

/// One arrow between our column and the leg's.
fn arrow(column: usize, legs: usize, direction: Direction, label: &str) -> String {
    let width = COLUMN * (column + 1) - 2;
    // Blanks around it and the arrow's ends.
    let label: String = plain(label).chars().take(width.saturating_sub(4)).collect();
    let dashes = width.saturating_sub(label.chars().count() + 4);
    let (left, right) = (dashes / 2, dashes - dashes / 2);
    let mut out = match direction {
        Direction::Out => format!("|{} {label} {}>|", "-".repeat(left), "-".repeat(right)),
        Direction::In => format!("|<{} {label} {}|", "-".repeat(left), "-".repeat(right)),
    };
    for _ in column + 1..legs {
        let _ = write!(out, "{:>COLUMN$}", "|");
    }
    out
}

fn words(kind: &CallEventKind) -> String {
    match kind {
        CallEventKind::Leg { party } => format!("leg for {party}"),
        CallEventKind::Application { name, told, actions, took_us } => {
            let mut text = format!("{name} told {told}");
            if !actions.is_empty() {
                let _ = write!(text, ", asks for {}", actions.join(", "));
            }
            // A Lambda or a webhook that is slow is what a caller waits for.
            match took_us.map(|us| us / 1000) {
                None | Some(0) => {}
                Some(ms) => _ = write!(text, " after {ms} ms"),
            }
            text
        }
        CallEventKind::Media { codec, direction, protection, remote } => {
            format!("media {codec} {direction} {protection} with {remote}")
        }
        CallEventKind::MediaSummary { received, sent, lost, dropped } => {
            format!(
                "media ended: {received} packets in, {sent} out, {lost} lost, {dropped} dropped"
            )
        }
        CallEventKind::MediaQuality { received, sent, round_trip_ms } => {
            quality_words(received.as_ref(), sent.as_ref(), *round_trip_ms)
        }
        CallEventKind::Digit => "a digit".to_owned(),
        CallEventKind::Prompt { name } => format!("prompt {name}"),
        CallEventKind::Recorded { duration_ms, ended_by } => {
            format!("recorded {:.1} s, ended by {ended_by}", *duration_ms as f64 / 1000.0)
        }
        CallEventKind::Taped => "the call is being recorded".to_owned(),
        CallEventKind::Stored { location } => format!("the recording is in {location}"),
        CallEventKind::HungUp { by, why } if why == "hung up" => format!("{by} hung up"),
        CallEventKind::HungUp { by, why } => format!("{by} hung up: {why}"),
        CallEventKind::Failure { code, sip_status, detail } => match sip_status {
            Some(status) => format!("FAILED {code} (SIP {status}): {detail}"),
            None => format!("FAILED {code}: {detail}"),
        },
        CallEventKind::Transfer { by, to, attended } => {
            let call = if *attended { "the call with " } else { "" };
            format!("{by} puts the call through to {call}{to}")
        }
        CallEventKind::Supervised { by, how } => match how.as_str() {
            "whisper" => format!("{by} whispers to the extension it listens to"),
            "barge" => format!("{by} speaks to all"),
            _ => format!("{by} listens"),
        },
        CallEventKind::Note { text } => text.clone(),
        other => format!("{other:?}"),
    }
}

/// How a leg's party was heard, and heard us.
fn quality_words(
    received: Option<&PathQuality>,
    sent: Option<&PathQuality>,
    round_trip_ms: Option<f64>,
) -> String {
    let way = |path: &PathQuality| {
        let PathQuality { loss_percent, jitter_ms, mos } = path;
        let opinion = path.opinion();
        format!("{opinion} (MOS {mos:.1}: {loss_percent:.1} % lost, jitter {jitter_ms:.0} ms)")
    };
    let heard = received.map_or_else(|| "not heard".to_owned(), |p| format!("heard {}", way(p)));
    let hears = sent.map_or_else(
        || "sent no reports of how it heard us".to_owned(),
        |p| format!("heard us {}", way(p)),
    );
    let trip = round_trip_ms.map_or_else(String::new, |ms| format!(", round trip {ms:.0} ms"));
    format!("quality: {heard}; {hears}{trip}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn event(ms: u64, leg: &str, kind: CallEventKind) -> CallEvent {
        CallEvent {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(ms),
            leg: Some(leg.to_owned()),
            kind,
        }
    }

    fn sip(direction: Direction, line: &str, cseq: &str) -> CallEventKind {
        CallEventKind::Sip {
            direction,
            line: line.into(),
            cseq: cseq.into(),
            peer: "UDP 127.0.0.1:5060".into(),
            body: None,
        }
    }

    #[test]
    fn arrows_point_from_the_sender_to_the_receiver() {
        let drawn = draw(
            SystemTime::UNIX_EPOCH,
            &[
                event(0, "A", CallEventKind::Leg { party: "trunk:connect".into() }),
                event(0, "A", sip(Direction::In, "INVITE", "1 INVITE")),
                event(5, "B", CallEventKind::Leg { party: "extension:101".into() }),
                event(5, "B", sip(Direction::Out, "INVITE", "1 INVITE")),
                event(1250, "A", sip(Direction::Out, "200 OK", "1 INVITE")),
            ],
        );
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(lines[0].contains("A trunk:connect") && lines[0].contains("B extension:101"));
        assert!(lines[2].contains("|<-") && lines[2].contains(" INVITE "));
        assert!(lines[4].contains("->|") && lines[4].len() > lines[2].trim_end().len() - 4);
        assert!(lines[5].starts_with("   1.250") && lines[5].contains("200 OK (INVITE)"));
    }

    #[test]
    fn what_a_peer_writes_stays_in_its_line() {
        let drawn = draw(
            SystemTime::UNIX_EPOCH,
            &[
                event(0, "A", CallEventKind::Leg { party: "x\x1b]0;root\x07".into() }),
                event(0, "A", sip(Direction::In, "200 \x1b[2JOK\r\n1", "1 INVITE")),
                event(
                    0,
                    "A",
                    CallEventKind::HungUp { by: "caller".into(), why: "\nCall 9".repeat(9_999) },
                ),
            ],
        );
        assert_eq!(drawn.lines().count(), 4, "{drawn}");
        assert!(!drawn.contains(|c: char| c.is_control() && c != '\n'));
        assert!(drawn.lines().all(|line| line.chars().count() < 300));
    }

    #[test]
    fn how_a_leg_sounded_is_said_in_words() {
        let path = |loss_percent, mos| PathQuality { loss_percent, jitter_ms: 3.4, mos };
        let kind = |received, sent, round_trip_ms| {
            words(&CallEventKind::MediaQuality { received, sent, round_trip_ms })
        };
        assert_eq!(
            kind(Some(path(0.0, 4.4)), Some(path(7.0, 3.3)), Some(48.2)),
            "quality: heard good (MOS 4.4: 0.0 % lost, jitter 3 ms); heard us poor (MOS 3.3: \
             7.0 % lost, jitter 3 ms), round trip 48 ms"
        );
        assert_eq!(
            kind(Some(path(0.0, 4.4)), None, None),
            "quality: heard good (MOS 4.4: 0.0 % lost, jitter 3 ms); sent no reports of how it \
             heard us"
        );
    }

    #[test]
    fn it_is_said_how_long_an_application_took_where_somebody_could_notice() {
        let kind = |took_us| {
            let actions = vec!["PlayAudio".to_owned(), "Hangup".to_owned()];
            let (name, told) = ("lambda".to_owned(), "NEW_INBOUND_CALL".to_owned());
            words(&CallEventKind::Application { name, told, actions, took_us })
        };
        let at_once = "lambda told NEW_INBOUND_CALL, asks for PlayAudio, Hangup";
        assert_eq!((kind(None), kind(Some(999))), (at_once.to_owned(), at_once.to_owned()));
        assert_eq!(kind(Some(812_400)), format!("{at_once} after 812 ms"));
    }

    #[test]
    fn a_long_reason_is_cut_only_where_the_next_column_begins() {
        let line = "487 Request Terminated";
        let terminated = |leg| event(0, leg, sip(Direction::In, line, "1 INVITE"));
        let party = CallEventKind::Leg { party: "x".into() };
        let drawn =
            draw(SystemTime::UNIX_EPOCH, &[event(0, "A", party), terminated("A"), terminated("B")]);
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(lines[3].contains("487 Request Terminated (INVITE)"), "{drawn}");
        let end = |line: &str| line.trim_end().chars().count();
        assert_eq!(end(lines[2]), end(lines[3]), "{drawn}");
    }
}
