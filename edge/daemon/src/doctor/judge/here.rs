//! This machine: whether the appliance runs, its clock, its address.

use std::net::IpAddr;

use jiff::SignedDuration;
use offhook_config::Config;
use serde_json::Value;

use crate::doctor::facts::Facts;
use crate::doctor::finding::Finding;

/// AWS refuses requests that are five minutes off (AWS General Reference, "Signature Version 4").
const REFUSED: SignedDuration = SignedDuration::from_secs(300);
/// More than this says that nobody sets the clock.
const UNSET: SignedDuration = SignedDuration::from_secs(10);

pub(super) fn judge(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut found = daemon(facts);
    found.extend(clock(facts));
    found.extend(address(config, facts));
    found
}

fn daemon(facts: &Facts) -> Vec<Finding> {
    let status = match &facts.daemon {
        None => return Vec::new(),
        Some(Err(words)) => {
            return vec![
                Finding::problem("appliance", words.clone())
                    .mend("sudo systemctl start offhook; journalctl -u offhook says why it ended"),
            ];
        }
        Some(Ok(status)) => status,
    };
    let problems = status["listen_problems"].as_array().into_iter().flatten();
    let mut found: Vec<Finding> = problems
        .filter_map(Value::as_str)
        .map(|words| {
            Finding::problem("appliance", words)
                .mend("another program may have the port: sudo ss -lnp tells which")
        })
        .collect();
    if found.is_empty() {
        found.push(Finding::good("appliance", "runs, and all its sockets listen"));
    }
    found
}

fn clock(facts: &Facts) -> Option<Finding> {
    let skew = facts.skew?;
    let words = || {
        let seconds = skew.abs().as_secs();
        let side = if skew.is_negative() { "behind" } else { "before" };
        format!("{seconds} s {side} the time of others")
    };
    let mend = "timedatectl set-ntp true (or install chrony)";
    Some(match skew.abs() {
        off if off >= REFUSED => {
            Finding::problem("clock", format!("{}: AWS refuses all requests", words())).mend(mend)
        }
        off if off >= UNSET => Finding::warning("clock", words()).mend(mend),
        _ => Finding::good("clock", "agrees with that of others"),
    })
}

fn address(config: &Config, facts: &Facts) -> Vec<Finding> {
    let seen = match &facts.outside {
        Some(Ok(outside)) => Some(outside.address),
        Some(Err(words)) if facts.public(config).is_none() => {
            return vec![
                Finding::unknown("public address", words.clone())
                    .mend("name it: offhook doctor --public-address ADDRESS"),
            ];
        }
        Some(Err(_)) | None => None,
    };
    let Some(public) = facts.public(config) else { return Vec::new() };
    let mut found = Vec::new();
    if let (Some(seen), Some(said)) = (seen, config.server.external_address)
        && seen != said
    {
        found.push(
            Finding::problem(
                "public address",
                format!("[server] external_address is {said}, but AWS sees {seen}"),
            )
            .mend(format!(
                "external_address = \"{seen}\" under [server], unless calls and \
                           web requests leave by different ways"
            )),
        );
    }
    found.extend(nat(config, public));
    if found.is_empty() {
        found.push(Finding::good("public address", format!("{public}")));
    }
    found
}

/// Behind NAT what stands in SIP and SDP must be the public address.
fn nat(config: &Config, public: IpAddr) -> Option<Finding> {
    let told = |listen: &offhook_config::Listen| {
        listen.external_address.or(config.server.external_address).unwrap_or(listen.address.ip())
    };
    let reached = config.listen.iter().any(|listen| {
        let told = told(listen);
        // An unspecified address stands for whatever interface is used: the machine's own.
        told == public || (told.is_unspecified() && has(public))
    });
    if reached {
        return None;
    }
    Some(
        Finding::problem(
            "NAT",
            format!(
                "no interface of this machine has {public}, and no peer is told of it: AWS \
                     would send audio to a private address"
            ),
        )
        .mend(format!(
            "external_address = \"{public}\" under [server], and let the router pass SIP and UDP \
             {} to {} to this machine",
            config.media.ports.range().start(),
            config.media.ports.range().end()
        )),
    )
}

/// Whether an interface has this address: only then can a socket be bound to it.
fn has(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}
