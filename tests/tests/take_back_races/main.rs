//! Callers who are taken back from Connect while everything happens that may, on simulated networks
//! under the paused clock: by a SIP media application (`cloud`) and by an office that holds the call
//! itself (`office`). Each race ends by counting: no pair claimed, no leg up, nothing left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

mod away;
mod bye;
mod caller;
mod clock;
mod crowd;
mod pool;
mod repeated;
#[path = "../../../edge/dnis/suite/mod.rs"]
#[allow(missing_docs, unreachable_pub)]
mod suite;
mod target;
mod updates;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use offhook::take_back::call::{Call, Running};
use offhook::take_back::pairs;
use offhook::take_back::pool::{Lasting, system_sleep};
use offhook_tests::cloud::stage::Plan;

/// A race, with either of both who may hold the caller's leg.
macro_rules! on_both {
    ($($name:ident,)+) => {
        mod cloud {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::$name(offhook_tests::cloud::stage::Plan::cloud()).await;
            })+
        }
        mod office {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::$name(crate::at_the_office()).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// The office holds the calls, put together as the daemon does it.
fn at_the_office() -> Plan {
    let words = "[[listen]]\ntransport = \"udp\"\naddress = \"127.0.0.1:5060\"\n";
    let mut config = offhook_config::check(words, Path::new("office.toml")).unwrap();
    config.dnis.otherwise = Some("101".to_owned());
    // Music takes real time, which the paused clock does not wait for.
    config.dnis.wait_music = false;
    let longest = config.dnis.lease;
    Plan::office(pairs::rules(&config), move |pool, rules| {
        let lasting = Lasting::new(Arc::new(pool), longest, system_sleep());
        let running = Arc::new(Running::new(rules, Arc::new(lasting), Arc::default()));
        Arc::new(move || Box::new(Call::new(Arc::clone(&running), None)))
    })
}

async fn milliseconds(count: u64) {
    tokio::time::sleep(Duration::from_millis(count)).await;
}
