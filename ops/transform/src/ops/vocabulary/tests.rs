//! Vocabularies of nasty tokens, whatever the cuts of batches and blocks.

use super::testing::{Column, lists, rank, scalars};
use super::*;
use crate::graph::Builder;
use crate::op::{Args, Literal};
use crate::ops::testing;
use crate::tensor::Strings;

/// The lines of the vocabulary's file, cut into batches and blocks in any way.
fn lines(columns: &[(&str, Column)], more: impl Fn(Args) -> Args + Copy) -> Vec<String> {
    let more = |args| more(Args::default_name(args));
    let mut all = Vec::new();
    for (batch, block) in [(1, 1), (3, 2), (1000, 1000), (2, 1000)] {
        let found = rank(ANALYZER.name, columns, more, batch, block).unwrap();
        let vocabulary = found[0].vocabulary();
        let frequencies = vocabulary.frequencies.as_ref().map(|all| all.to_strings().unwrap());
        let frequency = |i| match &frequencies {
            Some(frequencies) => format!("{} ", frequencies.get(i).escape_ascii()),
            None => String::new(),
        };
        let line = |(i, token): (usize, &[u8])| format!("{}{}", frequency(i), token.escape_ascii());
        let tokens = vocabulary.tokens.to_strings().unwrap();
        let lines: Vec<String> = tokens.iter().enumerate().map(line).collect();
        all.push((lines, vocabulary.unfiltered_size));
    }
    assert!(all.iter().all(|found| *found == all[0]), "{all:?}");
    all.swap_remove(0).0
}

impl Args {
    fn default_name(self) -> Args {
        self.with("vocab_filename", "v")
    }
}

fn texts(tokens: &[&[u8]]) -> Column {
    scalars(Strings::from_iter(tokens))
}

fn sevens() -> [&'static [u8]; 10] {
    [b"b", b"a", b"", b"b", b"x\ny", b"\xff", b"a", b"c", b"long, longer, longest", b"b"]
}

#[test]
fn tokens_descend_by_frequency_and_then_by_bytes() {
    let check = |more: fn(Args) -> Args, expected: &[&str]| {
        assert_eq!(lines(&[("x", texts(&sevens()))], more), expected);
    };
    check(|a| a, &["b", "a", "\\xff", "long, longer, longest", "c"]);
    check(|a| a.with("top_k", 3), &["b", "a", "\\xff"]);
    check(|a| a.with("frequency_threshold", 2.0), &["b", "a"]);
    check(|a| a.with("frequency_threshold", 4.0), &["49d0cd50-04bb-48c0-bc6f-5b575dce351a"]);
    check(|a| a.with("store_frequency", true).with("top_k", 2), &["3 b", "2 a"]);
    check(
        |a| a.with("file_format", "tfrecord_gzip"),
        &["b", "a", "\\xff", "x\\ny", "long, longer, longest", "c", ""],
    );
    check(
        |a| a.with("reserved_tokens", Literal::from(vec!["z", "a"])).with("top_k", 3),
        &["z", "a", "b", "\\xff"],
    );
    check(
        |a| {
            let a =
                a.with("reserved_tokens", Literal::from(vec!["z"])).with("store_frequency", true);
            a.with("frequency_threshold", 9.0)
        },
        &["-1 z"],
    );
    // Digests: c 84a5…, a 86f7…, b e9d7….
    check(|a| a.with("top_k", 2).with("fingerprint_shuffle", true), &["a", "b"]);
    let empty = lines(&[("x", texts(&[]))], |a| a.with("store_frequency", true));
    assert_eq!(empty, ["1 49d0cd50-04bb-48c0-bc6f-5b575dce351a"]);
}

