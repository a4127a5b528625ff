//! What a `%` stands for: the step whose input it is.

use super::SyntaxError;
use super::paths::{Paths, no_ancestor, sought};
use super::tree::{Kind, Node, Slot};

type Result = std::result::Result<(), SyntaxError>;

impl Paths {
    fn level(&mut self, slot: Slot) -> usize {
        self.ancestors.get(slot).map_or(0, |ancestor| ancestor.level)
    }

    /// Looks for the ancestors that the last step of a path seeks in the steps before it. What is not
    /// found there is sought outside of the path.
    pub(super) fn resolve(&mut self, node: &mut Node) -> Result {
        let Kind::Path(path) = &mut node.kind else { return Ok(()) };
        let Some((last, before)) = path.steps.split_last_mut() else { return Ok(()) };
        let mut outside = Vec::new();
        for slot in sought(last) {
            let mut steps = before.iter_mut().rev().peekable();
            while self.level(slot) > 0 {
                let Some(mut step) = steps.next() else {
                    outside.push(slot);
                    break;
                };
                // Steps one after the other that bind their items have the same input.
                while let Some(next) = steps.peek()
                    && has_focus(step)
                    && has_focus(next)
                {
                    let Some(next) = steps.next() else { break };
                    step = next;
                }
                self.seek(step, slot)?;
            }
        }
        if !outside.is_empty() {
            node.more_mut().seeks.extend(outside);
        }
        Ok(())
    }

    /// Goes up past `step`, and binds its input if that is the ancestor.
    pub(super) fn seek(&mut self, step: &mut Node, slot: Slot) -> Result {
        match &mut step.kind {
            Kind::Name(_) | Kind::Wildcard => {
                let Some(ancestor) = self.ancestors.get_mut(slot) else { return Ok(()) };
                ancestor.level = ancestor.level.saturating_sub(1);
                if ancestor.level > 0 {
                    return Ok(());
                }
                let more = step.more_mut();
                more.is_tuple = true;
                // One that is bound already has its name.
                let bound = more.ancestor.replace(slot);
                let name =
                    bound.and_then(|bound| self.ancestors.get(bound)).map(|known| known.name);
                if let (Some(name), Some(ancestor)) = (name, self.ancestors.get_mut(slot)) {
                    ancestor.name = name;
                }
            }
            Kind::Parent(_) => {
                if let Some(ancestor) = self.ancestors.get_mut(slot) {
                    ancestor.level += 1;
                }
            }
            Kind::Block(expressions) => {
                if let Some(last) = expressions.last_mut() {
                    self.seek(last, slot)?;
                    step.more_mut().is_tuple = true;
                }
            }
            Kind::Path(path) => {
                let mut steps = path.steps.iter_mut().rev();
                if let Some(last) = steps.next() {
                    self.seek(last, slot)?;
                }
                for step in steps {
                    if self.level(slot) == 0 {
                        break;
                    }
                    self.seek(step, slot)?;
                }
                step.more_mut().is_tuple = true;
            }
            _ => return Err(no_ancestor()),
        }
        Ok(())
    }
}

fn has_focus(step: &Node) -> bool {
    step.more.as_ref().is_some_and(|more| more.focus.is_some())
}
