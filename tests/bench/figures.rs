//! A figure, the table on the screen, and `figures.json`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// One measured figure.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What was measured, with its conditions.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What it is compared with, measured in the same run.
    pub(crate) baseline: Option<(String, f64)>,
    /// The ratio (or, without a baseline, the value) must not be above this.
    pub(crate) goal: Option<f64>,
    /// The goal is the value's, baseline or not.
    of_value: bool,
}

impl Figure {
    /// A figure that stands for itself.
    pub(crate) fn plain(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: Option<f64>,
    ) -> Self {
        Self { name: name.into(), value, unit, baseline: None, goal, of_value: true }
    }

    /// A figure beside a baseline; the goal is a ratio.
    pub(crate) fn beside(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        baseline: (&str, f64),
        goal: Option<f64>,
    ) -> Self {
        let baseline = Some((baseline.0.to_owned(), baseline.1));
        Self { name: name.into(), value, unit, baseline, goal, of_value: false }
    }

    /// A figure beside a baseline, whose goal is for the figure and not for the ratio.
    pub(crate) fn within(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        baseline: (&str, f64),
        goal: f64,
    ) -> Self {
        Self { of_value: true, ..Self::beside(name, value, unit, baseline, Some(goal)) }
    }

    fn ratio(&self) -> Option<f64> {
        self.baseline.as_ref().filter(|(_, b)| *b > 0.0).map(|(_, b)| self.value / b)
    }

    fn met(&self) -> Option<bool> {
        let measured = if self.of_value { self.value } else { self.ratio()? };
        self.goal.map(|goal| measured <= goal)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline.as_ref().map(|(name, value)| json!({"name": name, "value": value})),
            "ratio": self.ratio(),
            "goal": self.goal,
            "met": self.met(),
        })
    }
}

/// A line of the table on the screen.
pub(crate) fn line(figure: &Figure, width: usize) -> String {
    let Figure { name, value, unit, .. } = figure;
    let mut out = format!("{name:<width$}  {:>10} {unit:<6}", number(*value));
    if let (Some((name, value)), Some(ratio)) = (&figure.baseline, figure.ratio()) {
        let _ = write!(out, " {ratio:>6.2} x {name} ({})", number(*value));
    }
    if let (Some(goal), Some(met)) = (figure.goal, figure.met()) {
        let _ = write!(out, "  goal {} {}", number(goal), if met { "met" } else { "MISSED" });
    }
    out.truncate(out.trim_end().len());
    out
}

fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Writes the list.
pub(crate) fn write(path: &Path, figures: &[Figure]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let list: Vec<Value> = figures.iter().map(Figure::json).collect();
    std::fs::write(path, serde_json::to_string_pretty(&list)?)
}
