//! What was found: good or bad, in words, and what to do about it.

use serde_json::{Value, json};

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Could not be found out.
    Unknown,
    /// Works, but perhaps not as meant.
    Warning,
    /// Calls fail because of it.
    Problem,
}

impl Level {
    /// As it is printed before the words.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Good => "ok      ",
            Self::Unknown => "unknown ",
            Self::Warning => "warning ",
            Self::Problem => "PROBLEM ",
        }
    }

    fn name(self) -> &'static str {
        self.mark().trim_end()
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// How it stands.
    pub level: Level,
    /// What was looked at: `origination`.
    pub topic: &'static str,
    /// The trunk that it is about.
    pub trunk: Option<String>,
    /// What was found.
    pub words: String,
    /// What to do; nothing when all is good.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(level: Level, topic: &'static str, words: impl Into<String>) -> Self {
        Self { level, topic, trunk: None, words: words.into(), remedy: None }
    }

    /// As it should be.
    pub(super) fn good(topic: &'static str, words: impl Into<String>) -> Self {
        Self::new(Level::Good, topic, words)
    }

    /// Could not be found out.
    pub(super) fn unknown(topic: &'static str, words: impl Into<String>) -> Self {
        Self::new(Level::Unknown, topic, words)
    }

    /// Perhaps not as meant.
    pub(super) fn warning(topic: &'static str, words: impl Into<String>) -> Self {
        Self::new(Level::Warning, topic, words)
    }

    /// Calls fail because of it.
    pub(super) fn problem(topic: &'static str, words: impl Into<String>) -> Self {
        Self::new(Level::Problem, topic, words)
    }

    /// With what to do about it.
    pub(super) fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// About this trunk.
    pub(super) fn of(mut self, trunk: &str) -> Self {
        self.trunk = Some(trunk.to_owned());
        self
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({"level": self.level.name(), "topic": self.topic, "trunk": self.trunk,
               "finding": self.words, "remedy": self.remedy})
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let trunk = self.trunk.as_ref().map(|name| format!("trunk {name}, ")).unwrap_or_default();
        let mut line = format!("{}{trunk}{}: {}", self.level.mark(), self.topic, self.words);
        if let Some(remedy) = &self.remedy {
            line.push_str(&format!("\n          -> {remedy}"));
        }
        line
    }
}
