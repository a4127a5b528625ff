use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use offhook_sip::flow::{Flow, Transport};

use super::{BanEvent, Bans, Offence, Policy};
use crate::metrics::Metrics;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn bans() -> Bans {
    let policy = Policy {
        failures: 3,
        window: Duration::from_secs(60),
        ban: Duration::from_secs(600),
        never: vec!["10.0.0.0/8".parse().unwrap()],
    };
    Bans::new(policy, None, Arc::new(Metrics::default()), None)
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_the_window_ban_for_ten_minutes() {
    let bans = bans();
    let source = ip("203.0.113.7");
    bans.failure(source, Offence::Credentials);
    bans.failure(source, Offence::Credentials);
    assert!(!bans.is_banned(source));
    bans.failure(source, Offence::Stranger);
    assert!(bans.is_banned(source));
    assert_eq!(bans.list().len(), 1);
    tokio::time::advance(Duration::from_secs(601)).await;
    assert!(!bans.is_banned(source));
    assert!(bans.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn slow_failures_and_forgiven_ones_do_not_ban() {
    let bans = bans();
    let source = ip("203.0.113.7");
    for _ in 0..5 {
        bans.failure(source, Offence::Credentials);
        tokio::time::advance(Duration::from_secs(61)).await;
    }
    for _ in 0..5 {
        bans.wrong_password(source, Some("101"));
        bans.wrong_password(source, Some("101"));
        bans.right_password(source, "101");
    }
    assert!(!bans.is_banned(source));
}

#[tokio::test(start_paused = true)]
async fn operator_ranges_and_trunk_peers_are_never_banned() {
    let bans = bans();
    bans.set_trunk_networks(vec!["3.80.16.0/23".parse().unwrap()]);
    for source in ["10.1.2.3", "3.80.17.9"] {
        bans.failure(ip(source), Offence::Scanner);
        assert!(!bans.is_banned(ip(source)));
    }
    bans.failure(ip("198.51.100.1"), Offence::Scanner);
    assert!(bans.is_banned(ip("198.51.100.1")));
    bans.set_trunk_networks(vec!["198.51.100.0/24".parse().unwrap()]);
    assert!(!bans.is_banned(ip("198.51.100.1")), "a ban of what became a trunk ends");
}

#[tokio::test(start_paused = true)]
async fn a_v6_host_is_banned_with_its_whole_64() {
    let bans = bans();
    bans.failure(ip("2001:db8:1:2::1"), Offence::Scanner);
    assert!(bans.is_banned(ip("2001:db8:1:2:ffff::9")));
    assert!(!bans.is_banned(ip("2001:db8:1:3::1")));
    assert!(bans.lift(ip("2001:db8:1:2::7")));
    assert!(!bans.is_banned(ip("2001:db8:1:2::1")));
    assert!(!bans.lift(ip("2001:db8:1:2::7")));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_sources_stays_within_its_table() {
    let bans = bans();
    let phone = ip("203.0.113.5");
    bans.phone_came(phone);
    for n in 0..20_000 {
        for _ in 0..3 {
            bans.wrong_password(phone, Some(&n.to_string()));
        }
    }
    let table = bans.table();
    assert!(table.refused.len() <= super::table::MAX_BANNED);
    drop(table);
    for n in 0..100_000u32 {
        bans.failure(std::net::Ipv4Addr::from_bits(0xC000_0000 + n).into(), Offence::Scanner);
    }
    assert!(bans.list().len() <= super::table::MAX_BANNED);
}

fn over(transport: Transport, source: &str) -> Flow {
    let remote = std::net::SocketAddr::new(ip(source), 5060);
    Flow { transport, local: "192.0.2.1:5060".parse().unwrap(), remote, connection: None }
}

#[tokio::test(start_paused = true)]
async fn a_datagram_with_a_forged_address_shuts_out_no_phone() {
    let bans = bans();
    let phone = "203.0.113.5";
    bans.phone_came(ip(phone));
    bans.phone_came(ip(phone));
    bans.phone_left(ip(phone));
    for _ in 0..20 {
        for offence in [Offence::Scanner, Offence::Stranger, Offence::Malformed] {
            bans.failure_over(&over(Transport::Udp, phone), offence);
        }
        // What is no SIP may be anybody's.
        bans.failure_over(&over(Transport::Udp, "203.0.113.6"), Offence::Malformed);
    }
    assert!(bans.list().is_empty());
    // A connection is proof of an address, and so is the answer to a challenge.
    bans.failure_over(&over(Transport::Tcp, phone), Offence::Scanner);
    assert!(bans.is_banned(ip(phone)));
    bans.lift(ip(phone));
    bans.phone_left(ip(phone));
    bans.failure_over(&over(Transport::Udp, phone), Offence::Scanner);
    assert!(bans.is_banned(ip(phone)));
}

#[tokio::test(start_paused = true)]
async fn an_exempt_ipv6_host_is_not_shut_out_with_its_neighbours() {
    let bans = bans();
    bans.set_trunk_networks(vec!["2001:db8:9:9::5/128".parse().unwrap()]);
    bans.failure(ip("2001:db8:9:9::5"), Offence::Scanner);
    assert!(!bans.is_banned(ip("2001:db8:9:9::6")));
    bans.failure(ip("2001:db8:9:9::6"), Offence::Scanner);
    assert!(bans.is_banned(ip("2001:db8:9:9::6")));
    assert!(!bans.is_banned(ip("2001:db8:9:9::5")));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_forged_sources_is_shut_out_and_writes_little() {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&told);
    let listener = move |_: &BanEvent| {
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let policy = Policy {
        failures: 3,
        window: Duration::from_secs(60),
        ban: Duration::from_secs(600),
        never: Vec::new(),
    };
    let metrics = Arc::new(Metrics::default());
    let bans = Bans::new(policy, None, metrics, Some(Box::new(listener)));
    let source = |n: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(0xC000_0000 + n));
    for n in 0..10_000 {
        bans.failure(source(n), Offence::Scanner);
    }
    assert_eq!(bans.list().len(), 10_000);
    assert_eq!(told.load(Ordering::Relaxed), 500);
    // Who comes later is written down again.
    tokio::time::advance(Duration::from_secs(10)).await;
    for n in 10_000..10_100 {
        bans.failure(source(n), Offence::Scanner);
    }
    assert_eq!(told.load(Ordering::Relaxed), 550);
}

#[tokio::test(start_paused = true)]
async fn a_source_fills_no_journal_and_neither_do_many() {
    let bans = bans();
    let lines = |source: &str| (0..100).filter_map(|_| bans.worth_a_line(ip(source))).count();
    assert_eq!(lines("203.0.113.7"), 5);
    assert_eq!(lines("203.0.113.8"), 5, "another one is heard of all the same");
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(bans.worth_a_line(ip("203.0.113.7")), Some(95), "what was left out is counted");
    let many = (0..1_000).filter_map(|n: u32| {
        bans.worth_a_line(std::net::Ipv4Addr::from_bits(0xC000_0000 + n).into())
    });
    assert_eq!(many.count(), 119);
}

/// One ban, that was written when the clock was ten years ahead.
struct FromTheFuture;

impl crate::keep::Bans for FromTheFuture {
    fn load_bans(&self) -> crate::keep::Kept<Vec<crate::keep::Ban>> {
        let since = std::time::SystemTime::now() + Duration::from_secs(10 * 365 * 86_400);
        let until = since + Duration::from_secs(600);
        let source = ip("203.0.113.7");
        let ban = crate::keep::Ban { source, reason: "x".into(), failures: 3, since, until };
        Box::pin(async { Ok(vec![ban]) })
    }

    fn put_ban(&self, _: crate::keep::Ban) -> crate::keep::Kept<()> {
        Box::pin(async { Ok(()) })
    }

    fn remove_ban(&self, _: IpAddr) -> crate::keep::Kept<()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_shuts_nobody_out_for_years() {
    let policy = bans().0.table.lock().unwrap().policy.clone();
    let bans = Bans::new(policy, Some(Arc::new(FromTheFuture)), Arc::default(), None);
    bans.load().await.unwrap();
    assert!(bans.is_banned(ip("203.0.113.7")));
    tokio::time::advance(Duration::from_secs(601)).await;
    assert!(!bans.is_banned(ip("203.0.113.7")));
}
