//! x

pub mod tfmd;
