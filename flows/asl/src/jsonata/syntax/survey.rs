//! What an expression names and reads, as the loader of a definition asks for it.

use super::tree::{Kind, Node, Tree};
use std::collections::BTreeSet;

impl Tree {
    pub(in crate::jsonata) fn name(&self, symbol: u32) -> &str {
        usize::try_from(symbol).ok().and_then(|at| self.names.get(at)).map_or("", |name| name)
    }

    /// The variables and functions in it.
    pub(in crate::jsonata) fn variables(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut todo = vec![&self.root];
        while let Some(node) = todo.pop() {
            if let Kind::Variable(symbol) = node.kind {
                names.insert(self.name(symbol).to_owned());
            }
            todo.extend(node.parts());
        }
        names
    }

    /// The names of `$a.b.c`, if the expression is that and nothing else.
    pub(in crate::jsonata) fn plain_path(&self) -> Option<Vec<String>> {
        let variable = |node: &Node| match node.kind {
            Kind::Variable(symbol) if node.is_bare() => Some(self.name(symbol).to_owned()),
            _ => None,
        };
        let Kind::Path(path) = &self.root.kind else {
            return variable(&self.root).map(|name| vec![name]);
        };
        if !self.root.is_bare() || path.keeps_singleton {
            return None;
        }
        let (first, rest) = path.steps.split_first()?;
        let names = rest.iter().map(|step| match &step.kind {
            Kind::Name(name) if step.is_bare() => Some(name.to_string()),
            _ => None,
        });
        std::iter::once(variable(first)).chain(names).collect()
    }

    /// What it reads of a document that Step Functions does not give it: `$`, `$$` or a field outside
    /// every path, predicate and function. AWS refuses such an expression when it is created.
    pub(in crate::jsonata) fn reads_no_document(&self) -> Option<String> {
        let mut todo = vec![&self.root];
        while let Some(node) = todo.pop() {
            match &node.kind {
                Kind::Context => return Some("$".to_owned()),
                Kind::Root => return Some("$$".to_owned()),
                Kind::Name(name) => return Some(name.to_string()),
                Kind::Path(path) => todo.extend(path.steps.first()),
                Kind::Lambda(_) | Kind::Transform(_) => {}
                Kind::Call(call) | Kind::Partial(call) if is_named(&call.procedure) => {
                    todo.extend(&call.arguments);
                }
                _ => todo.extend(inner(node)),
            }
        }
        None
    }

    /// What is called and is bound nowhere where it is called: a variable of another place, a built-in
    /// function, or nothing.
    pub(in crate::jsonata) fn calls_of_others(&self) -> BTreeSet<String> {
        Calls { tree: self, bound: vec![BTreeSet::new()], others: BTreeSet::new() }.all()
    }
}

/// Whether a call is of a name, such as `abs(1)`: what is meant is told when it is called.
fn is_named(procedure: &Node) -> bool {
    matches!(procedure.kind, Kind::Path(_))
}

/// The parts without those after it.
fn inner(node: &Node) -> Vec<&Node> {
    let mut parts = node.parts();
    parts.truncate(parts.len() - node.after().len());
    parts
}

struct Calls<'a> {
    tree: &'a Tree,
    /// Names that the expression binds, the innermost block last.
    bound: Vec<BTreeSet<String>>,
    others: BTreeSet<String>,
}

impl<'a> Calls<'a> {
    fn all(mut self) -> BTreeSet<String> {
        let root = &self.tree.root;
        self.within(BTreeSet::new(), |calls| calls.look(root));
        self.others
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|names| names.contains(name))
    }

    fn bind(&mut self, symbol: u32) {
        let name = self.tree.name(symbol).to_owned();
        if let Some(names) = self.bound.last_mut() {
            names.insert(name);
        }
    }

    /// A function may call one that is made after it: what is called is known when all is seen.
    fn within(&mut self, names: BTreeSet<String>, inner: impl FnOnce(&mut Self)) {
        let before = std::mem::take(&mut self.others);
        self.bound.push(names);
        inner(self);
        let bound = self.bound.pop().unwrap_or_default();
        self.others.retain(|name| !bound.contains(name));
        self.others.extend(before);
    }

    fn each(&mut self, nodes: Vec<&'a Node>) {
        for node in nodes {
            self.look(node);
        }
    }

    fn look(&mut self, node: &'a Node) {
        if let Some(more) = &node.more {
            for symbol in [more.focus, more.index].into_iter().flatten() {
                self.bind(symbol);
            }
            for stage in &more.stages {
                if let super::tree::Stage::Index(symbol) = stage {
                    self.bind(*symbol);
                }
            }
        }
        match &node.kind {
            Kind::Call(call) | Kind::Partial(call) => {
                if let Kind::Variable(symbol) = call.procedure.kind {
                    let name = self.tree.name(symbol);
                    if !self.is_bound(name) {
                        self.others.insert(name.to_owned());
                    }
                }
                self.each(node.parts());
            }
            Kind::Bind(symbol, value) => {
                // A function may call itself; anything else reads what was there before.
                if matches!(value.kind, Kind::Lambda(_)) {
                    self.bind(*symbol);
                }
                self.each(node.parts());
                self.bind(*symbol);
            }
            Kind::Lambda(lambda) => {
                let tree = self.tree;
                let names = lambda.parameters.iter().map(|name| tree.name(*name).to_owned());
                self.within(names.collect(), |calls| calls.look(&lambda.body));
                self.each(node.after());
            }
            Kind::Block(_) => {
                self.within(BTreeSet::new(), |calls| calls.each(inner(node)));
                self.each(node.after());
            }
            Kind::Path(_) => {
                self.within(BTreeSet::new(), |calls| calls.each(node.parts()));
            }
            _ => self.each(node.parts()),
        }
    }
}
