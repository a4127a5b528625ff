use crate::resample::Samples;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::*;
use crate::sound::More;
use crate::voice::Rate;

/// An engine that says a tone as long as the text, or fails.
struct Fake {
    name: &'static str,
    spoke: AtomicUsize,
    fails: Option<SpeechError>,
    /// Waited for before the second half.
    gate: Option<Mutex<Receiver<()>>>,
}

impl Fake {
    fn new(name: &'static str) -> Self {
        Self { name, spoke: AtomicUsize::new(0), fails: None, gate: None }
    }

    fn spoke(&self) -> usize {
        self.spoke.load(Ordering::Relaxed)
    }
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn speak(
        &self,
        utterance: &Utterance,
        _: Instant,
        hear: &mut Hear<'_>,
    ) -> Result<(), SpeechError> {
        self.spoke.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = &self.fails {
            return Err(error.clone());
        }
        let half = vec![1000; 8000 * utterance.text().len()];
        hear(16_000, &half)?;
        if let Some(gate) = &self.gate {
            lock(gate).recv().ok();
        }
        hear(16_000, &half)
    }
}

fn start(folder: Option<&std::path::Path>, engines: &[&Arc<Fake>]) -> Speech {
    let config =
        SpeechConfig { folder: folder.map(Into::into), threads: 2, ..SpeechConfig::default() };
    let engines = engines.iter().map(|&engine| Arc::clone(engine) as Arc<dyn Engine>).collect();
    Speech::start(config, engines).unwrap()
}

fn hello() -> Utterance {
    Utterance::plain("hello", "Joanna").unwrap()
}

/// Its length in samples at 8 kHz, as far as it is there.
fn heard(spoken: &Spoken) -> (u64, More) {
    let (mut part, mut at, mut room) = (spoken.part(), 0, [0; 160]);
    loop {
        let (count, more) = part.read(at, Rate::Narrow, &mut room);
        at += count as u64;
        if more != More::Ready {
            return (at, more);
        }
    }
}

/// Asks until the text is whole.
async fn whole(speech: &Speech, utterance: &Utterance) -> Spoken {
    loop {
        let spoken = speech.say(utterance).await.unwrap();
        if matches!(spoken.audio, Audio::Whole(_)) {
            return spoken;
        }
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_text_is_heard_before_it_is_whole_and_made_once_for_all_who_ask() {
    let (open, gate) = channel();
    let fake = Arc::new(Fake { gate: Some(Mutex::new(gate)), ..Fake::new("fake") });
    let speech = start(None, &[&fake]);
    assert!(speech.at_hand(&hello()).is_none());
    let (first, second) = (speech.say(&hello()), speech.say(&hello()));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let third = speech.say(&hello()).await.unwrap();
    for spoken in [&first, &second, &third] {
        let (there, more) = heard(spoken);
        assert!(more == More::Late && there > 10_000, "{there}");
    }
    open.send(()).unwrap();
    let last = whole(&speech, &hello()).await;
    for spoken in [&first, &second, &third, &last] {
        assert_eq!(heard(spoken), (40_000, More::End));
    }
    assert_eq!(fake.spoke(), 1);
    assert!(speech.at_hand(&hello()).is_some());
}

#[tokio::test]
async fn what_was_spoken_before_a_restart_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::new("fake"));
    whole(&start(Some(folder.path()), &[&fake]), &hello()).await;
    let path = folder.path().join(format!("{}.wav", hello().key("fake").as_str()));
    // The thread writes after it has told.
    while !path.exists() {
        std::thread::yield_now();
    }
    let again = start(Some(folder.path()), &[&fake]);
    assert_eq!(heard(&again.say(&hello()).await.unwrap()), (40_000, More::End));
    assert_eq!(fake.spoke(), 1);
    // A file that was spoilt is no reason to say nothing.
    std::fs::write(&path, "spoilt").unwrap();
    let anew = start(Some(folder.path()), &[&fake]);
    whole(&anew, &hello()).await;
    assert_eq!(fake.spoke(), 2);
}

#[test]
fn the_folder_is_bounded_and_only_files_of_ours_are_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("greeting.wav");
    std::fs::write(&other, "mine").unwrap();
    std::fs::write(folder.path().join("part-x"), "half").unwrap();
    let clip = |n: usize| Clip::from_rates(Samples { narrow: vec![1; n], wide: vec![1; 2 * n] });
    let key = |text: &str| Utterance::plain(text, "Joanna").unwrap().key("fake");
    {
        let disk = Disk::open(folder.path(), 10_000).unwrap();
        disk.put(&key("a"), &clip(1000)).unwrap();
        disk.put(&key("b"), &clip(1000)).unwrap();
        assert!(disk.get(&key("a")).is_some());
        disk.put(&key("c"), &clip(1000)).unwrap();
        assert!(disk.get(&key("b")).is_none(), "the one used longest ago makes room");
        assert_eq!(disk.get(&key("a")).unwrap().samples().len(), 1000);
    }
    let disk = Disk::open(folder.path(), 5_000).unwrap();
    let left = ["a", "c"].map(|text| disk.get(&key(text)).is_some());
    assert_eq!(left.iter().filter(|&&there| there).count(), 1, "a smaller folder holds less");
    assert!(other.exists() && !folder.path().join("part-x").exists());
}

#[tokio::test]
async fn what_the_first_engine_cannot_say_the_second_says_and_the_first_rests() {
    let down = SpeechError::Unavailable("no route".to_owned());
    let cloud = Arc::new(Fake { fails: Some(down), ..Fake::new("cloud") });
    let local = Arc::new(Fake::new("local"));
    let speech = start(None, &[&cloud, &local]);
    let spoken = speech.say(&hello()).await.unwrap();
    assert_eq!(spoken.engine, "local");
    assert!(spoken.instead.unwrap().contains("cloud: the speech engine cannot be used: no route"));
    let other = Utterance::plain("other", "Joanna").unwrap();
    assert_eq!(speech.say(&other).await.unwrap().engine, "local");
    assert_eq!((cloud.spoke(), local.spoke()), (1, 2));
}

