//! What sipp plays, written step by step: each method adds one or two messages to the scenario.

mod reliable;

use std::fmt::Write as _;

/// G.711 both ways, 20 ms, with telephone events; sipp fills in address and port.
pub const SDP: &str = "m=audio [media_port] RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20";

/// [`SDP`] with a direction (`sendonly`, `inactive`, …).
pub fn sdp(direction: &str) -> String {
    format!("{SDP}\na={direction}")
}

/// A scenario that is being written.
#[derive(Debug, Clone)]
pub struct Scenario {
    steps: String,
    /// Messages so far: sipp numbers branches by them.
    count: usize,
    /// Where the INVITE stands that an ACK or CANCEL is about.
    invite: usize,
    cseq: u32,
    invite_cseq: u32,
    from: String,
    to: String,
    /// Version of our session description.
    version: u32,
    /// Whether requests that come carry our tag.
    dialog: bool,
}

impl Scenario {
    /// One that calls `to` from `from` (user parts), and one that is called.
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            steps: String::new(),
            count: 0,
            invite: 0,
            cseq: 0,
            invite_cseq: 0,
            from: from.to_owned(),
            to: to.to_owned(),
            version: 0,
            dialog: !to.is_empty(),
        }
    }

    /// One that only waits for calls.
    pub fn called() -> Self {
        Self::new("sipp", "")
    }

    /// The scenario file.
    pub fn xml(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"made by a test\">\n{}\
             </scenario>\n",
            self.steps
        )
    }

    fn step(mut self, xml: &str) -> Self {
        self.steps += xml;
        self.steps.push('\n');
        self.count += 1;
        self
    }

    fn send(self, retrans: bool, text: &str) -> Self {
        let retrans = if retrans { " retrans=\"500\"" } else { "" };
        self.step(&format!("<send{retrans}><![CDATA[\n{text}\n]]></send>"))
    }

    /// A request with a given CSeq and branch (`[branch]` or `[branch-N]`).
    fn request(self, line: (&str, &str), cseq: u32, branch: &str, more: &str, body: &str) -> Self {
        let (method, uri) = line;
        let mut text = format!(
            "{method} {uri} SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch};rport\n\
             Max-Forwards: 70\n\
             From: <sip:{from}@[local_ip]>;tag=[pid]c[call_number]\n\
             To: <sip:{to}@[remote_ip]:[remote_port]>[peer_tag_param]\n\
             Call-ID: [call_id]\n\
             CSeq: {cseq} {method}\n\
             Contact: <sip:{from}@[local_ip]:[local_port];transport=[transport]>\n",
            from = self.from,
            to = self.to,
        );
        // An empty line would end the headers.
        for header in more.lines().filter(|line| !line.trim().is_empty()) {
            text += header.trim();
            text.push('\n');
        }
        self.send(method != "ACK", &with_body(text, body))
    }

    fn description(&mut self, body: &str) -> String {
        self.version += 1;
        let c = if body.contains("c=IN") { "" } else { "c=IN IP[media_ip_type] [media_ip]\n" };
        format!(
            "v=0\no=- 7 {} IN IP[media_ip_type] [media_ip]\ns=-\n{c}t=0 0\n{body}",
            self.version
        )
    }

    // --- calling ---

    /// The first INVITE.
    pub fn invite(mut self, more: &str, body: &str) -> Self {
        let uri = format!("sip:{}@[remote_ip]:[remote_port]", self.to);
        let body = self.description(body);
        self.invite_at(&uri, more, &body)
    }

    /// The first INVITE of a phone that has to prove who it is.
    pub fn invite_as(mut self, user: &str, password: &str, more: &str, body: &str) -> Self {
        let uri = format!("sip:{}@[remote_ip]:[remote_port]", self.to);
        let body = self.description(body);
        let auth = format!("{more}\n[authentication username={user} password={password}]");
        self.invite_at(&uri, more, &body)
            .step("<recv response=\"100\" optional=\"true\"/>")
            .step("<recv response=\"401\" auth=\"true\"/>")
            .ack_of_refusal()
            .invite_at(&uri, &auth, &body)
    }

    /// A re-INVITE; its answer has to be taken with [`Self::answered`] and [`Self::ack`].
    pub fn reinvite(mut self, body: &str) -> Self {
        let body = self.description(body);
        self.invite_at("[next_url]", "", &body)
    }

    fn invite_at(mut self, uri: &str, more: &str, body: &str) -> Self {
        self.cseq += 1;
        (self.invite, self.invite_cseq) = (self.count, self.cseq);
        let cseq = self.cseq;
        self.request(("INVITE", uri), cseq, "[branch]", more, body)
    }

    /// Whatever provisional responses there are.
    pub fn ringing(self) -> Self {
        self.step("<recv response=\"100\" optional=\"true\"/>")
            .step("<recv response=\"180\" optional=\"true\"/>")
            .step("<recv response=\"183\" optional=\"true\"/>")
    }

    /// A 180 must come.
    pub fn must_ring(self) -> Self {
        self.step("<recv response=\"100\" optional=\"true\"/>").step("<recv response=\"180\"/>")
    }

    /// A 200 with a description.
    pub fn answered(self) -> Self {
        self.ringing().step("<recv response=\"200\" rrs=\"true\"/>")
    }

    /// The ACK to a 200.
    pub fn ack(self) -> Self {
        let cseq = self.invite_cseq;
        self.request(("ACK", "[next_url]"), cseq, "[branch]", "", "")
    }

    /// A final response that is no success, and its ACK.
    pub fn refused(self, status: u16) -> Self {
        let this = self.ringing().step(&format!("<recv response=\"{status}\"/>"));
        this.ack_of_refusal()
    }

    fn ack_of_refusal(self) -> Self {
        let uri = format!("sip:{}@[remote_ip]:[remote_port]", self.to);
        let (cseq, branch) = (self.invite_cseq, self.invite_branch());
        self.request(("ACK", &uri), cseq, &branch, "", "")
    }

    fn invite_branch(&self) -> String {
        format!("[branch-{}]", self.count - self.invite)
    }

    /// CANCEL of the INVITE, and what must follow.
    pub fn cancel(self) -> Self {
        let text = self.cancel_text();
        self.send(true, &text)
            .step("<recv response=\"200\" optional=\"true\"/>")
            .step("<recv response=\"487\"/>")
            .ack_of_refusal()
    }

    fn cancel_text(&self) -> String {
        // No To tag (RFC 3261 §9.1): sipp would put the one of the 180 there.
        let text = format!(
            "CANCEL sip:{to}@[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch};rport\n\
             Max-Forwards: 70\n\
             From: <sip:{from}@[local_ip]>;tag=[pid]c[call_number]\n\
             To: <sip:{to}@[remote_ip]:[remote_port]>\n\
             Call-ID: [call_id]\n\
             CSeq: {cseq} CANCEL\n",
            branch = self.invite_branch(),
            cseq = self.invite_cseq,
            from = self.from,
            to = self.to,
        );
        with_body(text, "")
    }

    /// CANCEL of an INVITE that has been answered already: it gets 200 or 481 and has no effect
    /// (RFC 3261 §9.2).
    pub fn late_cancel(self) -> Self {
        let text = self.cancel_text();
        self.send(true, &text)
            .step("<recv response=\"481\" optional=\"true\" next=\"after_cancel\"/>")
            .step("<recv response=\"200\"/>")
            .label("after_cancel")
    }

    fn label(mut self, name: &str) -> Self {
        let _ = writeln!(self.steps, "<label id=\"{name}\"/>");
        self
    }

    /// Hangs up.
    pub fn bye(mut self) -> Self {
        self.cseq += 1;
        let cseq = self.cseq;
        self.request(("BYE", "[next_url]"), cseq, "[branch]", "", "")
            .step("<recv response=\"200\"/>")
    }

    /// Registers by digest; the contact is where the request comes from.
    pub fn register(mut self, password: &str) -> Self {
        let uri = "sip:[remote_ip]:[remote_port]";
        self.cseq += 2;
        let user = self.from.clone();
        let auth = format!("[authentication username={user} password={password}]\nExpires: 300");
        self.request(("REGISTER", uri), 1, "[branch]", "Expires: 300", "")
            .step("<recv response=\"401\" auth=\"true\"/>")
            .request(("REGISTER", uri), 2, "[branch]", &auth, "")
            .step("<recv response=\"200\"/>")
    }

    // --- called ---

    /// A request must come.
    pub fn receive(self, method: &str) -> Self {
        // The way back is learned from the INVITE; an ACK has no Contact.
        let route = if method == "INVITE" { " rrs=\"true\"" } else { "" };
        self.step(&format!("<recv request=\"{method}\"{route}/>"))
    }

    /// A request must come with the right digest credentials.
    pub fn receive_authorized(self, method: &str, user: &str, password: &str) -> Self {
        let label = format!("right{}", self.count);
        self.step(&format!(
            "<recv request=\"{method}\"><action><verifyauth assign_to=\"right\" \
             username=\"{user}\" password=\"{password}\"/></action></recv>"
        ))
        .step(&format!("<nop hide=\"true\" test=\"right\" next=\"{label}\"/>"))
        .step("<nop><action><error message=\"wrong credentials\"/></action></nop>")
        .label(&label)
    }

    /// Answers the request that came last: `486 Busy Here`, headers, no body.
    pub fn respond(self, line: &str, more: &str) -> Self {
        self.respond_with(line, more, "")
    }

    /// The same with a session description.
    pub fn answer(mut self, body: &str) -> Self {
        let body = self.description(body);
        let mut this = self.respond_with("200 OK", "", &body);
        this.dialog = true;
        this
    }

    fn respond_with(self, line: &str, more: &str, body: &str) -> Self {
        // A tag where the request had none (RFC 3261 §8.2.6.2).
        let tag = if self.dialog { "" } else { ";tag=[pid]s[call_number]" };
        let mut text = format!(
            "SIP/2.0 {line}\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n\
             [last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n",
        );
        if !more.contains("Contact:") {
            text += "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n";
        }
        for header in more.lines() {
            text += header.trim();
            text.push('\n');
        }
        let invite_final = !line.starts_with('1') && self.last_received() == Some("INVITE");
        self.send(invite_final, &with_body(text, body))
    }

    /// Early media: 183 with a session description.
    pub fn progress(mut self, body: &str) -> Self {
        let body = self.description(body);
        self.respond_with("183 Session Progress", "", &body)
    }

    /// 487 to the INVITE after its CANCEL was answered, and the ACK to it.
    pub fn cancelled(self) -> Self {
        let text = "SIP/2.0 487 Request Terminated\n[last_Via:]\n[last_From:]\n\
                    [last_To:];tag=[pid]s[call_number]\n[last_Call-ID:]\nCSeq: [cseq] INVITE\n";
        self.respond("200 OK", "").send(true, &with_body(text.to_owned(), "")).receive("ACK")
    }

    /// The other side hangs up.
    pub fn expect_bye(self) -> Self {
        self.receive("BYE").respond("200 OK", "")
    }

    fn last_received(&self) -> Option<&str> {
        let at = self.steps.rfind("<recv request=\"")?;
        self.steps.get(at + 15..)?.split('"').next()
    }

    // --- both ---

    /// Waits.
    pub fn wait(self, millis: u32) -> Self {
        self.step(&format!("<pause milliseconds=\"{millis}\"/>"))
    }

    /// Sends a raw PCMU file as RTP from now on, again and again. The description must say
    /// `[rtpstream_audio_port]` instead of `[media_port]`.
    pub fn speak(self, file: &std::path::Path) -> Self {
        let mut xml = String::new();
        let _ = write!(
            xml,
            "<nop><action><exec rtp_stream=\"{},-1,0\"/></action></nop>",
            file.display()
        );
        self.step(&xml)
    }
}

fn with_body(mut text: String, body: &str) -> String {
    if body.is_empty() {
        text += "Content-Length: 0\n";
    } else {
        let _ = write!(text, "Content-Type: application/sdp\nContent-Length: [len]\n\n{body}");
    }
    text
}
