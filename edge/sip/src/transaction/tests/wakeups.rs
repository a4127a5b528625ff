//! How often the layer wants to be woken.

use super::*;

fn grainy() -> Bench {
    Bench::with(Config { tidy_grain: ms(500), ..Config::default() })
}

/// Lets time pass; how often the layer was woken in it.
fn wakeups(bench: &mut Bench, time: Duration) -> usize {
    let end = bench.now + time;
    let mut count = 0;
    while let Some(at) = bench.layer.poll_timeout().filter(|at| *at <= end) {
        bench.now = bench.now.max(at);
        bench.layer.handle_timeout(bench.now);
        bench.drain();
        count += 1;
    }
    bench.now = end;
    count
}

#[test]
fn transactions_that_ended_within_a_grain_are_tidied_up_in_one_wake_up() {
    let mut bench = grainy();
    for i in 0..40 {
        let options = request("OPTIONS", &format!("z9hG4bK{i}"), "");
        let tx = bench.ask(&options).unwrap();
        bench.respond(tx, answer(&options, 200));
        bench.now += ms(10);
    }
    // Timer J and its grain.
    assert_eq!(wakeups(&mut bench, ms(32_000 + 500)), 1);
    assert_eq!(bench.layer.counts(), Counts::default());
    bench.assert_empty();
}

#[test]
fn an_answered_request_no_longer_wakes_for_the_answer_it_might_have_needed() {
    let mut bench = Bench::new();
    let options = request("OPTIONS", "z9hG4bKone", "");
    let tx = bench.ask(&options).unwrap();
    bench.respond(tx, answer(&options, 200));
    assert_eq!(bench.layer.poll_timeout(), Some(bench.now + ms(32_000)));
    bench.assert_empty();
}

#[test]
fn retransmissions_are_never_late_for_the_sake_of_tidying_up() {
    let mut bench = grainy();
    let options = request("OPTIONS", "z9hG4bKone", "");
    let tx = bench.ask(&options).unwrap();
    bench.respond(tx, answer(&options, 200));
    bench.now += ms(31_800);
    bench.log();
    bench.send(outgoing(Method::Options), udp());
    bench.run(ms(2_000));
    assert_eq!(bench.log(), ["31800 OPTIONS", "32300 OPTIONS", "33300 OPTIONS"]);
    bench.assert_empty();
}
