//! What the real TFT gave to the functions of `tests/golden/transform`, against our modules that say
//! the same line by line: every output, analyzer, vocabulary file and range of integers.

use std::path::Path;

use ops::tfmd::feature::{PresenceConstraints, ShapeType};
use ops::tfmd::{Feature, FeatureType};
use transform::{DType, Dim, Type};

use crate::transform_golden::{Case, open};

/// Compares all of a case.
fn check(case: &str, meant: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/transform").join(case);
    let data = |pattern: &str| open(&folder.join(pattern).display().to_string());
    let case_files = Case {
        modules: folder.clone(),
        columns: columns(&folder),
        rows: vec![
            (data("data-*.tfrecord"), folder.join("transformed.json")),
            (data("more.tfrecord"), folder.join("transformed_more.json")),
        ],
        schema: folder.join("transformed_schema.pbtxt"),
        folder,
        own: true,
    };
    case_files.compare("module.star", &[]).assert_meant(case, meant);
}

/// The columns of a case.
pub(crate) fn columns(folder: &Path) -> Vec<(String, Type)> {
    let schema = std::fs::read(folder.join("schema.pbtxt")).unwrap();
    let schema = ops::tfmd::load_schema(&schema).unwrap();
    schema.feature.iter().map(|f| (f.name().to_owned(), column(f))).collect()
}

/// The type of a feature, by the rules of feature specs.
pub(crate) fn column(feature: &Feature) -> Type {
    let dtype = match feature.r#type() {
        FeatureType::Int => DType::Int64,
        FeatureType::Float => DType::Float32,
        _ => DType::String,
    };
    match (&feature.presence_constraints, &feature.shape_type) {
        (Some(PresenceConstraints::Presence(_)), Some(ShapeType::Shape(shape))) => {
            let dims = shape.dim.iter().map(|dim| Dim::Fixed(dim.size() as u32));
            Type::column(dtype, dims.collect::<Vec<_>>())
        }
        _ => Type::var_len(dtype),
    }
}

/// Sums that TFT adds in float32, batch by batch.
const FLOAT32: &str = "TFT adds in float32, batch by batch; here sums are exact and rounded once";
/// Sums of squares that float32 does not hold.
const OVERFLOW: &str = "squares near 2^126 add up to infinity in float32, not in double precision";
/// Parameters of Tukey's distribution whose L-kurtosis is that of the data.
const SEARCH: &str = "TFT's search stops at an L-kurtosis that is 1e-4 off; here at one 1e-8 off";
/// L-moments of a column with NaN or infinities.
const FINITE: &str = "TFT takes NaN for 0 and infinity for the greatest float32; here they are \
    passed over, as in means";
/// Values that are infinite, or whose square is in float32.
const SQUARED: &str = "TFT squares values in float32: one that is infinite then becomes NaN; here it \
    stays infinite, and others are computed in double precision";
/// The range of no values.
const NO_VALUES: &str = "TFT has infinity and -infinity where rows have no values, but NaN where there \
    are no rows; here NaN for both";
/// Tokens with the same information.
const TIES: &str = "tokens of the same information, which float32 means of shares tell apart; here \
    they are in the order of ties";

/// Boundaries of each key that are scaled into one list.
const SCALED: &str = "TFT scales boundaries in float32, which moves a value that lies on one; and \
    where a key has one value: see below";
/// Keys all of whose values are the same.
const ONE_VALUE: &str = "of a key with one value TFT makes boundaries that ascend, and the value is in \
    bucket 1; here it is in the last one, as without keys";
/// One boundary for each key.
const TWO_BUCKETS: &str = "with two buckets TFT has one boundary for all keys together: most keys have \
    no value in bucket 0";
/// Ranges of keys with NaN.
const SEGMENTS: &str = "TensorFlow's segment maximum forgets what came before NaN, so that the range \
    depends on the order of rows; here it is NaN, as without keys";
/// Keys in a file of lines of words.
const CUT: &str = "TFT reads the key `c c` of its file back as `c`; here nothing is read back";
/// Keys that are integers.
const BY_TEXT: &str = "TFT orders integers by their text; here by value";

