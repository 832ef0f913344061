//! Networks as burn trains them.

use burn::module::{Module, Param, ParamId};
use burn::tensor::activation::relu;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use engine::{Error, Result};
use model::{Architecture, Array, Ids, Inputs, ModelSpec, Weights};

use crate::encoder::{Encoder, FineTune};

/// A module that can be trained: what a user of this crate brings to train a network of one's own.
pub trait Network: Module + Clone + Send + Sync + 'static {
    /// What comes out for each row: `[rows, width of the task]`, before any sigmoid or softmax.
    fn logits(&self, inputs: &Inputs, device: &Device) -> Tensor<2>;
    /// The weights, by the names that they have in a bundle.
    fn weights(&self) -> Weights;
    /// Tables whose row `i` is for category `i` of a feature, with its place in [`Inputs::categories`].
    /// A step may hand rows of them and categories that are numbered anew to [`logits`](Self::logits).
    fn tables(&self) -> Vec<(ParamId, usize)> {
        Vec::new()
    }
}

/// A network of any [`Architecture`].
#[derive(Module, Debug)]
pub enum Built {
    /// Of categories and numbers.
    WideAndDeep(WideAndDeep),
    /// Of a text.
    Encoder(Encoder),
}

impl Built {
    /// With these weights, which are those of [`ModelSpec::shapes`].
    ///
    /// # Errors
    /// When only the head is to be trained of a network that has none.
    pub fn new(
        spec: &ModelSpec,
        weights: &Weights,
        trained: FineTune,
        device: &Device,
    ) -> Result<Self> {
        match (&spec.architecture, trained) {
            (Architecture::Encoder { .. }, _) => {
                Ok(Built::Encoder(Encoder::new(spec, weights, trained, device)?))
            }
            (Architecture::WideAndDeep { .. }, FineTune::All) => {
                Ok(Built::WideAndDeep(WideAndDeep::new(spec, weights, device)?))
            }
            (Architecture::WideAndDeep { .. }, FineTune::Head) => {
                Err(Error::invalid("a wide and deep network has no head"))
            }
        }
    }
}

impl Network for Built {
    fn logits(&self, inputs: &Inputs, device: &Device) -> Tensor<2> {
        match self {
            Built::WideAndDeep(network) => network.logits(inputs, device),
            Built::Encoder(network) => network.logits(inputs, device),
        }
    }

    fn weights(&self) -> Weights {
        match self {
            Built::WideAndDeep(network) => network.weights(),
            Built::Encoder(network) => network.weights(),
        }
    }

    fn tables(&self) -> Vec<(ParamId, usize)> {
        match self {
            Built::WideAndDeep(network) => network.tables(),
            Built::Encoder(network) => network.tables(),
        }
    }
}

/// A wide and deep network (Cheng et al. 2016, arXiv:1606.07792).
#[derive(Module, Debug)]
pub struct WideAndDeep {
    wide: Vec<Param<Tensor<2>>>,
    embeddings: Vec<Param<Tensor<2>>>,
    hidden: Vec<Param<Tensor<2>>>,
    biases: Vec<Param<Tensor<1>>>,
    logits: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    n_numbers: usize,
    #[module(skip)]
    names: Vec<String>,
}

impl WideAndDeep {
    /// With these weights, which are those of [`ModelSpec::shapes`].
    ///
    /// # Errors
    /// When the model is another.
    pub fn new(spec: &ModelSpec, weights: &Weights, device: &Device) -> Result<Self> {
        let Architecture::WideAndDeep { hidden, .. } = &spec.architecture else {
            return Err(Error::invalid("the model is not wide and deep"));
        };
        let names: Vec<String> = spec.categories().map(|(name, _)| name.to_owned()).collect();
        let two = |name: String| {
            let array = &weights.0[&name];
            let shape = [array.shape[0], array.shape[1]];
            let data = TensorData::new(array.values.clone(), shape);
            param::<2>(data, true, device)
        };
        let one = |name: String| {
            let array = &weights.0[&name];
            let data = TensorData::new(array.values.clone(), [array.shape[0]]);
            param::<1>(data, true, device)
        };
        Ok(WideAndDeep {
            wide: names.iter().map(|name| two(format!("wide.{name}"))).collect(),
            embeddings: names.iter().map(|name| two(format!("embedding.{name}"))).collect(),
            hidden: (0..hidden.len()).map(|i| two(format!("hidden.{i}.weight"))).collect(),
            biases: (0..hidden.len()).map(|i| one(format!("hidden.{i}.bias"))).collect(),
            logits: two("logits.weight".to_owned()),
            bias: one("logits.bias".to_owned()),
            n_numbers: spec.n_numbers(),
            names,
        })
    }
}

