//! A user agent that follows a script: real datagrams on a real socket, one conversation at a
//! time. It plays the Voice Connector and the desk phone of the demonstration.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_sip::header::HeaderName;
use offhook_sip::ids::Ids;
use offhook_sip::message::{Message, Method, Request, Response, StatusCode};
use offhook_sip::parse;

/// Why the script could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    /// Something expected did not come.
    #[error("{0} did not come within {1} seconds{2}")]
    Missing(String, u64, String),
    /// Something else came, or was not as it must be.
    #[error("{0}")]
    Wrong(String),
}

/// The agent.
#[derive(Debug)]
pub struct Ua {
    socket: UdpSocket,
    server: SocketAddr,
    inbox: VecDeque<Message>,
    /// Source of tags, branches and Call-IDs.
    pub ids: Ids,
}

impl Ua {
    /// Listens on a free port of `ip` and talks to `server`.
    pub fn open(ip: IpAddr, server: SocketAddr) -> Result<Self, ScriptError> {
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(Self { socket, server, inbox: VecDeque::new(), ids: Ids::from_os() })
    }

    /// Our address.
    pub fn address(&self) -> Result<SocketAddr, ScriptError> {
        Ok(self.socket.local_addr()?)
    }

    /// Sends a message as written; a Content-Length is added.
    pub fn send(&self, head: &str, body: &str) -> Result<(), ScriptError> {
        let text = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        self.socket.send_to(text.as_bytes(), self.server)?;
        Ok(())
    }

    /// Sends a request.
    pub fn send_request(&self, request: &Request) -> Result<(), ScriptError> {
        self.socket.send_to(&request.to_bytes(), self.server)?;
        Ok(())
    }

    /// Reads a request written as text.
    pub fn request_of(text: &str) -> Result<Request, ScriptError> {
        match parse::datagram(Bytes::copy_from_slice(text.as_bytes())) {
            Ok(Message::Request(request)) => Ok(request),
            _ => Err(ScriptError::Wrong(format!("the script has no request here:\n{text}"))),
        }
    }

    /// Answers a request with this status; `extra` are whole header lines.
    pub fn answer(
        &self,
        request: &Request,
        status: StatusCode,
        tag: &str,
        extra: &str,
        body: &str,
    ) -> Result<(), ScriptError> {
        let mut head = format!("SIP/2.0 {} {}\r\n", status.code(), status.default_reason());
        for header in &request.headers {
            let copied = matches!(
                header.name,
                HeaderName::Via
                    | HeaderName::From
                    | HeaderName::To
                    | HeaderName::CallId
                    | HeaderName::CSeq
                    | HeaderName::RecordRoute
            );
            if copied {
                let tagged = header.name == HeaderName::To && request.to_tag().is_none();
                let tag = if tagged { format!(";tag={tag}") } else { String::new() };
                head += &format!("{}: {}{tag}\r\n", header.name.as_str(), header.value.to_text());
            }
        }
        self.send(&format!("{head}{extra}"), body)
    }

    /// Waits for the request; answers OPTIONS on the way.
    pub fn request(&mut self, method: &Method, limit: Duration) -> Result<Request, ScriptError> {
        let wanted = |m: &Message| matches!(m, Message::Request(r) if r.method == *method);
        match self.wait(&format!("{method}"), limit, wanted)? {
            Message::Request(request) => Ok(request),
            Message::Response(_) => Err(ScriptError::Wrong("a response".into())),
        }
    }

    /// Waits for a response to `method` for which `wanted` holds; a final response that is not
    /// wanted ends the script.
    pub fn response(
        &mut self,
        method: &Method,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Response) -> bool,
    ) -> Result<Response, ScriptError> {
        let of_method = |r: &Response| r.cseq().is_ok_and(|c| c.method == *method);
        let found = self.wait(what, limit, |m| match m {
            Message::Response(r) => of_method(r) && (wanted(r) || r.status.is_final()),
            Message::Request(_) => false,
        })?;
        match found {
            Message::Response(r) if wanted(&r) => Ok(r),
            Message::Response(r) => Err(ScriptError::Wrong(format!(
                "{what} expected, but {method} was answered {} {}",
                r.status.code(),
                String::from_utf8_lossy(&r.reason)
            ))),
            Message::Request(_) => Err(ScriptError::Wrong("a request".into())),
        }
    }

    fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, ScriptError> {
        let end = Instant::now() + limit;
        loop {
            let found = self.inbox.iter().position(&wanted);
            if let Some(message) = found.and_then(|at| self.inbox.remove(at)) {
                return Ok(message);
            }
            if Instant::now() >= end {
                let came = self.inbox.iter().map(summary).collect::<Vec<_>>().join(", ");
                let came = if came.is_empty() { came } else { format!(" (came: {came})") };
                return Err(ScriptError::Missing(what.to_owned(), limit.as_secs(), came));
            }
            self.receive()?;
        }
    }

    /// Takes one datagram off the socket, if there is one within its short timeout.
    fn receive(&mut self) -> Result<(), ScriptError> {
        let mut buffer = [0; 65_535];
        let Ok((length, _)) = self.socket.recv_from(&mut buffer) else { return Ok(()) };
        let Some(datagram) = buffer.get(..length) else { return Ok(()) };
        // CRLF keep-alives and noise are no messages.
        let Ok(message) = parse::datagram(Bytes::copy_from_slice(datagram)) else { return Ok(()) };
        match &message {
            Message::Request(r) if r.method == Method::Options => {
                let tag = self.ids.tag();
                self.answer(r, StatusCode::OK, &tag, "", "")?;
            }
            // A retransmission of what lies here already adds nothing.
            _ if self.inbox.contains(&message) => {}
            _ => self.inbox.push_back(message),
        }
        // An agent that nobody asks for its messages must not grow.
        if self.inbox.len() > 200 {
            self.inbox.pop_front();
        }
        Ok(())
    }
}

fn summary(message: &Message) -> String {
    match message {
        Message::Request(r) => r.method.to_string(),
        Message::Response(r) => r.status.code().to_string(),
    }
}
