//! `frazil generators`: the tables of statistics, with their docs.

use std::fmt::Write as _;

use ops::stats::{DATASET_GENERATORS, GENERATORS};
use serde_json::json;

use crate::args::GeneratorsArgs;
use crate::failure::Done;
use crate::output;

pub(crate) fn run(args: &GeneratorsArgs) -> Done {
    let single: Vec<_> = GENERATORS.iter().map(|g| (g.name, g.doc)).collect();
    let several: Vec<_> = DATASET_GENERATORS.iter().map(|g| (g.name, g.doc)).collect();
    if args.json {
        let rows = |rows: &[(&str, &str)]| -> Vec<serde_json::Value> {
            rows.iter().map(|(name, doc)| json!({ "name": name, "doc": doc })).collect()
        };
        let value = json!({ "generators": rows(&single), "dataset_generators": rows(&several) });
        return output::print(&format!("{value:#}\n"));
    }
    let width = single.iter().chain(&several).map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (heading, rows) in [("Of a feature", &single), ("Of features together", &several)] {
        if rows.is_empty() {
            continue;
        }
        let blank = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{blank}{heading}:");
        for (name, doc) in rows {
            let _ = writeln!(text, "  {name:width$}  {doc}");
        }
    }
    output::print(&text)
}
