//! How fast rows come to a network, and how fast it learns from them: `cargo bench --bench training`.
//!
//! Rows are read from TFRecord files, transformed by the taxi graph, shuffled and batched by one thread;
//! the network's threads wait for nothing where that is faster than they are.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use datasets::{ReadOptions, inputs};
use engine::Result;
use model::{Architecture, ModelSpec, Task};
use train::{Built, Dataset, FineTune, Options, Read, Trainer};
use transform::TransformGraph;

const ROWS: u64 = 200_000;

fn main() -> Result<()> {
    let place = tempfile::tempdir().expect("there is room for temporary files");
    let frazil = |args: &[&str]| {
        let program = Command::new(env!("CARGO_BIN_EXE_frazil"))
            .args(args)
            .current_dir(place.path())
            .status();
        assert!(program.is_ok_and(|status| status.success()), "{args:?}");
    };
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/modules/taxi.star");
    frazil(&["generate", "trips", "--rows", &ROWS.to_string(), "-q"]);
    let module = module.display().to_string();
    frazil(&["analyze", "trips", "--preprocessing", &module, "-o", "graph", "-q"]);

    let graph = TransformGraph::load(&place.path().join("graph"))?;
    let wide = Architecture::WideAndDeep { embedding: 8, hidden: vec![64, 32] };
    let (spec, _) = ModelSpec::of(&graph, "tips_xf", Task::Binary, &[], wide)?;
    let files = inputs::resolve(&[place.path().join("trips").display().to_string()], None)?.files;
    let columns = Some(Dataset::raw_columns(&graph, &spec)?);
    let source = datasets::open(files, None, &ReadOptions { columns, ..ReadOptions::default() })?;
    let rows = Dataset::raw(source, &graph, &spec)?;

    let options = Options::default();
    let read = Read::Shuffled { seed: 1, epoch: 0, buffer: options.shuffle_buffer };
    let per_second = |start: Instant| ROWS as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    for batch in rows.batches(options.batch_rows, read) {
        black_box(batch?);
    }
    let reading = per_second(start);
    println!("read, transformed, shuffled   {reading:>12.0} rows/s");
    for threads in [1, options.threads] {
        let options = Options { threads, ..options.clone() };
        let device = train::Backend::Cpu.device()?.autodiff();
        let network = Built::new(&spec, &spec.initial(1), FineTune::All, &device)?;
        let mut trainer = Trainer::new(network, device, spec.task, &options);
        let batches: Result<Vec<_>> = rows.batches(options.batch_rows, read).collect();
        let batches = batches?;
        let start = Instant::now();
        for batch in &batches {
            trainer.step(&spec, batch)?;
        }
        let learning = per_second(start);
        let ratio = reading / learning;
        println!("learnt on {threads} threads          {learning:>12.0} rows/s   {ratio:.1} ×");
    }
    Ok(())
}
