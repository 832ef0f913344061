//! `frazil explain`, as a whole command.

use crate::cli::Place;
use crate::support::shared;

const STATISTICS: &str = "datasets { num_examples: 1000 features { path { step: 'payment' }
  type: STRING string_stats {
    common_stats { num_non_missing: 1000 tot_num_values: 1000 min_num_values: 1 max_num_values: 1 }
    unique: 2 rank_histogram {
      buckets { label: 'card' sample_count: CARD } buckets { label: 'cash' sample_count: 300 } } } } }";

fn place() -> Place {
    let place = Place::new();
    for (name, card) in [("today.pbtxt", "700"), ("before.pbtxt", "400")] {
        std::fs::write(place.path(name), STATISTICS.replace("CARD", card)).unwrap();
    }
    let schema = "feature { name: 'payment' type: BYTES
        drift_comparator { infinity_norm { threshold: 0.01 } } }";
    std::fs::write(place.path("schema.pbtxt"), schema).unwrap();
    place
}

#[test]
fn statistics_are_explained() {
    let place = place();
    let text = place.ok(&["explain", "today.pbtxt"]).stdout;
    assert!(text.contains("payment  STRING  0 % missing"), "{text}");
    let text = place.ok(&["explain", "today.pbtxt", "payment"]).stdout;
    assert!(text.contains("2 labels for 1000 of 1000 values"), "{text}");
    let text = place.fails(&["explain", "today.pbtxt", "paiment"]);
    assert!(text.contains("hint: Did you mean `payment`?"), "{text}");
}

#[test]
fn comparisons_are_explained() {
    let place = place();
    let both = ["explain", "today.pbtxt", "--other", "before.pbtxt"];
    let with = |more: &[&str]| place.ok(&[&both[..], more].concat()).stdout;
    assert!(with(&[]).contains("payment: drifted"));
    let text = with(&["payment", "--schema", "schema.pbtxt"]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "infinity_norm = 0.128571 threshold 0.01 (in the schema)",
        "card 700 0.70000 400 0.57143 0.12857",
        "sum 1000 1 700 1",
        "verdict: drifted",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&with(&["--json"])).unwrap();
    assert_eq!(json["features"][0]["verdict"], "drifted");
    // Nothing has moved between a file and itself.
    let same = place.ok(&["explain", "today.pbtxt", "--other", "today.pbtxt"]).stdout;
    assert!(same.contains("payment: stable"), "{same}");
}

#[test]
fn names_are_explained() {
    let place = place();
    let text = place.ok(&["explain", "schema_new_column"]).stdout;
    assert!(text.contains("remedy: Add the feature to the schema"), "{text}");
    assert!(place.ok(&["explain", "Reconciliation"]).stdout.contains("kind of error"));
    assert!(place.ok(&["explain", "wasserstein_1"]).stdout.contains("∫"));
    let text = place.fails(&["explain", "SCHEMA_NEW_COLUM"]);
    assert!(text.contains("Did you mean `SCHEMA_NEW_COLUMN`?"), "{text}");
    assert!(place.fails(&["explain", "no/such.pb"]).contains("cannot read `no/such.pb`"));
    assert!(place.fails(&["explain", "schema.pbtxt"]).contains("schema"));
}

/// Every file of anomalies that TFDV wrote has something to say about each of its features.
#[test]
fn anomalies_are_explained() {
    let Some(shared) = shared() else { return };
    let place = Place::new();
    let mut n = 0;
    for entry in std::fs::read_dir(shared.join("golden/tfdv/anomalies")).unwrap() {
        let file = entry.unwrap().path().join("anomalies.pbtxt");
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let anomalies = ops::tfmd::load_anomalies(&bytes).unwrap();
        let text = place.ok(&["explain", file.to_str().unwrap()]).stdout;
        for (key, info) in &anomalies.anomaly_info {
            assert!(text.contains(&format!("{key}: ")), "{key} of {}\n{text}", file.display());
            for reason in &info.reason {
                assert!(text.contains(reason.r#type().as_str_name()));
            }
            n += 1;
        }
    }
    assert!(n > 40, "{n} anomalies");
}
