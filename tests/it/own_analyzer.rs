//! An analyzer that is not in the table: the example that shows one runs, and holds itself to results.

#[path = "../../runners/examples/own_analyzer.rs"]
mod example;

#[test]
fn graphs_do_without_the_analyzer_that_made_them() {
    example::main().unwrap();
}