pub(crate) fn param<const D: usize>(
    data: TensorData,
    is_trained: bool,
    device: &Device,
) -> Param<Tensor<D>> {
    let tensor = Tensor::from_data(data, device).set_require_grad(is_trained);
    Param::initialized(ParamId::new(), tensor)
}

impl Network for WideAndDeep {
    fn logits(&self, inputs: &Inputs, device: &Device) -> Tensor<2> {
        let rows = inputs.rows;
        let mut parts: Vec<Tensor<2>> = Vec::new();
        if self.n_numbers > 0 {
            let data = TensorData::new(inputs.numbers.clone(), [rows, self.n_numbers]);
            parts.push(Tensor::from_data(data, device));
        }
        let places: Vec<Places> =
            inputs.categories.iter().map(|ids| Places::new(ids, rows, device)).collect();
        for (table, places) in self.embeddings.iter().zip(&places) {
            parts.push(places.sum(table.val(), true));
        }
        let mut x = Tensor::cat(parts, 1);
        for (weight, bias) in self.hidden.iter().zip(&self.biases) {
            x = relu(x.matmul(weight.val()) + bias.val().unsqueeze());
        }
        let mut out = x.matmul(self.logits.val()) + self.bias.val().unsqueeze();
        for (table, places) in self.wide.iter().zip(&places) {
            out = out + places.sum(table.val(), false);
        }
        out
    }

    fn weights(&self) -> Weights {
        let mut weights = Weights::default();
        let mut put = |name: String, shape: Vec<usize>, data: TensorData| {
            let values = data.iter::<f32>().collect();
            weights.0.insert(name, Array { shape, values });
        };
        let mut two = |name: String, param: &Param<Tensor<2>>| {
            put(name, param.val().dims().to_vec(), param.val().into_data());
        };
        for ((name, wide), embedding) in self.names.iter().zip(&self.wide).zip(&self.embeddings) {
            two(format!("wide.{name}"), wide);
            two(format!("embedding.{name}"), embedding);
        }
        for (i, weight) in self.hidden.iter().enumerate() {
            two(format!("hidden.{i}.weight"), weight);
        }
        two("logits.weight".to_owned(), &self.logits);
        for (i, bias) in self.biases.iter().enumerate() {
            put(format!("hidden.{i}.bias"), bias.val().dims().to_vec(), bias.val().into_data());
        }
        put("logits.bias".to_owned(), self.bias.val().dims().to_vec(), self.bias.val().into_data());
        weights
    }

    fn tables(&self) -> Vec<(ParamId, usize)> {
        let of = |tables: &[Param<Tensor<2>>]| -> Vec<(ParamId, usize)> {
            tables.iter().enumerate().map(|(place, table)| (table.id, place)).collect()
        };
        [of(&self.wide), of(&self.embeddings)].concat()
    }
}

/// Where the categories of a batch's rows are in a table.
struct Places {
    rows: usize,
    ids: Tensor<1, Int>,
    /// The row of each id and one over how many the row has; none where every row has one.
    of: Option<(Tensor<1, Int>, Tensor<2>)>,
}

impl Places {
    fn new(ids: &Ids, rows: usize, device: &Device) -> Self {
        let n = ids.ids.len();
        let numbers: Vec<i64> = ids.ids.iter().map(|id| i64::from(*id)).collect();
        let tensor = Tensor::from_data(TensorData::new(numbers, [n]), device);
        let lengths = || ids.splits.windows(2).map(|pair| pair[1] - pair[0]);
        let of = (!lengths().all(|length| length == 1)).then(|| {
            let mut row_of: Vec<i64> = Vec::with_capacity(n);
            let mut shares: Vec<f32> = Vec::with_capacity(n);
            for (row, length) in lengths().enumerate() {
                row_of.extend((0..length).map(|_| row as i64));
                shares.extend((0..length).map(|_| 1.0 / length as f32));
            }
            (
                Tensor::from_data(TensorData::new(row_of, [n]), device),
                Tensor::from_data(TensorData::new(shares, [n, 1]), device),
            )
        });
        Places { rows, ids: tensor, of }
    }

    /// The sum, or the mean, of each row's entries of a table.
    fn sum(&self, table: Tensor<2>, is_mean: bool) -> Tensor<2> {
        let width = table.dims()[1];
        let device = table.device();
        let zeros = || Tensor::zeros([self.rows, width], &device);
        if self.ids.dims()[0] == 0 {
            return zeros();
        }
        let entries = table.select(0, self.ids.clone());
        match &self.of {
            None => entries,
            Some((row_of, shares)) => {
                let entries = if is_mean { entries * shares.clone() } else { entries };
                zeros().select_assign(0, row_of.clone(), entries, IndexingUpdateOp::Add)
            }
        }
    }
}
