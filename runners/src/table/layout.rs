//! A table that fits a width: columns shrink first, and the least telling ones are left out.

use super::format::{Paint, Style, fit, width};

/// Between two columns.
const GAP: &str = "  ";
/// A name is never cut to less than this.
const LEAST_NAME: usize = 24;

/// One column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) header: &'static str,
    pub(super) cells: Vec<(String, Style)>,
    /// Numbers are flush right.
    pub(super) is_number: bool,
    /// Columns with the smallest rank are left out first; those of [`KEPT`] never.
    pub(super) rank: u8,
    /// The width that it may be cut to.
    pub(super) least: usize,
}

/// The rank of columns that are never left out.
pub(super) const KEPT: u8 = u8::MAX;

impl Column {
    pub(super) fn new(header: &'static str, rank: u8) -> Self {
        Column { header, cells: Vec::new(), is_number: true, rank, least: usize::MAX }
    }

    /// A column of text, flush left, which may be cut to so many characters.
    pub(super) fn text(header: &'static str, rank: u8, least: usize) -> Self {
        Column { is_number: false, least, ..Column::new(header, rank) }
    }

    pub(super) fn name(header: &'static str) -> Self {
        Column::text(header, KEPT, LEAST_NAME)
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|(text, _)| width(text)).max().unwrap_or(0).max(width(self.header))
    }

    fn is_empty(&self) -> bool {
        self.cells.iter().all(|(text, _)| text.trim().is_empty())
    }
}

/// Columns of equal height.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
}

impl Table {
    /// Writes the table; gives the headers of columns for which there was no room.
    pub(super) fn render(&self, room: usize, paint: Paint, out: &mut String) -> Vec<&'static str> {
        let mut columns: Vec<(&Column, usize)> = self
            .columns
            .iter()
            .filter(|column| !column.is_empty())
            .map(|column| (column, column.width()))
            .collect();
        let mut hidden = Vec::new();
        loop {
            let total = columns.iter().map(|(_, width)| width + GAP.len()).sum::<usize>();
            let Some(over) = total.saturating_sub(GAP.len()).checked_sub(room).filter(|&o| o > 0)
            else {
                break;
            };
            if shrink(&mut columns, over) {
                continue;
            }
            let least = columns.iter().map(|(column, _)| column.rank).min().unwrap_or(KEPT);
            if least == KEPT {
                // A terminal so narrow has to do with the beginnings of words.
                for _ in 0..over {
                    if let Some((_, widest)) = columns.iter_mut().max_by_key(|(_, width)| *width) {
                        *widest = (*widest - 1).max(1);
                    }
                }
                break;
            }
            // Cut columns may grow again into the room that this makes.
            let at = columns.iter().rposition(|(column, _)| column.rank == least);
            hidden.extend(at.map(|at| columns.remove(at).0.header));
            for (column, width) in &mut columns {
                *width = column.width();
            }
        }
        self.write(&columns, paint, out);
        hidden
    }

    fn write(&self, columns: &[(&Column, usize)], paint: Paint, out: &mut String) {
        let height = self.columns.first().map_or(0, |column| column.cells.len());
        let mut line = |cell: &dyn Fn(&Column) -> (String, String)| {
            let start = out.len();
            for (i, (column, room)) in columns.iter().enumerate() {
                let (text, painted) = cell(column);
                let (text, painted) = if width(&text) > *room {
                    let cut = fit(&text, *room);
                    let painted = painted.replace(&text, &cut);
                    (cut, painted)
                } else {
                    (text, painted)
                };
                let blanks = " ".repeat(room - width(&text).min(*room));
                let is_last = i + 1 == columns.len();
                match (column.is_number, is_last) {
                    (true, _) => out.extend([blanks.as_str(), &painted]),
                    (false, false) => out.extend([painted.as_str(), &blanks]),
                    (false, true) => out.push_str(&painted),
                }
                out.push_str(if is_last { "" } else { GAP });
            }
            let end = out[start..].trim_end_matches(' ').len();
            out.truncate(start + end);
            out.push('\n');
        };
        line(&|column| (column.header.to_owned(), paint.dim(column.header)));
        for row in 0..height {
            line(&|column| {
                let (text, style) = &column.cells[row];
                (text.clone(), paint.style(*style, text))
            });
        }
    }
}

/// Cuts the columns that may be cut, the widest first; true if that is enough to lose `over`.
fn shrink(columns: &mut [(&Column, usize)], mut over: usize) -> bool {
    let spare = |(column, width): &(&Column, usize)| width.saturating_sub(column.least);
    if columns.iter().map(spare).sum::<usize>() < over {
        return false;
    }
    while over > 0 {
        if let Some(widest) = columns.iter_mut().max_by_key(|column| spare(column)) {
            widest.1 -= 1;
        }
        over -= 1;
    }
    true
}
