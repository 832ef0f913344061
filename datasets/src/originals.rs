//! The bytes of records as they are stored, gathered for one batch.

use arrow_array::BinaryArray;
use arrow_buffer::{OffsetBuffer, ScalarBuffer};

/// The records of a batch in the making.
pub(crate) struct Originals {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Default for Originals {
    fn default() -> Self {
        Originals { ends: vec![0], bytes: Vec::new() }
    }
}

impl Originals {
    /// Adds one record. A batch is bounded far below the two gigabytes that offsets can reach.
    pub(crate) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len() as i32);
    }

    /// The records so far; starts anew, with as much room.
    pub(crate) fn finish(&mut self) -> BinaryArray {
        let mut room = Vec::with_capacity(self.ends.len());
        room.push(0);
        let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(&mut self.ends, room)));
        let room = Vec::with_capacity(self.bytes.len());
        BinaryArray::new(ends, std::mem::replace(&mut self.bytes, room).into(), None)
    }
}
