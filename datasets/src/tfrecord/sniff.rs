//! What a file is, judged by its first bytes: compressed, TFRecord, or something else by mistake.

use super::{HEADER, record_len};

/// How many first bytes are looked at.
pub(super) const HEAD: usize = 512;

/// How a shard is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zlib,
}

impl Compression {
    /// Judged by content, for suffixes are often missing. A good TFRecord header comes first: its
    /// length may look like the two bytes by which a zlib stream begins.
    pub(super) fn of(head: &[u8]) -> Self {
        if head.first_chunk::<HEADER>().is_some_and(|header| record_len(header).is_some()) {
            return Compression::None;
        }
        match head {
            [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
            [method, flags, ..]
                if method & 0x0f == 8
                    && method >> 4 <= 7
                    && u16::from_be_bytes([*method, *flags]) % 31 == 0
                    && flags & 0x20 == 0
                    && !is_text(head) =>
            {
                Compression::Zlib
            }
            _ => Compression::None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::None => "plain",
            Compression::Gzip => "gzip",
            Compression::Zlib => "zlib",
        }
    }
}

/// What the (decompressed) beginning of a file looks like, if it can be no TFRecord file.
///
/// A damaged header of a TFRecord file is not taken for another format: the upper half of its
/// length is zero in all but absurd cases.
pub(super) fn other_format(head: &[u8]) -> Option<String> {
    const MAGIC: [(&[u8], &str); 14] = [
        (b"PAR1", "a Parquet file"),
        (b"ARROW1", "an Arrow IPC file"),
        (b"Obj\x01", "an Avro file"),
        (b"ORC", "an ORC file"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x28\xb5\x2f\xfd", "Zstandard-compressed data"),
        (b"BZh", "bzip2-compressed data"),
        (b"\xfd7zXZ", "xz-compressed data"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x93NUMPY", "a NumPy file"),
        (b"SQLite format 3", "an SQLite database"),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "a run of zero bytes"),
        (b"%PDF", "a PDF document"),
    ];
    let header = head.first_chunk::<HEADER>();
    if header.is_some_and(|header| record_len(header).is_some()) {
        return None;
    }
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some((*name).to_owned());
    }
    if head.len() >= 4 && is_text(head) {
        let text = String::from_utf8_lossy(head);
        let line: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
        let what = match line.trim_start().as_bytes() {
            [b'{' | b'[', ..] => "JSON",
            _ => "CSV or other text",
        };
        return Some(format!("{what}: `{line}`"));
    }
    header.is_some_and(|header| header[4..8] != [0; 4]).then(|| "other binary data".to_owned())
}

/// Whether the bytes are UTF-8, perhaps cut off, without control characters.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_called_by_name() {
        let check = |head: &[u8], expected: Option<&str>| {
            assert_eq!(other_format(head).as_deref(), expected);
        };
        check(b"", None);
        check(b"PAR1\x15\x04\x15\x10", Some("a Parquet file"));
        check(b"a,b\n1,2\n", Some("CSV or other text: `a,b`"));
        check("naïve,b\n1".as_bytes(), Some("CSV or other text: `naïve,b`"));
        check(b"{\"a\": 1}\n", Some("JSON: `{\"a\": 1}`"));
        check(b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", Some("other binary data"));
        check(&[0; 12], Some("a run of zero bytes"));
        // A length with a wrong checksum, and a header that is cut off: damaged, but TFRecord.
        check(b"\x10\x03\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04", None);
        check(b"\x10\x03\x00\x00\x00", None);
    }

    #[test]
    fn compression_is_found_by_content() {
        let check = |head: &[u8], expected| assert_eq!(Compression::of(head), expected);
        check(b"", Compression::None);
        check(b"\x1f\x8b\x08\x00", Compression::Gzip);
        check(b"\x78\x9c\x03\x00", Compression::Zlib);
        check(b"\x78\x01\x03\x00", Compression::Zlib);
        check(b"\x78\x9d\x03\x00", Compression::None);
        check(b"x^2,y\n", Compression::None);
        let mut file = Vec::new();
        let record = vec![0; 0x9c78];
        crate::TfRecordWriter::new(&mut file).write(&record).expect("vectors take all");
        check(&file, Compression::None);
    }
}
