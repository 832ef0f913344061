//! The `Features` message, a map from names to features, into one column per name.

use std::collections::BTreeSet;

use arrow_schema::DataType;

use super::column::{Column, Kind, Merged, Refused, check};
use super::entry::Entry;
use super::names::{Names, words};
use super::wire::{self, Flaw};

/// What is wrong with a record, and the number of the feature in question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) flaw: Flaw,
    pub(super) column: Option<usize>,
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        Trouble { flaw, column: None }
    }
}

/// The columns of one map of features.
///
/// Between [`Self::start`] and [`Self::accept`] or [`Self::reject`] lies one record.
pub(super) struct Features {
    names: Names<Column>,
    projection: Option<BTreeSet<String>>,
    /// A name that no feature may have.
    reserved: Option<&'static str>,
    /// Number of columns before this record.
    known: usize,
    /// Columns whose kind this record decided.
    fresh: Vec<usize>,
    /// Columns that have a list of another kind in this record than before.
    conflicts: Vec<(usize, Kind)>,
    merged: Merged,
    /// Whether columns or kinds have come or gone since this was last set to false.
    pub(super) is_changed: bool,
}

impl Features {
    /// With the names of the wanted columns, if not all are, and a name that is taken already.
    pub(super) fn new(
        projection: Option<BTreeSet<String>>,
        reserved: Option<&'static str>,
    ) -> Self {
        Features {
            names: Names::new(),
            projection,
            reserved,
            known: 0,
            fresh: Vec::new(),
            conflicts: Vec::new(),
            merged: Merged::default(),
            is_changed: true,
        }
    }

    pub(super) fn name(&self, column: usize) -> &str {
        self.names.text(column)
    }

    /// Number of columns, those that are not wanted included.
    pub(super) fn len(&self) -> usize {
        self.names.all().len()
    }

    pub(super) fn column_mut(&mut self, column: usize) -> &mut Column {
        &mut self.names.all_mut()[column].column
    }

