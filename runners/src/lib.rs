//! Where it runs (directly, on threads, on processes) and what a person sees of it.

pub mod cluster;
