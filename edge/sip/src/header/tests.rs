use super::*;

#[test]
fn every_known_name_is_found_by_its_own_text_in_any_case() {
    for name in HeaderName::KNOWN {
        assert_eq!(HeaderName::parse(name.as_str().as_bytes()).as_ref(), Some(name));
        let upper = name.as_str().to_ascii_uppercase();
        assert_eq!(HeaderName::parse(upper.as_bytes()).as_ref(), Some(name));
        assert!(!matches!(HeaderName::parse(upper.as_bytes()), Some(HeaderName::Other(_))));
    }
}

#[test]
fn compact_names_are_their_long_ones_and_unknown_names_compare_without_case() {
    for (compact, long) in
        [("v", "Via"), ("I", "call-id"), ("m", "Contact"), ("x", "Session-Expires")]
    {
        assert_eq!(HeaderName::parse(compact.as_bytes()), HeaderName::parse(long.as_bytes()));
    }
    assert_eq!(HeaderName::parse(b"X-Foo"), HeaderName::parse(b"x-fOO"));
    assert_ne!(HeaderName::parse(b"X-Foo"), HeaderName::parse(b"X-Fop"));
    assert_eq!(HeaderName::parse(b"X Foo"), None);
    assert_eq!(HeaderName::parse(b""), None);
}
