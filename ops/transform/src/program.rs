//! `Program`: a graph made ready to run, kernel by kernel.
//!
//! ```text
//!   registers:  constants | inputs | results of steps
//!   steps:      kernel, registers it reads, registers it fills, registers that are free after it
//! ```
//!
//! Steps run in the order of the graph's nodes. What depends on constants alone is computed once,
//! when the program is made.

use engine::Result;
use smallvec::SmallVec;

use crate::graph::{Graph, What};
use crate::op::{Kernel, Kind, Ref};
use crate::tensor::Tensor;
use crate::types::Type;

/// Most inputs of a step that are found without an allocation.
const FEW: usize = 8;

/// A part of a graph, ready to run.
pub struct Program {
    inputs: Vec<(String, Type)>,
    steps: Vec<Step>,
    constants: Vec<Tensor>,
    /// Registers that are not constants.
    n_registers: usize,
    wanted: Vec<usize>,
}

struct Step {
    kernel: Box<dyn Kernel>,
    inputs: SmallVec<[usize; FEW]>,
    first_output: usize,
    n_outputs: usize,
    /// Registers that nothing reads after this step.
    free: Vec<usize>,
}

impl Program {
    /// Makes the program of these values. Analyzers on the way must be bound.
    ///
    /// # Errors
    /// When a constant does not suit an operation: quantile boundaries that are not ascending, say.
    pub fn new(graph: &Graph, wanted: &[Ref]) -> Result<Self> {
        let mut first = Vec::with_capacity(graph.nodes.len());
        let mut n_registers = 0;
        for node in &graph.nodes {
            first.push(n_registers);
            n_registers += node.types.len();
        }
        let register = |value: Ref| first[value.node as usize] + value.port as usize;
        let mut known: Vec<Option<Tensor>> = vec![None; n_registers];
        let mut inputs = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        // Inputs come first, in the order of their nodes, at the registers that `run` expects.
        let mut input_registers = Vec::new();
        for number in graph.needed(wanted.iter().copied()) {
            let node = &graph.nodes[number];
            match &node.what {
                What::Input(name) => {
                    input_registers.push(first[number]);
                    inputs.push((name.clone(), node.types[0].clone()));
                }
                What::Constant(values) | What::Analyzed(_, values) => {
                    for (port, value) in values.iter().enumerate() {
                        known[first[number] + port] = Some(value.clone());
                    }
                }
                What::Op(bound) => {
                    let Kind::Map { kernel, .. } = bound.op.kind else {
                        return Err(bound.wrong("it has not run yet"));
                    };
                    let values: Vec<Ref> = bound.inputs().collect();
                    let constants: Vec<Option<&Tensor>> =
                        values.iter().map(|&v| known[register(v)].as_ref()).collect();
                    let constant = |value: Ref| known[register(value)].as_ref();
                    let kernel = graph.with_known(bound, constant, |_| None, kernel);
                    let kernel = kernel.map_err(|error| match &node.origin {
                        Some(origin) if error.detail().is_none() => {
                            error.with_detail(format!("At {origin}."))
                        }
                        _ => error,
                    })?;
                    if !values.is_empty() && constants.iter().all(Option::is_some) {
                        let inputs: Vec<&Tensor> = constants.iter().flatten().copied().collect();
                        let mut out = Vec::new();
                        kernel.eval(1, &inputs, &mut out)?;
                        for (port, value) in out.into_iter().enumerate() {
                            known[first[number] + port] = Some(value);
                        }
                        continue;
                    }
                    steps.push(Step {
                        kernel,
                        inputs: values.iter().map(|&v| register(v)).collect(),
                        first_output: first[number],
                        n_outputs: node.types.len(),
                        free: Vec::new(),
                    });
                }
            }
        }
        let wanted: Vec<usize> = wanted.iter().map(|&value| register(value)).collect();
        free_early(&mut steps, &wanted, n_registers, |register| known[register].is_some());
        let used = steps.iter().flat_map(|step| step.inputs.iter()).chain(&wanted);
        let mut is_used = vec![false; n_registers];
        used.for_each(|&register| is_used[register] = true);
        let constants: Vec<(usize, Tensor)> = known
            .into_iter()
            .enumerate()
            .filter(|(register, _)| is_used[*register])
            .filter_map(|(register, value)| value.map(|value| (register, value)))
            .collect();
        let mut program = Program { inputs, steps, constants: Vec::new(), n_registers, wanted };
        program.renumber(&input_registers, constants);
        Ok(program)
    }

