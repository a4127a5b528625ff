//! Held against AWS's own example and against requests that botocore signed (`botocore.json`).

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn keys(id: &str) -> Option<String> {
    (id == "AKIDEXAMPLE").then(|| SECRET.to_owned())
}

/// A request as it came, which a test may spoil.
#[derive(Clone)]
struct Case {
    name: String,
    service: String,
    region: String,
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: String,
}

impl Case {
    fn received(&self) -> Received<'_> {
        Received {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: self.body.as_bytes(),
        }
    }

    fn verify(&self, now: &str) -> Result<Verified, AuthError> {
        verify(self.received(), &self.service, at(now), keys)
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }

    fn replace(&mut self, name: &'static str, from: &str, to: &str) {
        let old = self.headers[name].to_str().unwrap();
        assert!(old.contains(from), "{old}");
        let new = old.replace(from, to);
        self.set(name, &new);
    }
}

fn of_botocore() -> Vec<Case> {
    let cases: Value = serde_json::from_str(include_str!("botocore.json")).unwrap();
    let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_owned();
    let case = |case: &Value| {
        let mut headers = HeaderMap::new();
        for (name, value) in case["headers"].as_object().unwrap() {
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
            );
        }
        Case {
            name: text(case, "name"),
            service: text(case, "service"),
            region: text(case, "region"),
            method: text(case, "method"),
            path: text(case, "path"),
            query: text(case, "query"),
            headers,
            body: text(case, "body"),
        }
    };
    cases.as_array().unwrap().iter().map(case).collect()
}

/// When botocore signed.
const THEN: &str = "2026-11-29T06:30:00Z";

fn named(name: &str) -> Case {
    of_botocore().into_iter().find(|case| case.name == name).unwrap()
}

