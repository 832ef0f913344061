//! What the tests share: computing statistics on any runner, and where optional data lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datasets::csv::{CsvTypes, InferCsvTypes};
use datasets::{ReadOptions, inputs};
use engine::dataflow::Workers;
use engine::{Outputs, Pipeline, Receipt, Result, RunOptions};
use ops::stats::{StatsOptions, generate_statistics};
use ops::tfmd::{self, DatasetFeatureStatisticsList};
use runners::Runner;

/// The folder of shared data beside the checkout, where there is one.
pub(crate) fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let found = path.is_dir();
    if !found {
        eprintln!("skipped: no ../shared beside the checkout");
    }
    found.then_some(path)
}

/// One computation of statistics.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) inputs: Vec<String>,
    pub(crate) stats: StatsOptions,
    pub(crate) run: RunOptions,
    pub(crate) runner: Runner,
}

impl Job {
    pub(crate) fn new(inputs: &[PathBuf]) -> Self {
        Job {
            inputs: inputs.iter().map(|path| path.display().to_string()).collect(),
            stats: StatsOptions::default(),
            run: RunOptions::default(),
            runner: workers(2),
        }
    }

    pub(crate) fn run(&self) -> Result<(DatasetFeatureStatisticsList, Receipt)> {
        let files = inputs::resolve(&self.inputs, None)?.files;
        let mut read = ReadOptions::default();
        if datasets::detect(&files, None)?.name == "csv" {
            read.csv_types = Some(self.csv_types(&read)?);
        }
        let (pipeline, batches) = Pipeline::read(datasets::open(files, None, &read)?);
        let handle = generate_statistics(&batches, Arc::new(self.stats.clone()));
        let mut outputs = self.execute(&pipeline.plan())?;
        Ok((handle.output(&mut outputs)?, outputs.receipt))
    }

    /// The statistics as bytes of the binary format.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        tfmd::encode(&self.run().unwrap().0)
    }

    fn csv_types(&self, read: &ReadOptions) -> Result<CsvTypes> {
        let files = inputs::resolve(&self.inputs, None)?.files;
        let (pipeline, batches) = Pipeline::read(datasets::open(files, None, read)?);
        let infer = InferCsvTypes { multivalent: read.multivalent.clone() };
        let types = batches.combine_globally(infer);
        types.output(&mut self.execute(&pipeline.plan())?)
    }

    fn execute(&self, plan: &engine::Plan) -> Result<Outputs> {
        self.runner.run(plan, &self.run, plan.fingerprint("test"))
    }
}

pub(crate) fn workers(n: usize) -> Runner {
    Runner::Timely(Workers::local(n))
}
