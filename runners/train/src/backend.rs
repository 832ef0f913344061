//! What computes gradients. A build with the feature `wgpu` has graphics processors beside the CPU.

use burn::tensor::{Device, DeviceType};
use engine::{Error, ErrorKind, Result};

/// What computes gradients. Predictions are the processor's, whatever a network was trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The processor: the same bits for any number of threads.
    #[default]
    Cpu,
    /// Any maker's graphics processor, by Vulkan, Metal or DirectX; feature `wgpu`.
    Wgpu,
}

impl Backend {
    /// All of them, those included that this build has not.
    pub const ALL: [Backend; 2] = [Backend::Cpu, Backend::Wgpu];

    /// Its name, which is that of the feature too.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Cpu => "cpu",
            Backend::Wgpu => "wgpu",
        }
    }

    /// The first device of this kind.
    ///
    /// # Errors
    /// When the build has not this backend, or the machine no such device.
    pub fn device(self) -> Result<Device> {
        let Some(kind) = self.kind() else {
            let name = self.name();
            return Err(Error::invalid(format!("this build has no backend `{name}`"))
                .with_hint(format!("Build it with `cargo build --release --features {name}`.")));
        };
        // Devices that are not there are a panic later.
        Device::enumerate(kind).into_iter().next().ok_or_else(|| {
            let what = format!("there is no device for `{}`", self.name());
            Error::new(ErrorKind::NotFound, what)
                .with_hint("Install its driver, or train with `--device cpu`.")
        })
    }

    fn kind(self) -> Option<DeviceType> {
        match self {
            Backend::Cpu => Some(DeviceType::Flex),
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => Some(DeviceType::Wgpu),
            #[cfg(not(feature = "wgpu"))]
            Backend::Wgpu => None,
        }
    }

    /// Into how many parts a batch is cut, whatever the number of threads. Their gradients are added in
    /// the parts' order, so weights do not depend on threads. A graphics processor gets all rows at once.
    pub(crate) fn parts(self) -> usize {
        if self == Backend::Cpu { 8 } else { 1 }
    }
}
