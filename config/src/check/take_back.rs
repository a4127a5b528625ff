//! `[take_back]`.

use super::recording::web_server;
use super::section::Section;
use crate::schema::TakeBack;

pub(super) fn take_back(s: &Section<'_, '_>) -> TakeBack {
    let default = TakeBack::default();
    let queue = web_server(s, "queue");
    // SQS names a queue `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    if let Some(url) = &queue
        && url.split('/').skip(3).filter(|part| !part.is_empty()).count() < 2
    {
        let message = format!("`queue`: \"{url}\" names no queue");
        let remedy = "write it like \"https://sqs.us-east-1.amazonaws.com/111122223333/take-back\"";
        s.reader.suggest(s.at("queue"), message, remedy);
    }
    let max_age = s.seconds("max_age_seconds", 1..=3_600).unwrap_or(default.max_age);
    s.finish();
    TakeBack { queue, max_age }
}