#[tokio::test]
async fn a_text_that_nobody_can_say_is_an_error_and_the_next_one_is_tried() {
    let failed = SpeechError::Failed("x".to_owned());
    let fake = Arc::new(Fake { fails: Some(failed.clone()), ..Fake::new("fake") });
    let speech = start(None, &[&fake]);
    assert_eq!(speech.say(&hello()).await.unwrap_err(), failed);
    assert_eq!(speech.say(&hello()).await.unwrap_err(), failed);
    assert_eq!(fake.spoke(), 2);
}

#[tokio::test]
async fn a_text_that_takes_too_long_to_say_is_cut() {
    let fake = Arc::new(Fake::new("fake"));
    let config = SpeechConfig { longest: Duration::from_secs(3), ..SpeechConfig::default() };
    let speech = Speech::start(config, vec![Arc::clone(&fake) as Arc<dyn Engine>]).unwrap();
    let spoken = speech.say(&hello()).await.unwrap();
    while heard(&spoken).1 == More::Late {
        std::thread::yield_now();
    }
    assert!(heard(&spoken).0 <= 24_000);
    assert!(speech.at_hand(&hello()).is_none(), "half a text is not kept");
}

#[test]
fn a_text_is_checked_before_anybody_speaks_it() {
    let plain = |text: &str| Utterance::plain(text, "Joanna");
    assert_eq!(plain(" \n "), Err(SpeechError::Empty));
    assert_eq!(plain(&"x".repeat(3001)), Err(SpeechError::TooLong));
    assert!(matches!(Utterance::plain("x", "Nobody"), Err(SpeechError::UnknownVoice(_))));
    assert!(matches!(Utterance::ssml("<speak>", "Joanna"), Err(SpeechError::Ssml(_))));
    assert!(plain("x").unwrap().in_language("xx").is_err());
    let spoken = plain("x").unwrap();
    let others = [
        plain("y").unwrap(),
        Utterance::ssml("<speak>x</speak>", "Joanna").unwrap(),
        Utterance::plain("x", "Matthew").unwrap(),
        plain("x").unwrap().in_language("en-GB").unwrap(),
        plain("x").unwrap().with_engine(VoiceEngine::Neural),
        plain("x").unwrap().with_engine(VoiceEngine::LongForm),
        plain("x").unwrap().with_engine(VoiceEngine::Generative),
    ];
    let mut keys: Vec<_> = others.iter().map(|other| other.key("a").as_str().to_owned()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), others.len(), "what is spoken otherwise is kept by itself");
    assert!(others.iter().all(|other| other.key("a") != spoken.key("a")));
    assert_ne!(spoken.key("a"), spoken.key("b"));
}

/// A program in place of espeak-ng.
fn script(folder: &std::path::Path, text: &str) -> Espeak {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("engine");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Espeak::at(path)
}

fn run(
    engine: &Espeak,
    utterance: &Utterance,
    patience: Duration,
) -> Result<Vec<i16>, SpeechError> {
    let mut all = Vec::new();
    engine.speak(utterance, Instant::now() + patience, &mut |rate, pcm| {
        assert_eq!(rate, 22_050);
        all.extend_from_slice(pcm);
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn the_local_engine_speaks_text_and_ssml_and_no_shell_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(20);
    let trap = folder.path().join("trap");
    let text = format!("hello; touch {} `touch {0}` [[hello]] --help", trap.display());
    let spoken =
        run(&Espeak::default(), &Utterance::plain(&text, "Hans").unwrap(), patience).unwrap();
    assert!(spoken.len() > 22_050 && spoken.iter().any(|s| s.unsigned_abs() > 3000));
    assert!(!trap.exists());
    let ssml = |text: &str| {
        run(&Espeak::default(), &Utterance::ssml(text, "Joanna").unwrap(), patience).unwrap()
    };
    let short = ssml("<speak>one two</speak>").len();
    let long = ssml("<speak>one <break time=\"2s\"/> two</speak>").len();
    assert!(long > short + 22_050, "a break is silence: {short} {long}");
    let longest = ssml("<speak>one <break time=\"99999999999s\"/> two</speak>").len();
    let seconds = (longest - short) / 22_050;
    assert!((8..=11).contains(&seconds), "at most ten seconds: {seconds}");
}

#[test]
fn an_engine_that_hangs_is_killed_and_one_that_fails_or_babbles_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let hangs = script(folder.path(), &format!("echo $$ > {}\nexec sleep 600", pid.display()));
    // Longer each time, until it began before it was killed.
    let pid = (0..7).find_map(|doubled| {
        let patience = Duration::from_millis(500) * (1 << doubled);
        assert_eq!(run(&hangs, &hello(), patience), Err(SpeechError::TimedOut));
        std::fs::read_to_string(&pid).ok().filter(|written| written.ends_with('\n'))
    });
    let pid = pid.expect("it never began");
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "it lives on");
    for text in ["exit 3", "echo this is no sound at all, and it is longer than any header of one"]
    {
        let failed = run(&script(folder.path(), text), &hello(), Duration::from_secs(20));
        assert!(matches!(failed, Err(SpeechError::Failed(_))), "{failed:?}");
    }
    let missing = run(&Espeak::at("/nowhere/espeak"), &hello(), Duration::from_secs(20));
    assert!(matches!(missing, Err(SpeechError::Unavailable(_))));
    assert!(Espeak::at("/nowhere/espeak").check().unwrap_err().contains("/nowhere/espeak"));
}
