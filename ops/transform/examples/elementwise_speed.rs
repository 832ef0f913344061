//! What row-local operations cost for each value, on batches of 4096 rows.
//!
//! `cargo run --release -p transform --example elementwise_speed`

use std::time::Instant;

use transform::{Args, Builder, DType, Program, Ref, Tensor, Type};

const ROWS: usize = 4096;

fn main() {
    let one = |op: &'static str, n: usize| {
        move |builder: &mut Builder, inputs: &[Ref]| {
            let args = inputs[..n].iter().fold(Args::default(), |args, value| args.arg(*value));
            builder.one(op, args).expect("floats are what it takes")
        }
    };
    measure("math.add", 1, one("math.add", 2));
    measure("math.divide", 1, one("math.divide", 2));
    measure("math.maximum", 1, one("math.maximum", 2));
    measure("math.floordiv", 1, one("math.floordiv", 2));
    measure("math.mod", 1, one("math.mod", 2));
    measure("math.less", 1, one("math.less", 2));
    measure("math.abs", 1, one("math.abs", 1));
    measure("math.sqrt", 1, one("math.sqrt", 1));
    measure("math.exp", 1, one("math.exp", 1));
    measure("math.log1p", 1, one("math.log1p", 1));
    measure("math.sigmoid", 1, one("math.sigmoid", 1));
    measure("math.tanh", 1, one("math.tanh", 1));
    measure("math.pow", 1, one("math.pow", 2));
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
