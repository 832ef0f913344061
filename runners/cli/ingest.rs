//! `frazil ingest`: rows of any format as shuffled splits of examples, as TFX's ExampleGen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use datasets::ingest::{IngestOptions, IngestSink, SplitShard, Splits, parse_splits};
use datasets::inputs::Span;
use datasets::output::OutputDirectory;
use engine::{Error, ErrorKind, Flatten, Part, Pipeline, Receipt, Result, Source};
use serde_json::{Value, json};

use crate::failure::Done;
use crate::input::{Input, open_all};
use crate::job::JobArgs;
use crate::run::Run;
use crate::transform::WriteFormat;
use crate::{interrupt, receipt};

/// What one output shard holds of the input, where nobody says how many there are to be.
const SHARD_BYTES: u64 = 128 << 20;
/// TFX's own splits.
const DEFAULT: &str = "train:2,eval:1";
/// The same, cut by time.
const DEFAULT_NAMES: &str = "train,eval";

const HELP: &str = "\
Examples:
  frazil ingest data/ -o examples                                  train and eval, two rows to one
  frazil ingest data.csv -o examples --splits train:8,eval:1,test:1 --shards 4 --gzip
  frazil ingest data/ -o examples --partition-feature user_id      all rows of a user in one split
  frazil ingest data/ -o examples --split-by-time day --cut 2024-03-01
  frazil ingest train=2024/train eval=2024/eval -o examples        the splits that there are
  frazil ingest 'days/{YYYY}-{MM}-{DD}/*' --span 2024-03-01..2024-03-31 -o examples
  frazil stats examples --split train                              read a split

Splits by hash are those of TFX: `int(sha256(key)) mod sum(buckets)`, where the key is the
deterministic serialisation of the tf.Example that a row is written as, or of one feature of it. So
equal rows share a split, whatever format they come in; a missing cell is a feature that is not there.

The output is DIR/Split-NAME/data_tfrecord-00000-of-0000N (or data_parquet-….parquet), shuffled by
`--seed`, whatever workers, processes and batches there are. Records are written as they are; in Parquet
the feature lists of tf.SequenceExamples are lists of lists in the column `##SEQUENCE##`. The directory
appears whole or not at all; until then all rows are once more on its disk. `_receipt.json` in it says how
many rows of each input shard went to each split: rows read are those written and those rejected, or the
run fails.

