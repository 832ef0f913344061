//! The `FeatureLists` message of a tf.SequenceExample: one column of lists of lists per name.
//!
//! A feature list that a record does not have is a null row, one without features an empty row,
//! and a feature without a kind a null list inside its row. As long as no feature of a list has a
//! kind, its column is a list of nulls.

use std::sync::Arc;

use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Fields};

use super::column::{Column, Kind, Merged, Refused, check, list_array};
use super::entry::Entry;
use super::features::Trouble;
use super::names::Names;
use super::slots::{Shared, Slots};
use super::wire;

/// A column of lists of lists of one kind.
#[derive(Default)]
struct ListColumn {
    rows: Slots,
    features: Column,
    /// Number of features in all rows and in the open one.
    n_features: usize,
}

impl ListColumn {
    /// Opens row `row`, without what it held before.
    fn open(&mut self, row: usize) {
        self.rows.fill(row);
        self.truncate(row);
    }

    fn close(&mut self) {
        self.rows.push(self.n_features);
    }

    fn truncate(&mut self, row: usize) {
        self.rows.truncate(row);
        self.n_features = self.rows.end();
        self.features.truncate(self.n_features);
    }

    fn data_type(&self) -> DataType {
        DataType::List(Arc::new(Field::new("item", self.features.data_type(), true)))
    }

    fn finish(&mut self, rows: usize, shared: &mut Shared) -> ArrayRef {
        let (offsets, nulls) = self.rows.finish(rows, shared);
        let n_features = std::mem::take(&mut self.n_features);
        let features = self.features.finish(n_features, shared);
        let item = Arc::new(Field::new("item", features.data_type().clone(), true));
        list_array(item, offsets, features, nulls)
    }
}

/// The columns of one map of feature lists; works as [`super::features::Features`] does.
pub(super) struct FeatureLists {
    names: Names<ListColumn>,
    known: usize,
    fresh: Vec<usize>,
    conflicts: Vec<(usize, Kind)>,
    merged: Merged,
    /// Whether columns or kinds have come or gone since this was last set to false.
    pub(super) is_changed: bool,
    /// The columns, sorted by name, as they were when `is_changed` was last set to false.
    order: Vec<usize>,
    fields: Fields,
}

