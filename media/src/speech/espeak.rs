//! The local engine: espeak-ng as a process of its own, one for each text.
//!
//! It is under the GPL and is therefore never linked. The text goes in at standard input, so that
//! none of it is an argument or meets a shell.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Engine, Hear, SpeechError, Utterance, ssml, voices};

/// Octets read at a time: three quarters of a second.
const PIECE: usize = 32 << 10;
/// The `fmt ` chunk's place in what espeak-ng writes, and where the samples begin.
const HEADER: usize = 44;

/// Runs espeak-ng.
#[derive(Debug, Clone)]
pub struct Espeak {
    program: PathBuf,
}

impl Default for Espeak {
    /// The one on the path.
    fn default() -> Self {
        Self::at("espeak-ng")
    }
}

/// A child that does not outlive its caller.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; in any case nobody else waits for it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Espeak {
    /// Another program that takes the same arguments.
    #[must_use]
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Whether it can be run at all; what is to be done when not.
    ///
    /// # Errors
    /// In words, for `offhook check`.
    pub fn check(&self) -> Result<(), String> {
        let run = Command::new(&self.program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match run {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} ends with {status}", self.program.display())),
            Err(error) => Err(format!("{}: {error}", self.program.display())),
        }
    }

    fn start(&self, utterance: &Utterance) -> Result<Running, SpeechError> {
        let mut command = Command::new(&self.program);
        let voice = voices::espeak(utterance.language(), utterance.voice().kind);
        // UTF-8, from standard input, as WAV to standard output.
        command.args(["-b", "1", "--stdin", "--stdout", "-v"]).arg(voice);
        let text = if utterance.is_ssml() {
            command.arg("-m");
            ssml::rewrite(utterance.text(), false).map_err(SpeechError::Ssml)?
        } else {
            // Two brackets begin phonemes there.
            utterance.text().replace("[[", "[ [")
        };
        let started = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                SpeechError::Unavailable(format!("{}: {error}", self.program.display()))
            });
        let mut running = Running(started?);
        // A pipe takes 64 KiB at once, and a text is far shorter. Who does not read it says nothing.
        if let Some(mut stdin) = running.0.stdin.take() {
            let _ = stdin.write_all(text.as_bytes());
        }
        Ok(running)
    }
}

impl Engine for Espeak {
    fn name(&self) -> &'static str {
        "espeak-ng"
    }

    fn speak(
        &self,
        utterance: &Utterance,
        until: Instant,
        hear: &mut Hear<'_>,
    ) -> Result<(), SpeechError> {
        let mut running = self.start(utterance)?;
        let Some(mut stdout) = running.0.stdout.take() else { return Ok(()) };
        let mut wav = Wav::default();
        let mut buffer = vec![0; PIECE];
        loop {
            let n = read_before(&mut stdout, &mut buffer, until)?;
            if n == 0 {
                break;
            }
            wav.take(buffer.get(..n).unwrap_or_default(), hear)?;
        }
        let status = running.0.wait().map_err(|error| SpeechError::Failed(error.to_string()))?;
        if !status.success() || wav.rate == 0 {
            return Err(SpeechError::Failed(format!("espeak-ng ended with {status}")));
        }
        Ok(())
    }
}

/// Reads what there is, or waits for it; not longer than until then.
fn read_before(
    stdout: &mut ChildStdout,
    buffer: &mut [u8],
    until: Instant,
) -> Result<usize, SpeechError> {
    let failed = |error: io::Error| SpeechError::Failed(error.to_string());
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SpeechError::TimedOut);
        }
        let timeout = Timespec::try_from(left.max(Duration::from_millis(1))).ok();
        match poll(&mut [PollFd::new(stdout, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => {}
            Ok(_) => return stdout.read(buffer).map_err(failed),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// The WAV that comes: its length is not known when its header is written.
#[derive(Default)]
struct Wav {
    header: Vec<u8>,
    rate: u32,
    /// Half a sample.
    odd: Option<u8>,
    samples: Vec<i16>,
}

impl Wav {
    fn take(&mut self, mut bytes: &[u8], hear: &mut Hear<'_>) -> Result<(), SpeechError> {
        if self.rate == 0 {
            let missing = HEADER.saturating_sub(self.header.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(missing);
            self.header.extend_from_slice(head);
            bytes = rest;
            if self.header.len() < HEADER {
                return Ok(());
            }
            self.rate = rate_of(&self.header)
                .ok_or_else(|| SpeechError::Failed("what came is no WAV".to_owned()))?;
        }
        self.samples.clear();
        for &byte in bytes {
            match self.odd.take() {
                Some(low) => self.samples.push(i16::from_le_bytes([low, byte])),
                None => self.odd = Some(byte),
            }
        }
        hear(self.rate, &self.samples)
    }
}

/// The rate of 16-bit PCM in one channel; `None` for anything else.
fn rate_of(header: &[u8]) -> Option<u32> {
    let part = |at: usize, n: usize| header.get(at..at + n);
    let good = part(0, 4)? == b"RIFF"
        && part(8, 8)? == b"WAVEfmt "
        && part(20, 4)? == [1, 0, 1, 0]
        && part(34, 2)? == [16, 0]
        && part(36, 4)? == b"data";
    let rate = u32::from_le_bytes(part(24, 4)?.try_into().ok()?);
    Some(rate).filter(|rate| good && (8000..=48_000).contains(rate))
}