Exit codes:
  0    done
  2    failed; the reason is on stderr, and nothing was written under its final name
  130  interrupted";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct IngestArgs {
    /// Files, directories, globs, numbered shards or patterns of spans; or SPLIT=INPUT for each
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The directory to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    splits: SplitArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    job: JobArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Splits")]
struct SplitArgs {
    /// Splits with their share of hash buckets [default: train:2,eval:1]; with `--cut` names alone
    #[arg(long, value_name = "NAME:BUCKETS,…")]
    splits: Option<String>,
    /// Hash this feature (bytes or integers) and not the whole row: its rows stay together
    #[arg(long, value_name = "NAME")]
    partition_feature: Option<String>,
    /// Split by the value of this feature, which every row has once
    #[arg(long, value_name = "NAME", conflicts_with = "partition_feature", requires = "cut")]
    split_by_time: Option<String>,
    /// Where a split ends and the next begins: rows below the first cut go to the first split
    #[arg(long, value_name = "VALUE", value_delimiter = ',', requires = "split_by_time")]
    #[arg(allow_hyphen_values = true)]
    cut: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct WriteArgs {
    /// Format of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "tfrecord")]
    write_format: WriteFormat,
    /// Compress TFRecord files
    #[arg(long)]
    gzip: bool,
    /// Files of each split [default: one for every 128 MiB that are read]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99_999))]
    shards: Option<u32>,
    /// Another seed gives another order of rows
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// Keep the order of rows
    #[arg(long, conflicts_with = "seed")]
    no_shuffle: bool,
}

pub(crate) fn run(args: &IngestArgs) -> Done {
    args.job.run(|run| {
        let (receipt, totals) = ingest(args, run)?;
        Ok((vec![receipt], totals))
    })
}

fn ingest(args: &IngestArgs, run: &Run) -> Result<(Receipt, String)> {
    let parquet = args.write.write_format == WriteFormat::Parquet;
    if parquet && args.write.gzip {
        return Err(Error::invalid("Parquet files are not compressed by gzip")
            .with_hint("Leave out `--gzip`: they are compressed by Snappy."));
    }
    let named = named_inputs(&args.inputs)?;
    let rule = args.splits.rule(&named)?;
    let mut inputs = Vec::new();
    for (_, inputs_of_split) in &named {
        inputs.push(Input::find(inputs_of_split, &args.job.input)?);
    }
    let spans = agreed_spans(&named, &inputs)?;
    apart(&named, &inputs)?;
    let files: Vec<_> = inputs.iter().flat_map(|input| input.files.clone()).collect();
    let paths: Vec<String> = named.iter().flat_map(|(_, paths)| paths.clone()).collect();
    OutputDirectory::refuse_inputs(&args.output, &paths, &files)?;
    args.job.check_receipt(&files)?;
    let directory = OutputDirectory::create(&args.output, args.job.overwrite)?;
    interrupt::remove_at_exit(directory.temporary());

    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let default = bytes.div_ceil(SHARD_BYTES).clamp(1, 99_999) as u32;
    let options = IngestOptions {
        parquet,
        gzip: args.write.gzip,
        shards: args.write.shards.unwrap_or(default),
        seed: (!args.write.no_shuffle).then_some(args.write.seed),
        from_parquet: inputs.iter().all(Input::is_parquet),
        from_records: inputs.iter().any(Input::is_records),
        memory_bytes: run.memory_bytes(),
        threads: run.threads(),
    };
    let inputs = inputs.into_iter().map(Input::keeping_messages).collect();
    let source = Arc::new(Flatten::new(open_all(inputs, run)?));
    let shards = source.shards().to_vec();
    let splits = match rule {
        Some(splits) => splits,
        None => {
            let names = named.iter().map(|(name, _)| name.clone().unwrap_or_default());
            let of_shard = (0..shards.len()).map(|shard| source.source_of(shard));
            Splits::given(names.collect(), of_shard.collect())?
        }
    };
    let IngestOptions { gzip, shards: n, seed, .. } = options;
    let description = format!("ingest {splits:?} {parquet} {gzip} {n} {seed:?}");
    let (pipeline, batches) = Pipeline::read(source);
    let written = batches.write(IngestSink::new(splits, directory, options, &shards));
    let outputs = run.execute("ingesting", &pipeline.plan(), &description, None)?;
    let parts = written.parts(&outputs)?.to_vec();
    if !run.is_leader() {
        written.leave();
        return Ok((outputs.receipt, String::new()));
    }
    let places = IngestSink::places(&parts);
    places.iter().for_each(|place| interrupt::remove_at_exit(place));
    let sink = written.sink();
    let delivered = check_rows(&parts, &outputs.receipt).and_then(|()| sink.merge(&parts));
    let delivered = delivered.and_then(|files| {
        let receipt = as_json(sink.splits(), &files, &parts, &outputs.receipt, &spans);
        let _writing = interrupt::writing();
        sink.put(&parts, &format!("{receipt:#}\n"))
    });
    if delivered.is_err() {
        // What other processes have left is of no use now.
        places.iter().for_each(|place| drop(std::fs::remove_dir_all(place)));
    }
    delivered?;
    let totals = totals(sink.splits(), &parts, &args.output);
    Ok((outputs.receipt, totals))
}

/// Inputs by the split that they are, `None` where none is said.
type Named = Vec<(Option<String>, Vec<String>)>;

/// `SPLIT=INPUT` for all inputs, or for none.
fn named_inputs(inputs: &[String]) -> Result<Named> {
    let mut named = Named::new();
    for input in inputs {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let parts = input.split_once('=').filter(|(name, path)| {
            !name.is_empty() && name.chars().all(is_name) && !path.is_empty()
        });
        let (name, path) = match parts {
            Some((name, path)) if !Path::new(input).exists() => (Some(name.to_owned()), path),
            _ => (None, input.as_str()),
        };
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, paths)) => paths.push(path.to_owned()),
            None => named.push((name, vec![path.to_owned()])),
        }
    }
    if named.len() > 1 && named.iter().any(|(name, _)| name.is_none()) {
        return Err(Error::invalid("some inputs are splits and others are not")
            .with_hint("Say `SPLIT=INPUT` for every input, or for none."));
    }
    Ok(named)
}

impl SplitArgs {
    /// How rows are split; `None`: as the inputs are.
    fn rule(&self, named: &Named) -> Result<Option<Splits>> {
        let is_asked = self.splits.is_some()
            || self.partition_feature.is_some()
            || self.split_by_time.is_some();
        if named.len() > 1 && is_asked {
            let names = named.iter().filter_map(|(name, _)| name.as_deref());
            let names = names.collect::<Vec<_>>().join("`, `");
            return Err(Error::invalid("the inputs are splits already")
                .with_detail(format!("They are `{names}`, which are kept as they are."))
                .with_hint("Leave out how to split, or name the inputs without `SPLIT=`."));
        }
        if named.iter().any(|(name, _)| name.is_some()) && !is_asked {
            return Ok(None);
        }
        if let Some(feature) = &self.split_by_time {
            let splits = parse_splits(self.splits.as_deref().unwrap_or(DEFAULT_NAMES))?;
            if let Some((name, _)) = splits.iter().find(|(_, buckets)| buckets.is_some()) {
                return Err(Error::invalid(format!("split `{name}` has buckets and a cut"))
                    .with_hint("With `--split-by-time` name the splits alone: `train,eval`."));
            }
            let names = splits.into_iter().map(|(name, _)| name).collect();
            return Splits::by_cuts(names, feature.clone(), self.cut.clone()).map(Some);
        }
        let splits = parse_splits(self.splits.as_deref().unwrap_or(DEFAULT))?;
        let with_buckets = splits.into_iter().map(|(name, buckets)| match buckets {
            Some(buckets) => Ok((name, buckets)),
            None => Err(Error::invalid(format!("split `{name}` has no number of buckets"))
                .with_hint("Write splits as `train:2,eval:1`: so many buckets of all for each.")),
        });
        let splits = with_buckets.collect::<Result<_>>()?;
        Splits::by_buckets(splits, self.partition_feature.clone()).map(Some)
    }
}

