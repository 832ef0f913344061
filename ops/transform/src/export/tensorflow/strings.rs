//! What emissions of operations on strings and lists have in common.

use super::nodes::{Column, Nodes, Out, of_text, of_type, sizes};
use super::proto::{Attr, DataType};
use super::segments::Segments;
use crate::types::{DType, Type};

const STRING: DType = DType::String;
const INT: DType = DType::Int64;

impl Column {
    /// Other values of the same structure.
    #[must_use]
    pub fn with_values(&self, values: Out) -> Column {
        Column { values, splits: self.splits.clone() }
    }
}

/// A text as a pattern of RE2 that matches it alone.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => out.push_str(r"\x00"),
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A text as what comes in the place of a match.
pub fn as_rewrite(text: &str) -> String {
    text.replace('\\', r"\\")
}

impl Nodes {
    /// All values in one dimension.
    pub fn flattened(&mut self, x: &Out, dtype: DType) -> Out {
        self.reshape(x, dtype, &[-1])
    }

    /// Values that a column of the type holds, of all of them in one dimension.
    pub fn shaped(&mut self, flat: &Out, ty: &Type) -> Out {
        self.reshape(flat, ty.dtype, &sizes(ty))
    }

    /// Whether a pattern matches the whole of each string.
    pub fn full_match(&mut self, x: &Out, pattern: &str) -> Out {
        self.node("StaticRegexFullMatch", &[x], [("pattern", of_text(pattern))])
    }

    /// Strings with all matches of a pattern, or the first alone, rewritten.
    pub fn rewritten(&mut self, x: &Out, pattern: &str, rewrite: &str, all: bool) -> Out {
        let attrs = [
            ("pattern", of_text(pattern)),
            ("rewrite", of_text(rewrite)),
            ("replace_global", Attr::B(all)),
        ];
        self.node("StaticRegexReplace", &[x], attrs)
    }

    /// Lengths of strings in `BYTE` or `UTF8_CHAR`, int64.
    pub fn string_length(&mut self, x: &Out, unit: &str) -> Out {
        let length = self.node("StringLength", &[x], [("unit", of_text(unit))]);
        self.cast(&length, DataType::Int32, INT)
    }

    /// Parts of strings; positions and lengths are int64 and within them.
    pub fn substr(&mut self, x: &Out, pos: &Out, len: &Out, unit: &str) -> Out {
        self.node("Substr", &[x, pos, len], [("T", of_type(INT)), ("unit", of_text(unit))])
    }

    /// Valid UTF-8: what is none is replaced by U+FFFD, or left out.
    pub fn valid_utf8(&mut self, x: &Out, ignore: bool) -> Out {
        let attrs = [
            ("input_encoding", of_text("UTF-8")),
            ("output_encoding", of_text("UTF-8")),
            ("errors", of_text(if ignore { "ignore" } else { "replace" })),
        ];
        self.node("UnicodeTranscode", &[x], attrs)
    }

    /// The characters of a list of valid strings, and for each the string that it is of.
    pub fn chars(&mut self, flat: &Out) -> (Out, Out) {
        let attrs = [("input_encoding", of_text("UTF-8")), ("Tsplits", of_type(INT))];
        let decoded = self.node("UnicodeDecodeWithOffsets", &[flat], attrs);
        let (codes, starts) = (decoded.port(1), decoded.port(2));
        let n = self.size(&codes, DataType::Int32);
        let all = self.range(&n);
        let of = self.items(&decoded, &all);
        let whole = self.gather(flat, STRING, &of);
        let codes = self.cast(&codes, DataType::Int32, INT);
        // Encoding the code points again would replace those that are no characters.
        let (longer, one) = (self.list(vec![0x80i64, 0x800, 0x1_0000]), self.scalar(1i64));
        let more = self.bound("UpperBound", &longer, &codes, INT);
        let lengths = self.ints("AddV2", &more, &one);
        (self.substr(&whole, &starts, &lengths, "BYTE"), of)
    }

    /// Parts joined by the list that each is of; there are `n`.
    pub fn joined(&mut self, parts: &Out, of: &Out, n: &Out, separator: &str) -> Out {
        let ids = [("Tindices", of_type(INT)), ("Tnumsegments", of_type(INT))];
        let mut parts = parts.clone();
        if !separator.is_empty() {
            // TensorFlow joins nothing behind what is empty so far: parts bring the separators, but for the first.
            let size = self.size(&parts, STRING);
            let all = self.range(&size);
            let attrs = [("T", of_type(INT)), ids[0].clone(), ids[1].clone()];
            let first = self.node("UnsortedSegmentMin", &[&all, of, n], attrs);
            let first = self.gather(&first, INT, of);
            let first = self.typed("Equal", INT, &[&all, &first]);
            let between = self.text(separator);
            let later = self.node("StringJoin", &[&between, &parts], [("N", Attr::I(2))]);
            parts = self.select(&first, &parts, &later, STRING);
        }
        self.node("UnsortedSegmentJoin", &[&parts, of, n], ids)
    }

    /// The splits of `n` lists, by the list that each of their values is of, in ascending order.
    pub fn splits_by(&mut self, of: &Out, n: &Out) -> Out {
        let one = self.scalar(1i64);
        let ends = self.ints("AddV2", n, &one);
        let lists = self.range(&ends);
        self.bound("LowerBound", of, &lists, INT)
    }

    /// Integers from a start up to a limit, for each pair: the positions in one list, and of which pair
    /// each is.
    pub fn ranges(&mut self, starts: &Out, limits: &Out) -> (Out, Out) {
        let one = self.scalar(1i64);
        let attrs = [("T", of_type(INT)), ("Tsplits", of_type(INT))];
        let splits = self.node("RaggedRange", &[starts, limits, &one], attrs);
        let values = splits.port(1);
        let n = self.size(&values, INT);
        let all = self.range(&n);
        (values, self.items(&splits, &all))
    }

    /// What a list of texts is mapped to by a table; '' for other texts.
    pub fn mapped(&mut self, pairs: &[(String, String)], x: &Out) -> Out {
        let keys: crate::Strings = pairs.iter().map(|(key, _)| key).collect();
        let values: crate::Strings = pairs.iter().map(|(_, value)| value).collect();
        let table = self.table_from(&keys.into(), &values.into());
        let none = self.text("");
        let attrs = [("Tin", of_type(STRING)), ("Tout", of_type(STRING))];
        self.node("LookupTableFindV2", &[&table, x, &none], attrs)
    }

    /// A list for each row: those of its values that a condition holds for.
    pub fn lists_of(
        &mut self,
        values: &Out,
        dtype: DType,
        rows: &Segments,
        condition: &Out,
    ) -> Column {
        let of = self.kept(&rows.ids, INT, condition);
        let values = self.kept(values, dtype, condition);
        Column { values, splits: vec![self.splits_by(&of, &rows.n)] }
    }
}
