//! A real S3 server beside the appliance.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::killed::Killed;
use crate::net::eventually;

/// Access key and secret that it takes.
pub const KEYS: [&str; 2] = ["test-access-key", "test-secret-key"];
/// The bucket that it has.
pub const BUCKET: &str = "recordings";

/// The server; it can be killed and started again. Dropping it kills it.
#[derive(Debug)]
pub struct S3Server {
    program: PathBuf,
    address: SocketAddr,
    child: Option<Killed>,
    root: TempDir,
}

impl S3Server {
    /// One that does not run yet. `program`: `env!("CARGO_BIN_EXE_s3-server")`.
    pub fn new(program: &str, ip: Ipv4Addr) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join(BUCKET)).expect("a bucket");
        Self { program: program.into(), address: (ip, 9000).into(), child: None, root }
    }

    /// The `[recording]` section of an appliance that stores there.
    pub fn config(&self) -> String {
        format!(
            "[recording]\ncalls = \"always\"\nstore = \"s3\"\nbucket = \"{BUCKET}\"\n\
             endpoint = \"http://{}\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n",
            self.address, KEYS[0], KEYS[1]
        )
    }

    /// Where it is, as configurations say it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder of its bucket.
    pub fn bucket(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// A `[[bucket]]` of this name that is there.
    pub fn bucket_config(&self, name: &str) -> String {
        format!(
            "[[bucket]]\nname = \"{name}\"\nstore = \"s3\"\nbucket = \"{BUCKET}\"\n\
             endpoint = \"{}\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n",
            self.endpoint(),
            KEYS[0],
            KEYS[1]
        )
    }

    /// Starts it and waits until it listens.
    pub fn start(&mut self) {
        let child = Command::new(&self.program)
            .arg(self.root.path())
            .args([&self.address.to_string(), KEYS[0], KEYS[1]])
            .stdin(Stdio::null())
            .spawn()
            .expect("the S3 server starts");
        self.child = Some(child.into());
        eventually("the S3 server listens", || TcpStream::connect(self.address).ok());
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// What it has in its bucket, by name.
    pub fn objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.root.path().join(BUCKET), &mut found);
        found.sort();
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}
