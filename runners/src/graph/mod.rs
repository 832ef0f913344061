//! Frozen graphs for people: as text, as Graphviz's text, and as a picture.

mod dot;
mod layout;
mod picture;
mod show;
mod svg;

pub use dot::dot;
pub use show::{as_json, show};
pub use svg::svg;
