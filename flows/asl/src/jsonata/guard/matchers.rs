//! Regular expressions, and functions in place of them.
//!
//! A literal that the evaluator's engine cannot search with becomes a matcher: a function that
//! gives the first match of a text as `{match, start, end, groups, next}`. The evaluator takes one
//! in `$match` and `$replace`; `$contains` and `$split` are written with what it can do.

use super::calls::{assign, function, lambda};
use super::{Guard, call, wrapped};
use crate::jsonata::host::guards;
use crate::jsonata::regex::{self, Reading};
use jsonata_core::ast::AstNode;

fn used(name: &str) -> AstNode {
    AstNode::Variable(name.to_owned())
}

fn either(condition: AstNode, then: AstNode, otherwise: Option<AstNode>) -> AstNode {
    AstNode::Conditional {
        condition: Box::new(condition),
        then_branch: Box::new(then),
        else_branch: otherwise.map(Box::new),
    }
}

impl Guard {
    pub(super) fn regex(&mut self, pattern: String, flags: String) -> AstNode {
        match regex::read(&pattern, &flags) {
            Ok(Reading::Plain(pattern)) => AstNode::Regex { pattern, flags },
            Ok(Reading::Looking(pattern)) => self.matcher(&pattern, &flags),
            Err(wrong) => {
                self.bad_regex.get_or_insert(wrong);
                AstNode::Regex { pattern, flags }
            }
        }
    }

    /// `function($text) { ($step := function($from, $first) { … }; $step(0, true)) }`, where a step
    /// gives a match whose `next` is the step after it.
    fn matcher(&mut self, pattern: &str, flags: &str) -> AstNode {
        let (text, step, found) = (self.fresh(), self.fresh(), self.fresh());
        let (from, first) = (self.fresh(), self.fresh());
        let part = |name: &str| {
            function(guards::PART, vec![used(&found), AstNode::String(name.to_owned())])
        };
        let search = vec![
            AstNode::String(pattern.to_owned()),
            AstNode::String(flags.to_owned()),
            used(&text),
            used(&from),
            used(&first),
        ];
        let next = function(&step, vec![part("end"), AstNode::Boolean(false)]);
        let mut members: Vec<(AstNode, AstNode)> = ["match", "start", "end", "groups"]
            .map(|name| (AstNode::String(name.to_owned()), part(name)))
            .into();
        members.push((AstNode::String("next".to_owned()), lambda(Vec::new(), next)));
        let body = AstNode::Block(vec![
            assign(&found, function(guards::SEARCH, search)),
            either(used(&found), AstNode::Object(members), None),
        ]);
        let begin = function(&step, vec![AstNode::Number(0.0), AstNode::Boolean(true)]);
        let steps = assign(&step, lambda(vec![from, first], body));
        lambda(vec![text], AstNode::Block(vec![steps, begin]))
    }

    /// Whether it may be a matcher: a function that is written out, or a variable of the expression.
    pub(super) fn may_match(&self, node: &AstNode) -> bool {
        match node {
            AstNode::Lambda { .. } => true,
            AstNode::Variable(name) => self.is_bound(name) || name.starts_with("guard:"),
            AstNode::Conditional { then_branch, else_branch, .. } => {
                let other = else_branch.as_deref();
                self.may_match(then_branch) || other.is_some_and(|other| self.may_match(other))
            }
            AstNode::Block(nodes) => nodes.last().is_some_and(|last| self.may_match(last)),
            _ => false,
        }
    }

    /// `$contains(text, matcher)` and `$split(text, matcher, limit)`. What is split or matched is
    /// measured as in a call with a text for a separator.
    pub(super) fn matching(&mut self, name: &str, mut args: Vec<AstNode>) -> AstNode {
        // With the text left out it is the context.
        let is_context = args.first().is_some_and(|first| matches!(first, AstNode::Lambda { .. }));
        if is_context || args.len() == 1 {
            args.insert(0, AstNode::Variable(String::new()));
        }
        let kept: Vec<String> = args.iter().map(|_| self.fresh()).collect();
        let all = || kept.iter().map(|name| used(name)).collect::<Vec<_>>();
        let [text, matcher, ..] = kept.as_slice() else { return function(name, args) };
        let by_function = if name == "contains" {
            function(guards::HAS, vec![used(text), function(matcher, vec![used(text)])])
        } else {
            let matched = call(guards::MATCH, used(text));
            let matches = function("match", vec![matched, used(matcher)]);
            let limit = kept.get(2).map(|limit| used(limit));
            function(guards::CUT, [used(text), matches].into_iter().chain(limit).collect())
        };
        let by_text = function(name, all());
        let is_function = call(guards::IS_FUNCTION, used(matcher));
        let kept_as = |arg| if name == "split" { wrapped(guards::SPLIT, arg) } else { arg };
        let mut block: Vec<AstNode> =
            kept.iter().zip(args).map(|(name, arg)| assign(name, kept_as(arg))).collect();
        block.push(either(is_function, by_function, Some(by_text)));
        AstNode::Block(block)
    }
}
