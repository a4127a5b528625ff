use super::*;

#[test]
fn an_endpoint_has_a_host_and_a_port() {
    let at = |text| Endpoint::parse(text).map(|e| (e.tls, e.authority, e.host, e.port));
    let one = |tls, a: &str, h: &str, p| Some((tls, a.to_owned(), h.to_owned(), p));
    assert_eq!(
        at("https://polly.us-east-1.amazonaws.com/"),
        one(true, "polly.us-east-1.amazonaws.com", "polly.us-east-1.amazonaws.com", 443)
    );
    assert_eq!(at("http://127.0.0.1:8080"), one(false, "127.0.0.1:8080", "127.0.0.1", 8080));
    assert_eq!(at("http://[::1]"), one(false, "[::1]", "::1", 80));
    for bad in ["https://", "polly", "https://a/b", "https://me@host", "ftp://host"] {
        assert_eq!(at(bad), None, "{bad}");
    }
}

#[test]
fn an_address_is_taken_apart_and_a_doubtful_one_is_refused_with_the_reason() {
    let url = Url::parse("https://example.com:8443/a%20b/c?x=1&y=%2F").unwrap();
    assert_eq!(url.endpoint.authority, "example.com:8443");
    assert_eq!((url.path.as_str(), url.query.as_str()), ("/a%20b/c", "x=1&y=%2F"));
    assert_eq!(Url::parse("https://example.com").unwrap().target(), "/");
    for (bad, why) in [
        ("example.com/x", "no whole address"),
        ("/x", "no whole address"),
        ("ftp://example.com/", "must begin with https"),
        ("https://user:secret@example.com/", "password"),
        ("https://example.com/#top", "fragment"),
        ("https://exa mple.com/", "is no address"),
    ] {
        let told = Url::parse(bad).unwrap_err();
        assert!(told.contains(why), "{bad}: {told}");
    }
}

#[test]
fn only_this_machine_is_spoken_to_without_protection() {
    for (text, good) in [
        ("http://127.0.0.1:9000/", true),
        ("http://127.8.8.8/", true),
        ("http://[::1]:9000/", true),
        ("http://localhost:9000/", true),
        ("https://example.com/", true),
        ("http://example.com/", false),
        ("http://169.254.169.254/", false),
        ("http://localhost.example.com/", false),
    ] {
        let url = Url::parse(text).unwrap().protected(text);
        assert_eq!(url.is_ok(), good, "{text}");
    }
}
