//! Images: values that begin like a BMP, GIF, JPEG or PNG file, and their sizes in pixels.
//!
//! Sizes are read from the headers (BMP: `BITMAPCOREHEADER`/`BITMAPINFOHEADER`; GIF89a §18; PNG,
//! ISO/IEC 15948 §11.2.2; JPEG, ITU-T T.81 §B.2.2). TFDV decodes whole images for them, and only
//! when told to; here they cost a few bytes per image, so they are always given.

use engine::{CombineFn, Result};
use serde::{Deserialize, Serialize};

use super::{DOMAIN_INFO, MIN_RATIO, MIN_VALUES, for_each_bytes};
use crate::stats::generator::feature_stats;
use crate::stats::{Column, Generator, Kind, Patch, custom};

pub(in crate::stats) const GENERATOR: Generator = Generator {
    name: "image",
    doc: "recognises images by their first bytes, and measures them",
    new: |feature| {
        let wanted = feature.options.enable_semantic_domain_stats && feature.kind == Kind::String;
        wanted.then(|| feature_stats(Image))
    },
};

/// A format: its name, how its files begin, and how its header tells width and height.
struct Format {
    name: &'static str,
    signature: &'static [u8],
    size: fn(&[u8]) -> Option<(u32, u32)>,
}

/// In order of name, which is the order of the histogram.
const FORMATS: [Format; 4] = [
    Format { name: "bmp", signature: b"BM", size: bmp },
    Format { name: "gif", signature: b"GIF8", size: gif },
    Format { name: "jpeg", signature: b"\xff\xd8\xff", size: jpeg },
    Format { name: "png", signature: b"\x89PNG\r\n\x1a\n", size: png },
];

struct Image;

#[derive(Default, Serialize, Deserialize)]
struct Images {
    unknown: u64,
    counts: [u64; FORMATS.len()],
    max_width: u32,
    max_height: u32,
}

impl CombineFn for Image {
    type Input = Column;
    type Accumulator = Images;
    type Output = Patch;

    fn name(&self) -> &'static str {
        GENERATOR.name
    }

    fn create_accumulator(&self) -> Images {
        Images::default()
    }

    fn add_input(&self, acc: &mut Images, column: &Column) -> Result<()> {
        for_each_bytes(&column.values, |value, n| {
            let Some(i) = FORMATS.iter().position(|f| value.starts_with(f.signature)) else {
                acc.unknown += n;
                return;
            };
            acc.counts[i] += n;
            if let Some((width, height)) = (FORMATS[i].size)(value) {
                acc.max_width = acc.max_width.max(width);
                acc.max_height = acc.max_height.max(height);
            }
        });
        Ok(())
    }

    fn merge_accumulators(&self, acc: &mut Images, other: Images) -> Result<()> {
        acc.unknown += other.unknown;
        for (a, b) in acc.counts.iter_mut().zip(other.counts) {
            *a += b;
        }
        acc.max_width = acc.max_width.max(other.max_width);
        acc.max_height = acc.max_height.max(other.max_height);
        Ok(())
    }

    fn extract_output(&self, acc: Images) -> Result<Patch> {
        Ok(Box::new(move |message| {
            let n = acc.unknown + acc.counts.iter().sum::<u64>();
            if n < MIN_VALUES || 1.0 - acc.unknown as f64 / (n as f64) < MIN_RATIO {
                return;
            }
            custom::add_text(message, DOMAIN_INFO, "image_domain {}");
            let formats = FORMATS.iter().map(|format| format.name).zip(acc.counts);
            // Schema inference knows the values of no format by this label.
            let labels = std::iter::once(("UNKNOWN", acc.unknown)).chain(formats);
            custom::add_labels(
                message,
                "image_format_histogram",
                labels.filter(|&(_, n)| n > 0).map(|(label, n)| (label, n as f64)),
            );
            if acc.max_width > 0 || acc.max_height > 0 {
                custom::add_number(message, "image_max_width", acc.max_width.into());
                custom::add_number(message, "image_max_height", acc.max_height.into());
            }
        }))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn bmp(bytes: &[u8]) -> Option<(u32, u32)> {
    let u16_at = |at| array(bytes, at).map(u16::from_le_bytes).map(u32::from);
    let i32_at = |at| array(bytes, at).map(i32::from_le_bytes);
    match u32::from_le_bytes(array(bytes, 14)?) {
        12 => Some((u16_at(18)?, u16_at(20)?)),
        // The height of an image that is stored from top to bottom is negative.
        _ => Some((i32_at(18)?.unsigned_abs(), i32_at(22)?.unsigned_abs())),
    }
}

fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let u16_at = |at| array(bytes, at).map(u16::from_le_bytes).map(u32::from);
    Some((u16_at(6)?, u16_at(8)?))
}

fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.get(12..16)? != b"IHDR" {
        return None;
    }
    let u32_at = |at| array(bytes, at).map(u32::from_be_bytes);
    Some((u32_at(16)?, u32_at(20)?))
}

fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let u16_at = |at| array(bytes, at).map(u16::from_be_bytes).map(u32::from);
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        at += 2;
        match marker {
            // A fill byte, before the marker proper.
            0xff => at -= 1,
            // Markers without a segment.
            0x01 | 0xd0..=0xd8 => {}
            // Frames: all of 0xc0 to 0xcf but the tables (c4, cc) and the reserved c8.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((u16_at(at + 5)?, u16_at(at + 3)?));
            }
            // The scan or the end came before any frame.
            0xd9 | 0xda => return None,
            _ => {
                let length = u16_at(at)? as usize;
                if length < 2 {
                    return None;
                }
                at += length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{StatsOptions, laws};

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    fn gif_of(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"GIF89a".to_vec();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes
    }

    fn bmp_of(header: u32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        bytes.resize(14, 0);
        bytes.extend(header.to_le_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn sizes() {
        let exif = b"\xff\xd8\xff\xe1\0\x06abcd\xff\xff\xdb\0\x03x";
        let frame = b"\xff\xc2\0\x11\x08\x01\x02\x03\x04\x03";
        type Row<'a> = (&'a [u8], Option<(u32, u32)>);
        let rows: &[Row<'_>] = &[
            (&png_of(70_000, 3), Some((70_000, 3))),
            (&png_of(1, 2)[..23], None),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0dXXXX12345678", None),
            (&gif_of(640, 480), Some((640, 480))),
            (b"GIF8", None),
            (&bmp_of(40, b"\x05\0\0\0\xf9\xff\xff\xff"), Some((5, 7))),
            (&bmp_of(40, b"\x05\0\0\0\0\0\0\x80"), Some((5, 1 << 31))),
            (&bmp_of(12, b"\x05\0\x06\0"), Some((5, 6))),
            (b"BM", None),
            (&[exif.as_slice(), frame].concat(), Some((0x304, 0x102))),
            (b"\xff\xd8\xff\xc0\0\x11\x08\x01\x02\x03", None),
            (b"\xff\xd8\xff\xda\0\x02", None),
            (b"\xff\xd8\xff\xe0\0\x01", None),
            (b"\xff\xd8\xff\xe0\xff\xff", None),
            (b"\xff\xd8\xff\xe0\0\x02xx", None),
            (b"\xff\xd8\xff", None),
        ];
        for (bytes, expected) in rows {
            let format = FORMATS.iter().find(|f| bytes.starts_with(f.signature)).unwrap();
            assert_eq!((format.size)(bytes), *expected, "{} {bytes:?}", format.name);
        }
    }

    fn check(values: &[(&[u8], usize)], expected: &[&str]) {
        let options = StatsOptions { enable_semantic_domain_stats: true, ..Default::default() };
        let values = values.iter().flat_map(|&(value, n)| std::iter::repeat_n(Some(value), n));
        let column = laws::strings(values.chain([None]));
        let message = laws::feature(&GENERATOR, &options, column, |a, b| a == b);
        assert_eq!(laws::custom(&message), expected);
    }

    #[test]
    fn thresholds() {
        check(&[(&gif_of(1, 1), 99)], &[]);
        check(
            &[(&gif_of(3, 2), 90), (&png_of(1, 9), 5), (b"no image", 5)],
            &[
                "domain_info: image_domain {}",
                "image_format_histogram: UNKNOWN=5 gif=90 png=5",
                "image_max_height: 9",
                "image_max_width: 3",
            ],
        );
        check(&[(b"BM", 79), (b"", 21)], &[]);
        check(
            &[(b"BM", 80), (b"", 20)],
            &["domain_info: image_domain {}", "image_format_histogram: UNKNOWN=20 bmp=80"],
        );
        check(&[], &[]);
    }
}
