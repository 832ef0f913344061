//! The text form of messages: `schema.pbtxt` and its like.

mod escape;
mod parse;
mod places;
mod print;
mod scan;

pub use parse::{parse, parse_with_places};
pub use places::Places;
pub use print::print;
