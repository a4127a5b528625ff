//! Guards of calls: which argument of which built-in is measured how.

use super::{Guard, call, is_light, precedence, wrapped};
use crate::jsonata::host::guards;
use crate::jsonata::own;
use jsonata_core::ast::{AstNode, BinaryOp};

/// The built-ins that can build or walk without bound: name, guard of the arguments, and how many
/// arguments one takes when it is handed on as a value.
const GUARDED: [(&str, &str, usize); 16] = [
    ("string", guards::BUILD, 1),
    ("join", guards::BUILD, 2),
    ("replace", guards::BUILD, 4),
    ("pad", guards::WIDTH, 3),
    ("split", guards::SPLIT, 3),
    ("match", guards::MATCH, 3),
    ("distinct", guards::DISTINCT, 1),
    ("sort", guards::WEIGH, 2),
    ("merge", guards::BUILD, 1),
    ("base64encode", guards::SPLIT, 1),
    ("base64decode", guards::SPLIT, 1),
    ("encodeUrl", guards::SPLIT, 1),
    ("encodeUrlComponent", guards::SPLIT, 1),
    ("substring", guards::PLACE, 3),
    ("keys", guards::FLAT, 1),
    ("spread", guards::FLAT, 1),
];

fn guarded(name: &str) -> Option<(&'static str, usize)> {
    GUARDED.iter().find(|known| known.0 == name).map(|known| (known.1, known.2))
}

/// How many arguments a built-in takes when it is handed on as a value, if its calls are rewritten.
fn parameters(name: &str) -> Option<usize> {
    guarded(name).map(|(_, count)| count).or_else(|| own::parameters(name)).or(match name {
        "uuid" => Some(0),
        "parse" | "random" => Some(1),
        "contains" | "filter" | "hash" | "partition" => Some(2),
        "range" | "reduce" => Some(3),
        _ => None,
    })
}

/// Whether the built-in takes an argument that is nothing for another than one that is not given.
fn counts_arguments(name: &str) -> bool {
    matches!(name, "sort" | "reduce")
}

/// Whether it is handed on as it is: its guard only shapes what it is given, and a function around it
/// would give another sequence.
fn stays(name: &str) -> bool {
    matches!(name, "keys" | "spread" | "filter")
}

/// Functions that give a sequence, in which there may be another of one value.
fn gives_sequence(name: &str) -> bool {
    matches!(name, "map" | "each")
}

/// A call of a built-in, which is ours or the evaluator's.
fn built_in(name: &str, mut args: Vec<AstNode>) -> AstNode {
    if own::parameters(name).is_none() {
        return function(name, args);
    }
    args.insert(0, AstNode::Variable(String::new()));
    function(&format!("{}{name}", own::PREFIX), args)
}

/// A width is mostly written out, and measured as well.
fn measured(guard: &str, arg: AstNode) -> AstNode {
    let is_constant =
        matches!(arg, AstNode::Number(_) | AstNode::String(_) | AstNode::Unary { .. });
    let is_bound = matches!(guard, guards::WIDTH | guards::PLACE);
    if is_constant && is_bound { call(guard, arg) } else { wrapped(guard, arg) }
}

