//! Which cells a slice's statistics make.

use std::cmp::Reverse;

use ops::tfmd::cross_feature_statistics::CrossStats;
use ops::tfmd::custom_statistic::Val;
use ops::tfmd::feature_name_statistics::{FieldId, Stats, Type};
use ops::tfmd::histogram::HistogramType;
use ops::tfmd::{
    CommonStatistics, DatasetFeatureStatistics, FeatureNameStatistics, Histogram,
    NumericStatistics, Path, StringStatistics,
};

use super::Sort;
use super::format::{Style, count, number, percent, printable, sparkline};
use super::layout::{Column, KEPT, Table};

/// How many top values are worth a line.
const TOP_VALUES: usize = 8;
/// Bars of the shape of a string feature.
const BARS: usize = 10;

/// The tables of one slice.
pub(super) fn tables(dataset: &DatasetFeatureStatistics, sort: Sort) -> Vec<Table> {
    let mut features: Vec<&FeatureNameStatistics> = dataset.features.iter().collect();
    match sort {
        Sort::Given => {}
        Sort::Name => features.sort_by_key(|feature| name(feature)),
        Sort::Missing => {
            features.sort_by_key(|feature| Reverse(common(feature).map(|c| c.num_missing)));
        }
        Sort::Zeros => features.sort_by_key(|feature| match &feature.stats {
            Some(Stats::NumStats(stats)) => Reverse(stats.num_zeros),
            _ => Reverse(0),
        }),
        Sort::Unique => features.sort_by_key(|feature| match &feature.stats {
            Some(Stats::StringStats(stats)) => Reverse(stats.unique),
            Some(Stats::BytesStats(stats)) => Reverse(stats.unique),
            _ => Reverse(0),
        }),
    }
    let tables = [
        numbers(&features, dataset.num_examples),
        strings(&features, dataset.num_examples),
        others(&features, dataset.num_examples),
        custom(&features),
        crosses(dataset),
    ];
    let has_rows = |table: &Table| table.columns.first().is_some_and(|c| !c.cells.is_empty());
    tables.into_iter().filter(has_rows).collect()
}

fn path_name(path: Option<&Path>) -> String {
    path.map(|path| printable(&path.step.join("."))).unwrap_or_default()
}

fn name(feature: &FeatureNameStatistics) -> String {
    match &feature.field_id {
        Some(FieldId::Name(name)) => printable(name),
        Some(FieldId::Path(path)) => path_name(Some(path)),
        None => String::new(),
    }
}

fn common(feature: &FeatureNameStatistics) -> Option<&CommonStatistics> {
    match feature.stats.as_ref()? {
        Stats::NumStats(stats) => stats.common_stats.as_ref(),
        Stats::StringStats(stats) => stats.common_stats.as_ref(),
        Stats::BytesStats(stats) => stats.common_stats.as_ref(),
        Stats::StructStats(stats) => stats.common_stats.as_ref(),
    }
}

/// The columns that every kind of feature has, before and after its own.
struct Shared {
    before: Vec<Column>,
    values: Column,
}

impl Shared {
    fn new() -> Self {
        let before = vec![
            Column::name("feature"),
            Column::text("type", 30, 6),
            Column::new("count", 20),
            Column::new("missing", 60),
        ];
        Shared { before, values: Column::new("values", 25) }
    }

    fn push(&mut self, feature: &FeatureNameStatistics, examples: u64) {
        let shared = common(feature);
        let kind = match feature.r#type() {
            Type::Int => "int",
            Type::Float => "float",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Struct => "struct",
        };
        let present = shared.map_or(0, |c| c.num_non_missing);
        // A feature that some shards never name is missing there, whatever the field says.
        let missing = examples.saturating_sub(present).max(shared.map_or(0, |c| c.num_missing));
        let all = (present + missing) as f64;
        let style = match missing as f64 / all.max(1.0) {
            0.5.. => Style::Bad,
            0.05.. => Style::Odd,
            _ => Style::Plain,
        };
        let cells = [
            (name(feature), Style::Name),
            (kind.to_owned(), Style::Dim),
            (count(present), Style::Plain),
            (percent(missing as f64, all), style),
        ];
        for (column, cell) in self.before.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
        // Only lists are worth the words: from least to most values in an example.
        let values =
            shared.filter(|c| c.max_num_values > 1 || c.min_num_values != c.max_num_values);
        let values = values.map_or(String::new(), |c| {
            let average = number(f64::from(c.avg_num_values));
            format!("{}–{} ø {average}", count(c.min_num_values), count(c.max_num_values))
        });
        self.values.cells.push((values, Style::Plain));
    }

    fn finish(self, own: impl IntoIterator<Item = Column>) -> Table {
        let mut columns = self.before;
        columns.push(self.values);
        columns.extend(own);
        Table { columns }
    }
}

