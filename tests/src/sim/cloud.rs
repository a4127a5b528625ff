//! The cloud as a test wants it: it says what it was asked and answers what the test says.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use offhook_pbx::cloud::{Cloud, CloudError, CloudOrder};
use tokio::sync::{mpsc, oneshot};

/// The cloud.
#[derive(Debug)]
pub struct ScriptedCloud(mpsc::UnboundedSender<Asked>);

/// What it was asked. Dropped, there is never an answer.
#[derive(Debug)]
pub struct Asked {
    /// What.
    pub order: CloudOrder,
    answer: oneshot::Sender<Result<(), CloudError>>,
}

impl Asked {
    /// Answers. Whoever asked may have stopped waiting.
    pub fn answer(self, answer: Result<(), CloudError>) {
        let _ = self.answer.send(answer);
    }
}

impl ScriptedCloud {
    /// And what it is asked.
    #[must_use]
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Asked>) {
        let (sender, asked) = mpsc::unbounded_channel();
        (Arc::new(Self(sender)), asked)
    }
}

impl Cloud for ScriptedCloud {
    fn ask(&self, order: CloudOrder) -> BoxFuture<'static, Result<(), CloudError>> {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Asked { order, answer });
        Box::pin(async move {
            match answered.await {
                Ok(answer) => answer,
                Err(_) => std::future::pending().await,
            }
        })
    }
}
