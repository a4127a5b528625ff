//! The guards an expression is given when it is parsed.
//!
//! The evaluator bounds time, depth and the length of sequences, all of which it looks at between
//! two steps. A single step can still build or walk without bound: `$pad('x', 3e8)`, `$join` of an
//! array that holds one long text a million times, `=` on a value whose parts share parts forty
//! levels down. So the operands of such steps are passed through functions (see
//! [`super::host::guards`]) that measure them first and refuse what is too much.
//!
//! > What is guarded is the step, wherever its function comes from: a built-in that is called
//! > (`$pad(x, 3)`), piped into (`x ~> $pad(3)`), applied in part (`$pad(?, 3)`) or handed on as a
//! > value (`$map(xs, $pad)`, which becomes `$map(xs, function($a,$b,$c){$pad($a,$b,$c)})`).

mod calls;
mod matchers;
mod operands;
mod precedence;

use super::Newer;
use super::host::guards;
use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;
use std::collections::BTreeSet;

/// An expression that can be evaluated without harm.
pub(super) struct Guarded {
    pub(super) tree: AstNode,
    /// The variables and functions in it.
    pub(super) names: BTreeSet<String>,
    /// What is called and is neither the language's nor bound in the expression.
    pub(super) foreign: BTreeSet<String>,
    pub(super) newer: Option<Newer>,
    /// What is wrong with a regular expression in it.
    pub(super) bad_regex: Option<String>,
}

/// `tree` with its guards.
pub(super) fn guarded(tree: AstNode) -> Guarded {
    let (bound, names) = (vec![BTreeSet::new()], BTreeSet::new());
    let (unsure, foreign) = (BTreeSet::new(), BTreeSet::new());
    let mut guard = Guard { bound, names, unsure, foreign, newer: None, bad_regex: None, made: 0 };
    // A function may call one that is made after it: what is called is known when all is seen.
    let tree = guard.within(BTreeSet::new(), |guard| guard.node(tree));
    let Guard { names, foreign, newer, bad_regex, .. } = guard;
    Guarded { tree, names, foreign, newer, bad_regex }
}

/// The names of `$a.b.c`, if the tree is that and nothing else.
pub(super) fn plain_path(tree: &AstNode) -> Option<Vec<String>> {
    match tree {
        AstNode::Variable(name) if !name.is_empty() => Some(vec![name.clone()]),
        AstNode::Path { steps } => {
            let (first, rest) = steps.split_first()?;
            let root = match &first.node {
                AstNode::Variable(name) if !name.is_empty() && is_bare(first) => name.clone(),
                _ => return None,
            };
            let names = rest.iter().map(|step| match &step.node {
                AstNode::Name(name) if is_bare(step) => Some(name.clone()),
                _ => None,
            });
            std::iter::once(Some(root)).chain(names).collect()
        }
        _ => None,
    }
}

/// What an expression reads of a document that Step Functions does not give it: `$`, `$$` or a field
/// outside every path, predicate and function. AWS refuses such an expression when it is created.
pub(super) fn reads_no_document(tree: &AstNode) -> Option<String> {
    let mut todo = vec![tree];
    while let Some(node) = todo.pop() {
        match node {
            AstNode::Variable(name) if name.is_empty() => return Some("$".to_owned()),
            AstNode::ParentVariable(name) if name.is_empty() => return Some("$$".to_owned()),
            AstNode::Name(name) => return Some(name.clone()),
            AstNode::Path { steps } => todo.extend(steps.first().map(|step| &step.node)),
            AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => todo.push(rhs),
            AstNode::Binary { lhs, rhs, .. } => todo.extend([&**lhs, &**rhs]),
            AstNode::Unary { operand, .. } => todo.push(operand),
            AstNode::Function { args, .. } => todo.extend(args),
            AstNode::Call { procedure, args } => {
                todo.push(procedure);
                todo.extend(args);
            }
            AstNode::Array(nodes) | AstNode::Block(nodes) => todo.extend(nodes),
            AstNode::Object(pairs) => todo.extend(pairs.iter().flat_map(|(k, v)| [k, v])),
            AstNode::Conditional { condition, then_branch, else_branch } => {
                todo.extend([&**condition, &**then_branch]);
                todo.extend(else_branch.as_deref());
            }
            AstNode::Sort { input, .. } | AstNode::ObjectTransform { input, .. } => {
                todo.push(input);
            }
            _ => {}
        }
    }
    None
}

