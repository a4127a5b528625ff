//! Recorded calls: who is heard on which side, pauses, full disks, and the way to an object store
//! that is not always there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use offhook_tests::appliance::Appliance;
use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::s3::S3Server;
use offhook_tests::tone::{read_channels, seconds_of_tone, share};

use crate::{last_call, last_events, last_ladder, office};

const MODULES: &str = "module g722.so\nmodule opus.so\nausrc_channels 1\nauplay_channels 1\n";
/// Tones of the caller and of the one that is called.
const TONES: [f64; 2] = [440.0, 1000.0];

/// 101 talks to 102.
struct Talk {
    caller: Baresip,
    callee: Baresip,
}

impl Talk {
    fn begin(appliance: &Appliance, caller: &str, callee: &str) -> Self {
        let auto = format!("{callee};answermode=auto");
        let one = Setup::of(appliance, 3, "101").account(caller);
        let two = Setup::of(appliance, 4, "102").tone(1000).account(&auto);
        let mut caller = Baresip::registered(&Setup { config: MODULES, ..one });
        let mut callee = Baresip::registered(&Setup { config: MODULES, ..two });
        caller.dial("102");
        caller.expect("CALL_ESTABLISHED");
        callee.expect("CALL_ESTABLISHED");
        Self { caller, callee }
    }

    /// Each has heard the other for so many seconds.
    fn goes_on(&self, seconds: f64) {
        self.caller.hears(TONES[1], seconds);
        self.callee.hears(TONES[0], seconds);
    }

    fn end(mut self) {
        self.caller.command("hangup", "");
        self.callee.expect("CALL_CLOSED");
    }
}

fn seconds(n: u64) {
    std::thread::sleep(Duration::from_secs(n));
}

/// Where the newest recording is, when it is there.
fn stored(appliance: &Appliance) -> PathBuf {
    eventually("the recording is stored", || {
        let list = appliance.json(&["recordings", "list"]);
        list[0]["stored"].as_str().map(PathBuf::from)
    })
}

fn outbox(appliance: &Appliance) -> usize {
    std::fs::read_dir(appliance.data().join("outbox")).map_or(0, Iterator::count)
}

/// The list tells first that a recording is stored; its event and the end of its file follow.
fn emptied(appliance: &Appliance) {
    eventually("the outbox is empty", || (outbox(appliance) == 0).then_some(()));
}

/// Both sides of a recording, whatever its format.
fn sides(file: &Path) -> (Vec<Vec<i16>>, u32) {
    if file.extension().is_some_and(|e| e == "wav") {
        return read_channels(file);
    }
    // Debian's opusdec: somebody else's idea of an Ogg Opus file.
    let wav = file.with_extension("decoded.wav");
    let mut opusdec = Command::new("opusdec");
    let decoded = opusdec.args(["--quiet", "--rate", "8000"]).arg(file).arg(&wav).output();
    let decoded = decoded.expect("opusdec is installed (make test does it)");
    let words = String::from_utf8_lossy(&decoded.stderr).into_owned();
    assert!(decoded.status.success() && words.is_empty(), "{words}");
    read_channels(&wav)
}

/// The caller is heard left and nowhere else, the other one right.
fn assert_sides(file: &Path, at_least: f64) {
    let (sides, rate) = sides(file);
    assert_eq!(sides.len(), 2, "{}", file.display());
    for (side, samples) in sides.iter().enumerate() {
        let found = seconds_of_tone(samples, rate, TONES[side]);
        let length = samples.len() as f64 / f64::from(rate);
        assert!(found >= at_least, "side {side}: {found:.2} s of {length:.2} s");
        let other = share(samples, rate, TONES[1 - side]);
        assert!(other < 0.001, "side {side} has {other:.4} of the other one");
    }
}

fn assert_recorded(config: &str, caller: &str, callee: &str) {
    let appliance = office(Net::new(), config, &["101", "102"]);
    let talk = Talk::begin(&appliance, caller, callee);
    talk.goes_on(2.5);
    talk.end();
    let file = stored(&appliance);
    assert_sides(&file, 2.0);
    appliance.assert_nothing_left();
    emptied(&appliance);
    let place = format!("the recording is in {}", file.display());
    let ladder = eventually(&place, || {
        Some(last_ladder(&appliance)).filter(|ladder| ladder.contains(&place))
    });
    assert!(ladder.contains("the call is being recorded"), "{ladder}");
}

#[test]
fn a_call_that_is_only_relayed_is_recorded_with_a_side_for_each() {
    let pcmu = ";audio_codecs=pcmu/8000/1";
    assert_recorded("[recording]\ncalls = \"always\"\n", pcmu, pcmu);
}

#[test]
fn a_wideband_call_is_recorded_in_g711() {
    let config = "[media]\ncodecs = [\"G722\", \"PCMU\"]\n[recording]\ncalls = \"always\"\n\
                  format = \"wav-ulaw\"\n";
    assert_recorded(config, ";audio_codecs=g722/16000/1", ";audio_codecs=g722/16000/1");
}

