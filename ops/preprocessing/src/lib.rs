//! Preprocessing modules: a `preprocessing_fn` in Starlark, traced into a transform graph.