#[test]
fn integers_are_tokens_in_decimal() {
    let column = scalars(vec![2i64, 111, 3, 3, -1, i64::MIN, 2, 111]);
    let found = lines(&[("x", column.clone())], |a| a.with("store_frequency", true));
    assert_eq!(found, ["2 3", "2 2", "2 111", "1 -9223372036854775808", "1 -1"]);
    assert_eq!(lines(&[("x", column)], |a| a.with("top_k", 1)), ["3"]);
    assert_eq!(lines(&[("x", scalars(Vec::<i64>::new()))], |a| a), ["-1"]);
}

#[test]
fn weights_are_added_exactly() {
    let x = texts(&[b"a", b"b", b"a", b"c", b"a", b"n"]);
    let weights = scalars(vec![1e17, 2.5, -1e17, 1.0, 0.1, f64::NAN]);
    let columns = [("x", x), ("weights", weights)];
    let found = lines(&columns, |a| a.with("store_frequency", true));
    assert_eq!(found, ["nan n", "2.5 b", "1.0 c", "0.1 a"]);
    let found = lines(&columns, |a| a.with("frequency_threshold", 1.0));
    assert_eq!(found, ["b", "c"]);
    let x = lists(&[2, 0, 1], Strings::from_iter(["a", "b", "a"]));
    let per_row = scalars(vec![1.0f32, 8.0, 4.0]);
    let found = lines(&[("x", x), ("weights", per_row)], |a| a.with("store_frequency", true));
    assert_eq!(found, ["5.0 a", "1.0 b"]);
}

#[test]
fn information_orders_tokens_by_what_they_say() {
    let x = texts(&[b"p", b"p", b"q", b"q", b"r", b"", b"r", b"s"]);
    let labels = scalars(vec![1i64, 1, 0, 0, 0, 1, 1, 0]);
    let columns = [("x", x), ("labels", labels)];
    let plain = lines(&columns, |a| a.with("min_diff_from_avg", 0.0).with("store_frequency", true));
    let tokens: Vec<&str> = plain.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(tokens, ["q", "p", "s", "r"], "{plain:?}");
    assert!(plain[3].starts_with("0.0 "));
    // By default no difference below 2 counts.
    let default = lines(&columns, |a| a.with("store_frequency", true));
    assert_eq!(default, ["0 s", "0 r", "0 q", "0 p"]);
    let informed =
        lines(&columns, |a| a.with("min_diff_from_avg", 0.0).with("frequency_threshold", 1.5));
    assert_eq!(informed, ["q", "p"]);
    // Several labels for a row; a row without any is a row all the same.
    let x = lists(&[1, 2, 0, 1], Strings::from_iter(["a", "a", "b", "b"]));
    let labels = lists(&[2, 1, 1, 0], vec![0i64, 2, 2, 1]);
    let found = lines(&[("x", x), ("labels", labels)], |a| a.with("min_diff_from_avg", 0.0));
    assert_eq!(found, ["a", "b"]);
    // A token twice in a row is refused when it would be in more rows than there are.
    let x = lists(&[2], Strings::from_iter(["a", "a"]));
    let columns = [("x", x), ("labels", scalars(vec![1i64]))];
    assert!(rank(ANALYZER.name, &columns, Args::default_name, 1, 1).is_err());
}

#[test]
fn each_key_keeps_some_tokens() {
    let x = texts(&[b"aa", b"aa", b"aa", b"ab", b"ab", b"ba", b"bb", b"bb", b"c", b""]);
    let keys = texts(&[b"a", b"a", b"a", b"a", b"a", b"b", b"b", b"b", b"c", b""]);
    let columns = [("x", x), ("keys", keys)];
    let found = lines(&columns, |a| a.with("top_k", 2).with("coverage_top_k", 1));
    assert_eq!(found, ["aa", "bb", "c"]);
    let found = lines(&columns, |a| {
        a.with("top_k", 1).with("coverage_top_k", 2).with("coverage_frequency_threshold", 2.0)
    });
    assert_eq!(found, ["aa", "bb", "ab"]);
    let alone = [("x", texts(&[b"a"]))];
    let more = |a: Args| Args::default_name(a).with("coverage_top_k", 1);
    assert!(rank(ANALYZER.name, &alone, more, 1, 1).is_err());
}

