//! How often drift is seen where there is none, and how often where there is some.
//!
//! Statistics are computed as always, from rows that are drawn. `cargo test` looks at a few spans;
//! `FRAZIL_SPANS=1000 cargo test --test it calibration -- --nocapture` prints the table of
//! `benches/baselines.md`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use engine::{Batch, Batches, Pipeline, Result, RunOptions, Shard, Source};
use ops::drift::{DriftOptions, DriftPolicy, DriftReport, Verdict, compare};
use ops::stats::{StatsOptions, generate_statistics};
use ops::tfmd::{DatasetFeatureStatistics, Schema, load_schema};
use runners::Runner;

/// SplitMix64 with the draws that are needed here.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Between two sizes, every order of magnitude as likely.
    fn size(&mut self, least: f64, most: f64) -> usize {
        (least * (most / least).powf(self.uniform())).round() as usize
    }
}

/// How a column is drawn.
#[derive(Clone, Copy)]
enum Draw {
    /// Mean and deviation.
    Normal(f64, f64),
    /// Deviation of the logarithm.
    LogNormal(f64),
    /// The tail's exponent.
    Pareto(f64),
    Uniform,
    /// Integers from 0 to this.
    Ties(f64),
    /// The share of zeros; the rest is log-normal.
    Zeros(f64),
    /// So many labels, the i-th as frequent as 1 / i to this power.
    Zipf(usize, f64),
    /// A label that never comes again.
    Identifier,
}

/// Twenty features: what is drawn, and which share is missing.
const FEATURES: [(&str, Draw, f64); 20] = [
    ("normal", Draw::Normal(0.0, 1.0), 0.0),
    ("normal_far", Draw::Normal(1e6, 0.5), 0.01),
    ("normal_gaps", Draw::Normal(-3.0, 20.0), 0.3),
    ("lognormal_half", Draw::LogNormal(0.5), 0.0),
    ("lognormal", Draw::LogNormal(1.0), 0.05),
    ("lognormal_wide", Draw::LogNormal(2.5), 0.0),
    ("pareto", Draw::Pareto(2.0), 0.0),
    ("pareto_heavy", Draw::Pareto(0.8), 0.1),
    ("uniform", Draw::Uniform, 0.0),
    ("uniform_gaps", Draw::Uniform, 0.6),
    ("flag", Draw::Ties(1.0), 0.0),
    ("rating", Draw::Ties(4.0), 0.02),
    ("hour", Draw::Ties(23.0), 0.0),
    ("zeros", Draw::Zeros(0.9), 0.0),
    ("half_zeros", Draw::Zeros(0.5), 0.0),
    ("zipf_2", Draw::Zipf(2, 4.0), 0.0),
    ("zipf_10", Draw::Zipf(10, 1.0), 0.05),
    ("zipf_1000", Draw::Zipf(1000, 1.1), 0.0),
    ("zipf_20000", Draw::Zipf(20_000, 0.8), 0.0),
    ("identifier", Draw::Identifier, 0.0),
];

/// What is drawn, and the cumulative weights of labels.
struct Column {
    name: String,
    draw: Draw,
    missing: f64,
    weights: Vec<f64>,
}

fn columns(features: &[(&str, Draw, f64)]) -> Vec<Column> {
    let column = |(name, draw, missing): &(&str, Draw, f64)| {
        let mut sum = 0.0;
        let weights = match draw {
            Draw::Zipf(n, power) => (1..=*n)
                .map(|i| {
                    sum += (i as f64).powf(-power);
                    sum
                })
                .collect(),
            _ => Vec::new(),
        };
        Column { name: (*name).to_owned(), draw: *draw, missing: *missing, weights }
    };
    features.iter().map(column).collect()
}