fn numbers(features: &[&FeatureNameStatistics], examples: u64) -> Table {
    let mut shared = Shared::new();
    let mut own = [
        Column::new("zeros", 55),
        Column::new("mean", 80),
        Column::new("± std", 70),
        Column::new("min", 75),
        Column::new("10%", 34),
        Column::new("median", 65),
        Column::new("90%", 35),
        Column::new("max", 76),
        Column::text("histogram", 50, BARS),
        Column::new("NaN", 58),
    ];
    for feature in features {
        let Some(Stats::NumStats(stats)) = &feature.stats else { continue };
        shared.push(feature, examples);
        let total = stats.common_stats.as_ref().map_or(0, |c| c.tot_num_values);
        let plain = |x: f64| (if total == 0 { String::new() } else { number(x) }, Style::Plain);
        let quantiles = quantiles(stats);
        let quantile = |share| plain_or_none(quantiles.and_then(|h| quantile(h, share)));
        let bars = standard(stats).map(bars).unwrap_or_default();
        let nan = standard(stats).map_or(0, |histogram| histogram.num_nan);
        let nan = if nan == 0 { String::new() } else { percent(nan as f64, total as f64) };
        let zeros = percent(stats.num_zeros as f64, total as f64);
        let many = stats.num_zeros * 2 >= total && total > 0;
        let cells = [
            (zeros, if many { Style::Odd } else { Style::Plain }),
            plain(stats.mean),
            plain(stats.std_dev),
            plain(stats.min),
            quantile(0.1),
            plain(stats.median),
            quantile(0.9),
            plain(stats.max),
            (sparkline(&bars), Style::Spark),
            (nan, Style::Odd),
        ];
        for (column, cell) in own.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    }
    shared.finish(own)
}

fn plain_or_none(x: Option<f64>) -> (String, Style) {
    (x.map(number).unwrap_or_default(), Style::Plain)
}

