//! A validation as JUnit's XML: a test for each feature with anomalies, one for all the others.

use std::fmt::Write;

use ops::tfmd::anomaly_info::Severity;

use super::{Anomaly, Gate, NO_EXAMPLES};

/// The gate as a test suite. What does not close the gate is output of a test that passes.
pub fn junit(gate: &Gate) -> String {
    let anomalies: Vec<Anomaly<'_>> = gate.anomalies().collect();
    let failures = anomalies.iter().filter(|a| a.severity >= gate.fail_on).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = escape(&format!("{} against {}", gate.data, gate.schema));
    let clean = gate.num_features.saturating_sub(anomalies.len());
    let tests = anomalies.len() + 1;
    let _ = writeln!(
        xml,
        "<testsuites>\n  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" \
         errors=\"0\">"
    );
    let _ = writeln!(
        xml,
        "    <testcase classname=\"{name}\" name=\"{clean} features without anomalies\"/>"
    );
    for anomaly in &anomalies {
        let subject = escape(&anomaly.subject());
        let _ = writeln!(xml, "    <testcase classname=\"{name}\" name=\"{subject}\">");
        let kinds: Vec<&str> = anomaly.reasons.iter().map(|r| r.kind.as_str_name()).collect();
        let kinds = if kinds.is_empty() { "NO_DATA".to_owned() } else { kinds.join(" ") };
        let body = escape(&body(anomaly));
        if anomaly.severity >= gate.fail_on {
            let short: Vec<&str> =
                anomaly.reasons.iter().map(|r| r.short_description.as_str()).collect();
            let short = if short.is_empty() { NO_EXAMPLES.to_owned() } else { short.join("; ") };
            let message = escape(&short);
            let _ = writeln!(
                xml,
                "      <failure type=\"{kinds}\" message=\"{message}\">{body}</failure>"
            );
        } else {
            let _ = writeln!(xml, "      <system-out>{}: {body}</system-out>", severity(anomaly));
        }
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn severity(anomaly: &Anomaly<'_>) -> &'static str {
    match anomaly.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Unknown => "note",
    }
}

fn body(anomaly: &Anomaly<'_>) -> String {
    if anomaly.reasons.is_empty() {
        return NO_EXAMPLES.to_owned();
    }
    let lines = anomaly.reasons.iter().map(|reason| {
        let mut line = format!("{}: {}", reason.kind.as_str_name(), super::text::told(reason));
        if let Some(place) = anomaly.place(reason) {
            let _ = write!(line, " First at {} row {}.", place.file, place.row);
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Text as XML has it; characters that XML cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
