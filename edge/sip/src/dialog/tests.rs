use super::*;
use crate::message::Message;

fn request(text: &str) -> Request {
    let text = text.replace('\n', "\r\n") + "\r\nContent-Length: 0\r\n\r\n";
    match crate::parse::datagram(text.into()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was written"),
    }
}

fn invite(record_routes: &str) -> Request {
    request(&format!(
        "INVITE sip:bob@biloxi SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\n\
         {record_routes}From: \"A\" <sip:alice@atlanta>;tag=at;x=y\nTo: <sip:bob@biloxi>;q=1\n\
         Call-ID: c1\nCSeq: 7 INVITE\nContact: <sip:alice@10.0.0.1:5060;alias=10.0.0.1~5060~1>"
    ))
}

fn ok(request: &Request, routes: &str, contact: &str) -> Response {
    let status = crate::message::StatusCode::OK;
    let mut response = Response::to_request(request, status, None);
    response.ensure_to_tag("bt");
    if !routes.is_empty() {
        response.headers.push(HeaderName::RecordRoute, routes);
    }
    response.headers.push(HeaderName::Contact, contact);
    response
}

fn routes(request: &Request) -> Vec<String> {
    request.headers.get_all(&HeaderName::Route).map(|v| v.to_text().into_owned()).collect()
}

#[test]
fn the_caller_reverses_record_route_and_keeps_unknown_parameters() {
    let invite = invite("");
    let ok = ok(&invite, "<sip:p2;lr;did=1.2>, <sip:p1;lr>", "<sip:bob@10.1.1.1;alias=x~1>");
    let mut dialog = Dialog::from_response(&invite, &ok).unwrap();
    assert!(dialog.is_confirmed());
    let bye = dialog.next_request(Method::Bye, 70);
    assert_eq!(bye.uri.to_string(), "sip:bob@10.1.1.1;alias=x~1");
    assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr;did=1.2>"]);
    assert_eq!(dialog.next_hop().to_string(), "sip:p1;lr");
    assert_eq!(bye.cseq().unwrap().seq, 8);
    assert_eq!(bye.from_tag().as_deref(), Some("at"));
    assert_eq!(bye.to_tag().as_deref(), Some("bt"));
    assert_eq!(dialog.ack(7, 70).cseq().unwrap(), CSeq { seq: 7, method: Method::Ack });
}

#[test]
fn the_callee_keeps_the_order_of_record_route_and_swaps_the_ends() {
    let invite = invite("Record-Route: <sip:p2;lr>\nRecord-Route: <sip:p1;lr>\n");
    let mut dialog = Dialog::from_request(&invite, "bt").unwrap();
    assert!(!dialog.is_confirmed());
    let bye = dialog.next_request(Method::Bye, 70);
    assert_eq!(bye.uri.to_string(), "sip:alice@10.0.0.1:5060;alias=10.0.0.1~5060~1");
    assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
    assert_eq!(bye.headers.text(&HeaderName::From).unwrap(), "<sip:bob@biloxi>;tag=bt");
    assert_eq!(bye.headers.text(&HeaderName::To).unwrap(), "\"A\" <sip:alice@atlanta>;tag=at");
    assert_eq!(bye.cseq().unwrap().seq, 1);
}

#[test]
fn a_strict_router_gets_itself_in_the_request_uri_and_the_target_last() {
    let invite = invite("Record-Route: <sip:strict;method=INVITE?x=y>, <sip:p1;lr>\n");
    let mut dialog = Dialog::from_request(&invite, "bt").unwrap();
    let bye = dialog.next_request(Method::Bye, 70);
    assert_eq!(bye.uri.to_string(), "sip:strict");
    let target = "<sip:alice@10.0.0.1:5060;alias=10.0.0.1~5060~1>";
    assert_eq!(routes(&bye), ["<sip:p1;lr>", target]);
}

#[test]
fn the_2xx_settles_the_route_set_that_a_provisional_began() {
    let invite = invite("");
    let mut early = ok(&invite, "<sip:p1;lr>", "<sip:bob@one>");
    early.status = crate::message::StatusCode::RINGING;
    let mut dialog = Dialog::from_response(&invite, &early).unwrap();
    assert!(!dialog.is_confirmed());
    dialog.confirm(&ok(&invite, "<sip:p9;lr>", "<sip:bob@two>"));
    assert!(dialog.is_confirmed());
    assert_eq!(dialog.next_hop().to_string(), "sip:p9;lr");
    assert_eq!(dialog.remote_target().to_string(), "sip:bob@two");
    // Later responses refresh the target, never the route.
    dialog.confirm(&ok(&invite, "<sip:p10;lr>", "<sip:bob@three>"));
    assert_eq!(dialog.next_hop().to_string(), "sip:p9;lr");
    assert_eq!(dialog.remote_target().to_string(), "sip:bob@three");
}

#[test]
fn sequence_numbers_of_the_peer_only_rise() {
    let mut dialog = Dialog::from_request(&invite(""), "bt").unwrap();
    for (seq, expected) in [
        (7, Sequence::OutOfOrder),
        (9, Sequence::InOrder),
        (8, Sequence::OutOfOrder),
        (9, Sequence::OutOfOrder),
        (10, Sequence::InOrder),
    ] {
        assert_eq!(dialog.receive_sequence(seq), expected, "{seq}");
    }
}

#[test]
fn a_request_belongs_to_the_dialog_by_call_id_and_both_tags() {
    let dialog = Dialog::from_request(&invite(""), "bt").unwrap();
    let text = |to: &str, from: &str, id: &str| {
        request(&format!(
            "BYE sip:b SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK2\nMax-Forwards: 70\n\
             From: <sip:alice@atlanta>{from}\nTo: <sip:bob@biloxi>{to}\nCall-ID: {id}\nCSeq: 8 BYE"
        ))
    };
    assert!(dialog.matches_request(&text(";tag=bt", ";tag=at", "c1")));
    assert!(!dialog.matches_request(&text(";tag=bt", ";tag=at", "C1")));
    assert!(!dialog.matches_request(&text(";tag=bt", ";tag=xx", "c1")));
    assert!(!dialog.matches_request(&text("", ";tag=at", "c1")));
}

#[test]
fn a_peer_of_rfc_2543_without_tags_still_gets_a_dialog() {
    let invite = invite("");
    let mut response = Response::to_request(&invite, crate::message::StatusCode::OK, None);
    response.headers.push(HeaderName::Contact, "<sip:bob@old>");
    let mut dialog = Dialog::from_response(&invite, &response).unwrap();
    let bye = dialog.next_request(Method::Bye, 70);
    assert_eq!(bye.to_tag(), None);
    assert_eq!(&*dialog.id().remote_tag, "");
}

#[test]
fn a_sips_uri_in_the_request_the_top_route_or_the_contact_wants_one_in_return() {
    let contact = |uri: &str| {
        let mut request = invite("");
        request.headers.set(HeaderName::Contact, format!("<{uri}>"));
        request
    };
    assert!(!wants_sips(&invite("")));
    assert!(wants_sips(&contact("sips:alice@10.0.0.1")));
    assert!(!wants_sips(&contact("sip:alice@10.0.0.1;transport=tls")));
    assert!(wants_sips(&invite("Record-Route: <sips:p2;lr>\nRecord-Route: <sip:p1;lr>\n")));
    assert!(!wants_sips(&invite("Record-Route: <sip:p2;lr>\nRecord-Route: <sips:p1;lr>\n")));
    let mut asked = invite("");
    asked.uri = "sips:bob@biloxi".parse().unwrap();
    assert!(wants_sips(&asked));
}
