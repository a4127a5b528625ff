//! Whole-program tests with real user agents: Debian's baresip as desk phones, its sipp as trunks
//! and as phones that misbehave. Each test has loopback addresses and a daemon of its own.
//!
//! One program, so that tests that mostly wait can wait at the same time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answers;
mod api_live;
mod bans;
mod browser;
mod buckets;
mod cloud;
mod codecs;
mod command_line;
mod conference;
mod connect;
mod connections;
mod contacts;
mod drain;
mod flow_take_back;
mod flows;
mod groups;
mod hold;
mod hostile;
mod ipv6;
mod mailbox;
mod operator;
mod passing;
mod phones;
mod pki;
mod quality;
mod recording;
mod reliable;
mod reload;
mod secrets;
mod secure;
mod speech;
mod supervision;
mod systemd;
mod take_back;
mod timers;
mod transcoded;
mod transfer;
mod trunks;
mod voicemail;
mod webhook;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::PASSWORD;
use offhook_tests::net::{Net, eventually};
use serde_json::Value;

/// A carrier known by its address, whose number +15550100100 leads to `target`.
fn line(net: Net, target: &str) -> String {
    format!(
        "[[trunk]]\nname = \"line\"\ntype = \"generic\"\nhost = \"{ip}:5060\"\n\
         transport = \"udp\"\npeers = [\"{ip}/32\"]\noptions_seconds = 0\n\
         caller_id = \"+15550100100\"\n\
         [[number]]\nmatch = \"+15550100100\"\nfrom = \"trunks\"\nto = \"{target}\"\n",
        ip = net.trunk()
    )
}

/// An appliance with this configuration and these phones, running.
fn office(net: Net, config: &str, phones: &[&str]) -> Appliance {
    let mut appliance = Appliance::prepare(net, config);
    for number in phones {
        appliance.add_phone(number, PASSWORD);
    }
    appliance.launch();
    appliance
}

/// The newest call's record.
fn last_call(appliance: &Appliance) -> Value {
    appliance.json(&["calls", "list"])[0].clone()
}

/// The same when it has ended.
fn ended_call(appliance: &Appliance) -> Value {
    eventually("the call's end", || {
        Some(last_call(appliance)).filter(|call| !call["ended_ms"].is_null())
    })
}

/// `offhook calls show` of the newest call, as text.
fn last_ladder(appliance: &Appliance) -> String {
    let call = last_call(appliance);
    appliance.cli(&["calls", "show", call["id"].as_str().expect("an id")])
}

/// The events of the newest call's timeline of one kind (`media`, `failure`, …).
fn last_events(appliance: &Appliance, kind: &str) -> Vec<Value> {
    let call = last_call(appliance);
    let shown = appliance.json(&["calls", "show", call["id"].as_str().expect("an id")]);
    let timeline = shown["timeline"].as_array().expect("a timeline").iter();
    timeline.filter(|e| e["event"] == kind).cloned().collect()
}
