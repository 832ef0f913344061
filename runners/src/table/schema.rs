//! A schema as tables: one row for each feature, and one for each domain that features share.

use std::fmt::Write as _;

use ops::schema::describe;
use ops::tfmd::feature::DomainInfo;
use ops::tfmd::sparse_feature::IndexFeature;
use ops::tfmd::{Feature, FeatureComparator, Path, Schema};

use super::TableOptions;
use super::format::{Paint, Style, printable};
use super::layout::{Column, KEPT, Table};

/// The schema as text, lines ended by line feeds.
///
/// ```
/// use runners::table::{TableOptions, render_schema};
///
/// let schema = ops::tfmd::load_schema(b"feature { name: 'age' type: INT int_domain { min: 0 } }")?;
/// assert_eq!(
///     render_schema(&schema, &TableOptions::default()),
///     "feature  type  presence  domain\nage      INT   optional  [0, ∞]\n"
/// );
/// # Ok::<(), engine::Error>(())
/// ```
pub fn render_schema(schema: &Schema, options: &TableOptions) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    let mut left_out: Vec<&str> = Vec::new();
    for table in [features(schema), composites(schema), domains(schema)] {
        if table.columns.first().is_none_or(|column| column.cells.is_empty()) {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        left_out.extend(Table::render(&table, options.width, paint, &mut out));
    }
    if !schema.default_environment.is_empty() {
        let names: Vec<String> =
            schema.default_environment.iter().map(|name| printable(name)).collect();
        let _ = writeln!(out, "\nenvironments: {}", names.join(", "));
    }
    if let Some(constraints) = &schema.dataset_constraints {
        let text = ops::tfmd::text::print(constraints);
        let words: Vec<&str> = text.split_whitespace().collect();
        let _ = writeln!(out, "\ndataset: {}", words.join(" "));
    }
    if !left_out.is_empty() {
        let line = format!("not shown, for want of width: {}", left_out.join(", "));
        let _ = writeln!(out, "\n{}", paint.dim(&line));
    }
    if out.is_empty() {
        out.push_str("an empty schema\n");
    }
    out
}

fn features(schema: &Schema) -> Table {
    let mut columns = [
        Column::name("feature"),
        Column::text("type", KEPT, usize::MAX),
        Column::text("presence", 4, usize::MAX),
        Column::text("values", 3, usize::MAX),
        Column::text("domain", 2, 20),
        Column::text("also", 1, 20),
    ];
    let mut add = |path: &Path, feature: &Feature| {
        let style = if feature.is_retired() { Style::Dim } else { Style::Plain };
        let name = if feature.is_retired() { Style::Dim } else { Style::Name };
        let cells = [
            (printable(&path.to_string()), name),
            (describe::type_name(feature).to_owned(), style),
            (describe::presence(feature), style),
            (describe::valency(feature), style),
            (describe::domain(schema, feature), style),
            (also(feature), style),
        ];
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    };
    walk(&Path::default(), &schema.feature, &mut add);
    Table { columns: columns.into() }
}

fn walk(parent: &Path, features: &[Feature], visit: &mut impl FnMut(&Path, &Feature)) {
    for feature in features {
        let path = parent.child(feature.name());
        visit(&path, feature);
        walk(&path, feature.fields(), visit);
    }
}

/// What else is said of a feature: comparators, environments, distinct values, its share in a domain.
fn also(feature: &Feature) -> String {
    let mut words = Vec::new();
    for (name, comparator) in
        [("drift", &feature.drift_comparator), ("skew", &feature.skew_comparator)]
    {
        words.extend(comparator.iter().flat_map(|c| thresholds(name, c)));
    }
    if !feature.in_environment.is_empty() {
        words.push(format!("in {}", feature.in_environment.join(", ")));
    }
    if !feature.not_in_environment.is_empty() {
        words.push(format!("not in {}", feature.not_in_environment.join(", ")));
    }
    if let Some(unique) = feature.unique_constraints {
        words.push(format!("{} to {} distinct", unique.min(), unique.max()));
    }
    if let Some(mass) = feature.distribution_constraints.and_then(|c| c.min_domain_mass) {
        words.push(format!("{} % in the domain", 100.0 * mass));
    }
    printable(&words.join("; "))
}

