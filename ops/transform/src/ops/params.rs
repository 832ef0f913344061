//! Parameters as operations declare them, in one line each.

use crate::op::{Default, Param, Takes};

/// A column or constant that a call must give.
pub(super) const fn value(name: &'static str, doc: &'static str) -> Param {
    Param { name, takes: Takes::Value { like: "" }, default: Default::Required, doc }
}

/// A column or constant; a literal gets the dtype of the argument for `like`.
pub(super) const fn value_like(name: &'static str, like: &'static str, doc: &'static str) -> Param {
    Param { name, takes: Takes::Value { like }, default: Default::Required, doc }
}

/// A list of columns and constants that a call must give.
pub(super) const fn values(name: &'static str, doc: &'static str) -> Param {
    Param { name, takes: Takes::Values, default: Default::Required, doc }
}

/// A literal with a default.
pub(super) const fn option(
    name: &'static str,
    takes: Takes,
    default: Default,
    doc: &'static str,
) -> Param {
    Param { name, takes, default, doc }
}

/// A literal that a call must give.
pub(super) const fn required(name: &'static str, takes: Takes, doc: &'static str) -> Param {
    Param { name, takes, default: Default::Required, doc }
}

/// `x`, a number or several.
pub(super) const X: Param = value("x", "a column or constant");
