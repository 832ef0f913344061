//! The report: one file, safe with any data, the same bytes, and alive in a browser.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ops::tfmd::{Anomalies, DatasetFeatureStatisticsList, load_anomalies, load_statistics};
use runners::report::{Data, Distances, Report, Span, fingerprint, render};

fn data<'a>(label: &str, statistics: &'a DatasetFeatureStatisticsList) -> Data<'a> {
    Data {
        label: label.to_owned(),
        fingerprint: fingerprint(&ops::tfmd::encode(statistics)),
        statistics,
    }
}

fn page(
    statistics: &DatasetFeatureStatisticsList,
    previous: Option<&DatasetFeatureStatisticsList>,
    anomalies: Option<&Anomalies>,
) -> String {
    render(&Report {
        spans: vec![Span { data: data("today", statistics), distances: Distances::new() }],
        previous: previous.map(|statistics| data("yesterday", statistics)),
        serving: None,
        schema: None,
        anomalies,
        validation: None,
    })
}

fn statistics(text: &str) -> DatasetFeatureStatisticsList {
    load_statistics(text.as_bytes()).unwrap()
}

/// Two numbers and a string.
const SMALL: &str = "
    datasets { num_examples: 10
      features { path { step: 'fare' } type: FLOAT num_stats {
        common_stats { num_non_missing: 10 tot_num_values: 10 min_num_values: 1 max_num_values: 1 }
        mean: 4.5 std_dev: 2.5 min: 0 median: 4 max: 9
        histograms { buckets { low_value: 0 high_value: 9 sample_count: 10 } } } }
      features { path { step: 'miles' } type: INT num_stats {
        common_stats { num_non_missing: 4 num_missing: 6 tot_num_values: 4 } mean: 2 max: 7 } }
      features { path { step: 'payment' } type: STRING string_stats {
        common_stats { num_non_missing: 10 tot_num_values: 10 } unique: 2
        rank_histogram { buckets { label: 'Cash' sample_count: 7 }
                         buckets { label: 'Card' sample_count: 3 } } } } }";

/// As many features of two kinds as wanted, with histograms.
fn wide(n: usize, shift: f64) -> DatasetFeatureStatisticsList {
    use ops::tfmd::feature_name_statistics::{FieldId, Stats};
    // Parsing text takes its time, so a few features stand for all.
    let mut statistics = some(60, shift);
    let few = std::mem::take(&mut statistics.datasets[0].features);
    let all = few.iter().cycle().take(n).enumerate().map(|(i, feature)| {
        let mut feature = feature.clone();
        feature.field_id = Some(FieldId::Path(ops::tfmd::Path::new([format!("column_{i:05}")])));
        if let Some(Stats::NumStats(numbers)) = &mut feature.stats {
            numbers.mean = (i as f64).sqrt();
        }
        feature
    });
    statistics.datasets[0].features = all.collect();
    statistics
}

fn some(n: usize, shift: f64) -> DatasetFeatureStatisticsList {
    let mut text = String::from("datasets { num_examples: 20000 ");
    for i in 0..n {
        let common = "common_stats { num_non_missing: 15000 num_missing: 5000 \
                      tot_num_values: 15000 min_num_values: 1 max_num_values: 1 }";
        let _ = write!(text, "features {{ path {{ step: 'column_{i:05}' }} ");
        if i % 3 == 2 {
            let _ =
                write!(text, "type: STRING string_stats {{ {common} unique: 40 rank_histogram {{");
            for rank in 0..40 {
                let n = 2000.0 / f64::from(rank + 1) + shift;
                let _ =
                    write!(text, "buckets {{ label: 'label {rank} of {i}' sample_count: {n} }}");
            }
            text.push_str("} } }");
        } else {
            let at = |j: usize| ((i * 31 + j * j) as f64).sqrt() + j as f64 * 3.7 + shift;
            let _ = write!(
                text,
                "type: FLOAT num_stats {{ {common} mean: {} std_dev: 3.25 min: {} median: {} max: {}",
                at(5),
                at(0),
                at(5),
                at(10)
            );
            for kind in ["STANDARD", "QUANTILES"] {
                let _ = write!(text, " histograms {{ type: {kind}");
                for j in 0..10 {
                    let (low, high) = (at(j), at(j + 1));
                    let n =
                        if kind == "STANDARD" { ((i + j * j) % 17 * 200) as f64 } else { 1500.0 };
                    let _ = write!(
                        text,
                        " buckets {{ low_value: {low} high_value: {high} sample_count: {n} }}"
                    );
                }
                text.push('}');
            }
            text.push_str("} }");
        }
    }
    text.push('}');
    statistics(&text)
}

