//! Debian's sipp as a trunk or a misbehaving phone: runs a scenario and tells how it went.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running sipp. Dropping it kills it.
#[derive(Debug)]
pub struct Sipp {
    folder: TempDir,
    child: Child,
}

impl Sipp {
    /// Starts `scenario` (XML text) on `local`, towards `remote`, for one call unless `extra` says
    /// otherwise (`-m 10`, `-s 700`, `-key x y`, …).
    pub fn start(
        scenario: &str,
        local: (Ipv4Addr, u16),
        remote: SocketAddr,
        extra: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("scenario.xml"), scenario).expect("file");
        let log = fs::File::create(folder.path().join("log")).expect("file");
        let mut command = Command::new("sipp");
        command
            .arg(remote.to_string())
            .args(["-sf", "scenario.xml", "-nostdin", "-timeout", "60s", "-timeout_error"])
            .args([
                "-trace_err",
                "-error_file",
                "errors",
                "-trace_msg",
                "-message_file",
                "messages",
            ])
            .args(["-i", &local.0.to_string(), "-p", &local.1.to_string()])
            .args(["-mi", &local.0.to_string()]);
        if !extra.contains(&"-m") {
            command.args(["-m", "1"]);
        }
        let child = command
            .args(extra)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("sipp is installed (make test does it)");
        Self { folder, child }
    }

    /// Waits for the end of the scenario and fails unless every call went as written.
    pub fn finish(mut self) -> String {
        let status = self.child.wait().expect("sipp ends");
        let messages = self.messages();
        assert!(status.success(), "sipp: {status}\n{}\n{messages}", self.file("errors"));
        messages
    }

    /// The messages sent and received so far.
    pub fn messages(&self) -> String {
        self.file("messages")
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
