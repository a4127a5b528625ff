//! The variables a state can read: its own scope's, then those of the scopes around it.

use crate::json::Json;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Assigned variables, by name without the `$`.
///
/// Cheap to clone: the values are shared until a clone is assigned to. An inner scope (a branch
/// of Parallel, an iteration of Map) reads the variables of the scopes around it and cannot change
/// them (developer guide, "Passing data between states with variables").
///
/// Serialised it is a list of objects, the innermost scope first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables {
    own: Arc<BTreeMap<String, Json>>,
    outer: Option<Arc<Variables>>,
}

impl Variables {
    /// No variables, and no scope around.
    pub fn new() -> Self {
        Self::default()
    }

    /// The scope of a branch or an iteration: it reads what is visible here now.
    #[must_use]
    pub fn inner(&self) -> Self {
        Self { own: Arc::default(), outer: Some(Arc::new(self.clone())) }
    }

    /// The value of `name` in this scope or the nearest one around it that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut scope = self;
        loop {
            if let Some(value) = scope.own.get(name) {
                return Some(value);
            }
            scope = scope.outer.as_deref()?;
        }
    }

    /// Assigns in this scope. Others that were cloned from it keep what they have.
    pub fn assign(&mut self, name: impl Into<String>, value: impl Into<Json>) {
        Arc::make_mut(&mut self.own).insert(name.into(), value.into());
    }

    /// The variables of this scope alone, in order of their names.
    pub fn own(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        self.own.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Whether the text of one of this scope is in memory.
    #[cfg(test)]
    pub(crate) fn has_text(&self) -> bool {
        self.own.values().any(Json::has_text)
    }
}

impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut scopes = serializer.serialize_seq(None)?;
        let mut scope = Some(self);
        while let Some(one) = scope {
            let values: BTreeMap<&str, &Value> = one.own().collect();
            scopes.serialize_element(&values)?;
            scope = one.outer.as_deref();
        }
        scopes.end()
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scopes: Vec<BTreeMap<String, Value>> = Deserialize::deserialize(deserializer)?;
        let mut outer = None;
        for values in scopes.into_iter().rev() {
            let own = values.into_iter().map(|(name, value)| (name, Json::from(value))).collect();
            outer = Some(Self { own: Arc::new(own), outer: outer.map(Arc::new) });
        }
        Ok(outer.unwrap_or_default())
    }
}
