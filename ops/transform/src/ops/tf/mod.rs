//! `tf.*`: types, shapes and choices, by TensorFlow's names.

pub(super) mod cast;
pub(super) mod concat;
pub(super) mod cross;
pub(super) mod dense;
pub(super) mod fill;
pub(super) mod gather;
pub(super) mod matmul;
pub(super) mod one_hot;
pub(super) mod select;
pub(super) mod shape;
pub(super) mod sparse;