    /// The wanted columns: number, name, type.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (usize, &str, DataType)> {
        let wanted = self.names.all().iter().enumerate().filter(|(_, n)| n.column.is_wanted());
        wanted.map(|(i, named)| (i, named.text(), named.column.data_type()))
    }

    /// Begins a record.
    #[inline]
    pub(super) fn start(&mut self) {
        self.names.start();
        self.known = self.names.all().len();
    }

    /// Reads one `Features` message of the record that becomes row `row`.
    #[inline]
    pub(super) fn read(&mut self, row: usize, mut message: &[u8]) -> Result<(), Trouble> {
        loop {
            message = self.usual_entries(row, message);
            if message.is_empty() {
                return Ok(());
            }
            match wire::tag(&mut message)? {
                (1, wire) => {
                    let entry = wire::message(1, wire, &mut message)?;
                    self.entry(row, entry)?;
                }
                (_, wire) => wire::skip(wire, &mut message)?,
            }
        }
    }

    /// Reads entries as long as they are what nearly every entry is: shorter than 128 bytes, with
    /// the expected name, and with one packed list or one byte string of the column's kind.
    /// Returns the rest of the map, which begins with an entry that is not, or is damaged.
    ///
    /// ```text
    ///   0a 14 0a 04 'f' 'a' 'r' 'e' 12 0c 12 0a 0a 08 …values…
    ///      └ length of the entry      │  └─────┬────┘
    ///                                 │  Column::list_head
    ///                                 └ end of what the name decides
    /// ```
    #[inline(never)]
    fn usual_entries<'a>(&mut self, row: usize, mut map: &'a [u8]) -> &'a [u8] {
        if !self.fresh.is_empty() || !self.conflicts.is_empty() {
            return map;
        }
        while !map.is_empty() {
            let words = words(map);
            let Some(found) = self.names.find_entry(&words, map) else { return map };
            let len = (words[0] >> 8) as usize & 0xff;
            if len >= 0x80 {
                return map;
            }
            let Some((entry, after)) = map.split_at_checked(len + 2) else { return map };
            let at = found.named.end();
            let column = &mut found.named.column;
            if let Some(start) = column.values_at(entry, at) {
                if column.append_usual(row, map, start..entry.len()).is_none() {
                    return map;
                }
            } else if column.is_wanted() {
                return map;
            }
            found.accept();
            map = after;
        }
        map
    }

    #[inline]
    fn entry(&mut self, row: usize, entry: &[u8]) -> Result<(), Trouble> {
        if let Some((column, mut rest)) = self.names.guess(entry)
            && let Ok(len) = wire::varint(&mut rest)
            && len == rest.len() as u64
        {
            self.names.guessed(column);
            return self.feature(row, column, rest);
        }
        self.any_entry(row, entry)
    }

    fn any_entry(&mut self, row: usize, bytes: &[u8]) -> Result<(), Trouble> {
        let entry = Entry::parse(bytes)?;
        let (column, is_new) = self.names.find(entry.key)?;
        if is_new {
            let wanted = self.projection.as_ref();
            if wanted.is_some_and(|wanted| !wanted.contains(self.names.text(column))) {
                *self.column_mut(column) = Column::unwanted();
            }
            self.is_changed = true;
            if self.reserved == Some(self.names.text(column)) {
                return Err(Trouble { flaw: Flaw::Reserved, column: Some(column) });
            }
        }
        match entry.value {
            Some(value) => self.feature(row, column, value),
            None => self.merged(row, column, &entry),
        }
    }

    #[inline]
    fn feature(&mut self, row: usize, column: usize, feature: &[u8]) -> Result<(), Trouble> {
        if !self.column_mut(column).is_wanted() {
            return Ok(());
        }
        if let Some((&tag, mut list)) = feature.split_first()
            && tag & 7 == wire::LEN
            && let Some(kind) = Kind::of_field(u32::from(tag >> 3))
            && let Ok(len) = wire::varint(&mut list)
            && len == list.len() as u64
        {
            return self.append(row, column, kind, list);
        }
        self.odd_feature(row, column, feature)
    }

    /// A feature that is empty or more than one list.
    #[cold]
    fn odd_feature(&mut self, row: usize, column: usize, feature: &[u8]) -> Result<(), Trouble> {
        let mut merged = std::mem::take(&mut self.merged);
        let result = match merged.read(feature) {
            Ok(Some((kind, list))) => self.append(row, column, kind, list),
            Ok(None) => {
                self.clear(row, column);
                Ok(())
            }
            Err(flaw) => Err(Trouble { flaw, column: Some(column) }),
        };
        self.merged = merged;
        result
    }

    /// A feature that came in several pieces.
    #[cold]
    fn merged(&mut self, row: usize, column: usize, entry: &Entry<'_>) -> Result<(), Trouble> {
        let mut whole = Vec::new();
        for piece in entry.pieces() {
            // A field must not go on from one piece into the next.
            let mut rest = piece;
            while !rest.is_empty() {
                let end = wire::tag(&mut rest).and_then(|(_, wire)| wire::skip(wire, &mut rest));
                end.map_err(|flaw| Trouble { flaw, column: Some(column) })?;
            }
            whole.extend_from_slice(piece);
        }
        self.feature(row, column, &whole)
    }

    #[inline]
    fn append(
        &mut self,
        row: usize,
        column: usize,
        kind: Kind,
        list: &[u8],
    ) -> Result<(), Trouble> {
        if !self.conflicts.is_empty() || !self.fresh.is_empty() {
            self.clear(row, column);
        }
        match self.column_mut(column).append(row, kind, list) {
            Ok(()) => Ok(()),
            Err(refused) => self.refused(row, column, kind, list, &refused),
        }
    }

    #[cold]
    fn refused(
        &mut self,
        row: usize,
        column: usize,
        kind: Kind,
        list: &[u8],
        refused: &Refused,
    ) -> Result<(), Trouble> {
        let trouble = |flaw| Trouble { flaw, column: Some(column) };
        match refused {
            Refused::Flaw(flaw) => Err(trouble(*flaw)),
            Refused::Kind if self.column_mut(column).kind().is_none() => {
                self.column_mut(column).set_kind(kind);
                self.fresh.push(column);
                self.is_changed = true;
                self.append_fresh(row, column, kind, list)
            }
            Refused::Kind => {
                check(kind, list).map_err(trouble)?;
                self.column_mut(column).truncate(row);
                // Only a conflict if no later entry of this record replaces it.
                self.conflicts.push((column, kind));
                Ok(())
            }
        }
    }

    fn append_fresh(
        &mut self,
        row: usize,
        column: usize,
        kind: Kind,
        list: &[u8],
    ) -> Result<(), Trouble> {
        match self.column_mut(column).append(row, kind, list) {
            Ok(()) => Ok(()),
            Err(Refused::Flaw(flaw)) => Err(Trouble { flaw, column: Some(column) }),
            Err(Refused::Kind) => unreachable!("the column was given this kind"),
        }
    }

    /// Forgets what this record has said about a column so far.
    fn clear(&mut self, row: usize, column: usize) {
        self.column_mut(column).truncate(row);
        self.conflicts.retain(|(other, _)| *other != column);
        if let Some(i) = self.fresh.iter().position(|other| *other == column) {
            self.fresh.swap_remove(i);
            self.column_mut(column).forget_kind();
        }
    }

    /// Why a record that was read without trouble cannot be kept.
    #[inline]
    pub(super) fn conflict(&self) -> Result<(), String> {
        if self.conflicts.is_empty() { Ok(()) } else { Err(self.first_conflict()) }
    }

    #[cold]
    fn first_conflict(&self) -> String {
        let (column, here) = self.conflicts[0];
        let before = self.names.all()[column].column.kind().map_or("nothing", Kind::name);
        let (name, here) = (self.name(column), here.name());
        format!("feature `{name}` has {here} here but {before} before")
    }

    /// Ends a record by keeping it.
    #[inline]
    pub(super) fn accept(&mut self) {
        self.fresh.clear();
    }

    /// Ends a record by taking back everything that it added.
    #[cold]
    pub(super) fn reject(&mut self, row: usize) {
        for column in std::mem::take(&mut self.fresh) {
            self.column_mut(column).forget_kind();
            self.is_changed = true;
        }
        self.conflicts.clear();
        self.is_changed |= self.names.all().len() > self.known;
        self.names.truncate(self.known);
        for named in self.names.all_mut() {
            named.column.truncate(row);
        }
    }
}
