//! `offhook dial`: a phone and a number outside are brought together, by this box, or by a SIP media
//! application of AWS where `[cloud]` says so.

use std::collections::BTreeMap;

use offhook_chime::sigv4::encoded;
use offhook_chime::take_back::{Begin, Desk};
use offhook_config::dialplan::{Route, is_e164};
use offhook_config::{Cloud, Config, Origin};
use offhook_pbx::failure;
use offhook_pbx::office::{CreateError, DialCall, OfficeHandle};
use serde_json::Value;

use crate::applications::Applications;
use crate::cli::Place;
use crate::control;
use crate::output::print;
use crate::place::{CommandError, whereabouts};

/// The `SipMediaApplicationId` by which programs ask for it.
pub const CLICK_TO_CALL: &str = "click-to-call";

/// Why nobody is called.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The office does not.
    #[error(transparent)]
    Office(#[from] CreateError),
    /// AWS does not. In words.
    #[error("AWS makes no call: {0}")]
    Cloud(String),
    /// The phones cannot be read. In words.
    #[error("{0}")]
    Store(String),
}

/// A call that has begun.
#[derive(Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its id here, or AWS's transaction.
    pub id: String,
    /// AWS makes it.
    pub by_cloud: bool,
}

/// Runs `offhook dial`.
///
/// # Errors
/// Nobody is called.
pub fn run(place: &Place, extension: &str, number: &str) -> Result<(), CommandError> {
    let path = format!("/dial/{}/{}", encoded(extension), encoded(number));
    let begun = control::ask(&whereabouts(place)?.server.data_dir, "POST", &path)?;
    let id = begun.get("call").and_then(Value::as_str).unwrap_or_default();
    let said = match begun.get("by").and_then(Value::as_str) {
        Some("cloud") => format!("AWS calls {number}, and then {extension}: transaction {id}."),
        _ => format!("{extension} rings, and then {number}: call {id}."),
    };
    print(&said);
    Ok(())
}

/// Begins a call between a phone and a number, with the phone's rights.
///
/// # Errors
/// It is not begun.
pub async fn begin(
    applications: &Applications,
    office: &OfficeHandle,
    call: DialCall,
) -> Result<Begun, DialError> {
    let config = applications.config_in_force();
    let phones = applications.phones().await.map_err(DialError::Store)?;
    let Some((cloud, to)) = by_cloud(&config, &phones, &call)? else {
        return Ok(Begun { id: office.dial(call).await?, by_cloud: false });
    };
    // Else AWS would ring the number for nobody.
    office.rings(&call.extension).await?;
    let sdk = applications.sdk().map_err(DialError::Cloud)?;
    let begin = begin_of(cloud, to, &call.extension);
    let id = Desk::new(sdk).create(&begin).await;
    let id = id.map_err(|error| DialError::Cloud(error.to_string()))?;
    Ok(Begun { id, by_cloud: true })
}

/// What AWS is asked for; `None`: this box calls.
fn by_cloud<'a>(
    config: &'a Config,
    phones: &[String],
    call: &DialCall,
) -> Result<Option<(&'a Cloud, String)>, CreateError> {
    if config.cloud.from_number.is_none() {
        return Ok(None);
    }
    let known = |number: &str| {
        config.extension(number).is_some() || phones.iter().any(|phone| phone == number)
    };
    let Route::Outside(to) = config.route(Origin::Phone, &call.number, known) else {
        return Ok(None);
    };
    if !known(&call.extension) {
        return Err(CreateError::NoSuchExtension(call.extension.clone()));
    }
    if config.extension(&call.extension).is_some_and(|extension| !extension.outside_calls) {
        return Err(CreateError::Refused(failure::NOT_ALLOWED));
    }
    Ok(is_e164(&to).then_some((&config.cloud, to)))
}

/// The application calls the number, and bridges whoever answers to the phone by the connector.
fn begin_of(cloud: &Cloud, to: String, extension: &str) -> Begin {
    let target = ("TransferTarget".to_owned(), extension.to_owned());
    let arn = cloud.voice_connector_arn.clone().map(|arn| ("TransferTargetArn".to_owned(), arn));
    Begin {
        application: cloud.application.clone().unwrap_or_default(),
        from: cloud.from_number.clone().unwrap_or_default(),
        to,
        headers: BTreeMap::new(),
        arguments: [target].into_iter().chain(arn).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CLOUD: &str = "[cloud]\nsip_media_application_id = \"a-1\"\n\
        from_number = \"+15550100100\"\nvoice_connector_arn = \"arn:aws:chime:us-east-1:1:vc/x\"\n\
        [[extension]]\nnumber = \"101\"\n[[extension]]\nnumber = \"103\"\noutside_calls = false\n";

    fn asked(config: &str, extension: &str, number: &str) -> Result<Option<Begin>, CreateError> {
        let config = offhook_config::check(config, Path::new("t.toml")).unwrap();
        let call = DialCall { extension: extension.to_owned(), number: number.to_owned() };
        let asked = by_cloud(&config, &["102".to_owned()], &call)?;
        Ok(asked.map(|(cloud, to)| begin_of(cloud, to, extension)))
    }

    #[test]
    fn the_cloud_calls_numbers_outside_for_phones_that_may() {
        let begin = asked(CLOUD, "102", "+15557770000").unwrap().unwrap();
        assert_eq!((begin.application.as_str(), begin.to.as_str()), ("a-1", "+15557770000"));
        assert_eq!(begin.arguments["TransferTarget"], "102");
        assert_eq!(begin.arguments["TransferTargetArn"], "arn:aws:chime:us-east-1:1:vc/x");
        assert_eq!(asked(CLOUD, "101", "102"), Ok(None));
        assert_eq!(asked(CLOUD, "101", "911"), Ok(None));
        let refused = CreateError::Refused(failure::NOT_ALLOWED);
        assert_eq!(asked(CLOUD, "103", "+15557770000"), Err(refused));
        let nobody = CreateError::NoSuchExtension("199".into());
        assert_eq!(asked(CLOUD, "199", "+15557770000"), Err(nobody));
        assert_eq!(asked("", "101", "+15557770000"), Ok(None));
    }
}