fn thresholds(name: &str, comparator: &FeatureComparator) -> Vec<String> {
    let all = [
        ("L∞", comparator.infinity_norm.and_then(|c| c.threshold)),
        ("JSD", comparator.jensen_shannon_divergence.as_ref().and_then(|c| c.threshold)),
        ("NAD", comparator.normalized_abs_difference.and_then(|c| c.threshold)),
    ];
    let set = all.into_iter().filter_map(|(distance, threshold)| Some((distance, threshold?)));
    set.map(|(distance, threshold)| format!("{name} {distance} ≤ {threshold}")).collect()
}

/// Sparse and weighted features.
fn composites(schema: &Schema) -> Table {
    let mut columns = [
        Column::name("of features"),
        Column::text("kind", 2, usize::MAX),
        Column::text("parts", 1, 20),
    ];
    let mut add = |name: String, kind: &str, parts: String| {
        let cells = [(name, Style::Name), (kind.to_owned(), Style::Plain), (parts, Style::Plain)];
        for (column, (text, style)) in columns.iter_mut().zip(cells) {
            column.cells.push((printable(&text), style));
        }
    };
    for (parent, sparse) in schema.sparse_features() {
        let value = sparse.value_feature.as_ref().map_or("", |value| value.name());
        let index = sparse.index_feature.iter().map(IndexFeature::name);
        let parts = format!("{value} at {}", index.collect::<Vec<_>>().join(", "));
        add(parent.child(sparse.name()).to_string(), "sparse", parts);
    }
    for weighted in &schema.weighted_feature {
        let path = |path: &Option<Path>| path.clone().unwrap_or_default().to_string();
        let parts = format!("{} by {}", path(&weighted.feature), path(&weighted.weight_feature));
        add(weighted.name().to_owned(), "weighted", parts);
    }
    Table { columns: columns.into() }
}

/// Domains of strings that the schema names, and how many features share each.
fn domains(schema: &Schema) -> Table {
    let mut columns = [
        Column::name("domain"),
        Column::new("strings", KEPT),
        Column::new("used", 1),
        Column::text("values", 2, 20),
    ];
    let mut used = std::collections::BTreeMap::<&str, u64>::new();
    walk_domains(&schema.feature, &mut used);
    for domain in &schema.string_domain {
        let shown: Vec<String> =
            domain.value.iter().take(50).map(|value| format!("\"{}\"", printable(value))).collect();
        let more = if domain.value.len() > shown.len() { ", …" } else { "" };
        let cells = [
            (printable(domain.name()), Style::Name),
            (super::count(domain.value.len() as u64), Style::Plain),
            (super::count(used.get(domain.name()).copied().unwrap_or(0)), Style::Plain),
            (shown.join(", ") + more, Style::Plain),
        ];
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    }
    Table { columns: columns.into() }
}

fn walk_domains<'a>(features: &'a [Feature], used: &mut std::collections::BTreeMap<&'a str, u64>) {
    for feature in features {
        if let Some(DomainInfo::Domain(name)) = &feature.domain_info {
            *used.entry(name).or_default() += 1;
        }
        walk_domains(feature.fields(), used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_place() {
        let schema = ops::tfmd::load_schema(
            b"feature { name: 'fare' type: FLOAT presence { min_fraction: 1 } shape {}
                drift_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
              feature { name: 's' type: STRUCT struct_domain {
                feature { name: 'pay' type: BYTES domain: 'pay' not_in_environment: 'SERVING' } } }
              feature { name: 'old' type: INT lifecycle_stage: DEPRECATED }
              weighted_feature { name: 'w' feature { step: 'fare' } weight_feature { step: 'old' } }
              string_domain { name: 'pay' value: ['card', '\\033[2J'] }
              default_environment: 'TRAINING' default_environment: 'SERVING'
              dataset_constraints { min_examples_count: 10 }",
        );
        let options = TableOptions { width: 120, ..TableOptions::default() };
        let expected = "\
feature  type    presence       values  domain               also
fare     FLOAT   required       single                       drift JSD ≤ 0.1
s        STRUCT  optional               1 field
s.pay    BYTES   optional               \"card\", \"\\u{1b}[2J\"  not in SERVING
old      INT     not validated

of features  kind      parts
w            weighted  fare by old

domain  strings  used  values
pay           2     1  \"card\", \"\\u{1b}[2J\"

environments: TRAINING, SERVING

dataset: min_examples_count: 10
";
        assert_eq!(render_schema(&schema.unwrap(), &options), expected);
        assert_eq!(render_schema(&Schema::default(), &options), "an empty schema\n");
    }
}
