//! `offhook phone greeting`: a mailbox's own greeting.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use offhook_config::Config;
use offhook_media::clip;
use offhook_media::wav::{self, Format};
use offhook_pbx::keep::Extension;

use crate::folder;
use crate::place::CommandError;

/// Takes `file` as the greeting of `extension`, or the standard one when there is none. The sound
/// is decoded now, so that a caller never finds out that it cannot be played. Gives words for the
/// operator.
pub fn set(
    config: &Config,
    extension: &mut Extension,
    file: Option<&Path>,
) -> Result<String, CommandError> {
    let number = extension.number.clone();
    let before = extension.greeting.take();
    let said = match file {
        None => format!("{number} has the standard greeting."),
        Some(file) => {
            let sound = clip::decode(file).map_err(|e| CommandError::Words(e.to_string()))?;
            extension.greeting = Some(keep(config, &number, sound.samples())?);
            let seconds = sound.samples().len() as f64 / f64::from(wav::RATE);
            format!("{number} has a greeting of its own, {seconds:.1} s.")
        }
    };
    // A call that plays it has decoded it already.
    if let Some(before) = before {
        let _ = std::fs::remove_file(config.voicemail_folder().join(before));
    }
    Ok(said)
}

/// Writes the greeting beside the mailbox's messages; gives its path under the voicemail folder.
/// Each has a name of its own: a decoded greeting is remembered by name.
fn keep(config: &Config, number: &str, samples: &[i16]) -> Result<PathBuf, CommandError> {
    let name = PathBuf::from(number).join(format!("greeting-{:016x}.wav", rand::random::<u64>()));
    let (data, voicemail) = (&config.server.data_dir, config.voicemail_folder());
    let path = voicemail.join(&name);
    folder::make_inside(data, &voicemail)
        .and_then(|()| folder::make_inside(data, &voicemail.join(number)))
        .and_then(|()| folder::new_file(data, &path))
        .and_then(|mut file| file.write_all(&wav::to_bytes(Format::Pcm16, samples)))
        .map_err(|error| CommandError::File { path, error })?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::{self, NewPhone};
    use crate::place;
    use offhook_pbx::keep::Extensions as _;

    #[test]
    fn a_greeting_is_decoded_kept_and_taken_back() {
        let data = std::env::temp_dir().join(format!("offhook-greeting-{}", std::process::id()));
        let mut config = Config::default();
        config.server.data_dir.clone_from(&data);
        let store = place::store(&config).unwrap();
        let new =
            NewPhone { number: "101", name: None, password: None, pin: None, voicemail: true };
        phone::add(&config, &store, new).unwrap();
        let known = place::block_on(store.load_extensions()).unwrap().unwrap();
        let mut extension = known.into_iter().next().unwrap();

        let file = data.join("own.wav");
        std::fs::write(&file, wav::to_bytes(Format::Pcmu, &[1000; 8000])).unwrap();
        set(&config, &mut extension, Some(&file)).unwrap();
        let kept = config.voicemail_folder().join(extension.greeting.clone().unwrap());
        assert_eq!(clip::decode(&kept).unwrap().samples().len(), 8000);

        // What is no sound leaves the account alone: the command ends before it is written.
        std::fs::write(&file, "no sound").unwrap();
        assert!(set(&config, &mut extension.clone(), Some(&file)).is_err());
        assert!(kept.exists());

        set(&config, &mut extension, None).unwrap();
        assert_eq!(extension.greeting, None);
        assert!(!kept.exists());
        std::fs::remove_dir_all(data).unwrap();
    }
}