#[test]
fn an_opus_call_is_recorded_in_an_ogg_file_that_others_play() {
    let config = "[media]\ncodecs = [\"opus\", \"PCMU\"]\n[recording]\ncalls = \"always\"\n\
                  format = \"opus\"\n";
    assert_recorded(config, ";audio_codecs=opus/48000/2", ";audio_codecs=opus/48000/2");
}

#[test]
fn a_transcoded_call_of_an_extension_that_is_always_recorded() {
    let config = "[media]\ncodecs = [\"G722\", \"PCMA\"]\n[recording]\nformat = \"opus\"\n\
                  [[extension]]\nnumber = \"102\"\nrecord = \"always\"\n";
    assert_recorded(config, ";audio_codecs=pcma/8000/1", ";audio_codecs=g722/16000/1");
}

#[test]
fn who_is_never_recorded_is_not_and_the_operator_may_still_ask_for_it() {
    let config = "[recording]\ncalls = \"always\"\n\
                  [[extension]]\nnumber = \"102\"\nrecord = \"never\"\n";
    let appliance = office(Net::new(), config, &["101", "102"]);
    let talk = Talk::begin(&appliance, "", "");
    seconds(1);
    assert_eq!(appliance.json(&["recordings", "list"]), serde_json::json!([]));
    let id = last_call(&appliance)["id"].as_str().expect("an id").to_owned();
    appliance.cli(&["recordings", "start", &id]);
    seconds(2);
    appliance.cli(&["recordings", "pause", &id]);
    seconds(2);
    appliance.cli(&["recordings", "resume", &id]);
    seconds(2);
    appliance.cli(&["recordings", "stop", &id]);
    let file = stored(&appliance);
    seconds(1);
    talk.end();
    let (sides, rate) = sides(&file);
    for (side, samples) in sides.iter().enumerate() {
        let length = samples.len() as f64 / f64::from(rate);
        let heard = seconds_of_tone(samples, rate, TONES[side]);
        // The pause is in it, as silence.
        assert!(length > 5.5 && heard > 3.0 && heard < length - 1.5, "{heard:.2} of {length:.2} s");
        let quarter = samples.len() / 4;
        let silence = samples[quarter..3 * quarter].chunks(800).any(|c| c.iter().all(|s| *s == 0));
        assert!(silence, "side {side}");
    }
    appliance.assert_nothing_left();
}

#[test]
fn a_recording_reaches_an_object_store_that_was_dead_for_a_while_and_so_was_the_appliance() {
    let net = Net::new();
    let mut server = S3Server::new(env!("CARGO_BIN_EXE_s3-server"), net.ip(77));
    let mut appliance = office(net, &server.config(), &["101", "102"]);
    server.start();
    let talk = Talk::begin(&appliance, "", "");
    talk.goes_on(2.0);
    talk.end();
    let location = stored(&appliance);
    assert!(location.to_string_lossy().starts_with("s3://recordings/2"), "{location:?}");
    assert_sides(&recordings(&server)[0], 1.0);

    server.kill();
    let talk = Talk::begin(&appliance, "", "");
    talk.goes_on(2.0);
    talk.end();
    eventually("it is told", || {
        let status = appliance.cli(&["status"]);
        status.contains("1 of 1 recordings could not be stored yet").then_some(())
    });
    let list = appliance.json(&["recordings", "list"]);
    assert!(list[0]["error"].is_string() && list[0]["stored"].is_null(), "{list}");
    appliance.kill();
    assert_eq!(outbox(&appliance), 1);
    appliance.launch();
    assert_eq!(recordings(&server).len(), 1, "nothing has arrived");
    server.start();
    stored(&appliance);
    let arrived = recordings(&server);
    assert_eq!(arrived.len(), 2);
    assert_sides(&arrived[1], 1.0);
    emptied(&appliance);
    let told = eventually("it is told", || {
        Some(last_events(&appliance, "stored")).filter(|events| !events.is_empty())
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(!appliance.log().contains(offhook_tests::s3::KEYS[1]), "the secret is in the log");
}

/// The audio that the store has: it keeps what it knows of each in a file besides.
fn recordings(server: &S3Server) -> Vec<PathBuf> {
    let mut files = server.objects();
    files.retain(|file| file.extension().is_some_and(|e| e == "wav"));
    files
}

#[test]
fn a_call_that_the_appliance_did_not_survive_is_recorded_until_then() {
    for format in ["wav", "opus"] {
        let config = format!("[recording]\ncalls = \"always\"\nformat = \"{format}\"\n");
        let mut appliance = office(Net::new(), &config, &["101", "102"]);
        let talk = Talk::begin(&appliance, "", "");
        talk.goes_on(5.0);
        appliance.kill();
        drop(talk);
        appliance.launch();
        assert_sides(&stored(&appliance), 2.0);
    }
}
