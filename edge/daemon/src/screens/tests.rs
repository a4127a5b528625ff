use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use offhook_pbx::keep::CloudIds;
use offhook_pbx::screen::Moment;
use serde_json::Value;

use super::*;

fn config(port: u16) -> Arc<Config> {
    let text = format!(
        "[screen_pop]\nurl = \"http://127.0.0.1:{port}/pops\"\nsecret = \"0123456789abcdef\"\n"
    );
    Arc::new(offhook_config::check(&text, Path::new("t.toml")).unwrap())
}

fn pop(call: &str, moment: Moment) -> Pop {
    Pop {
        moment,
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_398_000_123),
        call: call.to_owned(),
        extension: "101".to_owned(),
        caller: "+15550100111".to_owned(),
        original_caller: Some("+12065550123".to_owned()),
        name: Some("Jane \"J\" Doe (sales)".to_owned()),
        queue: Some("sales".to_owned()),
        cloud: CloudIds { contact_id: Some("c-1".to_owned()), ..CloudIds::default() },
        attributes: BTreeMap::from([("X-Reason".to_owned(), "a human".to_owned())]),
        answered: false,
    }
}

#[test]
fn a_moment_is_told_with_all_that_is_known_of_the_call() {
    let (id, body) = body::of(&pop("t1", Moment::Ringing));
    assert_eq!(id, "t1/101/ringing/1764398000123");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "event": "ringing", "at_ms": 1_764_398_000_123_u64, "call_id": "t1",
            "extension": "101", "caller": "+15550100111", "original_caller": "+12065550123",
            "name": "Jane \"J\" Doe (sales)", "queue": "sales", "transaction_id": null,
            "sip_media_application_id": null, "contact_id": "c-1", "initial_contact_id": null,
            "attributes": {"X-Reason": "a human"}
        })
    );
    let (_, body) = body::of(&pop("t1", Moment::Ended));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["answered"], false);
}

#[test]
fn a_file_of_authorities_is_read_again_after_a_reload_and_nothing_else_is_made_anew() {
    let made = |config: &Arc<Config>, ca_file: Option<&str>| {
        let of = ScreenPop { ca_file: ca_file.map(Into::into), ..config.screen_pop.clone() };
        let config = Config { screen_pop: of, ..Config::clone(config) };
        let config = Arc::new(config);
        let webhook = webhook(&self::config(9).screen_pop).unwrap();
        let of = config.screen_pop.clone();
        (Made { of, by: Arc::downgrade(&config), webhook }, config)
    };
    let (with_file, config) = made(&config(9), Some("/ca.pem"));
    assert!(with_file.is_for(&config));
    assert!(!with_file.is_for(&Arc::new(Config::clone(&config))));
    let (without, config) = made(&self::config(9), None);
    assert!(without.is_for(&Arc::new(Config::clone(&config))));
    assert!(!without.is_for(&self::config(10)));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_lost_and_counted_and_no_call_waits() {
    let metrics = Arc::new(Metrics::default());
    let (sender, lanes) = Sender::new(Arc::clone(&metrics));
    let config = config(9);
    for _ in 0..QUEUE + 10 {
        sender.show(&config, pop("t1", Moment::Ringing));
    }
    assert_eq!(metrics.screen_pops_lost.get(), 10);
    drop((sender, lanes));
}

#[tokio::test(start_paused = true)]
async fn a_moment_that_nobody_takes_is_tried_three_times_and_lost() {
    let metrics = Arc::new(Metrics::default());
    let (sender, lanes) = Sender::new(Arc::clone(&metrics));
    // Nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let began = Instant::now();
    sender.show(&config(port), pop("t1", Moment::Ringing));
    drop(sender);
    futures_util::future::join_all(lanes).await;
    assert_eq!((metrics.screen_pops_told.get(), metrics.screen_pops_lost.get()), (0, 1));
    assert!(began.elapsed() >= PAUSE * 3);
}
