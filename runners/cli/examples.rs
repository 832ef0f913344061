//! Validating examples one by one, in the scan of another command: which do not agree with a schema,
//! where they are, and both kinds written to shards of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use datasets::output::{OutputDirectory, RowFormat};
use engine::{Batch, Combined, Error, Outputs, PCollection, Result, Shard, Written};
use ops::tfmd::anomaly_info::Type;
use ops::tfmd::{Path, Schema};
use ops::validate::examples::{
    CheckExamples, ExampleOptions, ExampleValidator, ReasonSummary, SummarizeReasons,
};
use runners::examples::SplitSink;
use runners::gate::Place;

use crate::args::FileFormatArg;
use crate::input::Input;
use crate::interrupt;
use crate::receipt::{plural, thousands};

/// Flags of every command that validates examples.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Examples")]
pub(crate) struct ExampleArgs {
    /// Write the examples that do not agree with the schema to a new directory, and why
    #[arg(long, value_name = "DIR")]
    rejects: Option<PathBuf>,
    /// Write the examples that agree with the schema to a new directory
    #[arg(long, value_name = "DIR")]
    clean: Option<PathBuf>,
    /// Do not look for the file and row in which each anomaly is first: faster where many are wrong
    #[arg(long)]
    no_places: bool,
    /// Replace earlier outputs, each as a whole
    #[arg(long)]
    overwrite: bool,
    /// Write examples in this format [default: that of the input]
    #[arg(long, value_enum, value_name = "FORMAT")]
    write_format: Option<FileFormatArg>,
    /// Hold every example to what the schema asks of the dataset as a whole, too, as TFDV does:
    /// features that only some must have, numbers of distinct values, flaws of the schema
    #[arg(long)]
    dataset_rules: bool,
}

impl ExampleArgs {
    /// Whether examples are to be looked at.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.no_places || self.is_written()
    }

    /// Whether examples are to be written: then all of their columns have to be read.
    pub(crate) fn is_written(&self) -> bool {
        self.rejects.is_some() || self.clean.is_some()
    }
}

/// The validation of examples, to be added to a pipeline.
pub(crate) struct Examples {
    validator: Arc<ExampleValidator>,
    clean: Option<OutputDirectory>,
    rejects: Option<OutputDirectory>,
    format: RowFormat,
}

/// The validation of examples, as a part of a pipeline.
pub(crate) struct AddedExamples {
    summary: Combined<SummarizeReasons>,
    written: Option<Written<SplitSink>>,
}

/// What was found out about examples; what was written is not in its place yet.
pub(crate) struct FoundExamples {
    pub(crate) summary: ReasonSummary,
    written: Option<Written<SplitSink>>,
}

impl Examples {
    /// Checks the flags, makes room for the outputs, and asks the input for what they need.
    pub(crate) fn prepare(
        args: &ExampleArgs,
        schema: Arc<Schema>,
        environment: Option<String>,
        inputs: &[String],
        input: &mut Input,
    ) -> Result<Self> {
        let is_text = input.is_text();
        let options = ExampleOptions { environment, dataset_rules: args.dataset_rules, is_text };
        let validator = Arc::new(ExampleValidator::new(schema, options)?);
        let format = input.row_format(args.write_format.map(FileFormatArg::name))?;
        if args.is_written() {
            input.keep_originals();
        }
        if let (Some(clean), Some(rejects)) = (&args.clean, &args.rejects)
            && (clean.starts_with(rejects) || rejects.starts_with(clean))
        {
            return Err(Error::invalid("`--clean` and `--rejects` are not beside each other")
                .with_hint("Name two directories, neither inside of the other."));
        }
        let make = |path: &Option<PathBuf>| -> Result<Option<OutputDirectory>> {
            let Some(path) = path else { return Ok(None) };
            OutputDirectory::refuse_inputs(path, inputs, &input.files)?;
            let directory = OutputDirectory::create(path, args.overwrite)?;
            interrupt::remove_at_exit(directory.temporary());
            Ok(Some(directory))
        };
        Ok(Examples { validator, clean: make(&args.clean)?, rejects: make(&args.rejects)?, format })
    }

    /// Adds the validation to a pipeline; its scan may feed others, too.
    pub(crate) fn add(self, batches: &PCollection<Batch>) -> AddedExamples {
        let Examples { validator, clean, rejects, format } = self;
        let checked = batches.par_do(CheckExamples::new(validator));
        let summary = checked.combine_globally(SummarizeReasons);
        let written = (clean.is_some() || rejects.is_some()).then(|| {
            let shards = batches.source().shards().to_vec();
            checked.write(SplitSink::new(clean, rejects, format, &shards))
        });
        AddedExamples { summary, written }
    }
}

impl AddedExamples {
    /// What the run has found out.
    pub(crate) fn output(self, outputs: &mut Outputs) -> Result<FoundExamples> {
        let summary = self.summary.output(outputs)?;
        Ok(FoundExamples { summary, written: self.written })
    }
}

impl FoundExamples {
    /// Puts what was written in its place, in process 0 and when the whole run is over; the other
    /// processes leave it to that.
    pub(crate) fn deliver(&mut self, outputs: &Outputs, is_leader: bool) -> Result<()> {
        let _writing = interrupt::writing();
        match self.written.take() {
            Some(written) if is_leader => written.commit(outputs),
            Some(written) => {
                written.leave();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Where each kind of anomaly of each feature is first seen.
    pub(crate) fn places(&self, shards: &[&Shard]) -> BTreeMap<(Path, Type), Place> {
        let reasons = self.summary.reasons.iter();
        reasons
            .filter_map(|reason| {
                let shard = shards.get(reason.first_shard)?;
                let place = Place {
                    file: shard.name(),
                    row: reason.first_row + 1,
                    rows: reason.count,
                    value: reason.value.clone(),
                };
                Some(((reason.path.parse().ok()?, reason.kind), place))
            })
            .collect()
    }
}

/// How many examples were rejected, as a line for people.
pub(crate) fn as_text(summary: &ReasonSummary) -> String {
    match summary.rejected {
        0 => format!("all {} agree with the schema\n", plural(summary.examples, "example")),
        n => format!("{} of {} rejected\n", thousands(n), plural(summary.examples, "example")),
    }
}
