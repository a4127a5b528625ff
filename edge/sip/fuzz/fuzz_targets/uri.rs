//! What is read must print, and read again as the same and as its equivalent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip::uri::Uri;

fuzz_target!(|text: &str| {
    if let Ok(uri) = text.parse::<Uri>() {
        let again: Uri = uri.to_string().parse().expect("printed");
        assert_eq!(again, uri);
        assert!(again.equivalent(&uri));
        let _ = uri.user_decoded();
    }
});
