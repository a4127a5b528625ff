//! The control socket: how the command line speaks with a running daemon. HTTP/1.1 with JSON over
//! a Unix socket in the data folder, so that the file system says who may.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Where the socket lives.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// A socket's address has room for 108 octets, the last of which is a zero (unix(7)).
const LONGEST_ADDRESS: usize = 107;

/// Binds or connects a Unix socket. One whose path is too long for an address is reached through
/// its folder, which may lie as deep as it likes.
///
/// # Errors
/// Those of opening the folder and of `act`.
pub fn at_socket<T>(
    socket: &Path,
    act: impl FnOnce(&Path) -> std::io::Result<T>,
) -> std::io::Result<T> {
    use rustix::fs::{Mode, OFlags};
    use std::os::fd::AsRawFd as _;
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return act(socket);
    };
    if socket.as_os_str().len() <= LONGEST_ADDRESS {
        return act(socket);
    }
    // Whoever may only pass through the folder can open it like this, too.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    act(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

/// Why the daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing listens there.
    #[error("no appliance is running on {0} (start it with `offhook serve`)")]
    NotRunning(PathBuf),
    /// It may be running; we cannot say.
    #[error("{0}: {1}; run the command as root or as the appliance's user (`sudo -u offhook …`)")]
    NotLetIn(PathBuf, std::io::Error),
    /// It listens and does not answer as it should.
    #[error("the appliance did not answer as expected: {0}")]
    Broken(String),
    /// It answered that it will not.
    #[error("{0}")]
    Refused(String),
}

/// Largest answer that is read, bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// Asks the daemon that runs on `data_dir`.
pub fn ask(data_dir: &Path, method: &str, path: &str) -> Result<Value, ControlError> {
    let socket = socket_path(data_dir);
    let mut stream =
        at_socket(&socket, |at| UnixStream::connect(at)).map_err(|error| match error.kind() {
            // No socket file, or one that a killed daemon left.
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                ControlError::NotRunning(data_dir.to_path_buf())
            }
            _ => ControlError::NotLetIn(socket, error),
        })?;
    let broken = |e: std::io::Error| ControlError::Broken(e.to_string());
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(broken)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: offhook\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(broken)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).map_err(broken)?;
    parse_answer(&answer)
}

fn parse_answer(answer: &[u8]) -> Result<Value, ControlError> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) =
        text.split_once("\r\n\r\n").ok_or_else(|| ControlError::Broken("no HTTP answer".into()))?;
    let status = head.split_whitespace().nth(1).unwrap_or("");
    let body = if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return Err(ControlError::Broken("a chunked answer".into()));
    } else {
        body
    };
    let value: Value =
        serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.trim().to_owned()));
    if status.starts_with('2') {
        Ok(value)
    } else {
        let said = value.get("error").and_then(Value::as_str).map(str::to_owned);
        Err(ControlError::Refused(said.unwrap_or_else(|| body.trim().to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_daemons_words() {
        let answer =
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{\"error\":\"no such ban\"}";
        assert_eq!(parse_answer(answer).unwrap_err().to_string(), "no such ban");
    }

    #[test]
    fn a_socket_that_may_not_be_opened_is_not_taken_for_a_missing_daemon() {
        // A file in the folder's place: neither "not there" nor "refused".
        let file = std::env::temp_dir().join(format!("offhook-no-folder-{}", std::process::id()));
        std::fs::write(&file, "").unwrap();
        let error = ask(&file, "GET", "/status").unwrap_err();
        assert!(matches!(error, ControlError::NotLetIn(..)), "{error}");
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_data_folder_may_lie_deep() {
        let top = std::env::temp_dir().join(format!("offhook-deep-{}", std::process::id()));
        let folder = top.join("d".repeat(100)).join("e".repeat(100));
        assert!(matches!(ask(&folder, "GET", "/status"), Err(ControlError::NotRunning(_))));
        std::fs::create_dir_all(&folder).unwrap();
        let door = crate::http::Doors::open("127.0.0.1:0".parse().unwrap(), &socket_path(&folder));
        let socket = door.unwrap().unix;
        assert!(socket_path(&folder).exists());
        let daemon = std::thread::spawn(move || {
            socket.set_nonblocking(false).unwrap();
            let (mut asked, _) = socket.accept().unwrap();
            asked.write_all(b"HTTP/1.1 200 OK\r\n\r\n{}").unwrap();
            asked.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = asked.read_to_end(&mut Vec::new());
        });
        assert_eq!(ask(&folder, "GET", "/status").unwrap(), serde_json::json!({}));
        daemon.join().unwrap();
        std::fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_missing_daemon_is_named_with_the_remedy() {
        let folder = std::env::temp_dir().join("offhook-no-such-folder");
        let error = ask(&folder, "GET", "/status").unwrap_err().to_string();
        assert!(error.contains("offhook serve"), "{error}");
    }
}
