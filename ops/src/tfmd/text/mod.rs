//! The text form of messages: `schema.pbtxt` and its like.

mod escape;
mod parse;
mod print;
mod scan;

pub use parse::parse;
pub use print::print;
