//! The proxy of a Voice Connector, between the telephone network and an office: a Record-Route of
//! its own, and requests as captured traces show them.
//!
//! It reads and writes text, without our parser: what it makes of a message is a test of that, too.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;

use bytes::Bytes;

use crate::sim::net::{Packet, SimNet};

/// Where it stands.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Its public address, which both sides see.
    pub address: SocketAddr,
    /// The connector's host name, as calls out name it.
    pub name: String,
    /// Where its origination leads.
    pub office: SocketAddr,
    /// Where calls out go.
    pub network: SocketAddr,
}

/// Which way a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Office,
    Network,
}

/// Starts it; it ends with both networks' hosts gone, at the latest with the runtime.
pub fn start(office: &SimNet, network: &SimNet, config: EdgeConfig) {
    let mut from_office = office.inbox(config.address);
    let mut from_network = network.inbox(config.address);
    let (office, network) = (office.clone(), network.clone());
    tokio::spawn(async move {
        loop {
            let (side, packet) = tokio::select! {
                biased;
                Some(packet) = from_office.recv() => (Side::Office, packet),
                Some(packet) = from_network.recv() => (Side::Network, packet),
                else => return,
            };
            let Some((to, bytes)) = passed_on(&config, side, &packet) else { continue };
            match side {
                Side::Office => network.send(config.address, to, bytes),
                Side::Network => office.send(config.address, to, bytes),
            }
        }
    });
}

fn passed_on(config: &EdgeConfig, side: Side, packet: &Packet) -> Option<(SocketAddr, Bytes)> {
    let mut text = Text::read(&packet.bytes)?;
    if text.first.starts_with("SIP/2.0 ") {
        // The top Via is ours.
        text.remove("Via")?;
        let to = text.way_back()?;
        return Some((to, text.write()));
    }
    let to = request(config, side, packet, &mut text)?;
    if side == Side::Network {
        text.as_captured(config);
    }
    Some((to, text.write()))
}

/// RFC 3261 §16.6, as far as a stateless proxy goes.
fn request(
    config: &EdgeConfig,
    side: Side,
    packet: &Packet,
    text: &mut Text,
) -> Option<SocketAddr> {
    let own = config.address.ip().to_string();
    if text.get("Route").is_some_and(|route| route.contains(&own)) {
        text.remove("Route");
    }
    let mut words = text.first.split(' ').map(str::to_owned);
    let (method, uri) = (words.next()?, words.next()?);
    let host = host_of(&uri);
    let for_us = host.contains(&own) || host.starts_with(&config.name);
    let to = if !for_us {
        host.parse().or_else(|_| format!("{host}:5060").parse()).ok()?
    } else if side == Side::Office {
        config.network
    } else {
        let user = uri.trim_start_matches("sip:").split('@').next()?.to_owned();
        text.first = format!("{method} sip:{user}@{};transport=UDP SIP/2.0", config.office);
        config.office
    };
    text.stamp(packet.from)?;
    let mut hasher = DefaultHasher::new();
    // The same for a retransmission, a CANCEL and the ACK of a refusal.
    parameter(text.get("Via")?, "branch")?.hash(&mut hasher);
    let branch = format!("z9hG4bK{:016x}", hasher.finish());
    if method == "INVITE" && !text.get("To")?.contains(";tag=") {
        let tag = parameter(text.get("From")?, "tag").unwrap_or_default().to_owned();
        text.push(
            "Record-Route",
            &format!("<sip:{own};lr;ftag={tag};did=1b3.{};nat=yes>", &branch[7..11]),
        );
    }
    text.push("Via", &format!("SIP/2.0/UDP {};branch={branch}", config.address));
    Some(to)
}

fn host_of(uri: &str) -> String {
    let rest = uri.trim_start_matches("sip:");
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.split([';', '>', '?']).next().unwrap_or_default().to_owned()
}

fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let at = value.find(&format!(";{name}="))?;
    value[at + name.len() + 2..].split([';', ',', '>', ' ']).next()
}

/// A message in lines.
struct Text {
    first: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Text {
    fn read(bytes: &Bytes) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let first = lines.next()?.to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        Some(Self { first, headers, body: bytes[end + 4..].to_vec() })
    }

    fn write(&self) -> Bytes {
        let mut out = self.first.clone().into_bytes();
        for (name, value) in &self.headers {
            out.extend(format!("\r\n{name}: {value}").bytes());
        }
        out.extend(b"\r\n\r\n");
        out.extend(&self.body);
        out.into()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.position(name).map(|at| self.headers[at].1.as_str())
    }

