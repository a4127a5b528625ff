//! Lambda's answers are lost, and the service asks again with the same sequence.

use std::collections::BTreeMap;

use bytes::Bytes;
use offhook_tests::cloud::contact::Contact;
use offhook_tests::cloud::function::Fault;
use offhook_tests::cloud::stage::{CALLER, Plan, Stage};

use crate::milliseconds;

fn lost(kind: &str, worked: bool) -> Fault {
    Fault { kind: kind.to_owned(), worked }
}

/// Whatever was answered for one sequence of one call was the same each time.
fn same_answers(stage: &Stage) -> usize {
    let mut answers: BTreeMap<(String, u32), Bytes> = BTreeMap::new();
    let mut again = 0;
    for (call, sequence, answer) in stage.function.as_ref().unwrap().worked() {
        if let Some(first) = answers.insert((call, sequence), answer.clone()) {
            assert_eq!(first, answer, "sequence {sequence}");
            again += 1;
        }
    }
    again
}

/// A call that goes all the way, with a fault on it.
async fn all_the_way(fault: Fault) {
    let (stage, worked) = (Stage::open(Plan::cloud()).await, fault.worked);
    stage.function.as_ref().unwrap().fails(fault);
    let mut caller = stage.dial();
    let mut contact = Contact::next(&stage.connect).await;
    contact.answer().await;
    caller.answered().await;
    milliseconds(8_000).await;
    assert_eq!(contact.who(&stage.flow).await, CALLER);
    assert_eq!(stage.pool.owners().len(), 1, "one pair");
    assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
    let mut desk = stage.picks_up(0).await;
    milliseconds(8_000).await;
    assert!(caller.still_up());
    caller.hang_up();
    desk.ended().await;
    milliseconds(8_000).await;
    assert!(stage.phones[0].waiting_call().await.is_none(), "no ghost call");
    assert!(stage.connect.waiting_call().await.is_none());
    assert_eq!(same_answers(&stage), usize::from(worked));
    stage.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_new_call_is_lost() {
    all_the_way(lost("NEW_INBOUND_CALL", true)).await;
    all_the_way(lost("NEW_INBOUND_CALL", false)).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_success_is_lost() {
    all_the_way(lost("ACTION_SUCCESSFUL", true)).await;
    all_the_way(lost("ACTION_SUCCESSFUL", false)).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_an_update_is_lost() {
    all_the_way(lost("CALL_UPDATE_REQUESTED", true)).await;
    all_the_way(lost("CALL_UPDATE_REQUESTED", false)).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_hangup_is_lost() {
    all_the_way(lost("HANGUP", true)).await;
    all_the_way(lost("HANGUP", false)).await;
}

#[tokio::test(start_paused = true)]
async fn connect_hangs_up_while_the_answer_to_its_update_is_lost() {
    for worked in [true, false] {
        let stage = Stage::open(Plan::cloud()).await;
        let (mut caller, mut contact) = stage.at_connect().await;
        stage.function.as_ref().unwrap().fails(lost("CALL_UPDATE_REQUESTED", worked));
        assert_eq!(contact.transfer(&stage.flow, &stage.target()).await, "transferring");
        contact.line.hang_up();
        let mut desk = stage.picks_up(0).await;
        assert!(caller.still_up());
        caller.hang_up();
        desk.ended().await;
        stage.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_caller_hangs_up_while_the_first_answer_is_lost() {
    for worked in [true, false] {
        let stage = Stage::open(Plan::cloud()).await;
        stage.function.as_ref().unwrap().fails(lost("NEW_INBOUND_CALL", worked));
        let mut caller = stage.dial();
        milliseconds(2_000).await;
        caller.hang_up();
        caller.ended().await;
        milliseconds(30_000).await;
        assert!(stage.connect.waiting_call().await.is_none());
        stage.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_never_answers_ends_the_call_and_its_pair_is_free_after_the_ringing() {
    let stage = Stage::open(Plan::cloud()).await;
    stage.function.as_ref().unwrap().dies();
    let mut caller = stage.dial();
    assert_eq!(caller.rejected().await.status.code(), 480);
    caller.ended().await;
    // Nobody is left to give it back: its lease ends, which is short.
    milliseconds(120_000).await;
    stage.close().await;
}
