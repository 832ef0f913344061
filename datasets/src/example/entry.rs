//! Entries of a protobuf map in any form that the wire format allows.

use super::wire::{self, Flaw};

/// One entry of a map from strings to messages.
pub(super) struct Entry<'a> {
    /// The key: the last one, empty if there is none.
    pub(super) key: &'a [u8],
    /// The value, if it came in one piece or not at all.
    pub(super) value: Option<&'a [u8]>,
    bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let mut entry = Entry { key: &[], value: Some(&[]), bytes };
        let mut n_values = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            match wire::tag(&mut rest)? {
                (1, wire) => {
                    entry.key = wire::message(1, wire, &mut rest)?;
                    std::str::from_utf8(entry.key).map_err(|_| Flaw::Name)?;
                }
                (2, wire) => {
                    n_values += 1;
                    let value = wire::message(2, wire, &mut rest)?;
                    entry.value = (n_values == 1).then_some(value);
                }
                (_, wire) => wire::skip(wire, &mut rest)?,
            }
        }
        Ok(entry)
    }

    /// The pieces of the value in order: one after the other they are the whole value.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            while let Ok((number, wire)) = wire::tag(&mut rest) {
                if number == 2 {
                    return wire::delimited(&mut rest).ok();
                }
                wire::skip(wire, &mut rest).ok()?;
            }
            None
        })
    }
}