/// Every string of the data that must not reach the page as it is.
const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "<!--",
    "]]>&lt;",
    "{{script}}",
    "a\tb\nc\u{0}d\u{1b}[2J",
    "\u{202e}gnp.exe\u{2066}",
    "'quoted'.path(",
    "",
];

fn hostile() -> (DatasetFeatureStatisticsList, Anomalies) {
    use ops::tfmd::feature_name_statistics::{FieldId, Stats, Type};
    use ops::tfmd::histogram::{Bucket, HistogramType};
    use ops::tfmd::string_statistics::FreqAndValue;
    use ops::tfmd::{
        AnomalyInfo, CommonStatistics, DatasetFeatureStatistics, FeatureNameStatistics, Histogram,
        NumericStatistics, StringStatistics,
    };

    let long = "x<".repeat(5_000);
    let strings: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let common = CommonStatistics { num_non_missing: 3, tot_num_values: 3, ..Default::default() };
    let path = |name: &str| ops::tfmd::Path::new([name]);
    let mut features = Vec::new();
    let mut anomalies = Anomalies::default();
    for (i, name) in strings.iter().enumerate() {
        let top_values =
            strings.iter().map(|v| FreqAndValue { value: (*v).to_owned(), frequency: 1.5 });
        let stats = match i % 3 {
            0 => Stats::StringStats(StringStatistics {
                common_stats: Some(common.clone()),
                unique: strings.len() as u64,
                top_values: top_values.collect(),
                avg_length: f32::NAN,
                ..Default::default()
            }),
            1 => {
                let (inf, nan) = (f64::INFINITY, f64::NAN);
                let ends = [(-inf, -inf), (nan, 1.0), (-1e308, 1e308), (3.0, 2.0), (inf, inf)];
                let buckets = ends.iter().map(|(low_value, high_value)| Bucket {
                    low_value: *low_value,
                    high_value: *high_value,
                    sample_count: if i == 1 { 1.0 } else { nan },
                });
                let histogram = |kind: HistogramType| Histogram {
                    num_nan: 2,
                    buckets: buckets.clone().collect(),
                    r#type: kind.into(),
                    ..Default::default()
                };
                Stats::NumStats(NumericStatistics {
                    common_stats: Some(common.clone()),
                    mean: nan,
                    std_dev: inf,
                    min: -inf,
                    max: inf,
                    num_zeros: u64::MAX,
                    histograms: [HistogramType::Standard, HistogramType::Quantiles]
                        .map(histogram)
                        .into(),
                    ..Default::default()
                })
            }
            _ => Stats::NumStats(NumericStatistics::default()),
        };
        features.push(FeatureNameStatistics {
            r#type: if i % 3 == 0 { Type::String.into() } else { Type::Float.into() },
            stats: Some(stats),
            field_id: Some(FieldId::Path(path(name))),
            ..Default::default()
        });
        let info = AnomalyInfo {
            path: Some(path(name)),
            description: Some((*name).to_owned()),
            short_description: Some((*name).to_owned()),
            ..Default::default()
        };
        anomalies.anomaly_info.insert((*name).to_owned(), info);
    }
    let dataset = |name: &str| DatasetFeatureStatistics {
        name: name.to_owned(),
        num_examples: 3,
        features: features.clone(),
        ..Default::default()
    };
    let datasets = vec![dataset("All Examples"), dataset(HOSTILE[1])];
    (DatasetFeatureStatisticsList { datasets }, anomalies)
}

/// What every page promises.
fn check_page(page: &str) {
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("content=\"default-src 'none'; script-src 'sha256-"), "policy");
    let addresses = ["http:", "https:", "//www", "url(", "@import", "<link rel=style", "<iframe"];
    for word in addresses {
        assert!(!page.contains(word), "the page contains {word}");
    }
    // The only elements of scripts are its own: rows, the summary, and the script.
    let scripts: Vec<&str> =
        page.split("<script").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    let (code, data): (Vec<&str>, Vec<&str>) = scripts.iter().partition(|s| s.is_empty());
    assert_eq!(code.len(), 1);
    let is_data = |s: &&&str| {
        s.starts_with(" type=\"text/plain\" id=rows-")
            || **s == " type=\"application/json\" id=summary"
    };
    assert!(data.iter().all(|s| is_data(&s)), "{data:?}");
    assert_eq!(page.matches("</script").count(), scripts.len());
    assert!(!page.contains("<!--"));
    assert!(!page.contains("NaN h") && !page.contains("d=\"NaN"));
}

