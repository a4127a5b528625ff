//! The counters of the heart in OpenMetrics text, for Prometheus.

use std::fmt::Write as _;

use offhook_pbx::metrics::Kind;

use crate::desk::Desk;

/// All metrics as text, `offhook_NAME`.
pub fn text(desk: &Desk) -> String {
    let mut out = String::new();
    for (name, help, kind, value) in desk.metrics.all() {
        // The help text is the field's doc comment: it begins with a space.
        let (kind, suffix) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let _ = writeln!(out, "# HELP offhook_{name} {}", help.trim());
        let _ = writeln!(out, "# TYPE offhook_{name} {kind}");
        let _ = writeln!(out, "offhook_{name}{suffix} {value}");
    }
    for (name, help, value) in desk.gauges() {
        let _ = writeln!(out, "# HELP offhook_{name} {help}");
        let _ = writeln!(out, "# TYPE offhook_{name} gauge");
        let _ = writeln!(out, "offhook_{name} {value}");
    }
    let _ = writeln!(out, "# HELP offhook_calls_ended Calls that ended, by how and why.");
    let _ = writeln!(out, "# TYPE offhook_calls_ended counter");
    for (how, why, count) in desk.office.outcomes() {
        // Both are words of ours: nothing in them needs an escape.
        let labels = format!("outcome=\"{how}\",failure=\"{why}\"");
        let _ = writeln!(out, "offhook_calls_ended_total{{{labels}}} {count}");
    }
    out.push_str("# EOF\n");
    out
}
