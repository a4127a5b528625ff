//! A PostgreSQL of the test's own, from Debian's package: its files in a temporary folder, its
//! socket beside them, no port.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The server; dropping it ends it.
pub struct Server {
    folder: TempDir,
}

impl Server {
    /// Starts one that is empty.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("its mode");
        let server = Self { folder };
        let data = server.data();
        server.run("initdb", &["-D", &data, "-A", "trust", "-U", "office", "--no-sync"]);
        server.up();
        server
    }

    /// Makes an empty database and gives its address.
    pub fn database(&self, name: &str) -> String {
        let socket = self.folder.path().display().to_string();
        self.run("createdb", &["-h", &socket, "-U", "office", name]);
        format!("host={socket} user=office dbname={name}")
    }

    /// Breaks all connections.
    pub fn restart(&mut self) {
        self.down();
        self.up();
    }

    fn up(&self) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=off -c autovacuum=off",
            self.folder.path().display()
        );
        self.run(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-s", "-l", &self.log(), "-o", &options, "start"],
        );
    }

    fn down(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-s", "-m", "fast", "stop"]);
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn log(&self) -> String {
        self.folder.path().join("log").display().to_string()
    }

    /// Runs a program of the server's. It refuses root, and so does this: it becomes `nobody`.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = programs().join(program);
        let root =
            std::fs::metadata("/proc/self").map(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
        let mut command = if root.unwrap_or(false) {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        let output = command.args(arguments).current_dir(self.folder.path());
        let status = output.stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.expect("PostgreSQL is installed (make test does it)").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

/// Where Debian keeps them: beside the version that is installed, the newest.
fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(Path::new("/usr/lib/postgresql"))
        .map(|found| found.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    versions.sort();
    versions.pop().unwrap_or_default()
}
