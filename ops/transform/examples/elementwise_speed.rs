//! What row-local operations cost for each value, on batches of 4096 rows.
//!
//! `cargo run --release -p transform --example elementwise_speed`

use std::time::Instant;

use transform::{Args, Builder, DType, Program, Ref, Tensor, Type};

const ROWS: usize = 4096;

fn main() {
    let operations =
        ["add", "divide", "maximum", "floordiv", "mod", "less", "pow"].map(|op| (op, 2));
    let functions = ["abs", "sqrt", "exp", "log1p", "sigmoid", "tanh"].map(|op| (op, 1));
    for (op, n) in operations.into_iter().chain(functions) {
        let op = format!("math.{op}");
        measure(&op, 1, |builder, inputs| {
            let args = inputs[..n].iter().fold(Args::default(), |args, value| args.arg(*value));
            builder.one(&op, args).expect("floats are what it takes")
        });
    }
    measure("clip(where(is_nan(x), 0, x), -1, 1) * y + 1", 5, |builder, inputs| {
        let mut call = |op: &str, args: Args| builder.one(op, args).expect("floats are taken");
        let (x, y) = (inputs[0], inputs[1]);
        let nan = call("math.is_nan", Args::default().arg(x));
        let filled = call("tf.where", Args::default().arg(nan).arg(0.0).arg(x));
        let clipped = call("tf.clip_by_value", Args::default().arg(filled).arg(-1.0).arg(1.0));
        let scaled = call("math.multiply", Args::default().arg(clipped).arg(y));
        call("math.add", Args::default().arg(scaled).arg(1.0))
    });
    measure("stack([x, y])", 1, |builder, inputs| {
        builder.one("tf.stack", Args::default().arg(inputs.to_vec())).expect("floats are taken")
    });
}

/// Prints nanoseconds for each row and operation.
fn measure(name: &str, operations: usize, expression: impl Fn(&mut Builder, &[Ref]) -> Ref) {
    let columns = ["x", "y"].map(|name| (name.to_owned(), Type::scalar(DType::Float32)));
    let mut builder = Builder::new(columns);
    let inputs = ["x", "y"].map(|name| builder.input(name).expect("it is a column"));
    let value = expression(&mut builder, &inputs);
    let program = Program::new(builder.graph(), &[value]).expect("it is bound");
    let x: Vec<f32> = (0..ROWS).map(|i| (i as f32 - 2000.0) / 300.0).collect();
    let y: Vec<f32> = (0..ROWS).map(|i| (i % 17) as f32 / 3.0 + 0.1).collect();
    let (x, y) = (Tensor::dense(ROWS, x), Tensor::dense(ROWS, y));
    let n = program.inputs().len();
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let begin = Instant::now();
        for _ in 0..50 {
            let inputs = vec![x.clone(), y.clone()].into_iter().take(n).collect();
            std::hint::black_box(program.run(ROWS, inputs).expect("nothing is too large"));
        }
        best = best.min(begin.elapsed().as_secs_f64() / 50.0);
    }
    let nanos = best * 1e9 / (ROWS * operations) as f64;
    println!("{name:<45} {nanos:6.2} ns/value");
}