fn summary(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once("id=summary>").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn one_file_with_what_was_compared() {
    let (now, before) = (statistics(SMALL), statistics(&SMALL.replace("num_missing: 6", "")));
    let anomalies = load_anomalies(
        b"anomaly_info { key: 'payment' value { path { step: 'payment' } severity: ERROR
          short_description: 'Unexpected string values' description: 'Card is new.' } }
          drift_skew_info { path { step: 'fare' } drift_measurements {
            type: JENSEN_SHANNON_DIVERGENCE value: 0.2 threshold: 0.05 } }",
    );
    let anomalies = anomalies.unwrap();
    let page = page(&now, Some(&before), Some(&anomalies));
    check_page(&page);
    for part in [
        "<h1>today</h1>",
        "✖ Failed: 1 error",
        "10 examples, 3 features",
        "yesterday</span> (10 examples)",
        &fingerprint(&ops::tfmd::encode(&now))[..12],
        "<b>Unexpected string values</b><p>Card is new.",
        "▲ 60.0%",
        "Cash: 70.0% → 70.0%",
        "<b class=bad>▲ 0.2</b>",
        "<td class=none>0%",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let summary = summary(&page);
    assert_eq!(summary["verdict"], "failed");
    assert_eq!(summary["datasets"][0]["role"], "previous");
    assert_eq!(summary["anomalies"][0]["feature"], "payment");
    // What is wrong comes first, then what has moved.
    let names: Vec<&str> = summary["slices"][0]["features"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feature| feature["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["payment", "fare", "miles"]);
    assert_eq!(summary["slices"][0]["features"][1]["ratio"], 4.0);
}

#[test]
fn any_data_is_text() {
    let (statistics, anomalies) = hostile();
    let first = page(&statistics, Some(&statistics), Some(&anomalies));
    check_page(&first);
    assert_eq!(first, page(&statistics, Some(&statistics), Some(&anomalies)));
    for text in ["<script>alert", "onerror=alert(1)>", "<img", "\u{202e}", "\u{0}"] {
        assert!(!first.contains(text), "{text:?}");
    }
    // In the rows further down, controls stand for pieces of markup.
    let (document, _) = first.split_once("<script type=\"text/plain\"").unwrap();
    assert!(!document.contains(|c: char| c.is_control() && c != '\n'));
    // Long strings are cut where they are shown, and say so.
    assert!(first.contains("… (+9,"));
    let summary = summary(&first);
    assert_eq!(summary["slices"].as_array().unwrap().len(), 2);
    assert_eq!(summary["anomalies"].as_array().unwrap().len(), HOSTILE.len() + 1);
}

#[test]
fn nothing_to_show() {
    for text in ["", "datasets {}", "datasets { num_examples: 5 }", "datasets { features {} }"] {
        let statistics = statistics(text);
        let page = page(&statistics, None, None);
        check_page(&page);
        assert!(page.contains("Not validated"), "{text}");
    }
    let nobody = Report {
        spans: vec![],
        previous: None,
        serving: None,
        schema: None,
        anomalies: None,
        validation: None,
    };
    check_page(&render(&nobody));
}

#[test]
fn thousands_of_features_stay_small() {
    let (now, before) = (wide(5_000, 0.0), wide(5_000, 0.4));
    let page = page(&now, Some(&before), None);
    check_page(&page);
    let megabytes = page.len() as f64 / 1e6;
    assert!(megabytes < 10.0, "{megabytes} MB");
    let (document, _) = page.split_once("<script type=\"text/plain\"").unwrap();
    let rows = document.matches("<tbody id=f0-").count();
    assert!((60..=180).contains(&rows), "{rows} rows are in the document from the start");
}

#[test]
fn the_command_validates_and_compares() {
    let place = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frazil"));
        command.arg("report").args(args).current_dir(place.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
    write("monday.pbtxt", SMALL);
    write("tuesday.pbtxt", &SMALL.replace("'Card'", "'Coin'"));
    write(
        "schema.pbtxt",
        "feature { name: 'payment' type: BYTES string_domain { value: ['Cash', 'Card'] }
           drift_comparator { infinity_norm { threshold: 0.1 } } }
         feature { name: 'fare' type: FLOAT } feature { name: 'miles' type: INT }",
    );
    let all = ["monday.pbtxt", "tuesday.pbtxt", "--schema", "schema.pbtxt"];
    let (code, said) = run(&all);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("wrote report.html ("), "{said}");
    let page = std::fs::read_to_string(place.path().join("report.html")).unwrap();
    check_page(&page);
    // The schema's words, the evidence, the distance, and the names of files as labels.
    for part in ["<h1>tuesday</h1>", "monday</span>", "<q>Coin</q> 3 (30.0%)", "<code>", "L∞"] {
        assert!(page.contains(part), "{part}");
    }
    let summary = summary(&page);
    assert_eq!(summary["verdict"], "failed");
    assert_eq!(summary["slices"][0]["features"][0]["distances"][0]["metric"], "infinity_norm");
    assert_eq!(summary["slices"][0]["features"][0]["distances"][0]["value"], 0.3);

    let (code, said) = run(&["monday.pbtxt", "--label", "a", "--label", "b"]);
    assert!(code == Some(2) && said.contains("more labels than files"), "{said}");
    let (code, said) = run(&["monday.pbtxt", "-o", "monday.pbtxt"]);
    assert!(code == Some(2) && said.contains("`monday.pbtxt` is an input"), "{said}");
    let (code, said) = run(&["schema.pbtxt"]);
    assert!(code == Some(2) && said.contains("Expected statistics, found a schema"), "{said}");
}

/// Where Debian and others put the browser.
fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).flat_map(|p| names.map(|n| p.join(n))).find(|p| p.is_file())
}

