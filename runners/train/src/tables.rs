//! Large tables in training: of those, gradients are computed of the rows alone that a batch reads.
//!
//! A table of a million categories has as many gradients, nearly all of them 0. Without this each part of
//! a batch would make, fill and add all of them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use model::{Ids, Inputs};

use crate::network::Network;

/// Tables are cut down that are so many times as large as what is read of them.
const LARGE: usize = 4;

/// The tables of a network.
pub(crate) struct Tables(Vec<Table>);

struct Table {
    id: ParamId,
    /// The place of the categories that are its rows, in [`Inputs::categories`].
    feature: usize,
    /// 0 where it is not trained: then it stays whole, and with it others of the feature.
    rows: usize,
}

/// What a batch reads of large tables.
pub(crate) struct TablesRead {
    /// For each table, the rows that are read, each once.
    rows: BTreeMap<ParamId, Tensor<1, Int>>,
}

impl Tables {
    /// Those of a network whose parameters keep their names from here on.
    pub(crate) fn of<N: Network>(network: &N) -> Self {
        let mut sizes = Sizes(BTreeMap::new());
        network.visit(&mut sizes);
        let of =
            |(id, feature)| Table { id, feature, rows: sizes.0.get(&id).copied().unwrap_or(0) };
        Tables(network.tables().into_iter().map(of).collect())
    }

    /// Finds what inputs read of large tables, and makes these numbers the inputs'.
    pub(crate) fn read_by(&self, inputs: &mut Inputs, device: &Device) -> TablesRead {
        let mut read = TablesRead { rows: BTreeMap::new() };
        for (feature, ids) in inputs.categories.iter_mut().enumerate() {
            let tables = || self.0.iter().filter(|table| table.feature == feature);
            let least = tables().map(|table| table.rows).min();
            if least.is_none_or(|rows| rows < LARGE * ids.ids.len().max(1)) {
                continue;
            }
            let used: Vec<i64> = renumber(ids).into_iter().map(i64::from).collect();
            let n = used.len();
            let used = Tensor::from_data(TensorData::new(used, [n]), device);
            read.rows.extend(tables().map(|table| (table.id, used.clone())));
        }
        read
    }
}

impl TablesRead {
    /// The network with these rows alone of its tables.
    pub(crate) fn narrow<M: Module>(&self, network: M) -> M {
        if self.rows.is_empty() { network } else { network.map(&mut Narrow(self)) }
    }

    /// Makes gradients of these rows such of whole tables.
    pub(crate) fn widen<M: Module>(&self, network: &M, gradients: &mut GradientsParams) {
        if !self.rows.is_empty() {
            network.visit(&mut Widen { read: self, gradients });
        }
    }
}

/// Numbers categories anew, from 0; gives what each new one was. Without any, what is read for padding.
fn renumber(ids: &mut Ids) -> Vec<u32> {
    let mut used = ids.ids.clone();
    used.sort_unstable();
    used.dedup();
    for id in &mut ids.ids {
        *id = used.partition_point(|other| other < id) as u32;
    }
    if used.is_empty() {
        used.push(0);
    }
    used
}

/// The rows of each table that is trained.
struct Sizes(BTreeMap<ParamId, usize>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0.insert(param.id, param.val().dims()[0]);
        }
    }
}

struct Narrow<'a>(&'a TablesRead);

impl ModuleMapper for Narrow<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(rows) = self.0.rows.get(&param.id) else { return param };
        let table = param.val().inner().select(0, rows.clone().inner());
        Param::initialized(param.id, Tensor::from_inner(table).require_grad())
    }
}

struct Widen<'a> {
    read: &'a TablesRead,
    gradients: &'a mut GradientsParams,
}

impl ModuleVisitor for Widen<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(rows) = self.read.rows.get(&param.id) else { return };
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let all = Tensor::zeros(param.val().shape(), &gradient.device());
            let all = all.select_assign(0, rows.clone().inner(), gradient, IndexingUpdateOp::Add);
            self.gradients.register::<D>(param.id, all);
        }
    }
}
