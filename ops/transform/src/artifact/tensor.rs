//! Tensors as JSON: every bit of every value, whatever it is.
//!
//! Floats are the shortest decimals that give the same bits again; infinities and NaN are strings,
//! a NaN with its bits where they are not the usual ones. Strings that are not UTF-8 are
//! hexadecimal. Vocabularies and tokenizers are files beside the graph.

use engine::{Error, ErrorKind, Result};
use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::assets::Assets;
use crate::tensor::{Strings, StringsBuilder, Tensor, Values};
use crate::vocabulary::FileFormat;

/// A tensor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorJson {
    /// Left out where it is 1, as in every constant.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    rows: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    splits: Vec<Vec<i32>>,
    values: ValuesJson,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_one(n: &usize) -> bool {
    *n == 1
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ValuesJson {
    Bool(Vec<bool>),
    Int64(Vec<i64>),
    Float32(Vec<Single>),
    Float64(Vec<Double>),
    String(Vec<Text>),
    Vocabulary(VocabularyJson),
    Tokenizer(TokenizerJson),
}

/// A vocabulary: where its file is, and what the file does not say.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VocabularyJson {
    pub(super) file: String,
    pub(super) format: FileFormat,
    pub(super) tokens: u64,
    pub(super) frequencies: bool,
    pub(super) unfiltered_size: u64,
}

/// A tokenizer: where its file is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenizerJson {
    pub(super) file: String,
    pub(super) bytes: u64,
}

impl TensorJson {
    /// Takes a tensor down; its vocabulary or tokenizer is noted among the assets.
    ///
    /// # Errors
    /// When an asset cannot be a file.
    pub(super) fn new(tensor: &Tensor, assets: &mut Assets) -> Result<Self> {
        let values = match &tensor.values {
            Values::Bool(values) => ValuesJson::Bool(values.iter().map(|v| *v != 0).collect()),
            Values::Int64(values) => ValuesJson::Int64(values.to_vec()),
            Values::Float32(values) => {
                ValuesJson::Float32(values.iter().map(|v| Single(*v)).collect())
            }
            Values::Float64(values) => {
                ValuesJson::Float64(values.iter().map(|v| Double(*v)).collect())
            }
            Values::String(values) => {
                ValuesJson::String(values.iter().map(|v| Text(v.to_vec())).collect())
            }
            Values::Vocabulary(vocabulary) => ValuesJson::Vocabulary(assets.add(vocabulary)?),
            Values::Tokenizer(tokenizer) => ValuesJson::Tokenizer(assets.add_tokenizer(tokenizer)?),
        };
        let splits = tensor.splits.iter().map(|splits| splits.to_vec()).collect();
        Ok(TensorJson { rows: tensor.rows, splits, values })
    }

    /// The tensor; whether it fits its type is not looked at.
    ///
    /// # Errors
    /// When its vocabulary or tokenizer is not among the assets.
    pub(super) fn into_tensor(self, assets: &mut Assets) -> Result<Tensor> {
        let values = match self.values {
            ValuesJson::Bool(values) => values.into_iter().map(u8::from).collect::<Vec<_>>().into(),
            ValuesJson::Int64(values) => values.into(),
            ValuesJson::Float32(values) => {
                values.into_iter().map(|v| v.0).collect::<Vec<_>>().into()
            }
            ValuesJson::Float64(values) => {
                values.into_iter().map(|v| v.0).collect::<Vec<_>>().into()
            }
            ValuesJson::String(values) => strings(&values)?.into(),
            ValuesJson::Vocabulary(vocabulary) => Values::Vocabulary(assets.find(&vocabulary)?),
            ValuesJson::Tokenizer(tokenizer) => {
                Values::Tokenizer(assets.find_tokenizer(&tokenizer)?)
            }
        };
        let splits = self.splits.into_iter().map(Into::into).collect();
        Ok(Tensor { rows: self.rows, splits, values })
    }
}

fn strings(values: &[Text]) -> Result<Strings> {
    let mut strings = StringsBuilder::default();
    values.iter().for_each(|value| strings.push(&value.0));
    strings.finish().map_err(|_| {
        Error::new(ErrorKind::Input, "a constant of strings is too long")
            .with_detail("It has more than 2 GiB.")
    })
}

/// A double.
struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_nan() && self.0.to_bits() != f64::NAN.to_bits() {
            return to.serialize_str(&format!("NaN:{:016x}", self.0.to_bits()));
        }
        crate::numbers::serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Double(match crate::numbers::read(from)? {
            Ok(value) => value,
            Err(word) => f64::from_bits(nan_bits(&word)?),
        }))
    }
}

