//! `Fingerprint`: a batch of one side becomes keys and columns of hashes.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::{Array, BinaryArray};
use engine::{Batch, DoFn, Emit, Error, Result, Rows};
use xxhash_rust::xxh3::xxh3_64;

use super::fingerprint::{EMPTY, Floats, fingerprints};
use super::identifier::{self, Cells};
use super::{Side, SkewOptions};
use crate::stats::{Column, Kind, Values, column};

/// Bits of a feature's code.
const CODE_BITS: u32 = 48;

/// What stands for a feature's name among the rows: so many bits of its hash.
pub(super) fn code(name: &str) -> u64 {
    xxh3_64(name.as_bytes()) >> (64 - CODE_BITS)
}

/// A batch of one side, ready to be joined.
#[derive(Debug)]
pub struct Fingerprints {
    pub(super) side: Side,
    pub(super) n_rows: usize,
    /// Position of the batch's shard in the source.
    pub(super) shard: u64,
    /// Place of the batch's first row in its shard.
    pub(super) first_row: u64,
    /// The identifier of every row.
    pub(super) keys: Cells,
    /// Code and hashes of every feature that is compared, by ascending code.
    pub(super) columns: Vec<(u64, Vec<u64>)>,
    /// The values of the features to be counted, in the order of the options.
    pub(super) confusion: Vec<Option<BinaryArray>>,
    /// Every feature of the batch.
    pub(super) features: Vec<Seen>,
}

/// What one batch tells of a feature.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    /// Examples that have it.
    pub(super) n_present: u64,
}

impl Rows for Fingerprints {
    fn rows(&self) -> u64 {
        self.n_rows as u64
    }
}

/// Turns batches into [`Fingerprints`].
pub struct Fingerprint {
    options: Arc<SkewOptions>,
    /// Sorted, each once.
    identifiers: Vec<String>,
    base_shards: usize,
}

impl Fingerprint {
    /// The first `base_shards` shards are the base.
    pub fn new(options: Arc<SkewOptions>, base_shards: usize) -> Self {
        let mut identifiers = options.identifiers.clone();
        identifiers.sort_unstable();
        identifiers.dedup();
        Fingerprint { options, identifiers, base_shards }
    }
}

impl DoFn for Fingerprint {
    type Input = Batch;
    type Output = Fingerprints;

    fn name(&self) -> &'static str {
        "fingerprint"
    }

    fn process(&self, batch: &Batch, out: &mut Emit<Fingerprints>) -> Result<()> {
        let options = &*self.options;
        let floats = Floats::new(options);
        let n_rows = batch.records.num_rows();
        let columns = column::columns(&batch.records, batch.first_row, |_| None, |_| true)?;
        let named = |name: &String| columns.iter().find(|column| column.path.to_string() == *name);
        let identifiers: Vec<_> = self.identifiers.iter().map(named).collect();
        let keys = identifier::keys(&identifiers, n_rows, floats)?;
        let confusion = options.confusion.iter().map(|name| named(name).map(univalent).transpose());
        let confusion = confusion.collect::<Result<_>>()?;
        let mut hashed = Vec::with_capacity(columns.len());
        let mut features = Vec::with_capacity(columns.len());
        for column in &columns {
            let name = column.path.to_string();
            let root = &column.path.steps()[0];
            let is_out = |names: &[String]| names.contains(root) || names.contains(&name);
            let is_struct = matches!(column.values, Values::Struct(_));
            if !is_struct && !is_out(&self.identifiers) && !is_out(&options.ignore) {
                hashed.push((code(&name), fingerprints(column, floats)));
            }
            let n_present = column.levels[0].n_present() as u64;
            features.push(Seen { name, kind: column.kind(), n_present });
        }
        hashed.sort_by_key(|(code, _)| *code);
        out.emit(Fingerprints {
            side: if batch.shard < self.base_shards { Side::Base } else { Side::Test },
            n_rows,
            shard: batch.shard as u64,
            first_row: batch.first_row,
            keys,
            columns: hashed,
            confusion,
            features,
        });
        Ok(())
    }
}

/// The one string of every example, null where there is none.
fn univalent(column: &Column) -> Result<BinaryArray> {
    let wrong = |what: &str| {
        Error::invalid(format!(
            "the values of feature `{}` cannot be counted by pairs",
            column.path
        ))
        .with_detail(format!("{what}."))
        .with_hint("Name features of one string with `--confusion`.")
    };
    let value = |i: usize| match &column.values {
        Values::Bytes(array) => array.is_valid(i).then(|| array.value(i)),
        Values::Dictionary { codes, values } => {
            let code = codes.is_valid(i).then(|| codes.value(i) as usize);
            code.filter(|&code| values.is_valid(code)).map(|code| values.value(code))
        }
        _ => None,
    };
    let ([level], None) = (&*column.levels, &column.examples) else {
        return Err(wrong("It is nested"));
    };
    let is_text = matches!(column.kind(), None | Some(Kind::String));
    let mut out = BinaryBuilder::new();
    for row in 0..level.n_parents {
        let first = level.offsets.as_ref().map_or(row, |offsets| offsets[row] as usize);
        match level.length(row) {
            0 => out.append_null(),
            1 if is_text => out.append_option(value(first)),
            1 => return Err(wrong("It is numeric")),
            n => {
                let row = column.first_row + row as u64;
                return Err(wrong(&format!("Row {row} of a shard has {n} values")));
            }
        }
    }
    Ok(out.finish())
}

/// Bytes of one feature of a row: its code, then its hash.
pub(super) const ENTRY: usize = CODE_BITS as usize / 8 + 8;

impl Fingerprints {
    /// Appends the entries of a row, by ascending code; gives their number.
    #[inline]
    pub(super) fn entries(&self, row: usize, out: &mut Vec<u8>) -> u64 {
        let mut n = 0;
        for (code, hashes) in &self.columns {
            let hash = hashes[row];
            if hash >= EMPTY {
                out.extend_from_slice(&code.to_be_bytes()[(64 - CODE_BITS) as usize / 8..]);
                out.extend_from_slice(&hash.to_le_bytes());
                n += 1;
            }
        }
        n
    }
}

/// Code and hash of an entry.
#[inline]
pub(super) fn entry(bytes: &[u8]) -> (u64, u64) {
    let (code, hash) = bytes.split_at(ENTRY - 8);
    let mut padded = [0; 8];
    padded[8 - code.len()..].copy_from_slice(code);
    let hash = hash.first_chunk().map_or(0, |hash| u64::from_le_bytes(*hash));
    (u64::from_be_bytes(padded), hash)
}