#[test]
fn numbers_are_as_tft_has_them() {
    check(
        "numeric",
        &[
            ("covariance", FLOAT32),
            ("more/projected[3, 4]", FLOAT32),
            ("var_stamp", FLOAT32),
            ("z_stamp", FLOAT32),
            ("more/z_stamp[0, 1, 2, 3, 4, 5, 6, 7]", FLOAT32),
            ("tukey_scale_stamp", FLOAT32),
            ("gaussian_stamp", FLOAT32),
            ("more/gaussian_stamp[0, 1, 2, 3, 4, 5, 6, 7]", FLOAT32),
            ("tukey_scale_same", "what rounding in float32 leaves of an L-scale of 0"),
            ("var_wide", OVERFLOW),
            ("z_wide", OVERFLOW),
            ("more/z_wide[0, 1, 2, 3, 4, 5, 6, 7]", OVERFLOW),
            ("gaussian_wide", OVERFLOW),
            ("more/gaussian_wide[0, 1, 2, 3, 4, 5, 6, 7]", OVERFLOW),
            ("tukey_location_fare", SEARCH),
            ("tukey_scale_fare", SEARCH),
            ("tukey_h_right_fare", SEARCH),
            ("gaussian_fare", SEARCH),
            ("gaussian_tailed", SEARCH),
            ("tukey_location_holes", FINITE),
            ("tukey_scale_holes", FINITE),
            ("tukey_h_right_holes", FINITE),
            ("gaussian_holes", FINITE),
            ("tukey_location_ends", FINITE),
            ("tukey_scale_ends", FINITE),
            ("tukey_h_left_ends", FINITE),
            ("tukey_h_right_ends", FINITE),
            ("gaussian_ends", FINITE),
            ("more/gaussian_fare[1, 2, 3, 4, 5, 6, 7]", SQUARED),
            ("more/gaussian_tailed[1, 2, 3, 4, 5]", SQUARED),
            ("more/gaussian_even[1, 2, 3, 4]", SQUARED),
            ("more/gaussian_same[1, 2, 3, 4]", SQUARED),
            ("more/gaussian_holes[1, 2, 3, 4, 5, 6, 7]", SQUARED),
            ("more/gaussian_ends[1, 2, 3, 4, 5, 6, 7]", SQUARED),
            ("more/gaussian_nothing[1, 2, 3, 4]", SQUARED),
            ("more/gaussian_some[1, 2, 3, 4]", SQUARED),
            ("more/gaussian_none[1, 2, 3, 4]", SQUARED),
            ("more/gaussian_vector_elementwise[1, 2, 3, 4]", SQUARED),
            ("min_none", NO_VALUES),
            ("max_none", NO_VALUES),
        ],
    );
}

#[test]
fn buckets_are_as_tft_has_them() {
    check("buckets", &[]);
}

#[test]
fn phases_are_as_tft_has_them() {
    check("phases", &[]);
}

#[test]
fn keys_are_as_tft_has_them() {
    check(
        "per_key",
        &[
            ("z_number[18, 19, 38, 59, 103, 118, 126, 133, 178]", FLOAT32),
            (
                "buckets_number[6, 7, 11, 15, 20, 29, 41, 50, 54, 66, 86, 88, 110, 113, 128, 172]",
                SCALED,
            ),
            ("buckets_whole[6, 7, 11, 15, 20, 29, 50, 54, 66, 86, 110, 113, 128, 172]", ONE_VALUE),
            ("more/buckets_whole[4]", ONE_VALUE),
            ("buckets_holes[7]", ONE_VALUE),
            ("buckets_5[6, 7, 11, 15, 20, 29, 50, 54, 66, 86, 110, 113, 128, 172]", ONE_VALUE),
            ("buckets_10[6, 7, 11, 15, 20, 29, 50, 54, 66, 86, 110, 113, 128, 172]", ONE_VALUE),
            (
                "buckets_weighted[6, 7, 11, 15, 20, 29, 50, 54, 66, 86, 110, 113, 128, 172]",
                ONE_VALUE,
            ),
            ("buckets_2", TWO_BUCKETS),
            ("more/buckets_2[8]", TWO_BUCKETS),
            ("unit_holes", SEGMENTS),
            ("range_holes", SEGMENTS),
            ("more/unit_holes[1, 2, 3, 7, 8]", SEGMENTS),
            ("more/range_holes[1, 2, 3, 7, 8]", SEGMENTS),
            ("z_file", CUT),
            ("unit_file", CUT),
            ("more/z_file[5]", CUT),
            ("more/unit_file[5]", CUT),
            ("count_id_keys", BY_TEXT),
            ("count_id_counts", BY_TEXT),
        ],
    );
}

#[test]
fn vocabularies_are_as_tft_has_them() {
    check(
        "vocabulary",
        &[
            ("weighted_information[27, 33, 48, 57, 84, 102, 111, 144, 177]", TIES),
            ("weighted_information", TIES),
            ("weighted_adjusted", TIES),
            ("frequency_weighted_information", TIES),
            ("frequency_weighted_adjusted", TIES),
        ],
    );
}

#[test]
fn tokens_are_as_tft_has_them() {
    check("text", &[("lower_utf8[15]", "TensorFlow ends the string at NUL")]);
}
