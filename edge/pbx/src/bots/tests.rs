//! Both ends of a conversation, without a call.

use super::*;

#[tokio::test]
async fn sound_that_a_slow_bot_does_not_take_is_lost_and_counted_and_keys_come_first() {
    let (line, mut tap, mut ears, _voice, _to, _said) = open();
    let now = Instant::now();
    for n in 0..150_i16 {
        tap.push(now, &[n; 100]);
        tap.push(now, &[n; 60]);
    }
    line.keys.try_send(Heard::Key('5')).unwrap();
    assert_eq!(ears.next().await, Heard::Key('5'));
    for n in 0..100 {
        assert_eq!(ears.next().await, Heard::Sound(Box::new([n; CHUNK])));
    }
    assert_eq!(line.lost.words().unwrap(), "1000 ms of sound did not reach the bot");
    ears.lose(&Heard::Key('1'));
    let words = "1000 ms of sound and 1 keys did not reach the bot";
    assert_eq!(line.lost.words().unwrap(), words);
    tap.push(now, &[7; CHUNK]);
    assert_eq!(ears.next().await, Heard::Sound(Box::new([7; CHUNK])));
    drop(line);
    assert_eq!((ears.next().await, ears.next().await), (Heard::Gone, Heard::Gone));
}

#[tokio::test]
async fn a_call_that_is_gone_does_not_wait_for_what_its_bot_still_does() {
    let (line, _tap, mut ears, mut voice, _to, mut doings) = open();
    voice.announce().await;
    assert!(matches!(doings.next().await, Some(Said::Announced)));
    voice.announce().await;
    drop(line);
    assert!(doings.next().await.is_none());
    assert_eq!(ears.next().await, Heard::Gone);
    drop(doings);
    for _ in 0..2 * SAID {
        voice.announce().await;
    }
}

#[tokio::test]
async fn an_answer_is_told_of_once_however_it_is_cut() {
    let (_line, _tap, _ears, mut voice, to, Doings { mut said, .. }) = open();
    drop(to);
    for cut in [1, 3, 100] {
        let octets = [0, 16, 0, 240].repeat(4000);
        for piece in octets.chunks(cut) {
            voice.speak(16_000, piece).await;
        }
        let answer = voice.answer.as_ref().unwrap();
        assert_eq!(answer.left, MOST_SECONDS * 16_000 - 8000);
        voice.end();
        assert!(matches!(said.try_recv(), Ok(Said::Speaks(_))));
        assert!(said.try_recv().is_err());
    }
    voice.speak(16_000, &[0; 100]).await;
    voice.speak(8000, &[0; 100]).await;
    assert!(matches!(said.try_recv(), Ok(Said::Speaks(_))));
    assert!(matches!(said.try_recv(), Ok(Said::Speaks(_))), "another rate is another answer");
    voice.end();
    voice.speak(1, &[0; 100]).await;
    assert!(voice.answer.is_none());
}

#[tokio::test]
async fn of_an_answer_five_minutes_are_taken_and_the_next_one_is_whole_again() {
    let (_line, _tap, _ears, mut voice, _to, Doings { mut said, .. }) = open();
    let second = vec![1; 2 * 8000];
    for _ in 0..MOST_SECONDS + 60 {
        voice.speak(8000, &second).await;
    }
    assert!(matches!(said.try_recv(), Ok(Said::Speaks(_))));
    assert!(said.try_recv().is_err(), "what is beyond is no answer of its own");
    let Answer { grower, .. } = *voice.answer.take().unwrap();
    // The last of it is still in the filter between the rates.
    let heard = grower.finish().duration().as_secs_f64();
    let most = MOST_SECONDS as f64;
    assert!((most - 1.0..=most).contains(&heard), "{heard} s");
    voice.speak(8000, &second).await;
    assert_eq!(voice.answer.as_ref().unwrap().left, (MOST_SECONDS - 1) * 8000);
    assert!(matches!(said.try_recv(), Ok(Said::Speaks(_))));
}
