//! Whole-program tests with real user agents: Debian's baresip and Linphone as desk phones, its
//! sipp as trunks and as phones that misbehave. Each test has loopback addresses and a daemon of
//! its own.
//!
//! One program, so that tests that mostly wait can wait at the same time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answers;
mod api_live;
mod bans;
mod bots;
mod browser;
mod buckets;
mod business;
mod cloud;
mod codecs;
mod command_line;
mod conference;
mod connect;
mod connections;
mod contacts;
mod drain;
mod flow_commands;
mod flow_take_back;
mod flows;
mod groups;
mod hold;
mod hostile;
mod ipv6;
mod linphone;
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
use offhook_tests::baresip::{Baresip, PASSWORD, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::tone::assert_tone;
use serde_json::Value;

/// A carrier known by its address in the test's network, with more keys.
fn trunk(net: Net, name: &str, last: u8, more: &str) -> String {
    let ip = net.ip(last);
    format!(
        "[[trunk]]\nname = \"{name}\"\ntype = \"generic\"\nhost = \"{ip}:5060\"\n\
         transport = \"udp\"\npeers = [\"{ip}/32\"]\noptions_seconds = 0\n{more}"
    )
}

/// Such a carrier, whose number +15550100100 leads to `target`.
fn line(net: Net, target: &str) -> String {
    let number = "+15550100100";
    let more = format!(
        "caller_id = \"{number}\"\n\
         [[number]]\nmatch = \"{number}\"\nfrom = \"trunks\"\nto = \"{target}\"\n"
    );
    trunk(net, "line", 2, &more)
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

/// How many contacts a phone has registered.
fn contacts(appliance: &Appliance, number: &str) -> usize {
    let phones = appliance.json(&["phone", "list"]);
    let phone = phones.as_array().expect("a list").iter().find(|p| p["number"] == number);
    phone.map_or(0, |p| p["contacts"].as_array().map_or(0, Vec::len))
}

/// 101 has called 102, who answers by itself.
fn talking(appliance: &Appliance) -> (Baresip, Baresip) {
    let mut caller = Baresip::registered(&Setup::of(appliance, 3, "101"));
    let auto = Setup::of(appliance, 4, "102").account(";answermode=auto");
    let mut callee = Baresip::registered(&auto);
    caller.dial("102");
    caller.expect("CALL_ESTABLISHED");
    callee.expect("CALL_ESTABLISHED");
    (caller, callee)
}

/// Lets 101 and 102 with these accounts and modules of baresip talk until both have heard the other's
/// tone. Gives the appliance, on which nothing is left of it.
fn understood(config: &str, modules: &str, accounts: [&str; 2]) -> Appliance {
    understood_at(Net::new(), config, modules, accounts)
}

/// The same, at these addresses.
fn understood_at(net: Net, config: &str, modules: &str, [caller, callee]: [&str; 2]) -> Appliance {
    let appliance = office(net, config, &["101", "102"]);
    let auto = format!("{callee};answermode=auto");
    let one = Setup::of(&appliance, 3, "101").account(caller);
    let two = Setup::of(&appliance, 4, "102").tone(1000).account(&auto);
    let mut one = Baresip::registered(&Setup { config: modules, ..one });
    let mut two = Baresip::registered(&Setup { config: modules, ..two });
    one.dial("102");
    one.expect("CALL_ESTABLISHED");
    two.expect("CALL_ESTABLISHED");
    understand(&appliance, [(&mut one, 1000.0), (&mut two, 440.0)], 1.5);
    appliance
}

/// Lets two phones talk until each has heard its tone for so many seconds. The first one hangs up;
/// nothing is left of the call.
fn understand(appliance: &Appliance, phones: [(&mut Baresip, f64); 2], seconds: f64) {
    for (phone, tone) in &phones {
        phone.hears(*tone, seconds);
    }
    phones[0].0.command("hangup", "");
    phones[1].0.expect("CALL_CLOSED");
    appliance.assert_nothing_left();
    for (phone, tone) in &phones {
        assert_tone(&phone.heard()[0], *tone, seconds);
    }
}

/// The codecs that the newest call's timeline names.
fn codecs_of(appliance: &Appliance) -> Vec<String> {
    let media = last_events(appliance, "media");
    media.iter().filter_map(|e| Some(e["codec"].as_str()?.to_owned())).collect()
}
