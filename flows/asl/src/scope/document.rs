//! A value that is made when an expression asks for it.

use serde_json::Value;
use std::fmt::Debug;

/// The context object, or `$states`. Most expressions read a member of it or nothing at all, and a
/// whole one holds the input of the execution, which may have 256 KiB: it is made only when somebody
/// wants to see it.
pub trait Document: Debug {
    /// All of it.
    fn whole(&self) -> &Value;

    /// One member; `None` if it has none of that name.
    fn member(&self, name: &str) -> Option<&Value> {
        self.whole().as_object()?.get(name)
    }

    /// A member that is such a document itself.
    fn inner(&self, _name: &str) -> Option<&dyn Document> {
        None
    }
}

impl Document for Value {
    fn whole(&self) -> &Value {
        self
    }
}