#[test]
fn the_example_of_awss_own_reference_is_signed_as_there() {
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET);
    let draft = Draft {
        method: "GET",
        authority: "iam.amazonaws.com".to_owned(),
        path: "/".to_owned(),
        query: vec![
            ("Action".to_owned(), "ListUsers".to_owned()),
            ("Version".to_owned(), "2010-05-08".to_owned()),
        ],
        headers: vec![(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
        )],
        body: Bytes::new(),
    };
    let scope = Scope { region: "us-east-1", service: "iam" };
    let request = draft.signed(&credentials, scope, at("2015-08-30T12:36:00Z")).unwrap();
    assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
    assert_eq!(
        request.headers()["authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, \
         Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    );
    assert!(!format!("{credentials:?}").contains("wJalr"));
}

#[test]
fn what_botocore_signs_is_signed_here_letter_by_letter() {
    let mut checked = 0;
    for case in of_botocore().iter().filter(|case| case.headers.contains_key("authorization")) {
        let ours = ["host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
        let not = |name: &str| !ours.contains(&name) && name != "authorization";
        let draft = Draft {
            method: if case.method == "GET" {
                "GET"
            } else if case.method == "PUT" {
                "PUT"
            } else {
                "POST"
            },
            authority: case.headers["host"].to_str().unwrap().to_owned(),
            path: case.path.clone(),
            query: case
                .query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), String::from_utf8(decoded(value)).unwrap()))
                .collect(),
            headers: case
                .headers
                .iter()
                .filter(|(name, _)| not(name.as_str()) && name.as_str() != "content-length")
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: Bytes::from(case.body.clone()),
        };
        let token = case.headers.get("x-amz-security-token");
        let credentials = Credentials {
            session_token: token.map(|token| token.to_str().unwrap().to_owned()),
            ..Credentials::new("AKIDEXAMPLE", SECRET)
        };
        let scope = Scope { region: &case.region, service: &case.service };
        let request = draft.signed(&credentials, scope, at(THEN)).unwrap();
        assert_eq!(
            request.headers()["authorization"],
            case.headers["authorization"],
            "{}",
            case.name
        );
        assert_eq!(request.uri().path(), case.path, "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn what_botocore_signs_is_believed() {
    for case in of_botocore() {
        let verdict = case.verify(THEN);
        if case.headers.contains_key("x-amz-security-token") {
            assert_eq!(verdict, Err(AuthError::UnknownKey), "{}", case.name);
            continue;
        }
        let verified = verdict.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(verified.key_id, "AKIDEXAMPLE");
        assert_eq!(verified.region, "eu-central-1");
    }
}

type Spoil = (&'static str, fn(&mut Case), &'static str, &'static str);

/// What is done to a good request; the name and a part of the words of the refusal.
const SPOILT: &[Spoil] = &[
    ("no header", |c| c.headers.clear(), "MissingAuthenticationTokenException", "Missing"),
    (
        "another scheme",
        |c| c.set("authorization", "Bearer abc"),
        "IncompleteSignatureException",
        "'algorithm': Bearer",
    ),
    (
        "the algorithm alone",
        |c| c.set("authorization", "AWS4-HMAC-SHA256"),
        "IncompleteSignatureException",
        "missing equal-sign",
    ),
    (
        "no credential",
        |c| c.replace("authorization", "Credential=", "Credentials="),
        "IncompleteSignatureException",
        "missing equal-sign",
    ),
    (
        "an empty signature",
        |c| c.set("authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature="),
        "IncompleteSignatureException",
        "'Signature' parameter",
    ),
    (
        "a short credential",
        |c| c.replace("authorization", "/aws4_request", ""),
        "IncompleteSignatureException",
        "5 slash-delimited",
    ),
    (
        "another terminator",
        |c| c.replace("authorization", "aws4_request", "aws5_request"),
        "IncompleteSignatureException",
        "5 slash-delimited",
    ),
    (
        "another service",
        |c| c.replace("authorization", "/chime/", "/s3/"),
        "InvalidSignatureException",
        "correct service: 'chime'",
    ),
    (
        "another region",
        |c| c.replace("authorization", "/eu-central-1/", "/us-east-1/"),
        "InvalidSignatureException",
        "does not match",
    ),
    (
        "another day in the credential",
        |c| c.replace("authorization", "/20261129/", "/20261128/"),
        "InvalidSignatureException",
        "Date in Credential scope",
    ),
    (
        "an unknown key",
        |c| c.replace("authorization", "AKIDEXAMPLE", "AKIDOTHER"),
        "UnrecognizedClientException",
        "security token",
    ),
    (
        "no date",
        |c| drop(c.headers.remove("x-amz-date")),
        "IncompleteSignatureException",
        "X-Amz-Date",
    ),
    (
        "a date in other words",
        |c| c.set("x-amz-date", "2026-11-29T06:30:00Z"),
        "InvalidSignatureException",
        "Date in Credential scope",
    ),
    (
        "an impossible date",
        |c| c.set("x-amz-date", "20261129T256300Z"),
        "IncompleteSignatureException",
        "ISO-8601",
    ),
    (
        "another date",
        |c| c.set("x-amz-date", "20261129T063001Z"),
        "InvalidSignatureException",
        "does not match",
    ),
    ("another body", |c| c.body.push(' '), "InvalidSignatureException", "does not match"),
    ("another path", |c| c.path.push('0'), "InvalidSignatureException", "does not match"),
    ("a query", |c| c.query = "a=b".into(), "InvalidSignatureException", "does not match"),
    (
        "another method",
        |c| c.method = "PUT".to_owned(),
        "InvalidSignatureException",
        "does not match",
    ),
    (
        "another host",
        |c| c.set("host", "127.0.0.1:9999"),
        "InvalidSignatureException",
        "does not match",
    ),
    (
        "a signed header that is gone",
        |c| drop(c.headers.remove("content-type")),
        "InvalidSignatureException",
        "'content-type' is not there",
    ),
    (
        "the host is not signed",
        |c| c.replace("authorization", "content-type;host;x", "content-type;x"),
        "InvalidSignatureException",
        "'host' must be",
    ),
    (
        "the date is not signed",
        |c| c.replace("authorization", "host;x-amz-date", "host"),
        "InvalidSignatureException",
        "'x-amz-date' must be",
    ),
    (
        "an operation that is not signed",
        |c| c.set("x-amz-target", "Other"),
        "InvalidSignatureException",
        "'x-amz-target' must be",
    ),
    (
        "an unsigned body",
        |c| {
            c.set("x-amz-content-sha256", UNSIGNED);
            c.replace("authorization", "host;x-amz", "host;x-amz-content-sha256;x-amz");
        },
        "InvalidSignatureException",
        "UNSIGNED-PAYLOAD is not taken",
    ),
    (
        "a body's hash that is another's",
        |c| {
            c.set("x-amz-content-sha256", &sha256(b"other"));
            c.replace("authorization", "host;x-amz", "host;x-amz-content-sha256;x-amz");
        },
        "InvalidSignatureException",
        "not the hash",
    ),
    (
        "a signature that is cut short",
        |c| c.replace("authorization", "078913ca520cb469d52e6ac2eec54658f45a88e7", ""),
        "InvalidSignatureException",
        "does not match",
    ),
    (
        "a signature that is no number",
        |c| c.replace("authorization", "Signature=e3", "Signature=zz"),
        "InvalidSignatureException",
        "does not match",
    ),
    (
        "a session token",
        |c| c.set("x-amz-security-token", "x"),
        "UnrecognizedClientException",
        "security token",
    ),
];

#[test]
fn a_request_that_was_changed_is_refused_with_awss_name_for_it() {
    let good = named("a plain POST");
    good.verify(THEN).unwrap();
    for (what, spoil, name, words) in SPOILT {
        let mut case = good.clone();
        spoil(&mut case);
        let error = case.verify(THEN).expect_err(what);
        assert_eq!(error.name(), *name, "{what}: {error}");
        assert!(error.to_string().contains(words), "{what}: {error}");
        assert!(!error.to_string().contains(SECRET), "{what}");
    }
}

#[test]
fn a_request_is_good_for_five_minutes_before_and_after_its_time() {
    let case = named("a plain POST");
    for (now, good) in [
        ("2026-11-29T06:25:00Z", true),
        ("2026-11-29T06:24:59Z", false),
        ("2026-11-29T06:35:00Z", true),
        ("2026-11-29T06:35:01Z", false),
    ] {
        let verdict = case.verify(now);
        assert_eq!(verdict.is_ok(), good, "{now}: {verdict:?}");
        if let Err(error) = verdict {
            assert_eq!(error.name(), "InvalidSignatureException");
            assert!(error.to_string().contains("Signature "), "{error}");
        }
    }
}

#[test]
fn a_presigned_request_is_good_for_as_long_as_it_says() {
    let case = named("presigned");
    for (now, good) in [
        ("2026-11-29T06:40:00Z", true),
        ("2026-11-29T06:40:01Z", false),
        ("2026-11-29T06:24:59Z", false),
    ] {
        assert_eq!(case.verify(now).is_ok(), good, "{now}");
    }
    let spoilt = [
        ("X-Amz-Expires=600", "X-Amz-Expires=604801", "IncompleteSignatureException"),
        ("X-Amz-Expires=600", "X-Amz-Expires=-1", "IncompleteSignatureException"),
        ("X-Amz-Expires=600", "X-Amz-Expires=601", "InvalidSignatureException"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=", "IncompleteSignatureException"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=date", "InvalidSignatureException"),
        ("x=1", "x=2", "InvalidSignatureException"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "IncompleteSignatureException"),
        ("x=1", "x=1&X-Amz-Security-Token=t", "UnrecognizedClientException"),
    ];
    for (from, to, name) in spoilt {
        let mut case = named("presigned");
        assert!(case.query.contains(from));
        case.query = case.query.replacen(from, to, 1);
        assert_eq!(case.verify(THEN).unwrap_err().name(), name, "{to}");
    }
}

#[test]
fn percent_encoding_is_undone_where_there_is_some() {
    for (text, plain) in [("a%20b", "a b"), ("%zz%4", "%zz%4"), ("%", "%"), ("%C3%BC+", "ü+")] {
        assert_eq!(String::from_utf8(decoded(text)).unwrap(), plain, "{text}");
    }
}