fn standard(stats: &NumericStatistics) -> Option<&Histogram> {
    stats.histograms.iter().find(|h| h.r#type() == HistogramType::Standard)
}

fn quantiles(stats: &NumericStatistics) -> Option<&Histogram> {
    stats.histograms.iter().find(|h| h.r#type() == HistogramType::Quantiles)
}

fn bars(histogram: &Histogram) -> Vec<f64> {
    histogram.buckets.iter().map(|bucket| bucket.sample_count).collect()
}

/// The value below which a share of all values lies, from buckets of equally many values.
fn quantile(histogram: &Histogram, share: f64) -> Option<f64> {
    let n = histogram.buckets.len();
    let place = share * n as f64;
    let bucket = histogram.buckets.get((place as usize).min(n.checked_sub(1)?))?;
    let within = place - place.floor();
    // At a border there is nothing to interpolate, and infinities stay what they are.
    if within < 1e-9 {
        return Some(bucket.low_value);
    }
    Some(bucket.low_value + (bucket.high_value - bucket.low_value) * within)
}

fn strings(features: &[&FeatureNameStatistics], examples: u64) -> Table {
    let mut shared = Shared::new();
    let mut own = [
        Column::new("unique", 70),
        Column::new("avg len", 32),
        Column::text("ranks", 33, BARS),
        Column::new("not UTF-8", 31),
        Column::text("top values", KEPT, 20),
    ];
    for feature in features {
        let Some(Stats::StringStats(stats)) = &feature.stats else { continue };
        shared.push(feature, examples);
        let total = stats.common_stats.as_ref().map_or(0, |c| c.tot_num_values) as f64;
        let length = if total > 0.0 { number(f64::from(stats.avg_length)) } else { String::new() };
        let invalid = match stats.invalid_utf8_count {
            0 => String::new(),
            n => percent(n as f64, total),
        };
        let unique = if stats.unique == 0 { String::new() } else { count(stats.unique) };
        let cells = [
            (unique, Style::Plain),
            (length, Style::Plain),
            (sparkline(&ranks(stats)), Style::Spark),
            (invalid, Style::Odd),
            (top_values(stats, total), Style::Plain),
        ];
        for (column, cell) in own.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    }
    shared.finish(own)
}

/// The frequencies of the values, most frequent first, as a few bars.
fn ranks(stats: &StringStatistics) -> Vec<f64> {
    let Some(histogram) = &stats.rank_histogram else { return Vec::new() };
    let counts = histogram.buckets.iter().map(|bucket| bucket.sample_count);
    counts.take(BARS).collect()
}

fn top_values(stats: &StringStatistics, total: f64) -> String {
    if stats.unique > 1 && stats.unique as f64 == total {
        let example = stats.top_values.first().map(|top| printable(&top.value));
        let example = example.map_or(String::new(), |value| format!(", such as {value}"));
        return format!("all distinct{example}");
    }
    let values = stats.top_values.iter().take(TOP_VALUES);
    let shown: Vec<String> = values
        .map(|top| {
            let value =
                if top.value.is_empty() { "\"\"".to_owned() } else { printable(&top.value) };
            format!("{value} {}", percent(top.frequency, total))
        })
        .collect();
    let more = if stats.unique > shown.len() as u64 { " …" } else { "" };
    shown.join(" · ") + more
}

/// Features of bytes and structs, and those without statistics.
fn others(features: &[&FeatureNameStatistics], examples: u64) -> Table {
    let mut shared = Shared::new();
    let mut own = [
        Column::new("unique", 70),
        Column::new("min bytes", 50),
        Column::new("avg bytes", 60),
        Column::new("max bytes", 51),
    ];
    for feature in features {
        if let Some(Stats::NumStats(_) | Stats::StringStats(_)) = &feature.stats {
            continue;
        }
        shared.push(feature, examples);
        let mut cells: [(String, Style); 4] = Default::default();
        if let Some(Stats::BytesStats(stats)) = &feature.stats {
            let sizes = [stats.min_num_bytes, stats.avg_num_bytes, stats.max_num_bytes];
            cells[0].0 = count(stats.unique);
            for (cell, size) in cells[1..].iter_mut().zip(sizes) {
                cell.0 = number(f64::from(size));
            }
        }
        for (column, cell) in own.iter_mut().zip(cells) {
            column.cells.push(cell);
        }
    }
    shared.finish(own)
}

fn custom(features: &[&FeatureNameStatistics]) -> Table {
    let mut columns = [
        Column::name("feature"),
        Column::text("statistic", KEPT, 12),
        Column::text("value", KEPT, 10),
    ];
    for feature in features {
        for statistic in &feature.custom_stats {
            let value = match &statistic.val {
                Some(Val::Num(x)) => number(*x),
                Some(Val::Str(text)) => printable(text),
                Some(Val::Histogram(histogram)) => sparkline(&bars(histogram)),
                Some(Val::RankHistogram(histogram)) => {
                    let ranked = histogram.buckets.iter().take(TOP_VALUES);
                    let labels = ranked.map(|bucket| {
                        format!("{} {}", printable(&bucket.label), number(bucket.sample_count))
                    });
                    labels.collect::<Vec<_>>().join(" · ")
                }
                Some(Val::Any(_)) | None => continue,
            };
            columns[0].cells.push((name(feature), Style::Name));
            columns[1].cells.push((printable(&statistic.name), Style::Dim));
            columns[2].cells.push((value, Style::Plain));
        }
    }
    Table { columns: columns.into() }
}

fn crosses(dataset: &DatasetFeatureStatistics) -> Table {
    let mut columns = [
        Column::name("feature"),
        Column::name("with"),
        Column::new("count", 20),
        Column::new("correlation", 80),
        Column::new("covariance", 70),
    ];
    for cross in &dataset.cross_features {
        columns[0].cells.push((path_name(cross.path_x.as_ref()), Style::Name));
        columns[1].cells.push((path_name(cross.path_y.as_ref()), Style::Name));
        columns[2].cells.push((count(cross.count), Style::Plain));
        let (correlation, covariance) = match &cross.cross_stats {
            Some(CrossStats::NumCrossStats(stats)) => {
                (number(f64::from(stats.correlation)), number(f64::from(stats.covariance)))
            }
            _ => Default::default(),
        };
        columns[3].cells.push((correlation, Style::Plain));
        columns[4].cells.push((covariance, Style::Plain));
    }
    Table { columns: columns.into() }
}
