//! The wire walker against prost's decoder, on random and on damaged messages.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use proptest::prelude::*;
use prost::Message;

use super::super::{ExampleDecoder, ExampleEncoder, Payload, wire};
use super::{List, ListsRow, Row, entry, example, field, float, ints, rows};

mod proto {
    //! The messages as prost sees them.

    use std::collections::BTreeMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Example {
        #[prost(message, optional, tag = "1")]
        pub(super) features: Option<Features>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct SequenceExample {
        #[prost(message, optional, tag = "1")]
        pub(super) context: Option<Features>,
        #[prost(message, optional, tag = "2")]
        pub(super) feature_lists: Option<FeatureLists>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Features {
        #[prost(btree_map = "string, message", tag = "1")]
        pub(super) feature: BTreeMap<String, Feature>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct FeatureLists {
        #[prost(btree_map = "string, message", tag = "1")]
        pub(super) feature_list: BTreeMap<String, FeatureList>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct FeatureList {
        #[prost(message, repeated, tag = "1")]
        pub(super) feature: Vec<Feature>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Feature {
        #[prost(oneof = "Kind", tags = "1, 2, 3")]
        pub(super) kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Kind {
        #[prost(message, tag = "1")]
        Bytes(BytesList),
        #[prost(message, tag = "2")]
        Floats(FloatList),
        #[prost(message, tag = "3")]
        Ints(Int64List),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct BytesList {
        #[prost(bytes = "vec", repeated, tag = "1")]
        pub(super) value: Vec<Vec<u8>>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct FloatList {
        #[prost(float, repeated, tag = "1")]
        pub(super) value: Vec<f32>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Int64List {
        #[prost(int64, repeated, tag = "1")]
        pub(super) value: Vec<i64>,
    }
}

fn list_of(feature: &proto::Feature) -> Option<List> {
    feature.kind.as_ref().map(|kind| match kind {
        proto::Kind::Bytes(list) => List::Bytes(list.value.clone()),
        proto::Kind::Floats(list) => {
            List::Floats(list.value.iter().map(|value| value.to_bits()).collect())
        }
        proto::Kind::Ints(list) => List::Ints(list.value.clone()),
    })
}

/// A list as bytes, in one of the forms that the wire format has for it.
fn list_bytes() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![any::<i64>(), 0..300_i64, Just(-1), Just(1 << 56)];
    let ints = prop::collection::vec((number, any::<bool>()), 0..5).prop_map(|values| {
        let mut list = Vec::new();
        for (value, is_packed) in values {
            let mut bytes = Vec::new();
            wire::put_varint(value as u64, &mut bytes);
            list.extend(if is_packed { field(1, &bytes) } else { [vec![0x08], bytes].concat() });
        }
        field(3, &list)
    });
    let packed = prop::collection::vec(any::<i64>(), 0..4)
        .prop_map(|value| field(3, &proto::Int64List { value }.encode_to_vec()));
    let floats = prop::collection::vec((any::<u32>(), any::<bool>()), 0..4).prop_map(|values| {
        let forms = values.into_iter().map(|(value, is_packed)| {
            let bytes = value.to_le_bytes();
            if is_packed { field(1, &bytes) } else { [&[0x0d], bytes.as_slice()].concat() }
        });
        field(2, &forms.collect::<Vec<_>>().concat())
    });
    let one_float = any::<f32>().prop_map(float);
    let bytes = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..3)
        .prop_map(|value| field(1, &proto::BytesList { value }.encode_to_vec()));
    prop_oneof![ints, packed, floats, one_float, bytes]
}

/// A feature as bytes: mostly one list, sometimes none, several, or with unknown fields.
fn feature_bytes() -> impl Strategy<Value = Vec<u8>> {
    let several = prop::collection::vec(list_bytes(), 0..4).prop_map(|lists| lists.concat());
    let unknown = list_bytes().prop_map(|list| [vec![0x78, 1], list, field(9, b"?")].concat());
    prop_oneof![8 => list_bytes(), 2 => several, 1 => unknown]
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "a",
        "b",
        "naïve",
        "longer_than_eight_bytes",
        "a_name_that_is_longer_than_what_is_compared_at_once",
    ])
}

/// A map as bytes, from entries whose values are `value`.
fn map_bytes(value: impl Strategy<Value = Vec<u8>> + Clone) -> impl Strategy<Value = Vec<u8>> {
    let plain = (key(), value.clone()).prop_map(|(key, value)| entry(key, &value));
    let odd = prop::collection::vec(
        prop_oneof![
            key().prop_map(|key| field(1, key.as_bytes())),
            value.prop_map(|value| field(2, &value)),
            Just(vec![0x78, 1]),
        ],
        0..4,
    )
    .prop_map(|fields| fields.concat());
    prop::collection::vec(prop_oneof![6 => plain, 1 => odd], 0..10)
        .prop_map(|entries| entries.iter().flat_map(|entry| field(1, entry)).collect())
}

/// A record of either message.
fn record_bytes() -> impl Strategy<Value = Vec<u8>> {
    let features = map_bytes(feature_bytes().boxed()).prop_map(|map| field(1, &map));
    let list = prop::collection::vec(feature_bytes(), 0..4)
        .prop_map(|features| features.iter().flat_map(|f| field(1, f)).collect::<Vec<_>>());
    let lists = map_bytes(list.boxed()).prop_map(|map| field(2, &map));
    let part =
        prop_oneof![4 => features, 1 => Just(field(1, b"")), 2 => lists, 1 => Just(vec![0x78, 1])];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

/// The specification: what prost decodes, and then the rule of one kind per column and shard.
struct Reference {
    payload: Payload,
    kinds: BTreeMap<(bool, String), &'static str>,
}

impl Reference {
    fn push(&mut self, record: &[u8]) -> Result<(Row, ListsRow), ()> {
        let (features, lists) = if self.payload == Payload::Example {
            (proto::Example::decode(record).map_err(|_| ())?.features, None)
        } else {
            let example = proto::SequenceExample::decode(record).map_err(|_| ())?;
            (example.context, example.feature_lists)
        };
        let mut row = Row::new();
        for (name, feature) in features.unwrap_or_default().feature {
            row.extend(list_of(&feature).map(|list| (name, list)));
        }
        let mut lists_row = ListsRow::new();
        for (name, list) in lists.unwrap_or_default().feature_list {
            lists_row.insert(name, list.feature.iter().map(list_of).collect());
        }
        let mut kinds = self.kinds.clone();
        let lists = lists_row.iter().flat_map(|(name, lists)| {
            lists.iter().flatten().map(move |list| (true, name.clone(), list))
        });
        let features = row.iter().map(|(name, list)| (false, name.clone(), list));
        for (is_list, name, list) in features.chain(lists) {
            if *kinds.entry((is_list, name)).or_insert(list.name()) != list.name() {
                return Err(());
            }
        }
        self.kinds = kinds;
        Ok((row, lists_row))
    }
}

/// The rows of a batch, which encoding and decoding again must not change.
fn rows_twice(payload: Payload, batch: &RecordBatch) -> Vec<(Row, ListsRow)> {
    let mut encoder = ExampleEncoder::new(batch).unwrap();
    let mut again = ExampleDecoder::new(payload, None);
    (0..encoder.rows()).for_each(|row| again.push(encoder.encode(row)).unwrap());
    let found = rows(batch);
    assert_eq!(rows(&again.finish().unwrap()), found);
    found
}

/// Compares the decoder with the reference; batches end after every `batch_rows` rows.
fn compare(payload: Payload, records: &[Vec<u8>], batch_rows: usize) {
    let mut reference = Reference { payload, kinds: BTreeMap::new() };
    let mut decoder = ExampleDecoder::new(payload, None);
    let mut expected = Vec::new();
    let mut found = Vec::new();
    for record in records {
        match (decoder.push(record), reference.push(record)) {
            (Ok(()), Ok(row)) => expected.push(row),
            (Err(_), Err(())) => {}
            // The reference skips groups.
            (Err(reason), Ok(_)) if reason.contains("wire type 3") => {}
            (found, expected) => panic!("{found:?} for {expected:?} of {record:x?}"),
        }
        if decoder.rows() == batch_rows {
            found.extend(rows_twice(payload, &decoder.finish().unwrap()));
        }
    }
    found.extend(rows_twice(payload, &decoder.finish().unwrap()));
    assert_eq!(found, expected);
}

proptest! {
    #[test]
    fn the_decoder_agrees_with_prost(
        records in prop::collection::vec(record_bytes(), 1..12),
        batch_rows in 1..6_usize,
    ) {
        compare(Payload::Example, &records, batch_rows);
        compare(Payload::SequenceExample, &records, batch_rows);
    }

    #[test]
    fn the_decoder_agrees_with_prost_on_damaged_records(
        record in record_bytes(),
        flips in prop::collection::vec(any::<(u16, u8)>(), 1..4),
        end in any::<u16>(),
    ) {
        let mut damaged = record.clone();
        for (at, bits) in flips {
            let len = damaged.len().max(1);
            if let Some(byte) = damaged.get_mut(at as usize % len) {
                *byte ^= bits;
            }
        }
        let cut = record[..end as usize % (record.len() + 1)].to_vec();
        let records = [record.clone(), damaged, cut, record];
        compare(Payload::Example, &records, 3);
        compare(Payload::SequenceExample, &records, 3);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(record in prop::collection::vec(any::<u8>(), 0..60)) {
        compare(Payload::Example, std::slice::from_ref(&record), 3);
        compare(Payload::SequenceExample, &[record], 3);
    }
}

#[test]
fn every_prefix_and_every_flipped_bit_agrees_with_prost() {
    let record = [
        example(&[entry("a", &ints(&[1, 200, 1])), entry("b", &field(1, &field(1, b"xyz")))]),
        field(2, &field(1, &entry("s", &field(1, &float(1.5))))),
    ]
    .concat();
    let prefixes = (0..record.len()).map(|end| record[..end].to_vec());
    let flipped = (0..record.len() * 8).map(|bit| {
        let mut record = record.clone();
        record[bit / 8] ^= 1 << (bit % 8);
        record
    });
    for damaged in prefixes.chain(flipped) {
        let records = [damaged.clone(), record.clone(), damaged];
        compare(Payload::Example, &records, 2);
        compare(Payload::SequenceExample, &records, 2);
    }
}