impl Column {
    fn array(&self, n: usize, random: &mut Random) -> ArrayRef {
        let numbers = |random: &mut Random, of: &dyn Fn(&mut Random) -> f64| -> ArrayRef {
            let cell = |_| (random.uniform() >= self.missing).then(|| of(random));
            Arc::new((0..n).map(cell).collect::<Float64Array>())
        };
        match self.draw {
            Draw::Normal(mean, sd) => numbers(random, &|r| mean + sd * r.normal()),
            Draw::LogNormal(sd) => numbers(random, &|r| (sd * r.normal()).exp()),
            Draw::Pareto(power) => numbers(random, &|r| r.uniform().powf(-1.0 / power)),
            Draw::Uniform => numbers(random, &Random::uniform),
            Draw::Zeros(share) => numbers(random, &|r| {
                if r.uniform() < share { 0.0 } else { r.normal().exp() }
            }),
            Draw::Ties(most) => {
                let cell = |_| {
                    let x = random.uniform() * (most + 1.0);
                    (random.uniform() >= self.missing).then_some(x as i64)
                };
                Arc::new((0..n).map(cell).collect::<Int64Array>())
            }
            Draw::Zipf(..) => {
                let all = self.weights.last().copied().unwrap_or_default();
                let cell = |_| {
                    let x = random.uniform() * all;
                    let label = self.weights.partition_point(|weight| *weight < x);
                    (random.uniform() >= self.missing).then(|| format!("label {label}"))
                };
                Arc::new((0..n).map(cell).collect::<StringArray>())
            }
            Draw::Identifier => {
                let cell = |_| Some(format!("{:016x}", random.uniform().to_bits()));
                Arc::new((0..n).map(cell).collect::<StringArray>())
            }
        }
    }
}

/// One shard of one batch.
struct Rows(Vec<Shard>, RecordBatch);

impl Source for Rows {
    fn shards(&self) -> &[Shard] {
        &self.0
    }

    fn read(self: Arc<Self>, shard: usize, _: usize) -> Result<Batches> {
        let batch = Batch {
            shard,
            first_row: 0,
            records: self.1.clone(),
            originals: None,
            rejected: vec![],
            bytes: 0,
        };
        Ok(Box::new(std::iter::once(Ok(batch))))
    }
}

/// The statistics of rows that are drawn.
fn drawn(columns: &[Column], n: usize, random: &mut Random) -> DatasetFeatureStatistics {
    let arrays = columns.iter().map(|column| (column.name.clone(), column.array(n, random)));
    let records =
        RecordBatch::try_from_iter_with_nullable(arrays.map(|(name, array)| (name, array, true)));
    let shard = Shard { path: "drawn".to_owned(), part: None, bytes: 0 };
    let rows: Arc<dyn Source> = Arc::new(Rows(vec![shard], records.unwrap()));
    let (pipeline, batches) = Pipeline::read(rows);
    let handle = generate_statistics(&batches, Arc::new(StatsOptions::default()));
    let plan = pipeline.plan();
    let mut outputs =
        Runner::Direct.run(&plan, &RunOptions::default(), plan.fingerprint("test")).unwrap();
    handle.output(&mut outputs).unwrap().datasets.remove(0)
}

/// Statistics of every kind of feature here, the same for the same seed.
pub(crate) fn everything(seed: u64, n: usize) -> DatasetFeatureStatistics {
    drawn(&columns(&FEATURES), n, &mut Random(seed))
}

/// A threshold of 0.1 for every feature, which is ten times what TFDV's guide sets.
fn schema(columns: &[Column]) -> Schema {
    let feature = |column: &Column| {
        let (kind, distance) = match column.draw {
            Draw::Zipf(..) | Draw::Identifier => ("BYTES", "infinity_norm"),
            Draw::Ties(_) => ("INT", "jensen_shannon_divergence"),
            _ => ("FLOAT", "jensen_shannon_divergence"),
        };
        let name = &column.name;
        format!(
            "feature {{ name: '{name}' type: {kind} \
             drift_comparator {{ {distance} {{ threshold: 0.1 }} }} }}\n"
        )
    };
    load_schema(columns.iter().map(feature).collect::<String>().as_bytes()).unwrap()
}