    /// Puts constants and inputs in front and leaves out registers that nothing uses.
    fn renumber(&mut self, inputs: &[usize], constants: Vec<(usize, Tensor)>) {
        let mut place = vec![usize::MAX; self.n_registers];
        let mut next = 0;
        let mut take = |register: usize, n: usize| {
            place[register..register + n].iter_mut().for_each(|place| {
                *place = next;
                next += 1;
            });
        };
        constants.iter().for_each(|(register, _)| take(*register, 1));
        inputs.iter().for_each(|&register| take(register, 1));
        self.steps.iter().for_each(|step| take(step.first_output, step.n_outputs));
        self.n_registers = next - constants.len();
        for step in &mut self.steps {
            step.first_output = place[step.first_output] - constants.len();
            step.inputs.iter_mut().for_each(|register| *register = place[*register]);
            step.free.iter_mut().for_each(|free| *free = place[*free] - constants.len());
        }
        self.wanted.iter_mut().for_each(|register| *register = place[*register]);
        self.constants = constants.into_iter().map(|(_, value)| value).collect();
    }

    /// The columns that [`Program::run`] is given, in this order.
    pub fn inputs(&self) -> &[(String, Type)] {
        &self.inputs
    }

    /// Computes the wanted values of so many rows.
    ///
    /// # Errors
    /// As [`Kernel::eval`].
    pub fn run(&self, rows: usize, inputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
        debug_assert_eq!(inputs.len(), self.inputs.len());
        let n_constants = self.constants.len();
        let mut registers: Vec<Option<Tensor>> = Vec::with_capacity(self.n_registers);
        registers.extend(inputs.into_iter().map(Some));
        registers.resize(self.n_registers, None);
        let read = |registers: &[Option<Tensor>], register: usize| -> Tensor {
            match self.constants.get(register) {
                Some(constant) => constant.clone(),
                None => registers[register - n_constants].clone().expect("it was computed"),
            }
        };
        let mut out = Vec::with_capacity(4);
        for step in &self.steps {
            let inputs: SmallVec<[&Tensor; FEW]> = step
                .inputs
                .iter()
                .map(|&register| match self.constants.get(register) {
                    Some(constant) => constant,
                    None => registers[register - n_constants]
                        .as_ref()
                        .expect("a step comes after those it reads"),
                })
                .collect();
            step.kernel.eval(rows, &inputs, &mut out)?;
            drop(inputs);
            debug_assert_eq!(out.len(), step.n_outputs);
            for (port, value) in out.drain(..).enumerate() {
                registers[step.first_output + port] = Some(value);
            }
            step.free.iter().for_each(|&register| registers[register] = None);
        }
        Ok(self.wanted.iter().map(|&register| read(&registers, register)).collect())
    }
}

/// Notes after which step a register is read no more.
fn free_early(
    steps: &mut [Step],
    wanted: &[usize],
    n_registers: usize,
    is_constant: impl Fn(usize) -> bool,
) {
    let mut later = vec![false; n_registers];
    wanted.iter().for_each(|&register| later[register] = true);
    for step in steps.iter_mut().rev() {
        let outputs = step.first_output..step.first_output + step.n_outputs;
        let read = step.inputs.iter().copied().filter(|&register| !is_constant(register));
        for register in read.chain(outputs) {
            if !later[register] {
                later[register] = true;
                step.free.push(register);
            }
        }
    }
}
