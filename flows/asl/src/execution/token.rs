//! Task tokens: a task's number with a signature that only this execution can make.

use super::{Execution, TaskId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

impl Execution {
    /// The token of the task `id`.
    pub(super) fn token(&self, id: TaskId) -> String {
        let mut bytes = id.0.to_be_bytes().to_vec();
        bytes.extend(self.signature(id));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The task whose token this is, whether it is still open or not.
    pub(super) fn task_of(&self, token: &str) -> Option<TaskId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (number, _) = bytes.split_first_chunk::<8>()?;
        let id = TaskId(u64::from_be_bytes(*number));
        // The secret is mixed in by hashing, so the time that comparing takes tells nothing of it.
        (Sha256::digest(token) == Sha256::digest(self.token(id))).then_some(id)
    }

    fn signature(&self, id: TaskId) -> [u8; 32] {
        // Hashed twice: one pass of SHA-256 alone could be extended.
        let inner = Sha256::new()
            .chain_update(&self.core.secret)
            .chain_update(self.core.identity.arn.as_bytes())
            .chain_update(id.0.to_be_bytes())
            .finalize();
        Sha256::new().chain_update(&self.core.secret).chain_update(inner).finalize().into()
    }
}
