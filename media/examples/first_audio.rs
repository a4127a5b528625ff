//! How long until a text can be heard: new to the local engine, on the disk, in memory.
//!
//! `cargo run --release -p offhook-media --example first_audio`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offhook_media::speech::{Espeak, Speech, SpeechConfig, Utterance};

const TEXTS: u32 = 50;

fn start(folder: &Path) -> Speech {
    let config = SpeechConfig { folder: Some(folder.to_owned()), ..SpeechConfig::default() };
    Speech::start(config, vec![Arc::new(Espeak::default())]).unwrap()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = std::env::temp_dir().join(format!("offhook-first-audio-{}", std::process::id()));
    let texts: Vec<Utterance> = (0..TEXTS)
        .map(|n| {
            let text =
                format!("Your call is number {n} in the queue. Somebody will be with you soon.");
            Utterance::plain(&text, "Joanna").unwrap()
        })
        .collect();
    let ask = |speech: &Speech| {
        let mut times: Vec<Duration> = texts
            .iter()
            .map(|text| {
                let began = Instant::now();
                runtime.block_on(speech.say(text)).unwrap();
                began.elapsed()
            })
            .collect();
        times.sort();
        times
    };
    let speech = start(&folder);
    let new = ask(&speech);
    // The last one may still be on its way to the disk.
    std::thread::sleep(Duration::from_secs(1));
    let rows = [("new", new), ("in memory", ask(&speech)), ("on the disk", ask(&start(&folder)))];
    for (what, times) in rows {
        let (half, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{what:12} p50 {half:>10.2?}   max {most:>10.2?}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
