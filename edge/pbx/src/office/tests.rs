use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tracing::span;

use super::*;

/// Counts lines.
#[derive(Clone, Default)]
struct Journal(Arc<AtomicUsize>);

impl tracing::Subscriber for Journal {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn calls_turned_away_by_the_thousand_are_a_few_lines_in_the_journal() {
    let journal = Journal::default();
    let _here = tracing::subscriber::set_default(journal.clone());
    let lines = || journal.0.swap(0, Ordering::Relaxed);
    let mut noise = Noise::new();
    let mut turn_away = |port: u16, address: &str| {
        let source = SocketAddr::new(address.parse().unwrap(), port);
        note_turned_away(&mut noise, failure::OFFICE_FULL, source);
    };
    (0..10_000).for_each(|port| turn_away(port, "203.0.113.7"));
    assert_eq!(lines(), 5);
    (0..10_000).for_each(|n| turn_away(5060, &format!("2001:db8::{n:x}")));
    assert_eq!(lines(), 5, "whatever address of its network it takes");
    (0..10_000).for_each(|n| turn_away(5060, &format!("198.51.{}.{}", n / 256, n % 256)));
    assert_eq!(lines(), 110, "nor can many of them");
    tokio::time::advance(Duration::from_secs(61)).await;
    turn_away(5060, "203.0.113.7");
    assert_eq!(lines(), 1);
}