/// The document after its script has run, and what the browser has said.
fn open(browser: &Path, file: &Path, hash: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        "--v=0",
        "--virtual-time-budget=2000",
        "--dump-dom",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    let output = command
        .arg(format!("file://{}#{hash}", file.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

/// What a test sees of the first table: the features' names, in order.
fn shown(document: &str, kind: &str) -> Vec<String> {
    let (_, table) = document.split_once(&format!("data-kind=\"{kind}\"")).unwrap();
    let table = table.split("</table>").next().unwrap();
    let rows = table.split("<tbody id=\"f0-").skip(1);
    rows.map(|row| {
        let (_, button) = row.split_once("<button").unwrap();
        let (_, name) = button.split_once('>').unwrap();
        name.split("</button>").next().unwrap().to_owned()
    })
    .collect()
}

#[test]
fn a_browser_runs_it_without_a_word() {
    let Some(browser) = chromium() else {
        println!("skipped: there is no Chromium; `apt-get install chromium` brings it");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("report.html");
    let console = |said: &str| said.contains("CONSOLE");

    std::fs::write(&file, page(&wide(2_000, 0.0), Some(&wide(2_000, 0.4)), None)).unwrap();
    let (document, said) = open(&browser, &file, "q=/7$/&sort=-mean");
    assert!(document.contains("data-ready=\"\""), "the script did not finish: {said}");
    assert!(!console(&said), "{said}");
    let names = shown(&document, "numeric");
    assert!(!names.is_empty() && names.iter().all(|name| name.ends_with('7')), "{names:?}");
    assert!(names.is_sorted_by(|a, b| a > b), "means ascend with names: {names:?}");
    assert!(document.contains("aria-sort=\"descending\""));
    assert!(document.contains("200 of 2,000 features"));

    // A link to a feature far down makes its row and opens it.
    let (document, said) = open(&browser, &file, "f0-1500");
    assert!(!console(&said), "{said}");
    assert!(document.contains("class=\"detail\"") && document.contains("column_01500"), "{said}");

    let (statistics, anomalies) = hostile();
    std::fs::write(&file, page(&statistics, Some(&statistics), Some(&anomalies))).unwrap();
    let (document, said) = open(&browser, &file, "slice=1");
    assert!(document.contains("data-ready=\"\"") && !console(&said), "{said}");
    assert!(!document.contains("<img") && !document.contains("onmouseover=\""));
}
