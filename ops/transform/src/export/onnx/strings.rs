//! TensorFlow's nodes of texts as those of ONNX, which can compare, write, split and append, but not cut.

use super::nodes::Nodes;
use super::proto::{Attr, ElemType, GraphProto, NodeProto};
use super::segments::counted;
use super::translate::{Node, Translated};
use super::{info, tensor};
use crate::export::tensorflow::Out;

/// White space of ASCII.
const SPACES: [&str; 6] = [" ", "\t", "\n", "\u{b}", "\u{c}", "\r"];

/// Values as text.
pub(super) fn as_string(nodes: &mut Nodes, node: &Node<'_>, ty: ElemType) -> Translated {
    let x = &node.inputs[0];
    match ty {
        ElemType::Int64 => {}
        ElemType::Bool => {
            let [yes, no] = ["true", "false"].map(|text| nodes.text(text));
            return Ok(nodes.plain("Where", &[x, &yes, &no]));
        }
        _ => return Err("it writes numbers with a fraction in another way".to_owned()),
    }
    let text = nodes.cast(x, ElemType::String);
    let width @ 1..=1024 = node.int("width") else { return Ok(text) };
    // So many digits, and a sign.
    let powers: Vec<i64> = (1..19).map(|n| 10i64.pow(n)).collect();
    let column = nodes.unsqueeze(x, -1);
    let mut length = nodes.int(1);
    for (op, sign) in [("GreaterOrEqual", 1), ("LessOrEqual", -1)] {
        let powers = nodes.ints(&powers.iter().map(|power| power * sign).collect::<Vec<i64>>());
        let more = nodes.plain(op, &[&column, &powers]);
        let more = nodes.cast(&more, ElemType::Int64);
        let more = nodes.reduce("ReduceSum", &more, &[-1], false);
        length = nodes.plain("Add", &[&length, &more]);
    }
    let zero = nodes.int(0);
    let negative = nodes.plain("Less", &[x, &zero]);
    let sign = nodes.cast(&negative, ElemType::Int64);
    let length = nodes.plain("Add", &[&length, &sign]);
    let wide = nodes.int(width);
    let missing = nodes.plain("Sub", &[&wide, &length]);
    let missing = nodes.plain("Max", &[&missing, &zero]);
    let mut padding = |with: &str| {
        let all = (0..=width as usize).map(|n| with.repeat(n).into_bytes());
        let all = nodes.constant(ElemType::String, &[width + 1], Vec::new(), all.collect());
        nodes.gather(&all, &missing)
    };
    match node.text("fill").as_slice() {
        b"" => {
            let padding = padding(" ");
            Ok(nodes.plain("StringConcat", &[&padding, &text]))
        }
        b"-" => {
            let padding = padding(" ");
            Ok(nodes.plain("StringConcat", &[&text, &padding]))
        }
        b"0" => {
            let padding = padding("0");
            let digits = nodes.plain("Abs", &[x]);
            let digits = nodes.cast(&digits, ElemType::String);
            let least = nodes.int(i64::MIN);
            let least = nodes.plain("Equal", &[x, &least]);
            let most = nodes.text(&i64::MIN.unsigned_abs().to_string());
            let digits = nodes.plain("Where", &[&least, &most, &digits]);
            let (minus, none) = (nodes.text("-"), nodes.text(""));
            let sign = nodes.plain("Where", &[&negative, &minus, &none]);
            let padded = nodes.plain("StringConcat", &[&sign, &padding]);
            Ok(nodes.plain("StringConcat", &[&padded, &digits]))
        }
        _ => Err("it does not pad numbers so".to_owned()),
    }
}

/// Texts one after the other, with something between them.
pub(super) fn join(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let separator = String::from_utf8(node.text("separator"));
    let separator = separator.map_err(|_| "its separator is no UTF-8".to_owned())?;
    let mut joined = node.inputs[0].clone();
    for part in &node.inputs[1..] {
        if !separator.is_empty() {
            let separator = nodes.text(&separator);
            joined = nodes.plain("StringConcat", &[&joined, &separator]);
        }
        joined = nodes.plain("StringConcat", &[&joined, part]);
    }
    Ok(joined)
}