/// The ids that tokens of a column have in a vocabulary.
fn ids(tokens: &[&str], column: &Column, default: i64, buckets: i64) -> (Vec<i64>, (i64, i64)) {
    let mut builder = Builder::new([("x".to_owned(), column.0.clone())]);
    let x = builder.input("x").unwrap();
    let tokens = Literal::from(tokens.to_vec());
    let list = Args::default().arg(tokens).with("file_format", "tfrecord_gzip");
    let v = builder.one(FROM_LIST.name, list).unwrap();
    let args = Args::default().arg(x).arg(v).arg(default).arg(buckets);
    let y = builder.one(apply::APPLY.name, args).unwrap();
    let n =
        builder.one("tft.get_num_buckets_for_transformed_feature", Args::default().arg(y)).unwrap();
    let domain = builder.graph().domain(y).unwrap();
    let program = crate::Program::new(builder.graph(), &[y, n]).unwrap();
    let found = program.run(column.1.rows, vec![column.1.clone()]).unwrap();
    assert_eq!(found[1].ints(), [domain.1 + 1]);
    (found[0].ints().to_vec(), domain)
}

#[test]
fn ids_are_places_and_others_share_buckets() {
    let texts = texts(&[b"b", b"a", b"", b"\xff", b"a "]);
    let tokens = ["a", "b", "", "a"];
    assert_eq!(ids(&tokens, &texts, -1, 0), (vec![1, 0, 2, -1, -1], (-1, 3)));
    assert_eq!(ids(&tokens, &texts, 99, 0), (vec![1, 0, 2, 99, 99], (0, 99)));
    let bucket = |token: &[u8]| 4 + (crate::hash::fingerprint64(token) % 3) as i64;
    let (found, domain) = ids(&tokens, &texts, -1, 3);
    assert_eq!(found, [1, 0, 2, bucket(b"\xff"), bucket(b"a ")]);
    assert_eq!(domain, (0, 6));
    let ints = scalars(vec![7i64, -7, 0, i64::MIN]);
    let tokens = ["-7", "7", "007", "x", "-0"];
    let (found, domain) = ids(&tokens, &ints, -1, 2);
    let bucket = |token: &[u8]| 5 + (crate::hash::fingerprint64(token) % 2) as i64;
    assert_eq!(found, [1, 0, bucket(b"0"), bucket(b"-9223372036854775808")]);
    assert_eq!(domain, (0, 6));
    assert_eq!(ids(&[], &ints, -1, 0), (vec![-1; 4], (-1, -1)));
}

#[test]
fn ids_may_be_looked_up_in_another_way() {
    use crate::ops::testing::{check, ints, refused, texts as strings, trace};
    let list = "tft.vocabulary_from_list(['a'])";
    let of = |more: &str| format!("tft.apply_vocabulary(s, {list}, {more})");
    let texts = [("s", strings(&["", "abc"]))];
    let length = "lookup=[strings.length(s), 9]";
    check(&of(length), &texts, ints(&[0, 3]));
    let domain = |expression: &str| {
        let (builder, value) = trace(expression).unwrap();
        builder.graph().domain(value)
    };
    assert_eq!(domain(&of(length)), Some((-1, 8)));
    assert_eq!(domain(&of(&format!("default_value=20, {length}"))), Some((0, 20)));
    assert_eq!(domain(&of(&format!("num_oov_buckets=2, {length}"))), Some((0, 8)));
    let n_ids = |more: &str| {
        let ids = of(&format!("{more}{length}"));
        format!("strings.length(s) * 0 + tft.get_num_buckets_for_transformed_feature({ids})")
    };
    check(&n_ids(""), &texts, ints(&[9, 9]));
    check(&n_ids("default_value=20, "), &texts, ints(&[21, 21]));
    check(&n_ids("num_oov_buckets=2, "), &texts, ints(&[9, 9]));
    let wrong = |lookup: &str, why: &str| {
        refused(
            &of(&format!("lookup={lookup}")),
            &format!("`tft.apply_vocabulary`: `lookup_fn` {why}"),
        );
    };
    wrong("n", "gives ids and their number, two values");
    wrong("[n, 1, 2]", "gives ids and their number, two values");
    wrong("[x, 1.5]", "gives float32; an int64 for each value of `x` is wanted");
    wrong("[nvec, 3]", "gives int64[3]; an int64 for each value of `x` is wanted");
    wrong("[n, k]", "gives int64 for the number of ids, not a constant int64");
    refused(
        &format!("tft.apply_vocabulary(ss, {list}, lookup=[ns, 3])"),
        "`tft.apply_vocabulary`: `lookup_fn` may give another number of ids than `x` has values",
    );
}