impl FeatureLists {
    pub(super) fn new() -> Self {
        FeatureLists {
            names: Names::new(),
            known: 0,
            fresh: Vec::new(),
            conflicts: Vec::new(),
            merged: Merged::default(),
            is_changed: true,
            order: Vec::new(),
            fields: Fields::empty(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.all().len()
    }

    pub(super) fn name(&self, column: usize) -> &str {
        self.names.text(column)
    }

    fn column_mut(&mut self, column: usize) -> &mut ListColumn {
        &mut self.names.all_mut()[column].column
    }

    /// Begins a record.
    pub(super) fn start(&mut self) {
        self.names.start();
        self.known = self.names.all().len();
    }

    /// Reads one `FeatureLists` message of the record that becomes row `row`.
    pub(super) fn read(&mut self, row: usize, mut message: &[u8]) -> Result<(), Trouble> {
        while !message.is_empty() {
            match wire::tag(&mut message)? {
                (1, wire) => {
                    let entry = wire::message(1, wire, &mut message)?;
                    self.entry(row, entry)?;
                }
                (_, wire) => wire::skip(wire, &mut message)?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, row: usize, bytes: &[u8]) -> Result<(), Trouble> {
        if let Some((column, mut rest)) = self.names.guess(bytes)
            && let Ok(len) = wire::varint(&mut rest)
            && len == rest.len() as u64
        {
            self.names.guessed(column);
            return self.list(row, column, std::iter::once(rest));
        }
        let entry = Entry::parse(bytes)?;
        let (column, is_new) = self.names.find(entry.key)?;
        if is_new {
            self.is_changed = true;
        }
        match entry.value {
            Some(value) => self.list(row, column, std::iter::once(value)),
            None => self.list(row, column, entry.pieces()),
        }
    }

    /// One `FeatureList` message, perhaps in pieces, which replaces what the row held before.
    fn list<'a>(
        &mut self,
        row: usize,
        column: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Trouble> {
        self.conflicts.retain(|(other, _)| *other != column);
        self.column_mut(column).open(row);
        if let Some(i) = self.fresh.iter().position(|other| *other == column) {
            self.fresh.swap_remove(i);
            self.column_mut(column).features.forget_kind();
        }
        let trouble = |flaw| Trouble { flaw, column: Some(column) };
        for mut piece in pieces {
            while !piece.is_empty() {
                match wire::tag(&mut piece).map_err(trouble)? {
                    (1, wire) => {
                        let feature = wire::message(1, wire, &mut piece).map_err(trouble)?;
                        self.feature(column, feature)?;
                    }
                    (_, wire) => wire::skip(wire, &mut piece).map_err(trouble)?,
                }
            }
        }
        self.column_mut(column).close();
        Ok(())
    }

    fn feature(&mut self, column: usize, feature: &[u8]) -> Result<(), Trouble> {
        let trouble = |flaw| Trouble { flaw, column: Some(column) };
        if let Some((&tag, mut list)) = feature.split_first()
            && tag & 7 == wire::LEN
            && let Some(kind) = Kind::of_field(u32::from(tag >> 3))
            && let Ok(len) = wire::varint(&mut list)
            && len == list.len() as u64
        {
            return self.append(column, kind, list);
        }
        let mut merged = std::mem::take(&mut self.merged);
        let result = match merged.read(feature) {
            Ok(Some((kind, list))) => self.append(column, kind, list),
            Ok(None) => {
                self.column_mut(column).n_features += 1;
                Ok(())
            }
            Err(flaw) => Err(trouble(flaw)),
        };
        self.merged = merged;
        result
    }

    fn append(&mut self, column: usize, kind: Kind, list: &[u8]) -> Result<(), Trouble> {
        let trouble = |flaw| Trouble { flaw, column: Some(column) };
        let target = &mut self.names.all_mut()[column].column;
        if target.features.kind().is_none() {
            target.features.set_kind(kind);
            self.fresh.push(column);
            self.is_changed = true;
        }
        match target.features.append(target.n_features, kind, list) {
            Ok(()) => {}
            Err(Refused::Flaw(flaw)) => return Err(trouble(flaw)),
            Err(Refused::Kind) => {
                check(kind, list).map_err(trouble)?;
                self.conflicts.push((column, kind));
            }
        }
        target.n_features += 1;
        Ok(())
    }

    /// Why a record that was read without trouble cannot be kept.
    pub(super) fn conflict(&self) -> Result<(), String> {
        let Some((column, here)) = self.conflicts.first() else { return Ok(()) };
        let before = self.names.all()[*column].column.features.kind().map_or("nothing", Kind::name);
        let (name, here) = (self.name(*column), here.name());
        Err(format!("feature list `{name}` has {here} here but {before} before"))
    }

    /// Ends a record by keeping it.
    pub(super) fn accept(&mut self) {
        self.fresh.clear();
    }

    /// Ends a record by taking back everything that it added.
    pub(super) fn reject(&mut self, row: usize) {
        for column in std::mem::take(&mut self.fresh) {
            self.column_mut(column).features.forget_kind();
            self.is_changed = true;
        }
        self.conflicts.clear();
        self.is_changed |= self.names.all().len() > self.known;
        self.names.truncate(self.known);
        for named in self.names.all_mut() {
            named.column.truncate(row);
        }
    }

    /// The type of [`Self::finish`]'s array.
    pub(super) fn data_type(&mut self) -> DataType {
        if self.is_changed {
            self.order = (0..self.names.all().len()).collect();
            self.order.sort_unstable_by_key(|&i| self.names.text(i));
            self.fields = self
                .order
                .iter()
                .map(|&i| Field::new(self.name(i), self.names.all()[i].column.data_type(), true))
                .collect();
            self.is_changed = false;
        }
        DataType::Struct(self.fields.clone())
    }

    /// The struct of all columns, sorted by name, with `rows` rows, none of them null.
    pub(super) fn finish(&mut self, rows: usize, shared: &mut Shared) -> ArrayRef {
        self.data_type();
        if self.names.all().is_empty() {
            return Arc::new(StructArray::new_empty_fields(rows, None));
        }
        let columns = self.names.all_mut();
        let arrays = self.order.iter().map(|&i| columns[i].column.finish(rows, shared)).collect();
        Arc::new(StructArray::new(self.fields.clone(), arrays, None))
    }
}
