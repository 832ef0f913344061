//! Some rows of a source, found again by their places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{Batch, Error, ErrorKind, Result, Source};
use ops::skew::Place;

/// Reads shards up to the rows that are wanted; gives a batch of one row for each.
///
/// # Errors
/// When a shard cannot be read any more, or has no such row.
pub fn read_rows(
    source: &Arc<dyn Source>,
    places: impl IntoIterator<Item = Place>,
    batch_rows: usize,
) -> Result<BTreeMap<Place, Batch>> {
    let mut wanted = BTreeMap::<usize, BTreeSet<u64>>::new();
    for Place { shard, row } in places {
        wanted.entry(shard).or_default().insert(row);
    }
    let mut found = BTreeMap::new();
    for (shard, mut rows) in wanted {
        let mut batches = source.clone().read(shard, batch_rows)?;
        while let Some(&row) = rows.first() {
            let Some(batch) = batches.next().transpose()? else {
                let name = source.shards()[shard].name();
                return Err(Error::new(ErrorKind::Input, format!("`{name}` has changed"))
                    .with_detail(format!("Its row {row} was there a moment ago."))
                    .with_hint("Compare files that nobody writes to."));
            };
            let end = batch.first_row + batch.records.num_rows() as u64;
            let later = rows.split_off(&end);
            for row in std::mem::replace(&mut rows, later) {
                let i = (row - batch.first_row) as usize;
                let one = Batch {
                    shard,
                    first_row: row,
                    records: batch.records.slice(i, 1),
                    originals: batch.originals.as_ref().map(|originals| originals.slice(i, 1)),
                    rejected: Vec::new(),
                    bytes: 0,
                };
                found.insert(Place { shard, row }, one);
            }
        }
    }
    Ok(found)
}
