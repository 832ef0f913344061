//! Graphs over data: analyzers on any runner, and the frozen graph on batches.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use datasets::{ReadOptions, inputs};
use engine::{Pipeline, RunOptions};
use runners::Runner;
use runners::transform::analyze;
use transform::{Args, Builder, DType, Type};

use crate::support::workers;

/// A small CSV file of numbers.
fn numbers() -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let rows: Vec<String> = (0..1000).map(|i| (f64::from(i) / 4.0).to_string()).collect();
    std::fs::write(file.path(), format!("x\n{}\n", rows.join("\n"))).unwrap();
    file
}

#[test]
fn a_column_is_scaled_alike_on_any_runner() {
    let file = numbers();
    let mut all = Vec::new();
    for (runner, batch_rows) in [(Runner::Direct, 1000), (workers(1), 7), (workers(3), 64)] {
        let mut builder = Builder::new([("x".to_owned(), Type::var_len(DType::Float32))]);
        let x = builder.input("x").unwrap();
        let z = builder.one("tft.scale_to_z_score", Args::default().arg(x)).unwrap();
        let graph = builder.finish(vec![("z".to_owned(), z)]).unwrap();

        let files = inputs::resolve(&[file.path().display().to_string()], None).unwrap().files;
        let mut read = ReadOptions::default();
        let (pipeline, batches) =
            Pipeline::read(datasets::open(files.clone(), None, &read).unwrap());
        let infer = datasets::csv::InferCsvTypes { multivalent: read.multivalent.clone() };
        let types = batches.combine_globally(infer);
        let options = RunOptions { batch_rows, ..RunOptions::default() };
        let mut outputs = runner.run(&pipeline.plan(), &options, 0).unwrap();
        read.csv_types = Some(types.output(&mut outputs).unwrap());
        let source = datasets::open(files, None, &read).unwrap();

        let analysis = analyze(graph, &source, &runner, &options).unwrap();
        assert_eq!(analysis.receipts.len(), 1);
        let graph = Arc::new(analysis.graph);
        let mut found = Vec::new();
        for batch in source.read(0, 10).unwrap() {
            let records = graph.apply(&batch.unwrap().records).unwrap().records;
            let z = records.column(0).as_list::<i32>();
            found.extend_from_slice(z.values().as_primitive::<Float32Type>().values());
        }
        assert_eq!(found.len(), 1000);
        let mean: f64 = found.iter().map(|&z| f64::from(z)).sum::<f64>() / 1000.0;
        assert!(mean.abs() < 1e-6, "{mean}");
        all.push(found.iter().map(|z| z.to_bits()).collect::<Vec<_>>());
    }
    assert!(all.iter().all(|found| *found == all[0]));
}