/// A step without predicates and bindings.
fn is_bare(step: &PathStep) -> bool {
    step.stages.is_empty()
        && step.focus.is_none()
        && step.index_var.is_none()
        && step.ancestor_label.is_none()
        && !step.is_tuple
        && !step.inner_tuple
}

struct Guard {
    /// Names the expression itself binds, innermost block last: `$pad` may be the user's own.
    bound: Vec<BTreeSet<String>>,
    names: BTreeSet<String>,
    /// Variables that may be `NaN`.
    unsure: BTreeSet<String>,
    foreign: BTreeSet<String>,
    newer: Option<Newer>,
    bad_regex: Option<String>,
    /// How many variables the guards have made.
    made: usize,
}

/// `guard(node)`
fn call(guard: &str, node: AstNode) -> AstNode {
    AstNode::Function { name: guard.to_owned(), args: vec![node], is_builtin: true }
}

/// Whether a node is a constant or cannot be wrapped.
fn is_light(node: &AstNode) -> bool {
    matches!(
        node,
        AstNode::String(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::Lambda { .. }
    )
}

fn wrapped(guard: &str, node: AstNode) -> AstNode {
    if is_light(&node) { node } else { call(guard, node) }
}

impl Guard {
    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|names| names.contains(name))
    }

    fn bind(&mut self, name: &str) {
        if let Some(names) = self.bound.last_mut() {
            names.insert(name.to_owned());
        }
    }

    fn within<R>(&mut self, names: BTreeSet<String>, inner: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::take(&mut self.foreign);
        self.bound.push(names);
        let result = inner(self);
        let bound = self.bound.pop().unwrap_or_default();
        self.foreign.retain(|name| !bound.contains(name));
        self.foreign.extend(before);
        result
    }

    fn all(&mut self, nodes: Vec<AstNode>) -> Vec<AstNode> {
        nodes.into_iter().map(|node| self.node(node)).collect()
    }

    fn boxed(&mut self, node: AstNode) -> Box<AstNode> {
        Box::new(self.node(node))
    }

    fn pairs(&mut self, pairs: Vec<(AstNode, AstNode)>) -> Vec<(AstNode, AstNode)> {
        pairs.into_iter().map(|(key, value)| (self.node(key), self.node(value))).collect()
    }

    /// The items of a constructor. One that is an array is spliced in; a constructor is not.
    fn items(&mut self, items: Vec<AstNode>) -> Vec<AstNode> {
        let built = |item: AstNode| match item {
            AstNode::Array(_) | AstNode::ArrayGroup(_) | AstNode::Object(_) => item,
            item => wrapped(guards::BUILD, item),
        };
        let items = items.into_iter().map(|item| match item {
            AstNode::Binary { op: BinaryOp::Range, lhs, rhs } => AstNode::Binary {
                op: BinaryOp::Range,
                lhs: self.boxed(*lhs),
                rhs: self.boxed(*rhs),
            },
            item => self.node(item),
        });
        items.map(built).collect()
    }

    fn node(&mut self, node: AstNode) -> AstNode {
        with_stack(|| self.rewritten(node))
    }

    fn rewritten(&mut self, node: AstNode) -> AstNode {
        match node {
            AstNode::Variable(name) => self.variable(name),
            AstNode::Function { name, args, is_builtin } => {
                let args = self.all(args);
                self.function(name, args, is_builtin)
            }
            AstNode::Call { procedure, args } => {
                AstNode::Call { procedure: self.boxed(*procedure), args: self.all(args) }
            }
            AstNode::Lambda { params, body, signature, thunk } => {
                let names = params.iter().cloned().collect();
                let body = self.within(names, |guard| guard.boxed(*body));
                AstNode::Lambda { params, body, signature, thunk }
            }
            AstNode::Binary { op, lhs, rhs } => match precedence::binary(op, *lhs, *rhs) {
                AstNode::Binary { op, lhs, rhs } => self.binary(op, *lhs, *rhs),
                sorted => self.node(sorted),
            },
            AstNode::Unary { op, operand } => AstNode::Unary { op, operand: self.boxed(*operand) },
            AstNode::Path { steps } => self.path(steps),
            AstNode::Array(items) => AstNode::Array(self.items(items)),
            AstNode::ArrayGroup(items) => AstNode::ArrayGroup(self.items(items)),
            AstNode::Object(pairs) => AstNode::Object(self.pairs(pairs)),
            AstNode::ObjectTransform { input, pattern } => {
                AstNode::ObjectTransform { input: self.boxed(*input), pattern: self.pairs(pattern) }
            }
            AstNode::Block(nodes) => {
                self.within(BTreeSet::new(), |guard| AstNode::Block(guard.all(nodes)))
            }
            AstNode::Conditional { condition, then_branch, else_branch } => AstNode::Conditional {
                condition: self.boxed(*condition),
                then_branch: self.boxed(*then_branch),
                else_branch: else_branch.map(|branch| self.boxed(*branch)),
            },
            AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(self.boxed(*inner)),
            AstNode::Sort { input, terms } => AstNode::Sort {
                input: self.boxed(*input),
                terms: terms
                    .into_iter()
                    .map(|(term, up)| (wrapped(guards::BUILD, self.node(term)), up))
                    .collect(),
            },
            AstNode::Transform { location, update, delete } => AstNode::Transform {
                location: self.boxed(*location),
                update: self.boxed(*update),
                delete: delete.map(|fields| self.boxed(*fields)),
            },
            AstNode::Regex { pattern, flags } => self.regex(pattern, flags),
            other => other,
        }
    }

    fn binary(&mut self, op: BinaryOp, lhs: AstNode, rhs: AstNode) -> AstNode {
        let newer = match op {
            BinaryOp::Coalesce => Some(Newer { operator: "??", instead: "$exists(a) ? a : b" }),
            BinaryOp::Default => Some(Newer { operator: "?:", instead: "a ? a : b" }),
            BinaryOp::Range => Some(Newer { operator: "..", instead: "[[0..1]]" }),
            _ => None,
        };
        self.newer = newer.or(self.newer);
        let (lhs, rhs) = match op {
            BinaryOp::ColonEqual => {
                // A function may call itself; anything else reads what was there before.
                let name =
                    if let AstNode::Variable(name) = &lhs { name.clone() } else { String::new() };
                if matches!(rhs, AstNode::Lambda { .. }) {
                    self.bind(&name);
                }
                if self.may_be_nan(&rhs) {
                    self.unsure.insert(name.clone());
                }
                let rhs = self.node(rhs);
                self.bind(&name);
                (lhs, rhs)
            }
            BinaryOp::FocusBind | BinaryOp::IndexBind => (self.node(lhs), rhs),
            BinaryOp::ChainPipe => return self.pipe(lhs, rhs),
            BinaryOp::Concatenate => {
                (wrapped(guards::BUILD, self.node(lhs)), wrapped(guards::BUILD, self.node(rhs)))
            }
            BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In => {
                (wrapped(guards::WEIGH, self.node(lhs)), wrapped(guards::WEIGH, self.node(rhs)))
            }
            _ => self.operands(op, lhs, rhs),
        };
        AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) }
    }

    fn path(&mut self, steps: Vec<PathStep>) -> AstNode {
        self.within(BTreeSet::new(), |guard| {
            let mut guarded: Vec<PathStep> = Vec::with_capacity(steps.len());
            for mut step in steps {
                for name in step.focus.iter().chain(&step.index_var) {
                    guard.bind(name);
                }
                let walks = matches!(step.node, AstNode::Descendant);
                if walks && guarded.last().is_some_and(is_bare) && is_bare(&step) {
                    let here = AstNode::Variable(String::new());
                    guarded.push(PathStep::new(call(guards::WEIGH, here)));
                }
                step.node = guard.node(step.node);
                for stage in &mut step.stages {
                    match stage {
                        Stage::Filter(condition) => {
                            let node = std::mem::replace(&mut **condition, AstNode::Null);
                            **condition = guard.node(node);
                        }
                        Stage::Index(name) => guard.bind(name),
                        Stage::KeepArray => {}
                    }
                }
                guarded.push(step);
            }
            AstNode::Path { steps: guarded }
        })
    }
}
