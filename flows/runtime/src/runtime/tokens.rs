//! Which task a token is of, and random names.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::TokenFault;
use super::live::Key;
use crate::names::hex;

/// Bytes of a token: a task's number and a signature.
const TOKEN_BYTES: usize = 40;
/// Tokens of ended tasks that are remembered, so that who comes late hears that it is late.
const REMEMBERED: usize = 50_000;

/// Whether a task still waits for its token: known without asking the owner, who may be busy.
#[derive(Debug, Clone)]
pub struct Waiting(Arc<AtomicBool>);

impl Waiting {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    fn end(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether it does.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Of the same task.
impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// All open tokens.
#[derive(Default)]
pub(super) struct Tokens {
    open: HashMap<String, (Key, Waiting)>,
    ended: HashSet<String>,
    order: VecDeque<String>,
}

impl Tokens {
    pub(super) fn open(&mut self, token: String, key: Key) -> Waiting {
        let waiting = Waiting::new();
        self.open.insert(token, (key, waiting.clone()));
        waiting
    }

    pub(super) fn close(&mut self, token: &str) {
        let Some((token, (_, waiting))) = self.open.remove_entry(token) else { return };
        waiting.end();
        if self.ended.insert(token.clone()) {
            self.order.push_back(token);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    pub(super) fn is_open(&self, token: &str) -> bool {
        self.open.contains_key(token)
    }

    pub(super) fn find(&self, token: &str) -> Result<Key, TokenFault> {
        if let Some((key, _)) = self.open.get(token) {
            return Ok(*key);
        }
        if self.ended.contains(token) {
            return Err(TokenFault::TaskTimedOut);
        }
        match URL_SAFE_NO_PAD.decode(token) {
            Ok(bytes) if bytes.len() == TOKEN_BYTES => Err(TokenFault::TaskDoesNotExist),
            _ => Err(TokenFault::InvalidToken),
        }
    }
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn new_name() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
