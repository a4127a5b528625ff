//! What a call takes of memory whose sides have no codec in common.

use std::path::Path;

use super::appliance::{Appliance, addresses, all_went};
use super::figures::Figure;
use super::process::pss_kb;
use super::relay::{Sides, talk};
use super::{Outcome, SERVER, Size, sip};

const CODECS: &str = "\"PCMU\", \"G722\"";

/// Calls from PCMU to G.722 that talk.
pub(crate) fn memory(offhook: &Path, folder: &Path, size: &Size) -> Outcome<Figure> {
    let appliance = Appliance::start(offhook, folder, 10, CODECS)?;
    let (signalling, media) = addresses()?;
    let sides = Sides::open()?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let before = pss_kb(appliance.pid());
    let mut calls = sip::Calls::new(SERVER.parse()?, signalling, media, 9)?;
    calls.answer_with(9, "G722/8000");
    let up = calls.set_up(size.transcoded, 50.0)?;
    let count = size.transcoded;
    all_went(sip::Outcome { ok: up.len(), begun: count }, count, "transcoded calls")?;
    let cost = talk(&sides, &up, size.seconds.div_ceil(3), appliance.pid(), &mut 0)?;
    let memory = (pss_kb(appliance.pid()) - before) / count as f64;
    calls.tear_down()?;
    if cost.heard.received == 0 {
        return Err("nothing was heard of transcoded calls".into());
    }
    let name = format!("memory per transcoded call (PCMU to G.722), {count} calls");
    Ok(Figure::plain(name, memory, "kB", Some(250.0)))
}
