//! What functions can see, which is held to the end of the evaluation.

use super::Evaluation;
use crate::jsonata::error::Result;
use crate::jsonata::syntax::tree::Symbol;
use crate::jsonata::value::{Env, Value};
use std::rc::Rc;

/// Frames up to which all are kept.
pub(super) const MANY: usize = 1024;
/// Bytes of a frame, and of a variable in it.
const FRAME: usize = 192;
const PLACE: usize = 32;

impl Drop for Evaluation<'_> {
    /// Whatever functions hold of one another comes apart here, frame by frame.
    fn drop(&mut self) {
        self.kept.iter().for_each(|frame| frame.clear());
    }
}

impl Evaluation<'_> {
    /// How many frames are kept.
    #[cfg(test)]
    pub(in crate::jsonata) fn frames(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn bind(&mut self, env: &Env, symbol: Symbol, value: Value) -> Result<()> {
        if env.bind(symbol, value) { self.build(PLACE) } else { Ok(()) }
    }

    /// Holds a frame and all around it, for a function that is about to see them: see [`crate::jsonata::value::Frame`].
    pub(super) fn keep(&mut self, env: &Env) -> Result<()> {
        let (mut next, mut bytes) = (Some(env), 0);
        while let Some(frame) = next.filter(|frame| frame.keep()) {
            self.kept.push(Rc::clone(frame));
            bytes += FRAME + PLACE * frame.len();
            next = frame.parent();
        }
        self.build(bytes)?;
        if self.kept.len() >= self.full {
            self.steps(self.kept.len() / 8)?;
            self.kept.retain(|frame| Rc::strong_count(frame) > 1);
            self.full = MANY.max(2 * self.kept.len());
        }
        Ok(())
    }
}
