//! What stands after a part: predicates, orders, and variables that are bound.

use super::SyntaxError;
use super::paths::{Paths, as_path, seeks, sought};
use super::raw::Written;
use super::tree::{Kind, Node, Stage, Term};
use std::sync::Arc;

type Result<T = Node> = std::result::Result<T, SyntaxError>;

impl Paths {
    pub(super) fn predicate(&mut self, left: Written, predicate: Written) -> Result {
        let mut node = self.node(left)?;
        let is_path = matches!(node.kind, Kind::Path(_));
        let has_group = match &mut node {
            Node { kind: Kind::Path(path), .. } => path.steps.last_mut(),
            other => Some(other),
        }
        .is_some_and(|step| step.more.as_ref().is_some_and(|more| more.group.is_some()));
        if has_group {
            let words = "A predicate cannot follow a grouping expression in a step";
            return Err(SyntaxError::new("S0209", words));
        }
        let predicate = self.node(predicate)?;
        with_last(&mut node, |step| {
            for slot in seeks(&predicate).to_vec() {
                if self.ancestors.get(slot).is_some_and(|ancestor| ancestor.level == 1) {
                    self.seek(step, slot)?;
                } else if let Some(ancestor) = self.ancestors.get_mut(slot) {
                    ancestor.level = ancestor.level.saturating_sub(1);
                }
            }
            // One that is a `%` by itself is bound to nothing.
            let sought = seeks(&predicate).to_vec();
            let more = step.more_mut();
            more.seeks.extend(sought);
            if is_path {
                more.stages.push(Stage::Filter(predicate));
            } else {
                more.predicates.push(predicate);
            }
            Ok(())
        })?;
        Ok(node)
    }

    pub(super) fn order(&mut self, left: Written, terms: Vec<(Written, bool)>) -> Result {
        let mut node = as_path(self.node(left)?);
        let mut seeks = Vec::new();
        let mut sorted = Vec::with_capacity(terms.len());
        for (term, is_descending) in terms {
            let expression = self.node(term)?;
            seeks.extend(sought(&expression));
            sorted.push(Term { expression, is_descending });
        }
        let mut sort = Node::new(Kind::Sort(sorted));
        if !seeks.is_empty() {
            sort.more_mut().seeks = seeks;
        }
        if let Kind::Path(path) = &mut node.kind {
            path.steps.push(sort);
        }
        self.resolve(&mut node)?;
        Ok(node)
    }

    pub(super) fn focus(&mut self, left: Written, name: &Arc<str>, keeps_array: bool) -> Result {
        let mut node = self.node(left)?;
        let symbol = self.symbol(name);
        with_last(&mut node, |step| {
            if matches!(step.kind, Kind::Sort(_)) && !has_predicates(step) {
                let words =
                    "A context variable binding must precede the 'order-by' clause on a step";
                return Err(SyntaxError::new("S0216", words));
            }
            if has_predicates(step) {
                let words = "A context variable binding must precede any predicates on a step";
                return Err(SyntaxError::new("S0215", words));
            }
            step.keeps_array |= keeps_array;
            let more = step.more_mut();
            more.focus = Some(symbol);
            more.is_tuple = true;
            Ok(())
        })?;
        Ok(node)
    }

    pub(super) fn index(&mut self, left: Written, name: &Arc<str>) -> Result {
        let mut node = self.node(left)?;
        let symbol = self.symbol(name);
        if !matches!(node.kind, Kind::Path(_)) {
            if let Some(more) = &mut node.more {
                let predicates = std::mem::take(&mut more.predicates);
                more.stages.extend(predicates.into_iter().map(Stage::Filter));
            }
            node = as_path(node);
        }
        with_last(&mut node, |step| {
            let more = step.more_mut();
            if more.stages.is_empty() {
                more.index = Some(symbol);
            } else {
                more.stages.push(Stage::Index(symbol));
            }
            more.is_tuple = true;
            Ok(())
        })?;
        Ok(node)
    }
}

/// Does something with the last step of a path, or with the node if it is none.
fn with_last(node: &mut Node, what: impl FnOnce(&mut Node) -> Result<()>) -> Result<()> {
    if let Kind::Path(path) = &mut node.kind {
        return match path.steps.last_mut() {
            Some(step) => what(step),
            None => Ok(()),
        };
    }
    what(node)
}

fn has_predicates(step: &Node) -> bool {
    step.more.as_ref().is_some_and(|more| !more.stages.is_empty() || !more.predicates.is_empty())
}