pub(super) fn function(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

pub(super) fn assign(name: &str, value: AstNode) -> AstNode {
    AstNode::Binary {
        op: BinaryOp::ColonEqual,
        lhs: Box::new(AstNode::Variable(name.to_owned())),
        rhs: Box::new(value),
    }
}

pub(super) fn lambda(params: Vec<String>, body: AstNode) -> AstNode {
    AstNode::Lambda { params, body: Box::new(body), signature: None, thunk: false }
}

/// What is filtered is a list: of one value alone the evaluator gives no sequence.
fn filter(mut args: Vec<AstNode>) -> AstNode {
    if let Some(items) = args.first_mut() {
        let list = std::mem::replace(items, AstNode::Undefined);
        *items = if matches!(list, AstNode::Array(_)) { list } else { call(guards::LIST, list) };
    }
    function("filter", args)
}

impl Guard {
    /// A name no expression can write.
    pub(super) fn fresh(&mut self) -> String {
        self.made += 1;
        format!("guard:{}", self.made)
    }

    /// A variable, or a built-in as a value. Which of the two is known when there are variables.
    pub(super) fn variable(&mut self, name: String) -> AstNode {
        if name.is_empty() {
            return AstNode::Variable(name);
        }
        self.names.insert(name.clone());
        match parameters(&name) {
            Some(count) if !self.is_bound(&name) && !stays(&name) => {
                let params: Vec<String> = (0..count).map(|_| self.fresh()).collect();
                let body = self.handed_on(&name, &params);
                AstNode::Conditional {
                    condition: Box::new(call(guards::IS_ASSIGNED, AstNode::String(name.clone()))),
                    then_branch: Box::new(AstNode::Variable(name)),
                    else_branch: Some(Box::new(lambda(params, body))),
                }
            }
            _ => AstNode::Variable(name),
        }
    }

    /// The body of a function that is a built-in handed on as a value.
    fn handed_on(&mut self, name: &str, params: &[String]) -> AstNode {
        let args = |params: &[String]| params.iter().cloned().map(AstNode::Variable).collect();
        let whole = self.function(name.to_owned(), args(params), true);
        match params.split_last() {
            Some((last, before)) if counts_arguments(name) => AstNode::Conditional {
                condition: Box::new(call(guards::IS_GIVEN, AstNode::Variable(last.clone()))),
                then_branch: Box::new(whole),
                else_branch: Some(Box::new(self.function(name.to_owned(), args(before), true))),
            },
            _ => whole,
        }
    }

    /// A call, its arguments guarded already in themselves.
    pub(super) fn function(
        &mut self,
        name: String,
        args: Vec<AstNode>,
        is_builtin: bool,
    ) -> AstNode {
        let is_language = is_builtin && !self.is_bound(&name);
        if is_language && !super::super::functions::NAMES.contains(&name.as_str()) {
            self.foreign.insert(name.clone());
        }
        let of_texts = matches!(name.as_str(), "contains" | "split");
        if is_language && of_texts && args.iter().take(2).any(|arg| self.may_match(arg)) {
            let is_part = args.iter().any(|arg| matches!(arg, AstNode::Placeholder));
            self.names.insert(name.clone());
            return if is_part { self.partial(name, args) } else { self.matching(&name, args) };
        }
        if !is_language || parameters(&name).is_none() || of_texts && guarded(&name).is_none() {
            self.names.insert(name.clone());
            return AstNode::Function { name, args, is_builtin };
        }
        if args.iter().any(|arg| matches!(arg, AstNode::Placeholder)) {
            return self.partial(name, args);
        }
        match (name.as_str(), args.len()) {
            ("reduce", 2) => return self.reduce(args),
            ("filter", 2) => return filter(args),
            _ => {}
        }
        let Some((guard, _)) = guarded(&name) else { return built_in(&name, args) };
        match name.as_str() {
            "string" if args.is_empty() => {
                function(&name, vec![call(guard, AstNode::Variable(String::new()))])
            }
            "join" if args.len() == 2 => self.join(args),
            "replace" if (2..=4).contains(&args.len()) => self.replace(args),
            _ => built_in(&name, args.into_iter().map(|arg| measured(guard, arg)).collect()),
        }
    }

    /// `$pad(?, 3)` as a function of what is missing; what is there is evaluated now.
    fn partial(&mut self, name: String, args: Vec<AstNode>) -> AstNode {
        let mut params = Vec::new();
        let mut filled = Vec::new();
        let mut block = Vec::new();
        for arg in args {
            let used = match arg {
                AstNode::Placeholder => {
                    params.push(self.fresh());
                    params.last().cloned()
                }
                arg if is_light(&arg) => {
                    filled.push(arg);
                    continue;
                }
                arg => {
                    let kept = self.fresh();
                    block.push(assign(&kept, arg));
                    Some(kept)
                }
            };
            filled.extend(used.map(AstNode::Variable));
        }
        let body = self.function(name, filled, true);
        block.push(lambda(params, body));
        AstNode::Block(block)
    }

    /// Of no items and nothing to begin with there is no result; the evaluator's is null.
    fn reduce(&mut self, mut args: Vec<AstNode>) -> AstNode {
        let list = self.fresh();
        let Some(items) = args.first_mut() else { return AstNode::Undefined };
        let items = std::mem::replace(items, AstNode::Variable(list.clone()));
        AstNode::Block(vec![
            assign(&list, items),
            AstNode::Conditional {
                condition: Box::new(call(guards::IS_EMPTY, AstNode::Variable(list))),
                then_branch: Box::new(AstNode::Undefined),
                else_branch: Some(Box::new(function("reduce", args))),
            },
        ])
    }

    /// The separator comes between all the items.
    fn join(&mut self, args: Vec<AstNode>) -> AstNode {
        let mut args = args.into_iter();
        let (Some(items), Some(separator)) = (args.next(), args.next()) else {
            return AstNode::Undefined;
        };
        let list = self.fresh();
        let fitted = function(guards::FIT, vec![AstNode::Variable(list.clone()), separator]);
        AstNode::Block(vec![
            assign(&list, wrapped(guards::BUILD, items)),
            function("join", vec![AstNode::Variable(list), fitted]),
        ])
    }

    /// An argument that may be written more than once, and what has to be assigned before.
    fn named(&mut self, arg: AstNode) -> (Option<AstNode>, AstNode) {
        if is_light(&arg) && !matches!(arg, AstNode::Lambda { .. }) {
            return (None, arg);
        }
        let kept = self.fresh();
        (Some(assign(&kept, arg)), AstNode::Variable(kept))
    }

    /// The replacement may come wherever there is a character; a function that gives it is asked
    /// each time.
    fn replace(&mut self, mut args: Vec<AstNode>) -> AstNode {
        // With two arguments the text is the context.
        let is_context = args.len() == 2;
        if is_context {
            args.insert(0, AstNode::Variable(String::new()));
        }
        let mut args = args.into_iter();
        let (Some(text), Some(pattern), Some(replacement)) =
            (args.next(), args.next(), args.next())
        else {
            return AstNode::Undefined;
        };
        let (whole, part) = (self.fresh(), self.fresh());
        // One after the other, as the evaluator takes arguments. Each stands in several branches, and
        // so may be no more than a name there: what is written out would be there as often as that, and
        // what is in it as often again.
        let is_matcher = matches!(pattern, AstNode::Lambda { .. });
        let (matcher, pattern) = self.named(pattern);
        let (most, limit) = match args.next().map(|limit| self.named(limit)) {
            Some((most, limit)) => (most, Some(limit)),
            None => (None, None),
        };
        let used = |name: &String| AstNode::Variable(name.clone());
        let replaced = |with: AstNode| {
            let mut args = if is_context { Vec::new() } else { vec![used(&whole)] };
            args.extend([pattern.clone(), with]);
            args.extend(limit.clone());
            function("replace", args)
        };
        let matched = self.fresh();
        let asked =
            AstNode::Function { name: part.clone(), args: vec![used(&matched)], is_builtin: true };
        let by_function = replaced(lambda(vec![matched], call(guards::BUILD, asked)));
        let by_function = match &pattern {
            AstNode::Regex { .. } => by_function,
            _ if is_matcher => by_function,
            _ => {
                let mut args = vec![used(&whole), pattern.clone()];
                args.extend(limit.clone());
                AstNode::Conditional {
                    condition: Box::new(call(guards::IS_TEXT, pattern.clone())),
                    then_branch: Box::new(function(guards::UNTOUCHED, args)),
                    else_branch: Some(Box::new(by_function)),
                }
            }
        };
        let by_text = replaced(function(guards::FIT, vec![used(&whole), used(&part)]));
        let mut block = vec![assign(&whole, wrapped(guards::BUILD, text))];
        block.extend(matcher);
        block.push(assign(&part, replacement));
        block.extend(most);
        block.push(AstNode::Conditional {
            condition: Box::new(call(guards::IS_FUNCTION, used(&part))),
            then_branch: Box::new(by_function),
            else_branch: Some(Box::new(by_text)),
        });
        AstNode::Block(block)
    }

    /// `x ~> $f(y)` is `$f(x, y)`; the evaluator looks twice at the length of what comes of the former.
    pub(super) fn pipe(&mut self, lhs: AstNode, rhs: AstNode) -> AstNode {
        let rhs = precedence::applied(rhs);
        let lhs = self.node(lhs);
        match rhs {
            AstNode::Function { name, args, is_builtin: true }
                if (parameters(&name).is_some() || gives_sequence(&name))
                    && !self.is_bound(&name)
                    && !args.iter().any(|arg| matches!(arg, AstNode::Placeholder)) =>
            {
                let mut args = self.all(args);
                args.insert(0, lhs);
                self.function(name, args, true)
            }
            rhs => {
                let copies = matches!(rhs, AstNode::Transform { .. });
                let lhs = if copies && !is_light(&lhs) { call(guards::BUILD, lhs) } else { lhs };
                let flattens = matches!(&rhs, AstNode::Variable(name)
                    if matches!(name.as_str(), "keys" | "spread") && !self.is_bound(name));
                let lhs = if flattens { wrapped(guards::FLAT, lhs) } else { lhs };
                AstNode::Binary {
                    op: BinaryOp::ChainPipe,
                    lhs: Box::new(lhs),
                    rhs: Box::new(self.node(rhs)),
                }
            }
        }
    }
}