const POLICIES: [&str; 3] =
    ["thresholds of 0.1 alone, as TFDV", "and significant", "significant, without a schema"];

/// The reports of the three ways to judge.
fn judged(
    current: &DatasetFeatureStatistics,
    control: &DatasetFeatureStatistics,
    schema: &Schema,
) -> [DriftReport; 3] {
    let of = |policy, schema| {
        let options = DriftOptions { policy, schema, ..Default::default() };
        compare(current, control, &options)
    };
    [
        of(DriftPolicy::Tfdv, Some(schema)),
        of(DriftPolicy::Significant, Some(schema)),
        of(DriftPolicy::Significant, None),
    ]
}

/// Of so many spans, how many raised an alarm, and how many features did.
#[derive(Clone, Copy, Default)]
struct Tally {
    spans: usize,
    alarms: [usize; 3],
    features: [usize; 3],
    /// Spans without any threshold where some p-value, adjusted, is below 0.01.
    significant: usize,
}

fn spans(least: usize) -> usize {
    std::env::var("FRAZIL_SPANS").ok().and_then(|n| n.parse().ok()).unwrap_or(least)
}

/// Both cores, each with every second span.
fn on_two_threads<T: Send>(n: usize, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let half = |first: usize| {
            let of = &of;
            scope.spawn(move || (first..n).step_by(2).map(of).collect::<Vec<T>>())
        };
        let halves = [half(0), half(1)];
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

#[test]
fn no_alarm_without_drift() {
    let n = spans(16);
    let most = if n > 200 { 50_000.0 } else { 1_000.0 };
    let columns = columns(&FEATURES);
    let schema = schema(&columns);
    let found = on_two_threads(n, |span| {
        let mut random = Random(span as u64 + 1);
        let (size, other) = (random.size(50.0, most), random.size(50.0, most));
        let control = drawn(&columns, other, &mut random);
        let current = drawn(&columns, size, &mut random);
        (size.min(other), judged(&current, &control, &schema))
    });
    let classes = [(0, 500), (500, 5_000), (5_000, usize::MAX), (0, usize::MAX)];
    println!("\n{n} spans without drift, 20 features, 50 to {most} examples\n");
    println!("| smaller side | spans | policy | spans with alarms | features with alarms |");
    println!("|---|---:|---|---:|---:|");
    for (low, high) in classes {
        let mut tally = Tally::default();
        for (_, reports) in found.iter().filter(|(size, _)| (low..high).contains(size)) {
            tally.spans += 1;
            for (i, report) in reports.iter().enumerate() {
                let alarms = report.drifted().count();
                tally.alarms[i] += usize::from(alarms > 0);
                tally.features[i] += alarms;
                for feature in report.drifted().filter(|_| i > 0 && high == usize::MAX && low == 0)
                {
                    println!("<!-- {}: {} -->", feature.path, feature.why);
                }
            }
            let is_low = |q: Option<f64>| q.is_some_and(|q| q <= 0.01);
            tally.significant += usize::from(reports[2].features.iter().any(|f| is_low(f.q)));
        }
        let class = match (low, high) {
            (0, usize::MAX) => "all".to_owned(),
            (_, usize::MAX) => format!("{low} and more"),
            _ => format!("{low} to {high}"),
        };
        for (policy, (alarms, features)) in
            POLICIES.iter().zip(tally.alarms.iter().zip(&tally.features))
        {
            let per_feature = 100.0 * *features as f64 / (20 * tally.spans.max(1)) as f64;
            println!("| {class} | {} | {policy} | {alarms} | {per_feature:.3} % |", tally.spans);
        }
        println!("<!-- {class}: q below 0.01 in {} spans -->", tally.significant);
        if (low, high) == (0, usize::MAX) {
            // A share of 0.01 is promised; thrice that and two more leave room for luck.
            for alarms in &tally.alarms[1..] {
                assert!(*alarms <= tally.spans * 3 / 100 + 2, "{alarms} of {n} spans");
            }
        }
    }
}

#[test]
fn shifts_are_seen() {
    let n = spans(4);
    println!("\n| examples on each side | shift | {} |", POLICIES.join(" | "));
    println!("|---:|---:|---:|---:|---:|");
    let sizes: &[usize] = if n > 200 { &[500, 5_000, 50_000] } else { &[500, 5_000] };
    for &size in sizes {
        for shift in [0.1, 0.2, 0.5] {
            let features: Vec<(String, Draw, f64)> =
                (0..20).map(|i| (format!("f{i}"), Draw::Normal(0.0, 1.0), 0.0)).collect();
            let of = |first: f64| {
                let mut features: Vec<(&str, Draw, f64)> =
                    features.iter().map(|(name, draw, m)| (name.as_str(), *draw, *m)).collect();
                features[0].1 = Draw::Normal(first, 1.0);
                columns(&features)
            };
            let (before, after) = (of(0.0), of(shift));
            let schema = schema(&before);
            let trials = if n > 200 { (n / 10).min(4_000_000 / size) } else { n };
            let seen = on_two_threads(trials, |span| {
                let mut random = Random(1_000_003 * (span as u64 + 1) + size as u64);
                let control = drawn(&before, size, &mut random);
                let current = drawn(&after, size, &mut random);
                judged(&current, &control, &schema)
                    .map(|report| report.features[0].verdict == Verdict::Drifted)
            });
            let share = |i: usize| {
                let n = seen.iter().filter(|seen| seen[i]).count();
                format!("{:.0} %", 100.0 * n as f64 / trials as f64)
            };
            println!("| {size} | {shift} σ | {} | {} | {} |", share(0), share(1), share(2));
            if size >= 5_000 && shift >= 0.2 {
                assert!(seen.iter().all(|seen| seen[2]), "{shift} of {size} is not always seen");
            }
        }
    }
}

/// The case of which users of TFDV complain: N(0, 0.1), 1000 draws and 10.
#[test]
fn ten_rows_never_raise_an_alarm() {
    let columns = columns(&[("x", Draw::Normal(0.0, 0.1), 0.0)]);
    let schema = schema(&columns);
    let n = spans(40);
    let found = on_two_threads(n, |span| {
        let mut random = Random(span as u64 + 77);
        let many = drawn(&columns, 1000, &mut random);
        let few = drawn(&columns, 10, &mut random);
        let both = [judged(&few, &many, &schema), judged(&many, &few, &schema)];
        let [tfdv, significant, bare] = &both[0];
        let measured = &significant.features[0].measurements;
        let js = measured.iter().find(|m| m.metric == "jensen_shannon_divergence").unwrap();
        let quiet = |report: &DriftReport| report.drifted().count() == 0;
        assert!(quiet(significant) && quiet(bare) && quiet(&both[1][1]) && quiet(&both[1][2]));
        (quiet(tfdv), js.value, js.noise_floor.unwrap())
    });
    let alarms = found.iter().filter(|(quiet, ..)| !quiet).count();
    let mean = |of: &dyn Fn(&(bool, f64, f64)) -> f64| {
        found.iter().map(of).sum::<f64>() / found.len() as f64
    };
    let (value, floor) = (mean(&|found| found.1), mean(&|found| found.2));
    println!("1000 and 10 draws, {n} times: Jensen-Shannon {value:.3} on average, noise floor");
    println!("{floor:.3}; above 0.1, and so an alarm in TFDV, {alarms} times; in Frazil never");
    let below = found.iter().filter(|(_, value, floor)| value <= floor).count();
    assert!(below * 100 >= n * 97, "{below} of {n} are below the noise floor");
    assert!(alarms * 10 >= n * 9);
}
