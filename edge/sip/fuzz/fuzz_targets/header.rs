//! Every typed value that is read must print, and read again as the same.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use offhook_sip::header::{
    Authorization, CSeq, CallId, Contact, ContentType, Event, HeaderValue, RAck, Reason, Replaces,
    RetryAfter, SessionExpires, SubscriptionState, Supported, To, TypedHeader, Via, Warning,
    WwwAuthenticate,
};

fn check<T: TypedHeader + PartialEq + Debug>(text: &str) {
    if let Ok(value) = T::parse_value(text) {
        assert_eq!(T::parse_value(&value.to_string()), Ok(value));
    }
}

fuzz_target!(|octets: &[u8]| {
    let value = HeaderValue::new(octets.to_vec());
    let text = value.to_text();
    macro_rules! each {
        ($($type:ty)+) => { $(check::<$type>(&text);)+ };
    }
    each! {
        Authorization CSeq CallId Contact ContentType Event RAck Reason Replaces RetryAfter
        SessionExpires SubscriptionState Supported To Via Warning WwwAuthenticate
    }
});
