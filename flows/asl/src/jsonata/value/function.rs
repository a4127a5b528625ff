//! Functions, and the frames of variables that they see.

use super::Value;
use crate::jsonata::functions::BuiltIn;
use crate::jsonata::regex::Pattern;
use crate::jsonata::syntax::tree::{Lambda, Symbol, Transform};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// A function.
#[derive(Debug)]
pub(in crate::jsonata) enum Function {
    Lambda(Closure),
    BuiltIn(&'static BuiltIn),
    /// `$f(?, 1)`: what was given for each parameter.
    Partial {
        of: Rc<Function>,
        given: Vec<Option<Value>>,
        depth: usize,
    },
    /// `$f ~> $g`
    Chain {
        first: Rc<Function>,
        then: Rc<Function>,
        depth: usize,
    },
    /// `|…|…|`
    Transform {
        transform: Arc<Transform>,
        env: Env,
    },
    /// `/…/`
    Regex(Arc<Pattern>),
    /// What looks for the match after one of a regular expression, from a byte of the text on.
    Next {
        pattern: Arc<Pattern>,
        text: Arc<str>,
        from: usize,
    },
}

/// A function that is written out, with what it can see.
#[derive(Debug)]
pub(in crate::jsonata) struct Closure {
    pub(in crate::jsonata) lambda: Arc<Lambda>,
    pub(in crate::jsonata) input: Value,
    pub(in crate::jsonata) env: Env,
}

impl Function {
    /// How many values it is called with by `$map` and its like.
    pub(in crate::jsonata) fn arity(&self) -> usize {
        match self {
            Self::Lambda(closure) => closure.lambda.parameters.len(),
            Self::BuiltIn(built_in) => built_in.arity,
            Self::Partial { given, .. } => given.iter().filter(|given| given.is_none()).count(),
            Self::Chain { .. } | Self::Transform { .. } | Self::Regex(_) => 1,
            Self::Next { .. } => 0,
        }
    }

    /// How many levels of values are behind it.
    pub(in crate::jsonata) fn depth(&self) -> usize {
        match self {
            Self::Lambda(closure) => 1 + closure.env.depth.get().max(closure.input.measure().depth),
            Self::Transform { env, .. } => 1 + env.depth.get(),
            Self::Partial { depth, .. } | Self::Chain { depth, .. } => *depth,
            Self::BuiltIn(_) | Self::Regex(_) | Self::Next { .. } => 0,
        }
    }

    /// What it can see of variables.
    fn env(&self) -> Option<&Env> {
        match self {
            Self::Lambda(closure) => Some(&closure.env),
            Self::Transform { env, .. } => Some(env),
            _ => None,
        }
    }

    /// Whether `frame` is among what it can see, or may be.
    fn sees(&self, frame: &Frame) -> bool {
        match self {
            Self::Partial { .. } | Self::Chain { .. } => true,
            _ => {
                let mut env = self.env();
                while let Some(here) = env {
                    if std::ptr::eq(Rc::as_ptr(here), frame) {
                        return true;
                    }
                    env = here.parent.as_ref();
                }
                false
            }
        }
    }

    pub(super) fn is_same_built_in(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::BuiltIn(left), Self::BuiltIn(right)) => std::ptr::eq(*left, *right),
            _ => false,
        }
    }
}

/// A frame that several see.
pub(in crate::jsonata) type Env = Rc<Frame>;

/// Variables of a block, a call or a tuple, within those around it.
#[derive(Debug, Default)]
pub(in crate::jsonata) struct Frame {
    parent: Option<Env>,
    bindings: RefCell<Vec<(Symbol, Value)>>,
    depth: Cell<usize>,
    is_kept: Cell<bool>,
}

impl Frame {
    pub(in crate::jsonata) fn within(parent: &Env) -> Env {
        Self::with(parent, Vec::new())
    }

    /// With what is bound in it from the beginning, which does not see the frame itself.
    pub(in crate::jsonata) fn with(parent: &Env, bindings: Vec<(Symbol, Value)>) -> Env {
        let deepest = bindings.iter().map(|(_, value)| value.measure().depth).max();
        let depth = parent.depth.get().max(deepest.unwrap_or(0));
        Rc::new(Self {
            parent: Some(Rc::clone(parent)),
            bindings: RefCell::new(bindings),
            depth: Cell::new(depth),
            is_kept: Cell::new(false),
        })
    }

    /// Binds; says whether the frame may now hold a function that holds the frame, which only
    /// [`Frame::clear`] ends. It says so once.
    pub(in crate::jsonata) fn bind(&self, symbol: Symbol, value: Value) -> bool {
        let measure = value.measure();
        self.depth.set(self.depth.get().max(measure.depth));
        let may_see = match &value {
            Value::Function(function) => function.sees(self),
            _ => measure.has_function,
        };
        let mut bindings = self.bindings.borrow_mut();
        match bindings.iter_mut().find(|(known, _)| *known == symbol) {
            Some(binding) => binding.1 = value,
            None => bindings.push((symbol, value)),
        }
        may_see && !self.is_kept.replace(true)
    }

    /// The value in this frame or the nearest one around it that has it.
    pub(in crate::jsonata) fn get(&self, symbol: Symbol) -> Option<Value> {
        let mut frame = self;
        loop {
            let bindings = frame.bindings.borrow();
            if let Some((_, value)) = bindings.iter().find(|(known, _)| *known == symbol) {
                return Some(value.clone());
            }
            drop(bindings);
            frame = frame.parent.as_deref()?;
        }
    }

    pub(in crate::jsonata) fn depth(&self) -> usize {
        self.depth.get()
    }

    /// Forgets what is bound.
    pub(in crate::jsonata) fn clear(&self) {
        let bindings = self.bindings.take();
        drop(bindings);
    }
}
