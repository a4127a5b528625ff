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
    out.push_str("# EOF\n");
    out
}
