use std::net::{IpAddr, Ipv4Addr};

use offhook_sip::uri::{Host, Uri};

use super::Participant;
use super::body::{DATAGRAM, deleted, entity_of, full};

fn text(people: &[(u64, Participant)]) -> String {
    within(people, usize::MAX)
}

fn within(people: &[(u64, Participant)], most: usize) -> String {
    let host = Host::Ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    String::from_utf8(full("sip:conf-1@192.0.2.1", 3, &host, people, most).to_vec()).unwrap()
}

#[test]
fn the_document_names_everybody_with_what_can_be_heard_of_them() {
    let mut ann = Participant::known("101", Some("Ann \"<&>\u{7}\u{fffe}\u{ffff}"));
    ann.muted = true;
    let xml = text(&[(1, ann), (2, Participant::known("+15550001000", None))]);
    let wanted = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><conference-info \
        xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:conf-1@192.0.2.1\" \
        state=\"full\" version=\"3\"><conference-state><user-count>2</user-count>\
        </conference-state><users><user entity=\"sip:101@192.0.2.1\" state=\"full\">\
        <display-text>Ann &quot;&lt;&amp;&gt;   </display-text>\
        <endpoint entity=\"sip:101@192.0.2.1;endpoint=1\"><status>connected</status>\
        <media id=\"1\"><type>audio</type><status>recvonly</status></media></endpoint></user>\
        <user entity=\"sip:+15550001000@192.0.2.1\" state=\"full\">\
        <endpoint entity=\"sip:+15550001000@192.0.2.1;endpoint=2\"><status>connected</status>\
        <media id=\"1\"><type>audio</type><status>sendrecv</status></media></endpoint></user>\
        </users></conference-info>";
    assert_eq!(xml, wanted);
}

#[test]
fn a_number_twice_is_one_user_and_the_unknown_are_one_each() {
    let people = [
        (1, Participant::known("101", None)),
        (2, Participant::anonymous()),
        (3, Participant::known("101", None)),
        (4, Participant::anonymous()),
    ];
    let xml = text(&people);
    assert_eq!(xml.matches("<user ").count(), 3, "{xml}");
    assert_eq!(xml.matches("<endpoint ").count(), 4, "{xml}");
    for unknown in [2, 4] {
        assert!(xml.contains(&format!("sip:anonymous{unknown}@anonymous.invalid\" ")), "{xml}");
    }
}

#[test]
fn the_address_of_a_conference_is_named_without_parameters_and_its_end_is_said() {
    let uri: Uri = "sip:conf-1@192.0.2.1:5070;transport=tcp?x=y".parse().unwrap();
    let entity = entity_of(&uri);
    assert_eq!(entity, "sip:conf-1@192.0.2.1:5070");
    let xml = String::from_utf8(deleted(&entity, 9).to_vec()).unwrap();
    assert!(xml.contains("state=\"deleted\" version=\"9\"></conference-info>"), "{xml}");
}

#[test]
fn a_long_list_goes_into_a_datagram_by_names_and_a_very_long_one_by_its_count() {
    let everybody: Vec<_> =
        (1..=40).map(|n| (n, Participant::known(&(200 + n).to_string(), Some("Ann")))).collect();
    for (count, endpoints, users) in [(3, 3, 3), (4, 0, 4), (40, 0, 0)] {
        let people = &everybody[..count];
        let xml = within(people, DATAGRAM);
        assert!(xml.len() <= DATAGRAM, "{}", xml.len());
        assert_eq!(xml.matches("<endpoint ").count(), endpoints, "{xml}");
        assert_eq!(xml.matches("<user ").count(), users, "{xml}");
        assert!(xml.contains(&format!("<user-count>{count}</user-count>")), "{xml}");
        // What is not all of it says so.
        assert_eq!(xml.contains("state=\"partial\""), endpoints < count, "{xml}");
        let whole = text(people);
        assert_eq!(whole.matches("<endpoint ").count(), count);
        assert!(!whole.contains("partial"), "{whole}");
    }
}

#[test]
fn a_conference_of_the_operators_is_nobodys_own_whatever_it_is_called() {
    assert!(super::is_of_a_call(&super::room_of("0d3f7c6e-5b1a-4f0e-9c2d-8a7b6c5d4e3f")));
    for name in ["conf-weekly", "weekly", "conf-", ""] {
        assert!(!super::is_of_a_call(name), "{name}");
    }
}
