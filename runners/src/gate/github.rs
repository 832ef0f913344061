//! A validation as annotations of GitHub's checks: one workflow command on each line.

use std::fmt::Write;

use ops::tfmd::anomaly_info::Severity;

use super::{Gate, NO_EXAMPLES};

/// The gate as workflow commands, which GitHub shows at the schema.
pub fn github(gate: &Gate) -> String {
    let mut out = String::new();
    for anomaly in gate.anomalies() {
        let command = match anomaly.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Unknown => "notice",
        };
        let title = property(&anomaly.subject());
        let file = property(&gate.schema);
        let mut line = |text: &str| {
            let _ = writeln!(out, "::{command} file={file},title={title}::{}", message(text));
        };
        if anomaly.reasons.is_empty() {
            line(NO_EXAMPLES);
        }
        for reason in anomaly.reasons {
            let mut text = format!("{}: {}", reason.kind.as_str_name(), super::text::told(reason));
            if let Some(place) = anomaly.place(reason) {
                let _ = write!(text, " First at {} row {}.", place.file, place.row);
            }
            line(&text);
        }
    }
    out
}

fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
