//! Expressions that take long are set aside: somebody else evaluates them from the beginning, and
//! the state that has them is tried again when it is known what came of them.
//!
//! An evaluation changes nothing, so that one which was broken off may begin again anywhere. What it
//! sees goes with it, and random numbers of its own: nobody else draws the same ones meanwhile.

use super::Expression;
use crate::failure::Failure;
use crate::scope::{Document, Entropy, Scope, Variables};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What an execution has set aside.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    /// For how long an expression is evaluated where it stands; none: for as long as it may take.
    after: Option<Duration>,
    held: Mutex<Held>,
}

#[derive(Debug, Default, Clone)]
struct Held {
    /// The one that was broken off last.
    asked: Option<Evaluation>,
    /// What came of others, by whom it is for.
    answered: BTreeMap<u64, Vec<Evaluated>>,
}

impl Clone for Aside {
    fn clone(&self) -> Self {
        Self { after: self.after, held: Mutex::new(self.held().clone()) }
    }
}

impl Aside {
    pub(crate) fn new(after: Option<Duration>) -> Self {
        Self { after, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change of it is one step: a thread that died left it whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of `of` in it; none where nothing is set aside.
    pub(crate) fn place(&self, of: u64) -> Option<Place<'_>> {
        self.after.map(|after| Place { aside: self, of, after })
    }

    pub(crate) fn has_asked(&self) -> bool {
        self.after.is_some() && self.held().asked.is_some()
    }

    pub(crate) fn take_asked(&self) -> Option<Evaluation> {
        self.after.and_then(|_| self.held().asked.take())
    }

    pub(crate) fn answer(&self, of: u64, evaluated: Evaluated) {
        self.held().answered.entry(of).or_default().push(evaluated);
    }

    /// The execution is over.
    pub(crate) fn clear(&self) {
        *self.held() = Held::default();
    }

    /// Its state is over.
    pub(crate) fn forget(&self, of: u64) {
        if self.after.is_some() {
            self.held().answered.remove(&of);
        }
    }
}

/// Where an expression may be set aside, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    aside: &'a Aside,
    of: u64,
    after: Duration,
}

impl Place<'_> {
    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// What came of it, if it was set aside before.
    pub(super) fn answer(
        &self,
        expression: &Expression,
        scope: &Scope<'_>,
        location: &str,
    ) -> Option<Result<Value, Failure>> {
        let held = self.aside.held();
        let mut answers = held.answered.get(&self.of)?.iter();
        let same = |one: &&Evaluated| one.evaluation.is_of(expression, scope, location);
        answers.find(same).map(|one| one.result.clone())
    }

    pub(super) fn ask(&self, expression: &Expression, scope: &Scope<'_>, location: &str) {
        let evaluation = Evaluation {
            number: 0,
            expression: expression.clone(),
            location: location.to_owned(),
            states: scope.states.map(|states| states.whole().clone()),
            variables: scope.variables.clone(),
            now: scope.now,
            entropy: Entropy::new(scope.entropy.bits()),
        };
        self.aside.held().asked = Some(evaluation);
    }
}

/// An expression that was set aside, with all that it sees.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Which one it is of its execution.
    pub(crate) number: u64,
    expression: Expression,
    location: String,
    states: Option<Value>,
    variables: Variables,
    now: Timestamp,
    entropy: Entropy,
}

impl Evaluation {
    /// Evaluates it. Takes a second at most, and may run on any thread.
    pub fn run(self) -> Evaluated {
        let states = self.states.as_ref().map(|states| states as _);
        let scope = Scope {
            input: &Value::Null,
            context: &Value::Null,
            variables: &self.variables,
            states,
            now: self.now,
            entropy: &self.entropy,
            aside: None,
        };
        let result = self.expression.evaluate(&scope, &self.location);
        Evaluated { evaluation: self, result }
    }

    fn is_of(&self, expression: &Expression, scope: &Scope<'_>, location: &str) -> bool {
        self.location == location
            && self.expression == *expression
            && expression.names().all(|name| self.variables.get(name) == scope.variables.get(name))
            && self.states.as_ref() == scope.states.map(Document::whole)
    }
}

/// The same evaluation of the same execution.
impl PartialEq for Evaluation {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.expression == other.expression
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Evaluated {
    pub(crate) evaluation: Evaluation,
    result: Result<Value, Failure>,
}