/// The spans that were chosen: the same of all splits.
fn agreed_spans(named: &Named, inputs: &[Input]) -> Result<Vec<Span>> {
    let Some((first, rest)) = inputs.split_first() else { return Ok(Vec::new()) };
    match rest.iter().position(|input| input.spans != first.spans) {
        None => Ok(first.spans.clone()),
        Some(other) => {
            let of = |number: usize| {
                let spans = inputs[number].spans.iter().map(|span| span.number.to_string());
                let spans: Vec<_> = spans.take(5).collect();
                let name = named[number].0.as_deref().unwrap_or_default();
                format!(
                    "`{name}` is at {}",
                    if spans.is_empty() { "none".to_owned() } else { spans.join(", ") }
                )
            };
            Err(Error::invalid("splits are at different spans")
                .with_detail(format!("{}; {}.", of(0), of(other + 1)))
                .with_hint("Choose a span that all have with `--span`."))
        }
    }
}

/// Checks that no file is in two splits.
fn apart(named: &Named, inputs: &[Input]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for (input, (name, _)) in inputs.iter().zip(named) {
        if let Some(file) = input.files.iter().find(|file| !seen.insert(file.path.clone())) {
            let name = name.as_deref().unwrap_or_default();
            return Err(Error::invalid(format!("`{}` is in two splits", file.path))
                .with_detail(format!("One of them is `{name}`."))
                .with_hint("A row that is trained on says nothing when it is evaluated."));
        }
    }
    Ok(())
}

/// Every row that was read is in a split or rejected.
fn check_rows(parts: &[Vec<Part>], receipt: &Receipt) -> Result<()> {
    for (parts, (shard, read)) in parts.iter().zip(&receipt.shards) {
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        if read.read != rows + read.rejected {
            return Err(Error::new(ErrorKind::Reconciliation, "the rows of splits do not add up")
                .with_detail(format!(
                    "Of `{}` {} were read, {} rejected, {rows} split.",
                    shard.name(),
                    read.read,
                    read.rejected
                )));
        }
    }
    Ok(())
}

/// What went where.
fn as_json(
    splits: &Splits,
    files: &[SplitShard],
    parts: &[Vec<Part>],
    receipt: &Receipt,
    spans: &[Span],
) -> Value {
    let total = receipt.total();
    let of_split = |number: usize, name: &String| {
        let files = files.iter().filter(|file| file.split == number);
        let rows: u64 = files.clone().map(|file| file.rows).sum();
        let files: Vec<Value> =
            files.map(|file| json!({ "name": file.name, "rows": file.rows })).collect();
        json!({ "name": name, "rows": rows, "shards": files })
    };
    let names = splits.names().iter().enumerate();
    let of_shard =
        |(parts, (shard, read)): (&Vec<Part>, &(engine::Shard, engine::ShardReceipt))| {
            let rows: serde_json::Map<String, Value> =
                parts.iter().map(|part| (part.output.clone(), part.rows.into())).collect();
            json!({
                "shard": shard.name(),
                "read": read.read,
                "rejected": read.rejected,
                "rows": rows,
            })
        };
    let spans = spans.iter().map(|span| json!({ "span": span.number, "version": span.version }));
    json!({
        "rows": total.read - total.rejected,
        "read": total.read,
        "rejected": total.rejected,
        "spans": spans.collect::<Vec<_>>(),
        "splits": names.map(|(number, name)| of_split(number, name)).collect::<Vec<_>>(),
        "inputs": parts.iter().zip(&receipt.shards).map(of_shard).collect::<Vec<_>>(),
    })
}

/// How many rows each split has, as lines for people.
fn totals(splits: &Splits, parts: &[Vec<Part>], output: &Path) -> String {
    let line = |name: &String| {
        let parts = parts.iter().flatten().filter(|part| part.output == *name);
        let rows = receipt::plural(parts.map(|part| part.rows).sum(), "row");
        format!("  {}  {rows}\n", output.join(format!("Split-{name}")).display())
    };
    splits.names().iter().map(line).collect()
}
