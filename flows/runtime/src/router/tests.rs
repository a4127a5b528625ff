use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use offhook_sma::event::InvocationEvent;
use serde_json::json;

use super::*;
use crate::runtime::Options;
use crate::services::{NoUpstream, Services};
use crate::store::{MachineType, MemoryStore};

fn new_call(n: usize) -> InvocationEvent {
    let event = json!({
        "SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
        "CallDetails": {"TransactionId": format!("call-{n}"), "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1", "SipMediaApplicationId": "x", "Participants": [{
                "CallId": "a", "ParticipantTag": "LEG-A", "To": "+15550100100",
                "From": "+15550100999", "Direction": "Inbound",
                "StartTimeInMilliseconds": "0"}]}
    });
    serde_json::from_value(event).unwrap()
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A workflow that would wait for ever. A call that is over leaves it no longer than an execution
/// may go on after its call, wherever the call was given up.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_gone_while_its_workflow_starts_leaves_no_execution_behind() {
    let services = Services::new(Vec::new(), Arc::new(NoUpstream));
    let options = Options::new(Arc::new(MemoryStore::new()), services);
    let runtime = Runtime::start(options).await.unwrap();
    let waits = json!({"StartAt": "Wait", "States": {
        "Wait": {"Type": "Wait", "Seconds": 1_000_000, "End": true}}});
    let waits = waits.to_string();
    runtime.versions().publish("waits", &waits, MachineType::Standard, "").await.unwrap();
    let router = Router::new(runtime.clone());
    let mut started = 0;
    for steps in 0..40 {
        let mut call = router.call(MachineRef::latest("waits"));
        {
            let mut handling = pin!(call.handle(new_call(steps)));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..steps {
                assert!(handling.as_mut().poll(&mut context).is_pending());
                tokio::task::yield_now().await;
            }
        }
        drop(call);
        settle().await;
        started += runtime.running().await;
        tokio::time::sleep(Patience::default().after_call * 2).await;
        settle().await;
        assert_eq!(runtime.running().await, 0, "given up after {steps} steps");
    }
    assert!(started > 0, "some were given up when the execution was there already");
}
