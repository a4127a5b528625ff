//! Debian's Firefox for a page, with a sound card that is none: without one its audio graph does not
//! run, and without an open microphone it tells nobody of its loopback addresses.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use crate::killed::Killed;
use crate::net::eventually;

/// What a page needs that nobody clicks on, on a machine that is not online.
const PREFERENCES: &str = r#"
user_pref("media.navigator.permission.disabled", true);
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"#;

/// A running Firefox and its sound card. Dropping it kills both, in this order.
#[derive(Debug)]
pub(crate) struct Firefox {
    _browser: Killed,
    _sound: Killed,
}

impl Firefox {
    /// Opens `page` with a profile in `folder`. `wss`: the server whose `certificate` (PEM) is taken
    /// though no authority stands for it.
    pub(crate) fn open(folder: &Path, page: &str, wss: SocketAddr, certificate: &Path) -> Self {
        let profile = folder.join("profile");
        fs::create_dir(&profile).expect("a profile");
        fs::write(profile.join("user.js"), PREFERENCES).expect("preferences");
        // Host and port, the hash's algorithm (SHA-256 by its object identifier), the hash.
        let trusted = format!("{wss}:\tOID.2.16.840.1.101.3.4.2.1\t{}\t\n", hash_of(certificate));
        fs::write(profile.join("cert_override.txt"), trusted).expect("exceptions");
        let (sound, socket) = sound_card(folder);
        let log = fs::File::create(folder.join("log")).expect("file");
        let browser = Command::new("firefox-esr")
            .args(["--headless", "--no-remote", "--profile"])
            .arg(&profile)
            .arg(page)
            .env("HOME", folder)
            .env("PULSE_SERVER", format!("unix:{}", socket.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("firefox-esr is installed (make test does it)");
        Self { _browser: browser.into(), _sound: sound }
    }
}

/// PulseAudio that plays into nothing, in time, and hears silence.
fn sound_card(folder: &Path) -> (Killed, PathBuf) {
    let socket = folder.join("sound");
    let log = fs::File::create(folder.join("sound-log")).expect("file");
    let child = Command::new("pulseaudio")
        .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"])
        .args(["--disable-shm=yes", "-L", "module-null-sink rate=48000"])
        .args(["-L", "module-null-source rate=48000", "-L"])
        .arg(format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display()))
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .spawn()
        .expect("pulseaudio is installed (make test does it)");
    let mut child = Killed::from(child);
    eventually("the sound card is there", || {
        assert!(child.try_wait().is_ok_and(|end| end.is_none()), "pulseaudio ended");
        socket.exists().then_some(())
    });
    (child, socket)
}

/// SHA-256 of the first certificate of a PEM file, as `AB:CD:…`.
fn hash_of(certificate: &Path) -> String {
    let pem = fs::read_to_string(certificate).expect("a certificate");
    let inner = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN CERT")).skip(1);
    let inner: String = inner.take_while(|line| !line.starts_with("-----")).collect();
    let hash = Sha256::digest(BASE64.decode(inner).expect("base64"));
    let bytes: Vec<_> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
