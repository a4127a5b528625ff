//! Functions and web servers that answer nothing, garbage, or without end.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::Net;
use offhook_tests::tone::{read_wav, seconds_of_sound};
use offhook_tests::web::{Says, Web};
use serde_json::{Value, json};

use super::{Talk, assert_blamed, call_to, number, numbers, refused};
use crate::office;

const SECRET: &str = "0123456789abcdef";

/// A server of HTTP that answers requests with these bodies, and those with none never.
fn mute(address: IpAddr, answer: fn(&str) -> Option<Value>) -> String {
    let listener = TcpListener::bind((address, 0)).expect("an address");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut asked = [0; 16 << 10];
                while let Ok(1..) = stream.peek(&mut asked) {
                    // A request comes whole, or in two pieces a moment apart.
                    std::thread::sleep(Duration::from_millis(50));
                    let length = stream.read(&mut asked).unwrap_or_default();
                    let Some(body) = answer(&String::from_utf8_lossy(&asked[..length])) else {
                        let _ = stream.read(&mut asked);
                        return;
                    };
                    let body = body.to_string();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes());
                }
            });
        }
    });
    url
}

#[test]
fn a_function_that_never_answers_costs_its_own_call_only() {
    let net = Net::new();
    let silent = mute(net.ip(6).into(), |asked| {
        (!asked.contains("NEW_INBOUND_CALL")).then(|| json!({"SchemaVersion": "1.0"}))
    });
    let tired = mute(net.ip(6).into(), |asked| {
        let hello = json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Speak", "Parameters": {
            "Text": "Hello", "ParticipantTag": "LEG-A"}}]});
        (!asked.contains("ACTION_SUCCESSFUL")).then_some(hello)
    });
    let mut config = numbers(net, &["lambda:silent", "lambda:tired"]);
    config += "[aws]\naccess_key = \"AKIA\"\nsecret_key = \"secret\"\n";
    for (name, url) in [("silent", silent), ("tired", tired)] {
        config += &format!(
            "[[lambda]]\nname = \"{name}\"\nfunction = \"{name}\"\nendpoint = \"{url}\"\n"
        );
    }
    let appliance = office(net, &config, &["101", "102", "103"]);
    let talk = Talk::begin(&appliance);
    let silent = refused(&appliance, 0, 5060);
    let mut caller = Baresip::registered(&Setup::of(&appliance, 5, "103"));
    caller.dial(&number(1));
    caller.expect("CALL_ESTABLISHED");
    caller.expect_within("CALL_CLOSED", Duration::from_secs(40));
    silent.finish();
    talk.end();
    for n in [0, 1] {
        assert_blamed(&appliance, n, "did not answer in time");
    }
    let (samples, rate) = read_wav(&caller.heard()[0]);
    assert!(seconds_of_sound(&samples, rate) > 1.5, "the greeting and the apology");
    appliance.assert_nothing_left();
}

/// Answers requests with the beginning of an answer, and goes on with `more` until nobody reads.
fn endless(address: IpAddr, head: &'static str, more: String) -> String {
    let listener = TcpListener::bind((address, 0)).expect("an address");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let more = more.clone();
            std::thread::spawn(move || {
                let mut asked = [0; 16 << 10];
                let length = stream.read(&mut asked).unwrap_or_default();
                if String::from_utf8_lossy(&asked[..length]).contains("HANGUP") {
                    // Or the call would wait for it a second time.
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                    return;
                }
                let _ = stream.write_all(head.as_bytes());
                while stream.write_all(more.as_bytes()).is_ok() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
    });
    url
}

/// Calls a number for each of these web servers, all at once, while others talk: each of the
/// calls ends with 480, and says why.
fn assert_each_costs_its_own_call(net: Net, cases: &[(String, &str)]) {
    let names: Vec<String> = (0..cases.len()).map(|n| format!("webhook:w{n}")).collect();
    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut config = numbers(net, &targets);
    for (n, (url, _)) in cases.iter().enumerate() {
        config +=
            &format!("[[webhook]]\nname = \"w{n}\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n");
    }
    let appliance = office(net, &config, &["101", "102"]);
    let talk = Talk::begin(&appliance);
    let calls = (0..cases.len()).map(|n| refused(&appliance, n, 5060 + n as u16));
    for call in calls.collect::<Vec<_>>() {
        call.finish();
    }
    talk.end();
    for (n, (_, why)) in cases.iter().enumerate() {
        assert_blamed(&appliance, n, why);
    }
    let ladders: Vec<String> = (0..cases.len()).map(|n| call_to(&appliance, n).1).collect();
    assert!(!ladders.concat().contains('\u{1b}'), "a terminal obeys nothing that a server says");
    appliance.assert_nothing_left();
}

#[test]
fn a_web_server_that_answers_anything_but_a_reply_costs_its_own_call_only() {
    let net = Net::new();
    let dances = json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Dance"}]});
    let pause = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": 100}});
    let many = json!({"SchemaVersion": "1.0", "Actions": vec![pause; 11]});
    let web = Web::start_on((net.ip(6), 0).into(), move |asked| match asked.path.as_str() {
        "/garbage" => Says::text(200, "text/html", "<html>It works!</html>"),
        "/broken" => Says::text(500, "text/plain", "Traceback: \u{1b}[31mhere"),
        "/gone" => Says::text(410, "text/plain", "gone"),
        "/away" => Says::text(302, "text/plain", "").with("location", "http://127.0.0.1/"),
        "/huge" => Says::text(200, "application/json", &format!("\"{}\"", "x".repeat(1 << 20))),
        "/no-reply" => Says::text(200, "application/json", "[1, 2, 3]"),
        "/dances" => Says::json(200, &dances),
        _ => Says::json(200, &many),
    });
    let cases = [
        (web.url() + "/garbage", "answers no JSON (text/html): <html>It works!"),
        (web.url() + "/broken", "500 Internal Server Error"),
        (web.url() + "/gone", "410 Gone: gone"),
        (web.url() + "/away", "redirects are not followed"),
        (web.url() + "/huge", "larger than 262144 bytes"),
        (web.url() + "/no-reply", "The response is a list and not an object."),
        (web.url() + "/dances", "Unsupported action name specified"),
        (web.url() + "/many", "Too many actions specified in a response."),
    ];
    assert_each_costs_its_own_call(net, &cases);
}

#[test]
fn a_web_server_that_never_comes_to_an_end_costs_its_own_call_only() {
    let net = Net::new();
    let ip = IpAddr::from(net.ip(6));
    let chunks = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                  transfer-encoding: chunked\r\n\r\n";
    let cases = [
        // A body a little at a time; one that comes fast; headers; no HTTP at all.
        (endless(ip, chunks, "1\r\n \r\n".to_owned()), "did not answer in time"),
        (endless(ip, chunks, format!("1000\r\n{:4096}\r\n", "")), "larger than 262144 bytes"),
        (endless(ip, "HTTP/1.1 200 OK\r\n", "x-more: and more\r\n".to_owned()), ""),
        (endless(ip, "SSH-2.0-OpenSSH_9.2\r\n", "\r\n".to_owned()), ""),
    ];
    assert_each_costs_its_own_call(net, &cases);
}