/// The parts of texts at a separator, empty ones included, and of which text each is.
fn parts(nodes: &mut Nodes, x: &Out, separator: &str, most: i64) -> (Out, Out) {
    // A text more, so that there is a first column; it is where the empty text's only part is.
    let more = nodes.constant(ElemType::String, &[1], Vec::new(), vec![b"more".to_vec()]);
    let all = nodes.concat(&[x, &more], 0);
    let separator = ("delimiter", Attr::S(separator.into()));
    let split = if most > 0 {
        nodes.results("StringSplit", &[&all], [separator, ("maxsplit", Attr::I(most))], 2)
    } else {
        nodes.results("StringSplit", &[&all], [separator], 2)
    };
    let [matrix, lengths] = [&split[0], &split[1]].map(|all| nodes.slice(all, 0, -1));
    let one = nodes.int(1);
    let lengths = nodes.plain("Max", &[&lengths, &one]);
    let lengths = nodes.unsqueeze(&lengths, 1);
    let width = nodes.plain("Shape", &[&split[0]]);
    let width = nodes.slice(&width, 1, 2);
    let width = nodes.reshape(&width, &[]);
    let places = nodes.range(&width);
    let there = nodes.plain("Less", &[&places, &lengths]);
    let at = nodes.plain("NonZero", &[&there]);
    let of = nodes.slice(&at, 0, 1);
    let of = nodes.reshape(&of, &[-1]);
    let [matrix, there] = [&matrix, &there].map(|all| nodes.reshape(all, &[-1]));
    (nodes.plain("Compress", &[&matrix, &there]), of)
}

/// `StringSplitV2`: the text and the place of each part, and the parts.
pub(super) fn split(nodes: &mut Nodes, node: &Node<'_>) -> Translated<Vec<Out>> {
    let (x, most) = (&node.inputs[0], node.int("maxsplit"));
    let separator = nodes.text_of(&node.inputs[1]);
    let separator = separator.ok_or_else(|| "its separator is no constant".to_owned())?;
    let (values, of) = if separator.is_empty() {
        if most > 0 {
            return Err("it splits at white space without a limit".to_owned());
        }
        let n = nodes.plain("Size", &[x]);
        let (mut values, mut of) = (x.clone(), nodes.range(&n));
        for space in SPACES {
            let (next, from) = parts(nodes, &values, space, most);
            of = nodes.gather(&of, &from);
            values = next;
        }
        let none = nodes.text("");
        let empty = nodes.plain("Equal", &[&values, &none]);
        let there = nodes.plain("Not", &[&empty]);
        let [values, of] = [&values, &of].map(|all| nodes.plain("Compress", &[all, &there]));
        (values, of)
    } else {
        parts(nodes, x, &separator, most)
    };
    let n = nodes.plain("Size", &[&of]);
    let all = nodes.range(&n);
    let first = counted(nodes, &of, &of, false);
    let places = nodes.plain("Sub", &[&all, &first]);
    let [of, places] = [&of, &places].map(|list| nodes.unsqueeze(list, 1));
    Ok(vec![nodes.concat(&[&of, &places], 1), values])
}

/// Letters of ASCII in another case: those that the locale `C` has, which is everywhere.
pub(super) fn cased(nodes: &mut Nodes, node: &Node<'_>, case: &str) -> Translated {
    if !node.text("encoding").is_empty() {
        return Err("it knows the case of ASCII's letters alone".to_owned());
    }
    let shape = nodes.plain("Shape", &[&node.inputs[0]]);
    let flat = nodes.reshape(&node.inputs[0], &[-1]);
    // It takes no list of no texts.
    let more = nodes.constant(ElemType::String, &[1], Vec::new(), vec![b"more".to_vec()]);
    let all = nodes.concat(&[&flat, &more], 0);
    let attrs = [
        ("case_change_action", Attr::S(case.into())),
        ("is_case_sensitive", Attr::I(1)),
        ("locale", Attr::S(b"C".to_vec())),
    ];
    let all = nodes.node("StringNormalizer", &[&all], attrs);
    let cased = nodes.slice(&all, 0, -1);
    Ok(nodes.plain("Reshape", &[&cased, &shape]))
}

/// One text in the place of another: at which it is split, and then joined.
pub(super) fn replaced(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    let texts = [literal(&node.text("pattern")), unescaped(&node.text("rewrite"))];
    // Everywhere is what is meant where it is left out.
    let all = !node.def.attr.contains_key("replace_global") || node.int("replace_global") == 1;
    let [Some(from), Some(to)] = texts else {
        return Err("texts are not rewritten there by regular expressions".to_owned());
    };
    let shape = nodes.plain("Shape", &[&node.inputs[0]]);
    let flat = nodes.reshape(&node.inputs[0], &[-1]);
    let n = nodes.plain("Size", &[&flat]);
    let (values, of) = parts(nodes, &flat, &from, if all { -1 } else { 1 });
    let size = nodes.plain("Size", &[&of]);
    let places = nodes.range(&size);
    let first = counted(nodes, &of, &of, false);
    let is_first = nodes.plain("Equal", &[&places, &first]);
    let to = nodes.text(&to);
    let later = nodes.plain("StringConcat", &[&to, &values]);
    let values = nodes.plain("Where", &[&is_first, &values, &later]);
    let joined = join_groups(nodes, &values, &of, &n);
    Ok(nodes.plain("Reshape", &[&joined, &shape]))
}