    /// In front of those of the same name.
    fn push(&mut self, name: &str, value: &str) {
        let at = self.position(name).unwrap_or(0);
        self.headers.insert(at, (name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.position(name)?;
        let value = self.headers[at].1.clone();
        match value.split_once(',') {
            Some((_, rest)) => self.headers[at].1 = rest.trim().to_owned(),
            None => drop(self.headers.remove(at)),
        }
        Some(value)
    }

    /// Where the request of the top Via came from.
    fn stamp(&mut self, from: SocketAddr) -> Option<()> {
        let at = self.position("Via")?;
        let via = &mut self.headers[at].1;
        *via = via.replacen(";rport", &format!(";rport={}", from.port()), 1);
        via.push_str(&format!(";received={}", from.ip()));
        Some(())
    }

    fn way_back(&self) -> Option<SocketAddr> {
        let via = self.get("Via")?;
        let sent_by: SocketAddr = via.split([' ', ';']).nth(1)?.parse().ok()?;
        let ip = parameter(via, "received").and_then(|ip| ip.parse().ok());
        let port = parameter(via, "rport").and_then(|port| port.parse().ok());
        Some((ip.unwrap_or(sent_by.ip()), port.unwrap_or(sent_by.port())).into())
    }

    /// What the traces show: a parameter of the URI behind the brackets of To, custom headers in
    /// another case and their values in quotes, and headers of the service's own.
    fn as_captured(&mut self, config: &EdgeConfig) {
        let first = self.get("To").is_some_and(|to| !to.contains(";tag="));
        for (name, value) in &mut self.headers {
            if name == "To" && first && !value.contains("transport=") {
                value.push_str(";transport=UDP");
            }
            if name.starts_with("X-") || name.starts_with("x-") {
                *name = recased(name);
                if !value.starts_with('"') {
                    *value = format!("\"{value}\"");
                }
            }
        }
        if self.first.starts_with("INVITE") && first {
            let id = config.name.split('.').next().unwrap_or_default();
            let arn = format!("arn:aws:chime:us-east-1:111122223333:vc/{id}");
            for (name, value) in [
                ("X-SMA-Max-Forwards", "4"),
                ("X-VoiceConnector-ID", id),
                ("X-Amzn-TargetArn", arn.as_str()),
            ] {
                self.headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// `X-LexInfo` comes as `X-Lexinfo`.
fn recased(name: &str) -> String {
    let word = |word: &str| {
        let lower = word.to_ascii_lowercase();
        let mut letters = lower.chars();
        letters.next().map_or(String::new(), |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_passed_on_as_the_traces_show_it() {
        let config = EdgeConfig {
            address: "3.80.16.13:5060".parse().unwrap(),
            name: "abc.voiceconnector.chime.aws".to_owned(),
            office: "198.51.100.20:5060".parse().unwrap(),
            network: "10.0.58.47:5060".parse().unwrap(),
        };
        let bytes = "INVITE sip:+18555550111@3.80.16.13 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 10.0.58.47:5060;branch=z9hG4bKa;rport\r\n\
             From: <sip:+18005550000@10.0.58.47>;tag=1\r\nTo: <sip:+18555550111@3.80.16.13>\r\n\
             X-LexInfo: mail@example.com\r\nContent-Length: 0\r\n\r\n";
        let from = config.network;
        let packet = Packet { from, to: config.address, bytes: bytes.into() };
        let (to, bytes) = passed_on(&config, Side::Network, &packet).unwrap();
        assert_eq!(to, config.office);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        for line in [
            "INVITE sip:+18555550111@198.51.100.20:5060;transport=UDP SIP/2.0\r\n",
            "\r\nTo: <sip:+18555550111@3.80.16.13>;transport=UDP\r\n",
            "\r\nX-Lexinfo: \"mail@example.com\"\r\n",
            "\r\nX-VoiceConnector-ID: abc\r\n",
            ";rport=5060;received=10.0.58.47\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let answer = text.replacen(text.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
        let packet = Packet { from: to, to: config.address, bytes: answer.into() };
        let (to, bytes) = passed_on(&config, Side::Office, &packet).unwrap();
        assert_eq!(to, config.network);
        assert_eq!(bytes.windows(4).filter(|four| four == b"Via:").count(), 1);
    }
}
