//! The counters of the heart in OpenMetrics text, for Prometheus.

use std::fmt::Write as _;

use offhook_pbx::metrics::Kind;
use offhook_pbx::quality::QualityMetrics;

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
    histograms(&mut out, desk.office.quality());
    out.push_str("# EOF\n");
    out
}

/// How ended legs sounded.
fn histograms(out: &mut String, quality: &QualityMetrics) {
    let mut before = "";
    for histogram in quality.all() {
        let (name, direction) = (histogram.name, histogram.direction);
        if name != before {
            let _ = writeln!(out, "# HELP offhook_{name} {}", histogram.help);
            let _ = writeln!(out, "# TYPE offhook_{name} histogram");
        }
        before = name;
        let labels = |bound: Option<String>| {
            let way = (!direction.is_empty()).then(|| format!("direction=\"{direction}\""));
            let words: Vec<String> = way.into_iter().chain(bound).collect();
            if words.is_empty() { String::new() } else { format!("{{{}}}", words.join(",")) }
        };
        let buckets = histogram.buckets();
        for (bound, count) in &buckets {
            // OpenMetrics writes a bound as a float.
            let bound = if bound.is_finite() { format!("{bound:?}") } else { "+Inf".to_owned() };
            let labels = labels(Some(format!("le=\"{bound}\"")));
            let _ = writeln!(out, "offhook_{name}_bucket{labels} {count}");
        }
        let count = buckets.last().map_or(0, |(_, count)| *count);
        let _ = writeln!(out, "offhook_{name}_count{} {count}", labels(None));
        let _ = writeln!(out, "offhook_{name}_sum{} {}", labels(None), histogram.sum());
    }
}