/// The text that a pattern matches alone, if there is one.
fn literal(pattern: &[u8]) -> Option<String> {
    let (mut text, mut chars) = (String::new(), std::str::from_utf8(pattern).ok()?.chars());
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next()? {
                'x' if chars.as_str().starts_with("00") => {
                    chars.nth(1);
                    '\0'
                }
                c if c.is_ascii_alphanumeric() => return None,
                c => c,
            },
            c if ".+*?()|[]{}^$".contains(c) => return None,
            c => c,
        });
    }
    (!text.is_empty()).then_some(text)
}

/// What a rewrite without groups puts there.
fn unescaped(rewrite: &[u8]) -> Option<String> {
    let (mut text, mut chars) = (String::new(), std::str::from_utf8(rewrite).ok()?.chars());
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => chars.next().filter(|c| *c == '\\')?,
            c => c,
        });
    }
    Some(text)
}

/// `UnsortedSegmentJoin`.
pub(super) fn joined(nodes: &mut Nodes, node: &Node<'_>) -> Translated {
    if !node.text("separator").is_empty() {
        return Err("groups of texts are joined there without a separator".to_owned());
    }
    let [parts, ids] = [0, 1].map(|input| nodes.reshape(&node.inputs[input], &[-1]));
    Ok(join_groups(nodes, &parts, &ids, &node.inputs[2]))
}

/// Texts joined by their group, of which there are `n`: in each step of a loop each group gets its next part.
fn join_groups(nodes: &mut Nodes, parts: &Out, ids: &Out, n: &Out) -> Out {
    let n = nodes.reshape(n, &[1]);
    // Parts by their group, in their order, and an empty one behind them.
    let m = nodes.plain("Size", &[parts]);
    let all = nodes.range(&m);
    let keys = nodes.plain("Mul", &[ids, &m]);
    let keys = nodes.plain("Add", &[&keys, &all]);
    let most = nodes.ints(&[i64::MAX]);
    let keys = nodes.concat(&[&keys, &most], 0);
    let k = nodes.plain("Shape", &[&keys]);
    let order = nodes.results("TopK", &[&keys, &k], [("largest", Attr::I(0))], 2).swap_remove(1);
    let none = nodes.constant(ElemType::String, &[1], Vec::new(), vec![Vec::new()]);
    let parts = nodes.concat(&[parts, &none], 0);
    let parts = nodes.gather(&parts, &order);
    let (zero, one) = (nodes.int(0), nodes.int(1));
    let zeros = nodes.plain("Expand", &[&zero, &n]);
    let ones = nodes.like(ids, &one);
    let lengths = nodes.scatter(&zeros, ids, &ones, "add");
    let ends = nodes.cumsum(&lengths);
    let begins = nodes.plain("Sub", &[&ends, &lengths]);
    let zero = nodes.ints(&[0]);
    let longest = nodes.concat(&[&lengths, &zero], 0);
    let longest = nodes.reduce("ReduceMax", &longest, &[0], false);
    let empty = nodes.text("");
    let empty = nodes.plain("Expand", &[&empty, &n]);
    let step = |op: &str, inputs: &[&str], output: &str| NodeProto {
        input: inputs.iter().map(|&input| input.to_owned()).collect(),
        output: vec![format!("/loop.{output}")],
        op_type: op.to_owned(),
        ..NodeProto::default()
    };
    let one = |name: &str, dtype| tensor(&format!("/loop.{name}"), dtype, Vec::new());
    let list = |name: &str| info(&format!("/loop.{name}"), ElemType::String, "texts", &[]);
    let body = GraphProto {
        name: "join".to_owned(),
        node: vec![
            step("Add", &[&begins.0, "/loop.step"], "at"),
            step("Less", &["/loop.step", &lengths.0], "there"),
            step("Where", &["/loop.there", "/loop.at", &m.0], "place"),
            step("Gather", &[&parts.0, "/loop.place"], "part"),
            step("StringConcat", &["/loop.joined", "/loop.part"], "more"),
            step("Identity", &["/loop.on"], "still"),
        ],
        initializer: Vec::new(),
        input: vec![one("step", ElemType::Int64), one("on", ElemType::Bool), list("joined")],
        output: vec![one("still", ElemType::Bool), list("more")],
    };
    let always = Out::default();
    nodes.node("Loop", &[&longest, &always, &empty], [("body", Attr::Graph(body))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_one_text_are_told() {
        let check = |pattern: &str, expected: Option<&str>| {
            assert_eq!(literal(pattern.as_bytes()).as_deref(), expected, "{pattern}");
        };
        check("a b", Some("a b"));
        check(r"a\.\\\x00é", Some("a.\\\0é"));
        check("", None);
        check("a.", None);
        check(r"\d", None);
        check(r"\x41", None);
        check("(?i)a", None);
        check("a\\", None);
    }

    #[test]
    fn rewrites_without_groups_are_told() {
        let check = |rewrite: &str, expected: Option<&str>| {
            assert_eq!(unescaped(rewrite.as_bytes()).as_deref(), expected, "{rewrite}");
        };
        check("", Some(""));
        check(r"a\\1", Some(r"a\1"));
        check(r"\1", None);
    }
}