#[test]
fn files_are_named_as_tft_names_them() {
    let mut builder = Builder::new([
        ("s".to_owned(), Type::scalar(DType::String)),
        ("k".to_owned(), Type::scalar(DType::Int64)),
    ]);
    let (s, k) = (builder.input("s").unwrap(), builder.input("k").unwrap());
    let compute = apply::COMPUTE_AND_APPLY.name;
    let first = builder.one(compute, Args::default().arg(s)).unwrap();
    assert_eq!(builder.one(compute, Args::default().arg(s)).unwrap(), first, "it is the same");
    builder.one(compute, Args::default().arg(k)).unwrap();
    builder.one(VOCABULARY.name, Args::default().arg(k).with("store_frequency", true)).unwrap();
    let named = |args: Args| args.with("vocab_filename", "my vocab");
    builder.one(VOCABULARY.name, named(Args::default().arg(s).with("top_k", 3))).unwrap();
    assert!(builder.one(VOCABULARY.name, named(Args::default().arg(s))).is_err());
    builder.one(VOCABULARY.name, named(Args::default().arg(s).with("top_k", 3))).unwrap();
    let names: Vec<String> = builder
        .graph()
        .nodes
        .iter()
        .filter_map(|node| match &node.what {
            crate::What::Op(bound) if bound.op.name == ANALYZER.name => {
                bound.opt_str("vocab_filename").map(str::to_owned)
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        names,
        [
            "vocab_compute_and_apply_vocabulary_vocabulary",
            "vocab_compute_and_apply_vocabulary_1_vocabulary",
            "vocab_frequency_vocabulary",
            "my-vocab"
        ]
    );
    let by_name = |name: &str| Args::default().arg(name);
    assert!(builder.one(names::SIZE_BY_NAME.name, by_name("my vocab")).is_ok());
    assert!(builder.one(names::SIZE_BY_NAME.name, by_name("other")).is_err());
}

#[test]
fn spaces_become_words() {
    let spaced = testing::texts(&[" a  b", "", "\t"]);
    let words = testing::texts(&["__SPACE__a__SPACE____SPACE__b", "", "\t"]);
    testing::check("tft.escape_spaces(s)", &[("s", spaced)], words);
}

#[test]
fn wrong_arguments_are_refused() {
    let x = || ("x", texts(&[b"a"]));
    let check = |columns: &[(&str, Column)], more: fn(Args) -> Args| {
        let more = |args| more(Args::default_name(args));
        assert!(rank(ANALYZER.name, columns, more, 1, 1).is_err());
    };
    check(&[x()], |a| a.with("top_k", 0));
    check(&[x()], |a| a.with("frequency_threshold", -1.0));
    check(&[x()], |a| a.with("file_format", "csv"));
    check(&[x()], |a| a.with("reserved_tokens", "a"));
    check(&[("x", scalars(vec![1f32]))], |a| a);
    check(&[x(), ("weights", texts(&[b"a"]))], |a| a);
    check(&[x(), ("weights", lists(&[1], vec![1f32]))], |a| a);
    check(&[x(), ("labels", scalars(vec![1f32]))], |a| a);
    check(&[x(), ("keys", lists(&[1], vec![1i64]))], |a| a);
}
