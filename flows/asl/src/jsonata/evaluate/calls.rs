//! Calls: of functions that are written out, of built-in ones, and of what is made of them.

use super::{Evaluation, coded};
use crate::jsonata::error::{Error, Result, too_deep};
use crate::jsonata::functions::{self, matching};
use crate::jsonata::limits::MOST_LEVELS;
use crate::jsonata::syntax::signature::Signature;
use crate::jsonata::syntax::tree::{Call, Kind, Node, Symbol};
use crate::jsonata::value::{Closure, Env, Frame, Function, Value};
use std::rc::Rc;

/// What the body of a function comes to: a value, or a call that is the last thing it does.
enum Ending {
    Value(Value),
    Call { procedure: Value, given: Vec<Value>, name: Option<Symbol> },
}

/// A name without its `$` is called.
fn uncalled(name: &str) -> Error {
    coded("T1005", format!("Attempted to invoke a non-function. Did you mean ${name}?"))
}

fn no_function() -> Error {
    coded("T1006", "Attempted to invoke a non-function")
}

impl Evaluation<'_> {
    /// `procedure(arguments)`; `piped` comes first among the arguments.
    pub(super) fn call(
        &mut self,
        call: &Call,
        input: &Value,
        env: &Env,
        piped: Option<Value>,
    ) -> Result {
        let procedure = self.procedure(call, input, env)?;
        if let Some(name) = self.meant(call, &procedure, env) {
            return Err(uncalled(name));
        }
        let mut given = Vec::with_capacity(call.arguments.len() + 1);
        given.extend(piped);
        for argument in &call.arguments {
            given.push(self.evaluate(argument, input, env)?);
        }
        match &procedure {
            Value::Function(function) => self.invoked(function, given, input),
            _ => Err(no_function()),
        }
        .map_err(|error| self.named(error, &call.procedure))
    }

    /// What is called. A variable of the state that is no function hides none of the language.
    fn procedure(&mut self, call: &Call, input: &Value, env: &Env) -> Result {
        let procedure = self.evaluate(&call.procedure, input, env)?;
        let Kind::Variable(symbol) = call.procedure.kind else { return Ok(procedure) };
        if matches!(procedure, Value::Function(_)) || env.get(symbol).is_some() {
            return Ok(procedure);
        }
        let known = functions::built_in(self.tree.name(symbol));
        Ok(known.map_or(procedure, |known| Function::BuiltIn(known).into()))
    }

    /// An error with the name by which the function was called.
    fn named(&self, error: Error, procedure: &Node) -> Error {
        if !error.names_no_function() {
            return error;
        }
        match &procedure.kind {
            Kind::Variable(symbol) => error.of(self.tree.name(*symbol)),
            Kind::Path(path) => match path.steps.first().map(|step| &step.kind) {
                Some(Kind::Name(name)) => error.of(name),
                _ => error,
            },
            _ => error,
        }
    }

    /// The function that is meant where its name is written without the `$`.
    fn meant<'n>(&self, call: &'n Call, procedure: &Value, env: &Env) -> Option<&'n str> {
        let Kind::Path(path) = &call.procedure.kind else { return None };
        let Some(Kind::Name(name)) = path.steps.first().map(|step| &step.kind) else { return None };
        (procedure.is_undefined() && self.is_known(name, env)).then_some(&**name)
    }

    /// `$f(?, 1)`
    pub(super) fn partial(&mut self, call: &Call, input: &Value, env: &Env) -> Result {
        let mut given = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            given.push(match argument.kind {
                Kind::Placeholder => None,
                _ => Some(self.evaluate(argument, input, env)?),
            });
        }
        let procedure = self.evaluate(&call.procedure, input, env)?;
        let Value::Function(of) = procedure else {
            return Err(match self.meant(call, &procedure, env) {
                Some(name) => coded(
                    "T1007",
                    format!("Attempted to partially apply a non-function. Did you mean ${name}?"),
                ),
                None => coded("T1008", "Attempted to partially apply a non-function"),
            });
        };
        // What is given for no parameter is left out.
        given.truncate(of.arity());
        given.resize_with(of.arity(), || Some(Value::Undefined));
        let depth = given.iter().flatten().map(|value| value.measure().depth).max();
        let depth = 1 + of.depth().max(depth.unwrap_or(0));
        self.function(Function::Partial { of, given, depth })
    }

    /// `left ~> right`
    pub(super) fn apply(&mut self, sides: &(Node, Node), input: &Value, env: &Env) -> Result {
        let left = self.evaluate(&sides.0, input, env)?;
        if let Kind::Call(call) = &sides.1.kind {
            return self.call(call, input, env, Some(left));
        }
        let right = self.evaluate(&sides.1, input, env)?;
        let Value::Function(then) = right else {
            let words = "The right side of the function application operator ~> must be a function";
            return Err(coded("T2006", words));
        };
        if let Value::Function(first) = left {
            let depth = 1 + first.depth().max(then.depth());
            return self.function(Function::Chain { first, then, depth });
        }
        self.invoked(&then, vec![left], &Value::Null).map_err(|error| {
            match (&*then, &sides.1.kind) {
                (_, Kind::Variable(symbol)) => error.of(self.tree.name(*symbol)),
                (Function::BuiltIn(built_in), _) => error.of(built_in.name),
                _ => error,
            }
        })
    }

    /// Calls a function, and what it calls as the last thing it does.
    pub(in crate::jsonata) fn invoked(
        &mut self,
        function: &Rc<Function>,
        given: Vec<Value>,
        context: &Value,
    ) -> Result {
        let mut function = Rc::clone(function);
        let mut given = given;
        let mut called: Option<Symbol> = None;
        loop {
            self.step()?;
            let ending = match &*function {
                Function::Lambda(closure) => self.entered(closure, given, context),
                other => self.answered(other, given, context).map(Ending::Value),
            };
            let ending = ending.map_err(|error| match called {
                Some(symbol) if error.names_no_function() => error.of(self.tree.name(symbol)),
                _ => error,
            })?;
            match ending {
                Ending::Value(value) => return Ok(value),
                Ending::Call { procedure: Value::Function(next), given: next_given, name } => {
                    function = next;
                    given = next_given;
                    called = name;
                }
                Ending::Call { .. } => return Err(no_function()),
            }
        }
    }

    /// A function that is no closure.
    fn answered(&mut self, function: &Function, given: Vec<Value>, context: &Value) -> Result {
        match function {
            Function::Lambda(_) => Ok(Value::Undefined),
            Function::BuiltIn(built_in) => {
                let given = match &built_in.signature {
                    Some(signature) => self.validated(signature, given, context)?,
                    None => given,
                };
                (built_in.run)(self, &given)
            }
            Function::Partial { of, given: known, .. } => {
                let mut rest = given.into_iter();
                let filled = known
                    .iter()
                    .map(|known| known.clone().unwrap_or_else(|| rest.next().unwrap_or_default()));
                let filled = filled.collect();
                let result = self.nested(|this| this.invoked(of, filled, context));
                result.map_err(|error| match &**of {
                    Function::BuiltIn(built_in) => error.of(built_in.name),
                    _ => error,
                })
            }
            Function::Chain { first, then, .. } => self.nested(|this| {
                let given = vec![given.into_iter().next().unwrap_or_default()];
                let value = this.invoked(first, given, &Value::Null)?;
                this.invoked(then, vec![value], &Value::Null)
            }),
            Function::Transform { transform, env } => {
                self.nested(|this| this.transformed(transform, env, given))
            }
            Function::Regex(pattern) => matching::first(self, pattern, &given),
            Function::Next { pattern, text, from } => matching::next(self, pattern, text, *from),
        }
    }

    /// The value of each parameter of a signature.
    fn validated(
        &mut self,
        signature: &Signature,
        given: Vec<Value>,
        context: &Value,
    ) -> Result<Vec<Value>> {
        self.steps(signature.steps(given.len()))?;
        signature.validated(given, context, &mut |one| self.list(vec![one]))
    }

    /// One level further down.
    pub(super) fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result) -> Result {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(too_deep());
        }
        let value = inner(self)?;
        self.level -= 1;
        Ok(value)
    }

    fn entered(&mut self, closure: &Closure, given: Vec<Value>, context: &Value) -> Result<Ending> {
        let lambda = &closure.lambda;
        let given = match &lambda.signature {
            Some(signature) => self.validated(signature, given, context)?,
            None => given,
        };
        let mut given = given.into_iter();
        let bindings =
            lambda.parameters.iter().map(|name| (*name, given.next().unwrap_or_default()));
        let frame = Frame::with(&closure.env, bindings.collect());
        self.ending(&lambda.body, &closure.input, &frame)
    }

    /// The body of a function: a call that is the last thing it does is left to the caller.
    fn ending(&mut self, node: &Node, input: &Value, env: &Env) -> Result<Ending> {
        let is_last = match &node.kind {
            Kind::Call(call) => call.is_tail,
            Kind::Condition(_) | Kind::Block(_) => true,
            _ => false,
        };
        if !is_last {
            return self.evaluate(node, input, env).map(Ending::Value);
        }
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(too_deep());
        }
        self.step()?;
        let mut ending = self.last(node, input, env)?;
        if let Some(more) = node.more.as_ref() {
            for predicate in &more.predicates {
                ending = match ending {
                    Ending::Value(value) => Ending::Value(self.filter(predicate, value, env)?),
                    call @ Ending::Call { .. } => self.passed(predicate, call, env)?,
                };
            }
            if let (Some(group), Ending::Value(_)) = (&more.group, &ending)
                && let Ending::Value(value) = ending
            {
                ending = Ending::Value(self.group(group, value, env)?);
            }
        }
        self.level -= 1;
        Ok(match ending {
            Ending::Value(value) => Ending::Value(super::single(value, node.keeps_array)),
            call @ Ending::Call { .. } => call,
        })
    }

    fn last(&mut self, node: &Node, input: &Value, env: &Env) -> Result<Ending> {
        match &node.kind {
            Kind::Call(call) => {
                let procedure = self.procedure(call, input, env)?;
                if let Some(name) = self.meant(call, &procedure, env) {
                    return Err(uncalled(name));
                }
                let mut given = Vec::with_capacity(call.arguments.len());
                for argument in &call.arguments {
                    given.push(self.evaluate(argument, input, env)?);
                }
                let name = match &call.procedure.kind {
                    Kind::Variable(symbol) => Some(*symbol),
                    _ => None,
                };
                Ok(Ending::Call { procedure, given, name })
            }
            Kind::Condition(condition) => match self.chosen(condition, input, env)? {
                Some(branch) => self.ending(branch, input, env),
                None => Ok(Ending::Value(Value::Undefined)),
            },
            Kind::Block(expressions) => {
                let frame = Frame::within(env);
                let Some((last, before)) = expressions.split_last() else {
                    return Ok(Ending::Value(Value::Undefined));
                };
                for expression in before {
                    self.evaluate(expression, input, &frame)?;
                }
                self.ending(last, input, &frame)
            }
            _ => self.evaluate(node, input, env).map(Ending::Value),
        }
    }

    /// 2.0.6 applies a predicate after the last call of a function to the call and not to what it
    /// gives: `function($l) { ($sort($l))[0] }` sorts, and that is all.
    fn passed(&mut self, predicate: &Node, call: Ending, env: &Env) -> Result<Ending> {
        let Ending::Call { procedure, given, name } = call else { return Ok(call) };
        let passes = match self.filter(predicate, procedure.clone(), env)? {
            Value::Array(array) => array.len() > 0,
            other => !other.is_undefined(),
        };
        Ok(if passes {
            Ending::Call { procedure, given, name }
        } else {
            Ending::Value(Value::Undefined)
        })
    }

    /// Calls the function that another was given.
    pub(in crate::jsonata) fn nested_call(
        &mut self,
        function: &Rc<Function>,
        given: Vec<Value>,
    ) -> Result {
        self.nested(|this| this.invoked(function, given, &Value::Null))
    }

    /// Calls the function that another was given, with as many values as it takes.
    pub(in crate::jsonata) fn called_back(
        &mut self,
        function: &Rc<Function>,
        value: Value,
        place: impl FnOnce() -> Value,
        whole: &Value,
    ) -> Result {
        let arity = function.arity();
        let mut given = Vec::with_capacity(arity.clamp(1, 3));
        // A function of Step Functions that takes nothing is handed nothing.
        let takes_nothing = matches!(&**function,
            Function::BuiltIn(built_in) if arity == 0 && built_in.signature.is_none());
        if !takes_nothing {
            given.push(value);
        }
        if arity >= 2 {
            given.push(place());
        }
        if arity >= 3 {
            given.push(whole.clone());
        }
        self.nested_call(function, given)
    }
}
