mod call;
pub(super) mod pool;

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use offhook_pbx::office::CreateCall;

use super::*;
use crate::api::calls::{ApiError, Arguments};

/// Calls that answer as the call's name says.
#[derive(Default)]
struct Named(Mutex<Vec<Arguments>>);

impl Calls for Named {
    fn update(&self, _: &str, transaction: &str, arguments: Arguments) -> Result<(), ApiError> {
        self.0.lock().unwrap().push(arguments);
        match transaction {
            "gone" => Err(ApiError::not_found("there is no such call")),
            "wrong" => Err(ApiError::bad_request("too many arguments")),
            "busy" => Err(ApiError::throttled()),
            "closing" => Err(ApiError::unavailable("the office closes")),
            _ => Ok(()),
        }
    }

    fn create(&self, _: CreateCall) -> BoxFuture<'_, Result<String, ApiError>> {
        Box::pin(std::future::ready(Err(ApiError::unavailable("not here"))))
    }
}

#[test]
fn what_a_call_says_decides_what_becomes_of_the_message() {
    let calls = ByQueue { calls: Arc::new(Named::default()), shared: false };
    let update = |call: &str| calls.update("ivr", call, BTreeMap::new());
    assert_eq!(update("t1"), Taken::Told);
    assert_eq!(update("gone"), Taken::Hopeless("there is no such call".to_owned()));
    assert_eq!(update("wrong"), Taken::Hopeless("too many arguments".to_owned()));
    assert_eq!(update("busy"), Taken::Later("Rate exceeded".to_owned()));
    assert_eq!(update("closing"), Taken::Later("the office closes".to_owned()));
}

#[test]
fn a_call_that_is_not_here_may_be_another_boxs_when_the_pairs_are_shared() {
    let calls = ByQueue { calls: Arc::new(Named::default()), shared: true };
    let update = |call: &str| calls.update("ivr", call, BTreeMap::new());
    assert_eq!(update("gone"), Taken::Elsewhere);
    assert_eq!(update("wrong"), Taken::Hopeless("too many arguments".to_owned()));
}
