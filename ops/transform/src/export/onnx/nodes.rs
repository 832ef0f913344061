//! `Nodes`: an ONNX graph on its way, and what translations of operations have in common.
//!
//! Two equal nodes are one node: everything that is emitted is a function of its inputs.

use hashbrown::{HashMap, HashSet};
use prost::Message;

use super::proto::{Attr, AttributeProto, ElemType, NodeProto, TensorProto};
use crate::export::tensorflow::{self, Out};

/// The domain of what is done for classic models.
const ML: &str = "ai.onnx.ml";

/// A graph on its way.
#[derive(Default)]
pub struct Nodes {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: Vec<TensorProto>,
    seen: HashMap<Vec<u8>, Vec<Out>, foldhash::fast::FixedState>,
    /// Names that columns have.
    pub(super) taken: HashSet<String, foldhash::fast::FixedState>,
    /// TensorFlow's nodes, of which the first so many are known here by these values.
    pub(super) tensorflow: tensorflow::Nodes,
    pub(super) translated: usize,
    pub(super) known: HashMap<String, Out, foldhash::fast::FixedState>,
}

impl Nodes {
    /// Adds a node; gives its result. An op of `ai.onnx.ml` has that before its name.
    pub fn node<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&Out],
        attrs: [(&str, Attr); N],
    ) -> Out {
        self.results(op, inputs, attrs, 1).swap_remove(0)
    }

    /// Adds a node; gives its `n` results.
    pub fn results<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&Out],
        attrs: [(&str, Attr); N],
        n: usize,
    ) -> Vec<Out> {
        let (domain, op) = match op.strip_prefix("ai.onnx.ml.") {
            Some(op) => (ML, op),
            None => ("", op),
        };
        let mut node = NodeProto {
            input: inputs.iter().map(|input| input.0.clone()).collect(),
            output: Vec::new(),
            op_type: op.to_owned(),
            attribute: attrs.map(|(name, attr)| AttributeProto::new(name, attr)).into(),
            domain: domain.to_owned(),
        };
        let key = node.encode_to_vec();
        if let Some(known) = self.seen.get(&key) {
            return known.clone();
        }
        let place = self.nodes.len();
        let outs: Vec<Out> =
            (0..n).map(|port| self.free(&format!("/{op}.{place}.{port}"))).collect();
        node.output = outs.iter().map(|out| out.0.clone()).collect();
        self.nodes.push(node);
        self.seen.insert(key, outs.clone());
        outs
    }

    /// A name that no column has.
    fn free(&self, name: &str) -> Out {
        let mut name = name.to_owned();
        while self.taken.contains(&name) {
            name.push('_');
        }
        Out(name)
    }

    pub(super) fn constant(
        &mut self,
        dtype: ElemType,
        dims: &[i64],
        raw: Vec<u8>,
        strings: Vec<Vec<u8>>,
    ) -> Out {
        let mut tensor = TensorProto {
            dims: dims.to_vec(),
            data_type: dtype as i32,
            string_data: strings,
            name: String::new(),
            raw_data: raw,
        };
        // No node is encoded so: its first field is no number.
        let key = tensor.encode_to_vec();
        let key = [b"constant".to_vec(), key].concat();
        if let Some(known) = self.seen.get(&key) {
            return known[0].clone();
        }
        let out = self.free(&format!("/constant.{}", self.constants.len()));
        tensor.name.clone_from(&out.0);
        self.constants.push(tensor);
        self.seen.insert(key, vec![out.clone()]);
        out
    }

    /// Whether the values are known, in whatever shape.
    pub(super) fn is_constant(&self, out: &Out) -> bool {
        let made = self.nodes.iter().find(|node| node.output.contains(&out.0));
        match made.filter(|node| node.op_type == "Reshape") {
            Some(node) => self.is_constant(&Out(node.input[0].clone())),
            None => self.constants.iter().any(|constant| constant.name == out.0),
        }
    }

    /// Integers of a constant.
    pub(super) fn ints_of(&self, out: &Out) -> Option<Vec<i64>> {
        let constant = self.constants.iter().find(|constant| constant.name == out.0)?;
        let raw = &constant.raw_data;
        if constant.data_type == ElemType::Int32 as i32 {
            let parts = raw.chunks_exact(4).filter_map(|bytes| bytes.try_into().ok());
            return Some(parts.map(|bytes| i64::from(i32::from_le_bytes(bytes))).collect());
        }
        let parts = raw.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok());
        (constant.data_type == ElemType::Int64 as i32)
            .then(|| parts.map(i64::from_le_bytes).collect())
    }

    /// A constant text.
    pub(super) fn text_of(&self, out: &Out) -> Option<String> {
        let constant = self.constants.iter().find(|constant| constant.name == out.0)?;
        String::from_utf8(constant.string_data.first()?.clone()).ok()
    }

    /// One integer.
    pub fn int(&mut self, value: i64) -> Out {
        self.constant(ElemType::Int64, &[], value.to_le_bytes().into(), Vec::new())
    }

    /// A list of integers.
    pub fn ints(&mut self, values: &[i64]) -> Out {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(ElemType::Int64, &[values.len() as i64], raw, Vec::new())
    }

    /// One text.
    pub fn text(&mut self, text: &str) -> Out {
        self.constant(ElemType::String, &[], Vec::new(), vec![text.into()])
    }

    /// One number of a type.
    pub fn number(&mut self, dtype: ElemType, value: f64) -> Out {
        let raw = match dtype {
            ElemType::Float => (value as f32).to_le_bytes().into(),
            ElemType::Double => value.to_le_bytes().into(),
            ElemType::Bool => vec![u8::from(value != 0.0)],
            ElemType::Int32 => (value as i32).to_le_bytes().into(),
            _ => (value as i64).to_le_bytes().into(),
        };
        self.constant(dtype, &[], raw, Vec::new())
    }

    /// A node without attributes.
    pub fn plain(&mut self, op: &str, inputs: &[&Out]) -> Out {
        self.node(op, inputs, [])
    }

    /// Values as another type, as the machine casts.
    pub fn cast(&mut self, x: &Out, to: ElemType) -> Out {
        self.node("Cast", &[x], [("to", Attr::I(to as i64))])
    }

    /// Values in another shape; one size may be −1.
    pub fn reshape(&mut self, x: &Out, sizes: &[i64]) -> Out {
        let shape = self.ints(sizes);
        self.node("Reshape", &[x, &shape], [("allowzero", Attr::I(1))])
    }

    /// The same with one more dimension.
    pub fn unsqueeze(&mut self, x: &Out, axis: i64) -> Out {
        let axes = self.ints(&[axis]);
        self.plain("Unsqueeze", &[x, &axes])
    }

    /// `x[from..to]` by the first dimension.
    pub fn slice(&mut self, x: &Out, from: i64, to: i64) -> Out {
        let [from, to, axis] = [from, to, 0].map(|place| self.ints(&[place]));
        self.plain("Slice", &[x, &from, &to, &axis])
    }

    /// Items at places of the first dimension.
    pub fn gather(&mut self, x: &Out, places: &Out) -> Out {
        self.node("Gather", &[x, places], [("axis", Attr::I(0))])
    }

    /// Tensors one behind the other.
    pub fn concat(&mut self, parts: &[&Out], axis: i64) -> Out {
        if let [part] = parts {
            return (*part).clone();
        }
        self.node("Concat", parts, [("axis", Attr::I(axis))])
    }

    /// The numbers from 0 to `n`, which is one number.
    pub fn range(&mut self, n: &Out) -> Out {
        let (zero, one) = (self.int(0), self.int(1));
        self.plain("Range", &[&zero, n, &one])
    }

    /// `x` where the condition holds, else `y`.
    pub fn select(&mut self, condition: &Out, x: &Out, y: &Out, dtype: ElemType) -> Out {
        if dtype != ElemType::Bool {
            return self.plain("Where", &[condition, x, y]);
        }
        let not = self.plain("Not", &[condition]);
        let x = self.plain("And", &[condition, x]);
        let y = self.plain("And", &[&not, y]);
        self.plain("Or", &[&x, &y])
    }

    /// One value in the shape of a tensor.
    pub fn like(&mut self, x: &Out, value: &Out) -> Out {
        let shape = self.plain("Shape", &[x]);
        self.plain("Expand", &[value, &shape])
    }

    /// Running sums along the first dimension.
    pub fn cumsum(&mut self, x: &Out) -> Out {
        let axis = self.int(0);
        self.plain("CumSum", &[x, &axis])
    }

    /// Reduces by these axes, which go.
    pub fn reduce(&mut self, op: &str, x: &Out, axes: &[i64], keep: bool) -> Out {
        let axes = self.ints(axes);
        self.node(op, &[x, &axes], [("keepdims", Attr::I(i64::from(keep)))])
    }

    /// Values put, added, multiplied … into a list at places.
    pub fn scatter(&mut self, list: &Out, places: &Out, values: &Out, how: &str) -> Out {
        let attrs = [("axis", Attr::I(0)), ("reduction", Attr::S(how.into()))];
        self.node("ScatterElements", &[list, places, values], attrs)
    }
}
