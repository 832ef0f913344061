//! Where in a text each field stands, for messages about what parsed well and is wrong all the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Line and column of every field of a text, both counted from 1.
///
/// A field is named by its way down from the whole message, elements of repeated fields by their
/// number: `feature[3].presence.min_fraction`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(BTreeMap<String, (usize, usize)>);

impl Places {
    /// Line and column of a field, or of the innermost message around it that the text gives.
    ///
    /// # Examples
    ///
    /// ```
    /// use ops::tfmd::{Schema, text};
    ///
    /// let (_, places) = text::parse_with_places::<Schema>("feature {\n  name: 'a'\n}")?;
    /// assert_eq!(places.of("feature[0].name"), Some((2, 3)));
    /// assert_eq!(places.of("feature[0].presence.min_count"), Some((1, 1)));
    /// assert_eq!(places.of("string_domain[0]"), None);
    /// # Ok::<(), engine::Error>(())
    /// ```
    pub fn of(&self, field: &str) -> Option<(usize, usize)> {
        let mut field = field;
        loop {
            if let Some(place) = self.0.get(field) {
                return Some(*place);
            }
            field = &field[..field.rfind('.')?];
        }
    }
}

/// Gathers places while a text is parsed from its beginning to its end.
#[derive(Default)]
pub(super) struct Recorder {
    places: Places,
    /// The field that is being parsed.
    field: String,
    /// How far lines are counted: a byte, its line, and where that line begins.
    at: usize,
    line: usize,
    line_start: usize,
}

impl Recorder {
    /// Notes that a field begins; gives what [`Recorder::leave`] needs.
    pub(super) fn enter(
        &mut self,
        name: &str,
        index: Option<usize>,
        text: &str,
        at: usize,
    ) -> usize {
        let len = self.field.len();
        if len > 0 {
            self.field.push('.');
        }
        self.field.push_str(name);
        if let Some(index) = index {
            let _ = write!(self.field, "[{index}]");
        }
        let passed = &text[self.at..at];
        if let Some(last) = passed.rfind('\n') {
            self.line += passed.matches('\n').count();
            self.line_start = self.at + last + 1;
        }
        self.at = at;
        let column = text[self.line_start..at].chars().filter(|&c| c != '\u{feff}').count() + 1;
        self.places.0.insert(self.field.clone(), (self.line + 1, column));
        len
    }

    /// Notes that the field that was begun last has ended.
    pub(super) fn leave(&mut self, len: usize) {
        self.field.truncate(len);
    }

    pub(super) fn finish(self) -> Places {
        self.places
    }
}
