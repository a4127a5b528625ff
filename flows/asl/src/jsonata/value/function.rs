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

    /// How many levels of values are behind it, as far as dropping it drops them: what it can see of
    /// variables is held by the evaluation as well ([`Frame::keep`]).
    pub(in crate::jsonata) fn depth(&self) -> usize {
        match self {
            Self::Lambda(closure) => 1 + closure.input.measure().depth,
            Self::Partial { depth, .. } | Self::Chain { depth, .. } => *depth,
            Self::Transform { .. } | Self::BuiltIn(_) | Self::Regex(_) | Self::Next { .. } => 0,
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
///
/// > Whatever holds a frame and is a value, a function namely, is made after the frame and all around
/// > it were kept by the evaluation. So a frame ends when the evaluation lets go of it, one by one,
/// > and never within the drop of a value; and a ring of frames and functions is cut by
/// > [`Frame::clear`].
#[derive(Debug, Default)]
pub(in crate::jsonata) struct Frame {
    parent: Option<Env>,
    bindings: RefCell<Vec<(Symbol, Value)>>,
    is_kept: Cell<bool>,
    #[cfg(test)]
    _counted: living::Counted,
}

impl Frame {
    pub(in crate::jsonata) fn within(parent: &Env) -> Env {
        Self::with(parent, Vec::new())
    }

    /// With what is bound in it from the beginning.
    pub(in crate::jsonata) fn with(parent: &Env, bindings: Vec<(Symbol, Value)>) -> Env {
        let (parent, bindings) = (Some(Rc::clone(parent)), RefCell::new(bindings));
        Rc::new(Self { parent, bindings, ..Self::default() })
    }

    /// Binds; says whether the variable is a new one of a frame that is kept.
    pub(in crate::jsonata) fn bind(&self, symbol: Symbol, value: Value) -> bool {
        let mut bindings = self.bindings.borrow_mut();
        match bindings.iter_mut().find(|(known, _)| *known == symbol) {
            Some(binding) => {
                let before = std::mem::replace(&mut binding.1, value);
                drop(bindings);
                drop(before);
                false
            }
            None => {
                bindings.push((symbol, value));
                self.is_kept.get()
            }
        }
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

    /// Notes that the evaluation holds it: says whether that is new.
    pub(in crate::jsonata) fn keep(&self) -> bool {
        !self.is_kept.replace(true)
    }

    pub(in crate::jsonata) fn parent(&self) -> Option<&Env> {
        self.parent.as_ref()
    }

    /// How many variables are bound in it.
    pub(in crate::jsonata) fn len(&self) -> usize {
        self.bindings.borrow().len()
    }

    /// Forgets what is bound.
    pub(in crate::jsonata) fn clear(&self) {
        let bindings = self.bindings.take();
        drop(bindings);
    }
}

/// How many frames there are, of this thread's.
#[cfg(test)]
pub(in crate::jsonata) mod living {
    use std::cell::Cell;

    thread_local! {
        static FRAMES: Cell<usize> = const { Cell::new(0) };
    }

    #[derive(Debug)]
    pub(super) struct Counted;

    impl Default for Counted {
        fn default() -> Self {
            FRAMES.set(FRAMES.get() + 1);
            Self
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            FRAMES.set(FRAMES.get() - 1);
        }
    }

    pub(in crate::jsonata) fn frames() -> usize {
        FRAMES.get()
    }
}
