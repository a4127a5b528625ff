//! Debian's linphonec as a desk phone: a tone goes in at its microphone, what its loudspeaker would
//! play is written to a file, and the keys are its commands.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::baresip::{Setup, write_tone};
use crate::killed::Killed;
use crate::net::eventually;
use crate::tone::seconds_of_tone;

/// A running linphonec. Dropping it kills it.
#[derive(Debug)]
pub struct Linphone {
    child: Killed,
    folder: TempDir,
    server: String,
    transport: String,
    /// What it printed before this place has been expected already.
    next: usize,
}

impl Linphone {
    /// Starts it and waits until it is registered. [`Setup::config`] are more lines of the section
    /// `[sip]` of its configuration, [`Setup::account`] is the scheme of its own address (`sips`) where
    /// that is not `sip`; [`Setup::trace`] means nothing to it.
    pub fn registered(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        // Without it there is no database, and an error about it.
        fs::create_dir_all(at(".local/share/linphone")).expect("a folder");
        fs::write(at("linphonerc"), config(setup)).expect("file");
        write_tone(&at("microphone.wav"), setup.tone, 60);
        let printed = fs::File::create(at("printed")).expect("file");
        let child = Command::new("linphonec")
            .args(["-d", "6", "-l"])
            .arg(at("log"))
            .arg("-c")
            .arg(at("linphonerc"))
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(printed.try_clone().expect("file"))
            .stderr(printed)
            .spawn()
            .expect("linphonec is installed (make test does it)");
        let mut phone = Self {
            child: child.into(),
            folder,
            server: setup.server.clone(),
            transport: setup.transport.to_owned(),
            next: 0,
        };
        phone.expect("linphonec> ");
        phone.command("soundcard use files");
        phone.expect("Using wav files");
        phone.command(&format!("play {}", phone.at("microphone.wav").display()));
        phone.command(&format!("record {}", phone.at("heard.wav").display()));
        // It prints nothing of it.
        eventually("linphonec is registered", || {
            phone.log().contains("to [LinphoneRegistrationOk]").then_some(())
        });
        phone
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Types a line (`answer`, `pause`, `resume 1`, `terminate`, `transfer 1 --to-call 2`, a key, …).
    pub fn command(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("standard input");
        input.write_all(format!("{line}\n").as_bytes()).expect("linphonec reads");
    }

    /// Dials a number at its server.
    pub fn dial(&mut self, number: &str) {
        let line = format!("call sip:{number}@{};transport={}", self.server, self.transport);
        self.command(&line);
    }

    /// Waits until it has printed these words. A later call looks at later words only.
    pub fn expect(&mut self, words: &str) {
        let what = format!("linphonec prints {words:?}");
        let next = self.next;
        self.next = eventually(&what, || {
            let printed = self.printed();
            Some(next + printed.get(next..)?.find(words)? + words.len())
        });
    }

    /// Waits for a call and takes it.
    pub fn answers(&mut self) {
        self.expect("Receiving new incoming call");
        self.command("answer");
        self.expect("Media streams established");
    }

    /// Whether it has printed this.
    pub fn saw(&self, words: &str) -> bool {
        self.printed().contains(words)
    }

    /// Waits until it has heard this tone for so many seconds, in all its calls.
    pub fn hears(&self, frequency: f64, seconds: f64) {
        let what = format!("{seconds} s of {frequency} Hz are heard");
        eventually(&what, || (self.heard(frequency) >= seconds).then_some(()));
    }

    /// For how many seconds it has heard this tone so far, in all its calls.
    pub fn heard(&self, frequency: f64) -> f64 {
        heard(&self.at("heard.wav"), frequency)
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.at("printed")).unwrap_or_default()).into()
    }

    /// Its own log, SIP messages among it.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.at("log")).unwrap_or_default()).into()
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
            eprintln!("---- linphonec ----\n{}\n{}", self.printed(), &log[from..]);
        }
    }
}

/// Its file of what it hears has a header of zeros until the sound stops, so the rate is not known:
/// that of G.711 or that of Opus.
fn heard(path: &Path, frequency: f64) -> f64 {
    const HEADER: usize = 44;
    let bytes = fs::read(path).unwrap_or_default();
    let samples = bytes.get(HEADER..).unwrap_or_default();
    let samples: Vec<i16> =
        samples.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let at = |rate| seconds_of_tone(&samples, rate, frequency);
    at(8000).max(at(48000))
}

fn config(setup: &Setup<'_>) -> String {
    let Setup { ip, server, user, password, transport, regint, config, account, .. } = setup;
    let scheme = if account.is_empty() { "sip" } else { account };
    let port = |name| if *transport == name { 5060 } else { 0 };
    let (udp, tcp, tls) = (port("udp"), port("tcp"), port("tls"));
    // Its codecs stay its own: Opus, Speex, G.711, G.729.
    format!(
        "[sip]\nsip_port={udp}\nsip_tcp_port={tcp}\nsip_tls_port={tls}\nbind_address={ip}\n\
         guess_hostname=1\nregister_only_when_network_is_up=0\ndefault_proxy=0\n\
         verify_server_certs=0\nverify_server_cn=0\n{config}\n\
         [rtp]\nbind_address={ip}\naudio_rtp_port=7078-7478\n\
         [sound]\nlocal_ring=\nremote_ring=\n\
         [proxy_0]\nreg_proxy=<sip:{server};transport={transport}>\n\
         reg_identity={scheme}:{user}@{host}\nreg_expires={regint}\nreg_sendregister=1\n\
         [auth_info_0]\nusername={user}\npasswd={password}\nrealm=offhook\ndomain={host}\n",
        host = server.rsplit_once(':').map_or(server.as_str(), |(host, _)| host),
    )
}
