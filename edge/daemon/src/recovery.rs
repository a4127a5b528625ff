//! After a crash: what a killed daemon left half-done is made whole before the first call.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use offhook_pbx::keep::{KeepError, Recording, Recordings as _, Voicemail, Voicemails as _};
use offhook_store::Store;

/// What a killed daemon left half-done: recordings get whole headers and become messages (those
/// with less than `shortest` in them are no message, as always), calls without an end get one.
///
/// > None of it is worth a telephone that does not start: what a full disk does not take now waits
/// > for the next start.
pub async fn recover(store: &Store, shortest: Duration) {
    match store.close_lost_calls().await {
        Ok(0) => {}
        Ok(calls) => tracing::warn!(calls, "calls that the last run did not end"),
        Err(error) => tracing::error!(%error, "calls that the last run did not end stay open"),
    }
    let messages = store.unfinished_voicemails().await.unwrap_or_else(|error| {
        tracing::error!(%error, "messages that were being recorded wait for the next start");
        Vec::new()
    });
    for message in messages {
        if let Err(error) = recover_message(store, &message, shortest).await {
            let file = message.file.display();
            tracing::error!(%file, %error, "a message that was being recorded waits");
        }
    }
    let recordings = store.unfinished_recordings().await.unwrap_or_else(|error| {
        tracing::error!(%error, "calls that were being recorded wait for the next start");
        Vec::new()
    });
    for recording in recordings {
        if let Err(error) = recover_recording(store, &recording).await {
            let file = recording.file.display();
            tracing::error!(%file, %error, "a call that was being recorded waits");
        }
    }
}

/// A file that holds nothing yet is no recording.
async fn recover_recording(store: &Store, recording: &Recording) -> Result<(), KeepError> {
    let milliseconds = repaired(&recording.file)?;
    store.finish_recording(recording.id.clone(), milliseconds).await?;
    tracing::warn!(call = %recording.call_id, milliseconds, "a call that was being recorded");
    Ok(())
}

/// Makes a recording's file whole and gives its length in milliseconds; 0: there is nothing.
fn repaired(file: &Path) -> Result<u64, KeepError> {
    /// No header is longer.
    const HEADERS: u64 = 200;
    let begun = || std::fs::metadata(file).is_ok_and(|file| file.len() > HEADERS);
    match offhook_media::recorder::repair(file) {
        Ok(samples) => Ok(samples * 1000 / u64::from(offhook_media::wav::RATE)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) if error.kind() == ErrorKind::InvalidData && !begun() => Ok(0),
        // It may be there after the next start: nothing is thrown away for a bad disk.
        Err(error) => Err(KeepError::Failed(error.to_string())),
    }
}

async fn recover_message(
    store: &Store,
    message: &Voicemail,
    shortest: Duration,
) -> Result<(), KeepError> {
    let milliseconds = match offhook_media::wav::repair(&message.file) {
        Ok(info) => info.samples * 1000 / u64::from(offhook_media::wav::RATE),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        // It may be there after the next start: nothing is thrown away for a bad disk.
        Err(error) => return Err(KeepError::Failed(error.to_string())),
    };
    if u128::from(milliseconds) < shortest.as_millis() {
        store.delete_voicemail(message.id.clone()).await?;
        tracing::info!(milliseconds, "a recording too short for a message is thrown away");
    } else {
        store.finish_voicemail(message.id.clone(), milliseconds).await?;
        tracing::warn!(milliseconds, "a message that was being recorded is kept");
    }
    Ok(())
}
