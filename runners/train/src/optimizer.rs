//! The optimizer as a checkpoint keeps it: parameters by their places, state on the training's own device.

use burn::module::ParamGroup;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::{
    AdamW, AdamWConfig, DynOptimizer, DynState, ModuleOptimizer, OptimizerRecord, StateSink,
    StateSource,
};
use burn::tensor::kind::BridgeTensor;
use burn::tensor::{Bytes, Device, Tensor};
use engine::{Error, ErrorKind, Result};

/// AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) for all parameters of a module.
pub(crate) fn adam_w(weight_decay: f64, device: &Device) -> ModuleOptimizer {
    let adam_w = AdamWConfig::new().with_weight_decay(weight_decay as f32).build();
    let pinned = Pinned { adam_w: adam_w.clone(), device: device.clone().inner() };
    ModuleOptimizer::from(adam_w).with_group(ParamGroup::all(), pinned, None)
}

/// The optimizer's state, as burn writes it.
pub(crate) fn to_bytes(optimizer: &ModuleOptimizer) -> Result<Vec<u8>> {
    let bytes = optimizer.to_record().into_bytes();
    bytes.map(|bytes| bytes.to_vec()).map_err(|e| {
        Error::invalid("the optimizer's state cannot be kept").with_detail(format!("{e}."))
    })
}

/// An optimizer with the state that [`to_bytes`] wrote.
pub(crate) fn from_bytes(optimizer: ModuleOptimizer, bytes: Vec<u8>) -> Result<ModuleOptimizer> {
    let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(|e| {
        Error::new(ErrorKind::Incompatible, "the optimizer's state cannot be read")
            .with_detail(format!("{e}."))
            .with_hint("Remove the checkpoint to begin anew.")
    })?;
    Ok(optimizer.load_record(record))
}

/// The module with its parameters numbered by their places, which every run finds again.
pub(crate) fn numbered<M: Module>(module: M) -> M {
    module.map(&mut Numbers(0))
}

struct Numbers(u64);

impl ModuleMapper for Numbers {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, tensor, mapper) = param.consume();
        self.0 += 1;
        Param::from_mapped_value(ParamId::from(self.0), tensor, mapper)
    }
}

/// An optimizer whose state is read onto its own device. Burn reads it onto that which it likes best of
/// those it was built for, whether or not the machine has one.
struct Pinned {
    adam_w: AdamW,
    device: Device,
}

impl DynOptimizer for Pinned {
    fn step_dyn(
        &self,
        rank: usize,
        rate: f64,
        tensor: BridgeTensor,
        gradient: BridgeTensor,
        state: Option<DynState>,
    ) -> (BridgeTensor, Option<DynState>) {
        self.adam_w.step_dyn(rank, rate, tensor, gradient, state)
    }

    fn to_device_dyn(&self, state: DynState, device: &Device) -> DynState {
        self.adam_w.to_device_dyn(state, device)
    }

    fn state_flatten(&self, prefix: &str, state: &DynState, out: &mut StateSink) {
        self.adam_w.state_flatten(prefix, state, out);
    }

    fn state_unflatten(
        &self,
        rank: usize,
        prefix: &str,
        from: &mut StateSource,
        _: &Device,
    ) -> Option<DynState> {
        self.adam_w.state_unflatten(rank, prefix, from, &self.device)
    }
}
