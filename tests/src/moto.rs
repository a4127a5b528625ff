//! DynamoDB and SQS as moto speaks them, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::killed::Killed;

/// One request at a time: a conditional write of DynamoDB is one step, moto's is not.
const SERVE: &str = r#"
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
server.socket.listen(2048)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// The server; dropping it ends it.
pub struct Moto {
    _child: Killed,
    port: u16,
}

impl Moto {
    /// Starts one that is empty.
    pub fn start(interpreter: &Path) -> Self {
        let mut child: Killed = Command::new(interpreter)
            .args(["-c", SERVE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python runs")
            .into();
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its port");
        let port = line.trim().parse().expect("a port");
        Self { _child: child, port }
    }

    /// `http://127.0.0.1:…`, for all services.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
