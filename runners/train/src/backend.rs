//! What computes gradients. A build with the feature `wgpu` has graphics processors beside the CPU.

use burn::tensor::Device;
use engine::{Error, ErrorKind, Result};

/// What computes gradients. Predictions are the processor's, whatever a network was trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The processor: the same bits for any number of threads.
    #[default]
    Cpu,
    /// Any maker's graphics processor, by Vulkan, Metal, DirectX or OpenGL; feature `wgpu`.
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

    /// The best device of this kind, opened.
    ///
    /// # Errors
    /// When the build has not this backend, or the machine no such device.
    pub fn device(self) -> Result<Device> {
        match self {
            Backend::Cpu => Ok(Device::flex()),
            Backend::Wgpu => graphics(),
        }
    }

    /// Into how many parts a batch is cut, whatever the number of threads: what they give is added in an
    /// order that depends on nothing else, so weights do not, either. Each part costs as much as the
    /// network has weights, so they are not too small. A graphics processor gets all rows at once.
    pub(crate) fn parts(self, rows: usize) -> usize {
        /// Rows of a part, at least, and parts, at most.
        const ROWS: usize = 8;
        const PARTS: usize = 8;
        if self == Backend::Cpu { (rows / ROWS).clamp(1, PARTS) } else { 1 }
    }
}

/// The graphics processor that its drivers call the fastest, or what `CUBECL_WGPU_DEFAULT_DEVICE` names.
#[cfg(feature = "wgpu")]
fn graphics() -> Result<Device> {
    use std::sync::OnceLock;
    // A program opens it once: burn makes an error of a second time.
    static OPENED: OnceLock<std::result::Result<Device, String>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| Device::wgpu_options().init().map_err(|e| e.to_string()));
    opened.clone().map_err(|why| {
        Error::new(ErrorKind::NotFound, "there is no device for `wgpu`")
            .with_detail(format!("{why}."))
            .with_hint("Install its driver, or train with `--device cpu`.")
    })
}

#[cfg(not(feature = "wgpu"))]
fn graphics() -> Result<Device> {
    Err(Error::new(ErrorKind::Unsupported, "this build has no backend `wgpu`")
        .with_hint("Build it with `cargo build --release --features wgpu`."))
}