/// A single-precision number: read as a double, then rounded.
struct Single(f32);

impl Serialize for Single {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_nan() && self.0.to_bits() != f32::NAN.to_bits() {
            return to.serialize_str(&format!("NaN:{:08x}", self.0.to_bits()));
        }
        let short: Option<f64> = self.0.to_string().parse().ok();
        match short {
            // Rounding twice must give what was there.
            Some(short) if self.0.is_finite() && (short as f32).to_bits() == self.0.to_bits() => {
                to.serialize_f64(short)
            }
            _ => crate::numbers::serialize(&f64::from(self.0), to),
        }
    }
}

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Single(match crate::numbers::read(from)? {
            Ok(value) if value.is_nan() => f32::NAN,
            Ok(value) => value as f32,
            Err(word) => {
                let bits = u32::try_from(nan_bits(&word)?);
                f32::from_bits(bits.map_err(|_| de::Error::custom("too many bits of a float32"))?)
            }
        }))
    }
}

/// The bits of a NaN that is not the usual one.
fn nan_bits<E: de::Error>(word: &str) -> Result<u64, E> {
    let bits = word.strip_prefix("NaN:").and_then(|bits| u64::from_str_radix(bits, 16).ok());
    bits.ok_or_else(|| E::custom(format!("`{word}` is no number")))
}

/// Bytes: a string, or `{"hex": "…"}` where they are not UTF-8.
struct Text(Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextJson {
    Utf8(String),
    Hex { hex: String },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => to.serialize_str(text),
            Err(_) => TextJson::Hex { hex: super::files::hex(&self.0) }.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match TextJson::deserialize(from)? {
            TextJson::Utf8(text) => Ok(Text(text.into_bytes())),
            TextJson::Hex { hex } => {
                let digits = hex.as_bytes().chunks(2).map(|pair| {
                    let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2);
                    pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
                });
                let bytes: Option<Vec<u8>> = digits.collect();
                bytes.map(Text).ok_or_else(|| de::Error::custom("wrong hexadecimal digits"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back() {
        let doubles = [
            0.0,
            -0.0,
            0.1,
            1e300,
            5e-324,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::from_bits(0x7ff0_0000_0000_0001),
        ];
        let singles = [
            0.0f32,
            -0.0,
            0.1,
            16_777_217.0,
            1e-45,
            f32::MAX,
            f32::NAN,
            -f32::NAN,
            f32::INFINITY,
            f32::from_bits(0x7f80_0001),
            1.234_567_9,
        ];
        let strings = ["", "a\n\"", "\u{e9}"].map(|s| s.as_bytes().to_vec());
        let strings: Vec<Vec<u8>> = strings.into_iter().chain([b"\xff\x00".to_vec()]).collect();
        let tensors = [
            Tensor::dense(10, doubles.to_vec()),
            Tensor::dense(11, singles.to_vec()),
            Tensor::dense(3, vec![i64::MIN, 0, i64::MAX]),
            Tensor::dense(2, vec![0u8, 1]),
            Tensor::dense(4, Strings::from_iter(strings)),
            Tensor::var_len(vec![0, 0, 2].into(), vec![1i64, 2]),
        ];
        for tensor in tensors {
            let mut assets = Assets::default();
            let written = super::super::json::text(&TensorJson::new(&tensor, &mut assets).unwrap());
            let read: TensorJson = serde_json::from_str(&written).unwrap();
            let read = read.into_tensor(&mut assets).unwrap();
            assert!(read.same_bits(&tensor), "{written}");
        }
    }

    #[test]
    fn floats_are_short() {
        let shown = |tensor: &Tensor| {
            super::super::json::text(&TensorJson::new(tensor, &mut Assets::default()).unwrap())
        };
        let tensor = Tensor::dense(1, vec![0.1f32, f32::NAN, f32::NEG_INFINITY]);
        assert_eq!(shown(&tensor), r#"{"values":{"float32":[0.1,"NaN","-Infinity"]}}"#);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let read = |text: &str| serde_json::from_str::<TensorJson>(text).is_err();
        assert!(read(r#"{"values":{"float32":["nan"]}}"#));
        assert!(read(r#"{"values":{"float32":["NaN:1ffffffff"]}}"#));
        assert!(read(r#"{"values":{"string":[{"hex":"f"}]}}"#));
        assert!(read(r#"{"values":{"int64":[1.5]}}"#));
        assert!(read(r#"{"values":{"int64":[]},"more":1}"#));
        assert!(read(r#"{"rows":-1,"values":{"int64":[]}}"#));
    }
}
