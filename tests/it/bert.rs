//! BERT's inputs against tensorflow_text's: pieces, and rows of both layouts, for every text.

use std::path::Path;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use datasets::{ReadOptions, inputs};
use transform::text::model_inputs::{InputRow, SpecialIds, Truncation, segment_inputs, tfx_inputs};
use transform::text::{BertOptions, BertTokenizer, HuggingFaceTokenizer, Tokenizer};

use crate::support::shared;

pub(crate) const MAX_LENGTH: usize = 128;
const SPECIAL: SpecialIds = SpecialIds { start: 101, end: 102, pad: 0 };
pub(crate) const INPUTS: [&str; 3] = ["input_word_ids", "input_mask", "input_type_ids"];

fn tokenizer(shared: &Path) -> BertTokenizer {
    let vocabulary = std::fs::read_to_string(shared.join("data/bert/vocab.txt")).unwrap();
    let vocabulary: Vec<&str> = vocabulary.lines().collect();
    let options = BertOptions { lower_case: true, ..BertOptions::default() };
    BertTokenizer::new(&vocabulary, &options).unwrap()
}

/// Columns of texts, by the golden's name.
pub(crate) fn texts(shared: &Path, golden: &str) -> Vec<Vec<String>> {
    let data = shared.join("data/text");
    if golden == "bert_torture" {
        let text = std::fs::read_to_string(data.join("torture.json")).unwrap();
        return vec![serde_json::from_str(&text).unwrap()];
    }
    let mut reader = csv::Reader::from_path(data.join(format!("{golden}.csv"))).unwrap();
    let names = reader.headers().unwrap().clone();
    let places = (0..names.len()).filter(|&i| names[i].starts_with("sentence"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    places.map(|i| rows.iter().map(|row| row[i].to_owned()).collect()).collect()
}

/// A column of a golden file: a list for each row.
pub(crate) fn column(file: &Path, name: &str) -> Vec<Vec<i64>> {
    let files = inputs::resolve(&[file.display().to_string()], None).unwrap().files;
    let source = datasets::open(files, None, &ReadOptions::default()).unwrap();
    let mut rows = Vec::new();
    for shard in 0..source.shards().len() {
        for batch in source.clone().read(shard, 1000).unwrap() {
            let records = batch.unwrap().records;
            let lists = records.column_by_name(name).unwrap().as_list::<i64>();
            rows.extend(
                (0..lists.len())
                    .map(|row| lists.value(row).as_primitive::<Int64Type>().values().to_vec()),
            );
        }
    }
    rows
}

fn filled(fill: impl FnOnce(InputRow<'_>)) -> [Vec<i64>; 3] {
    let [mut word_ids, mut mask, mut type_ids] = [(); 3].map(|()| vec![-1; MAX_LENGTH]);
    fill(InputRow { word_ids: &mut word_ids, mask: &mut mask, type_ids: &mut type_ids });
    [word_ids, mask, type_ids]
}

#[test]
fn every_text_has_the_ids_of_tensorflow_text() {
    let Some(shared) = shared() else { return };
    let tokenizer = tokenizer(&shared);
    let check = |golden: &str, file: &str, data: &str, expected_rows: usize| {
        let file = shared.join("golden/tft").join(golden).join(file);
        let ids: Vec<Vec<Vec<i64>>> = texts(&shared, data)
            .iter()
            .map(|texts| {
                let encode = |text: &String| {
                    let mut ids = Vec::new();
                    tokenizer.encode(text.as_bytes(), &mut ids);
                    ids
                };
                texts.iter().map(encode).collect()
            })
            .collect();
        let order: Vec<usize> = column(&file, "row_id").iter().map(|row| row[0] as usize).collect();
        assert_eq!(order.len(), expected_rows, "{golden}");
        for (side, ids) in ids.iter().enumerate() {
            let pieces = column(&file, &format!("raw_tokens_{side}"));
            for (row, expected) in order.iter().zip(pieces) {
                assert_eq!(ids[*row], expected, "{golden} text {side} of row {row}");
            }
        }
        let rows = |layout: &str| INPUTS.map(|name| column(&file, &format!("{layout}_{name}")));
        let (tfx, segments) = (rows("tfx"), rows("seg"));
        for (place, &row) in order.iter().enumerate() {
            let (found_tfx, found_segments) = match &*ids {
                [one] => both([&one[row]]),
                [one, two] => both([&one[row], &two[row]]),
                more => panic!("{} texts", more.len()),
            };
            let expected = tfx.each_ref().map(|column| column[place].clone());
            assert_eq!(found_tfx, expected, "{golden} tfx row {row}");
            let expected = segments.each_ref().map(|column| column[place].clone());
            assert_eq!(found_segments, expected, "{golden} segments row {row}");
        }
    };
    for task in ["cola", "mrpc"] {
        let golden = format!("bert_{task}");
        check(&golden, "transformed.parquet", &format!("{task}_train"), 100);
        check(&golden, "transformed_validation.parquet", &format!("{task}_validation"), 100);
    }
    check("bert_torture", "transformed.parquet", "bert_torture", 73);
}

/// The row of the TFX layout, and that of segments.
fn both<const N: usize>(segments: [&[i64]; N]) -> ([Vec<i64>; 3], [Vec<i64>; 3]) {
    let tfx = filled(|row| {
        tfx_inputs(segments, SPECIAL, row);
    });
    let segments = filled(|row| {
        segment_inputs(segments, Truncation::RoundRobin, SPECIAL, row);
    });
    (tfx, segments)
}

#[test]
fn hugging_face_differs_on_15_of_73_torture_texts() {
    let Some(shared) = shared() else { return };
    let bert = tokenizer(&shared);
    let json = std::fs::read(shared.join("data/bert/tokenizer.json")).unwrap();
    let hugging_face = HuggingFaceTokenizer::new(&json).unwrap();
    assert_eq!(hugging_face.max_length(), Some(MAX_LENGTH));
    let tokenizers = [Tokenizer::from(bert), Tokenizer::from(hugging_face.clone())];
    let differing = |texts: &[String]| -> Vec<String> {
        let differ = |text: &&String| {
            let [one, two] = tokenizers.each_ref().map(|tokenizer| {
                let (mut ids, mut flat, mut word_ends) = (vec![], vec![], vec![]);
                tokenizer.encode_words(text.as_bytes(), &mut ids, &mut word_ends).unwrap();
                tokenizer.encode(text.as_bytes(), &mut flat).unwrap();
                assert_eq!(ids, flat);
                (ids, word_ends)
            });
            one != two
        };
        texts.iter().filter(differ).cloned().collect()
    };
    for task in ["cola", "mrpc"] {
        for part in ["train", "validation"] {
            for texts in texts(&shared, &format!("{task}_{part}")) {
                // The micro sign is a Greek letter where text is folded.
                let texts: Vec<String> =
                    texts.into_iter().filter(|text| !text.contains('µ')).collect();
                assert_eq!(differing(&texts), [""; 0], "{task}_{part}");
            }
        }
    }
    let torture = texts(&shared, "bert_torture").remove(0);
    assert_eq!(torture.len(), 73);
    let expected = [
        "straße STRASSE ẞ",
        "ﬁnancial ﬂow",
        "line\u{2028}sep\u{2029}para",
        "control\u{1}char\u{7f}del",
        "null\0byte",
        "replacement\u{fffd}char",
        "ＦＵＬＬ\u{3000}ｗｉｄｔｈ",
        "①②③ ½ ¼ ²",
        "“curly” ‘quotes’ – — …",
        "[CLS] literal [SEP] [MASK] [PAD]",
        "ǅ ǈ titlecase",
        "𝓗𝓮𝓵𝓵𝓸 math",
        "\u{e000} private use",
        "ŉ ǰ ΐ",
        "ς σ Σ",
    ];
    assert_eq!(differing(&torture), expected);

    // Rows of one text are those of tensorflow_text, too.
    let cola = texts(&shared, "cola_train").remove(0);
    let file = shared.join("golden/tft/bert_cola/transformed.parquet");
    let columns = INPUTS.map(|name| column(&file, &format!("seg_{name}")));
    for (place, row) in column(&file, "row_id").iter().enumerate() {
        let text = cola[row[0] as usize].as_bytes();
        let found = filled(|row| {
            hugging_face.inputs([text], row).unwrap();
        });
        assert_eq!(found, columns.each_ref().map(|column| column[place].clone()));
    }
}
