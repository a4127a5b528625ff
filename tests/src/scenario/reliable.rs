//! Steps of reliable provisional responses (RFC 3262).

use super::{Scenario, with_body};

/// Number of the first reliable response that a called one sends.
const RSEQ: u32 = 4711;

impl Scenario {
    /// A reliable provisional response must come; its number is kept for [`Self::prack`].
    pub fn reliable(self, status: u16) -> Self {
        self.step("<recv response=\"100\" optional=\"true\"/>").step(&format!(
            "<recv response=\"{status}\" rrs=\"true\"><action><ereg regexp=\"[0-9]+\" \
             search_in=\"hdr\" header=\"RSeq:\" check_it=\"true\" assign_to=\"rseq\"/></action></recv>\n\
             <Reference variables=\"rseq\"/>"
        ))
    }

    /// The PRACK to it, and its 200.
    pub fn prack(mut self) -> Self {
        self.cseq += 1;
        let (cseq, invite) = (self.cseq, self.invite_cseq);
        let rack = format!("RAck: [$rseq] {invite} INVITE");
        self.request(("PRACK", "[next_url]"), cseq, "[branch]", &rack, "")
            .step("<recv response=\"200\"/>")
    }

    /// An INVITE must come; it can be answered after other requests with [`Self::answer_invite`].
    pub fn receive_invite(self) -> Self {
        self.step(
            "<recv request=\"INVITE\" rrs=\"true\"><action>\
             <ereg regexp=\".*\" search_in=\"hdr\" header=\"Via:\" assign_to=\"via\"/>\
             <ereg regexp=\".*\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"invite\"/>\
             </action></recv>",
        )
    }

    /// A reliable provisional response with a session description.
    pub fn reliably(mut self, line: &str, body: &str) -> Self {
        let body = self.description(body);
        let mut this = self.respond_with(line, &format!("Require: 100rel\nRSeq: {RSEQ}"), &body);
        this.dialog = true;
        this
    }

    /// 200 to the INVITE of [`Self::receive_invite`]. The description has been given before.
    pub fn answer_invite(self) -> Self {
        let text = "SIP/2.0 200 OK\nVia:[$via]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n\
                    CSeq:[$invite]\n\
                    Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n";
        self.send(true, &with_body(text.to_owned(), ""))
    }
}
