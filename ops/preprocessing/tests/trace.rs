//! Modules in, graphs or exact messages out.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;

use engine::{Error, Result};
use preprocessing::{Limits, Options, trace};
use transform::{DType, Dim, Type};

fn inputs() -> Vec<(String, Type)> {
    [
        ("x", Type::scalar(DType::Float32)),
        ("y", Type::scalar(DType::Float32)),
        ("n", Type::scalar(DType::Int64)),
        ("s", Type::scalar(DType::String)),
        ("vec", Type::column(DType::Float32, [Dim::Fixed(3)])),
        ("xs", Type::var_len(DType::Float32)),
    ]
    .map(|(name, ty)| (name.to_owned(), ty))
    .into()
}

/// The graph of a module as lines `name = expression`, or its error.
fn shown(module: &str, options: &Options<'_>) -> String {
    match trace("m.star", module.as_bytes(), &inputs(), options) {
        Ok(graph) => {
            let lines = graph.outputs.iter();
            let lines = lines.map(|(name, value)| format!("{name} = {}", graph.show(*value)));
            lines.collect::<Vec<_>>().join("\n")
        }
        Err(error) => error.to_string(),
    }
}

/// A module that returns one expression of the columns.
fn module_of(expression: &str) -> String {
    let names = ["x", "y", "n", "s", "vec", "xs"];
    let bound: String = names.map(|name| format!("    {name} = inputs[\"{name}\"]\n")).concat();
    format!("def preprocessing_fn(inputs):\n{bound}    return {{\"o\": {expression}}}\n")
}

/// What an expression of the columns becomes.
#[track_caller]
fn check(expression: &str, expected: &str) {
    let found = shown(&module_of(expression), &Options::default());
    assert_eq!(found, format!("o = {expected}"), "{expression}");
}

/// What a module becomes; the first line of the expected text is left out.
#[track_caller]
fn check_module(module: &str, expected: &str) {
    assert_eq!(shown(module, &Options::default()), expected.trim_start_matches('\n'), "{module}");
}

/// The error of an expression: its message, where the carets stand, its types and its hint.
#[track_caller]
fn check_error(expression: &str, message: &str, types: &str, under: &str, hint: &str) {
    let line = format!("    return {{\"o\": {expression}}}");
    let column = line.find(under).unwrap();
    let carets = format!("{}{}", " ".repeat(column), "^".repeat(under.len()));
    let types = if types.is_empty() { String::new() } else { format!(" {types}") };
    let hint = if hint.is_empty() { String::new() } else { format!("\n  hint: {hint}") };
    let expected = format!(
        "{message}\n  detail: At m.star:8:{}.{types}\n    8 | {line}\n      | {carets}{hint}",
        column + 1
    );
    assert_eq!(shown(&module_of(expression), &Options::default()), expected, "{expression}");
}

#[test]
fn operators_are_operations_on_either_side() {
    check("x + y", "math.add(x, y)");
    check("x - 1", "math.subtract(x, constant)");
    check("1 - x", "math.subtract(constant, x)");
    check("2 * x * y", "math.multiply(math.multiply(constant, x), y)");
    check("vec * [1.0, 2.0, 3.0]", "math.multiply(vec, constant)");
    check("x - tft.mean(x)", "math.subtract(x, tft.mean_and_var(x)[0])");
    check("tf.add(x, y)", "math.add(x, y)");
    check("y if x != None else x", "y");
    check("y if None == x else x", "x");
    check("tf.math.multiply(x, y=y)", "math.multiply(x, y)");
    check("tf.constant(2, tf.float32) * x", "math.multiply(constant, x)");
}

#[test]
fn what_tensorflow_takes_is_accepted() {
    check("tf.strings.split(s).to_sparse()", "strings.split(s)");
    check_error(
        "x.to_sparse()",
        "only lists are sparse",
        "`x` is float32.",
        "x.to_sparse()",
        "Leave `to_sparse()` out.",
    );
    check("tf.add(x, y, name = \"sum\")", "math.add(x, y)");
    check("tft.hash_strings(strings = s, hash_buckets = 3)", "tft.hash_strings(s, hash_buckets=3)");
    check(
        "tft.scale_to_0_1(x, name = None)",
        "tft.min_max_scale(x, tft.min_and_max(x)[0], \
        tft.min_and_max(x)[1])",
    );
}

#[test]
fn plain_values_keep_their_meaning() {
    check("x if 1 == 1 and 2 in [1, 2] and not 1 > 2 else y", "x");
    check("x if [1] + [2] == [1, 2] and \"a\" + \"b\" == \"ab\" else y", "x");
    check("x if x.dtype == tf.float32 and n.dtype != tf.float32 else y", "x");
    check("x if vec.shape == (3,) and xs.shape == (None,) and x.shape == () else y", "x");
    check("x if \"%s\" % x == \"x: float32\" else y", "x");
    check("inputs.get(\"q\", y) if \"x\" in inputs and \"q\" not in inputs else x", "y");
    check("inputs[f\"{\"x\"}\"] if len(inputs) == 6 else y", "x");
    check("[inputs[name] for name in inputs][1]", "y");
    check("[value for name, value in inputs.items() if name == \"n\"][0]", "n");
    check_module(
        "
NAMES = [\"x\", \"y\"]

def scaled(value: int = 2, *, by = 3):
    value *= by
    value += 1
    return value

def preprocessing_fn(inputs):
    outputs = {}
    for i, name in enumerate(NAMES):
        outputs[f\"{name}_xf\"] = scaled(inputs[name], by = i)
    mean, var = tft.mean_and_var(inputs[\"x\"])
    outputs[\"z\"] = (inputs[\"x\"] - mean) * var
    return outputs
",
        "
x_xf = math.add(math.multiply(x, constant), constant)
y_xf = math.add(math.multiply(y, constant), constant)
z = math.multiply(math.subtract(x, tft.mean_and_var(x)[0]), tft.mean_and_var(x)[1])",
    );
}

#[test]
fn what_columns_cannot_do_says_what_to_write() {
    let x = "`x` is float32: it has a value for each row.";
    check_error(
        "x if y else n",
        "`if` takes one truth value, not a column",
        "`y` is float32: it has a value for each row.",
        "y",
        "Write `tf.where(condition, x, y)`.",
    );
    check_error(
        "x and n",
        "`and` takes one truth value, not a column",
        x,
        "x",
        "Write `(x) & (y)`.",
    );
    check_error("x or n", "`or` takes one truth value, not a column", x, "x", "Write `(x) | (y)`.");
    check_error(
        "x - tft.mean(1.0)",
        "`tft.mean_and_var`: a constant is given to an analyzer, which takes columns",
        "`constant` is constant float32.",
        "tft.mean(1.0)",
        "An analyzer looks at all rows; a constant has none.",
    );
    check_error("not x", "`not` takes one truth value, not a column", x, "x", "Write `~x`.");
    check_error(
        "x in [1]",
        "`in` does not take a column",
        "`x` is float32.",
        "x in [1]",
        "Compare with each value: `(x == a) | (x == b)`.",
    );
    check_error(
        "[y for y in x]",
        "a column cannot be iterated over",
        "`x` is float32.",
        "x",
        "Operations work on all rows at once; `x[0]` is a position of each row.",
    );
    check_error(
        "max(x, y)",
        "columns have no order while tracing",
        "`x` is float32.",
        "max(x, y)",
        "Write `math.minimum(x, y)` or `math.maximum(x, y)`.",
    );
}

/// Modules that are wrong, with what is said of them.
const WRONG: &[(&str, &str)] = &[
    (
        "import tensorflow as tf\n",
        "the module is no Starlark: cannot use reserved keyword `import`
  detail: At m.star:1:1.
    1 | import tensorflow as tf
      | ^^^^^^
  hint: Leave it out: `tft`, `tf`, `math`, `strings`, `dates` and `text` are there; files come by \
         `load(\"names.star\", \"f\")`.",
    ),
    (
        "y = 1 < x < 2\n",
        "the module is no Starlark: unexpected symbol '<', expected end of expression \
         (comparisons are not associative in Starlark)
  detail: At m.star:1:11.
    1 | y = 1 < x < 2
      |           ^
  hint: Comparisons are not chained: write `(a < x) & (x < b)`.",
    ),
    (
        "y = x ** 2\n",
        "the module is no Starlark: unexpected symbol '**', expected new line
  detail: At m.star:1:7.
    1 | y = x ** 2
      |       ^^
  hint: Write `math.pow(x, y)`.",
    ),
    (
        "",
        "`m.star` defines no function `preprocessing_fn`
  hint: Write `def preprocessing_fn(inputs):`, which returns a dict from names to columns.",
    ),
    (
        "def preprocess_fn(inputs):\n    return {}\n",
        "`m.star` defines no function `preprocessing_fn`
  hint: Is it `preprocess_fn`?",
    ),
    (
        "def preprocessing_fn(inputs):\n    return [1]\n",
        "`preprocessing_fn` returns a list, not a dict
  detail: At m.star:2:5.
    2 |     return [1]
      |     ^^^^^^^^^^
  hint: Return a dict from names to columns: `{\"fare\": inputs[\"fare\"]}`.",
    ),
    (
        "def preprocessing_fn(inputs):\n    return {}\n",
        "the preprocessing function returns no outputs
  detail: At m.star:2:5.
    2 |     return {}
      |     ^^^^^^^^^",
    ),
    (
        "def preprocessing_fn(inputs):\n    return {1: inputs['x']}\n",
        "the name 1 of an output is an int
  detail: At m.star:2:5.
    2 |     return {1: inputs['x']}
      |     ^^^^^^^^^^^^^^^^^^^^^^^
  hint: Names of outputs are strings.",
    ),
    (
        "x = tft.mean(1)\n",
        "`tft.mean` is called outside of `preprocessing_fn`
  detail: At m.star:1:5.
    1 | x = tft.mean(1)
      |     ^^^^^^^^^^^
  hint: There is a graph only while `preprocessing_fn` runs.",
    ),
    (
        "def f(x):\n    return tft.mean(x)\ndef preprocessing_fn(inputs):\n    y = f(inputs['s'])\n",
        "`tft.mean_and_var`: `x` is string; a number is wanted
  detail: At m.star:2:12, in `f` called at m.star:4:9. `s` is string.
    2 |     return tft.mean(x)
      |            ^^^^^^^^^^^",
    ),
    (
        "def preprocessing_fn(inputs):\n    y = 1\n    y -= inputs['n']\n",
        "operation `-` not supported for types `int` and `column`
  detail: At m.star:3:5.
    3 |     y -= inputs['n']
      |     ^^^^^^^^^^^^^^^^",
    ),
    (
        "def preprocessing_fn(inputs):\n    fail('no', 1)\n",
        "the module fails: no 1
  detail: At m.star:2:5.
    2 |     fail('no', 1)
      |     ^^^^^^^^^^^^^",
    ),
    (
        "load('a.star', 'f')\n",
        "`a.star` cannot be loaded: the module stands alone
  detail: At m.star:1:6.
    1 | load('a.star', 'f')
      |      ^^^^^^^^",
    ),
    (
        "load('../a.star', 'f')\n",
        "`../a.star` is no file that a module may load
  detail: At m.star:1:6.
    1 | load('../a.star', 'f')
      |      ^^^^^^^^^^^
  hint: Name a `.star` file by its path from the module's folder, without `..`.",
    ),
];

#[test]
fn wrong_modules_are_told_what_is_wrong() {
    for (module, expected) in WRONG {
        check_module(module, expected);
    }
    let error = trace("m.star", b"x = 1\n\xff", &inputs(), &Options::default()).err().unwrap();
    let expected = "`m.star` is not UTF-8\n  detail: Line 2, byte 6 of the file.";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn names_that_are_nearly_right_are_found() {
    check_error(
        "tft.scale_to_zscore(x)",
        "there is no operation `tft.scale_to_zscore`",
        "",
        "tft.scale_to_zscore(x)",
        "Is `tft.scale_to_z_score` meant?",
    );
    check_error(
        "tft.apply_pyfunc(len, x)",
        "there is no operation `tft.apply_pyfunc`",
        "",
        "tft.apply_pyfunc(len, x)",
        "A frozen graph runs no Python: write the function in operations, or compute the column before \
         the data is read. `frazil ops` lists all operations.",
    );
    check_error(
        "inputs[\"xz\"]",
        "there is no `xz` in the dict",
        "",
        "inputs[\"xz\"]",
        "Is the input `x` meant?",
    );
    check_error(
        "inputs[\"fare\"]",
        "there is no `fare` in the dict",
        "",
        "inputs[\"fare\"]",
        "Inputs are: x, y, n, s, vec, xs.",
    );
    check_error("tft.mean(q)", "there is no variable `q`", "", "q", "Is `x` meant?");
    check_error(
        "tft.mean(x, output_type=1)",
        "`tft.mean`: there is no parameter `output_type`",
        "",
        "tft.mean(x, output_type=1)",
        "Is `output_dtype` meant?",
    );
    check_error(
        "x.values",
        "object of type `column` has no attribute `values`",
        "",
        "x.values",
        "Columns have `dtype` and `shape`; `tft.fill_in_missing` fills in missing values.",
    );
}

#[test]
fn functions_among_arguments_are_called() {
    let apply = "tft.apply_vocabulary";
    let words = "tft.vocabulary_from_list([\"a\"])";
    let ids = "tft.apply_vocabulary(s, constant, [math.add(tft.apply_vocabulary(s, constant), constant), \
               math.add(tft.vocabulary_size(constant), constant)])";
    let function = "lambda x, v: (tft.apply_vocabulary(x, v) + 1, tft.vocabulary_size(v) + 1)";
    check(&format!("{apply}(s, {words}, lookup_fn={function})"), ids);
    check(
        &format!("{apply}(lookup_fn={function}, deferred_vocab_filename_tensor={words}, x=s)"),
        ids,
    );
    check(&format!("{apply}(s, {words}, -1, 0, {function}, \"text\")"), ids);
    let plain = "tft.apply_vocabulary(s, constant)";
    check(&format!("{apply}(s, {words}, lookup_fn=None)"), plain);
    check(&format!("{apply}(s, {words}, -1, 0, None, \"text\")"), plain);
    check(
        "n + tft.vocabulary_size(tft.vocabulary(s, key_fn=None))",
        "math.add(n, tft.vocabulary_size(\
        tft.vocabulary_analyzer(s, vocab_filename=\"vocab_vocabulary\")))",
    );
}

#[test]
fn objects_are_made_once_for_a_name() {
    let make = "tft.make_and_track_object";
    check(&format!("x * {make}(lambda: 2.0)"), "math.multiply(x, constant)");
    check_module(
        r#"
def preprocessing_fn(inputs):
    made = []
    def make():
        made.append(0)
        return [len(made), tf.constant(1.5)]
    a = tft.make_and_track_object(make, "a")
    b = tft.make_and_track_object(trackable_factory_callable = make, name = "a")
    c = tft.make_and_track_object(make, name = None)
    d = tft.make_and_track_object(make, name = "preprocessing_fn")
    return {f"{x[0]}": inputs["x"] + x[1] for x in [a, c, d]} if a[0] == b[0] else {}
"#,
        "1 = math.add(x, constant)\n2 = math.add(x, constant)\n3 = math.add(x, constant)",
    );
    for (args, message) in [
        ("", "takes a function without parameters"),
        ("lambda: 1, 2", "`name` is 2; a string is wanted"),
        ("lambda: 1, factory=2", "`factory` is not expected"),
        ("lambda: 1, name=None, name=\"a\"", "named argument"),
        ("lambda: 1, \"a\", 3", "3 arguments; it takes 2"),
        ("lambda x: x", "Missing"),
    ] {
        let found = shown(&module_of(&format!("{make}({args})")), &Options::default());
        assert!(found.to_lowercase().contains(&message.to_lowercase()), "{args}: {found}");
    }
}

#[test]
fn columns_that_cannot_be_used_say_why() {
    let why = Error::invalid("column `z` has no type").with_hint("Give it one.");
    let unusable = [("z".to_owned(), why)];
    let options = Options { unusable: &unusable, ..Options::default() };
    let found = shown(&module_of("inputs[\"z\"]"), &options);
    assert!(found.starts_with("column `z` has no type\n  detail: At m.star:8:"), "{found}");
    assert!(found.ends_with("hint: Give it one."), "{found}");
    let found = shown(&module_of("inputs[\"zz\"]"), &options);
    assert!(found.starts_with("there is no `zz` in the dict"), "{found}");
    assert!(shown(&module_of("x"), &options).starts_with("o = x"));
    let options = Options { inputs_are: "They are guessed.", ..Options::default() };
    let found = shown(&module_of("inputs[\"zz\"]"), &options);
    assert!(
        found.contains("in the dict\n  detail: At m.star:8:18. They are guessed.\n"),
        "{found}"
    );
}

#[test]
fn limits_are_named() {
    let limits = Limits { steps: 1000, bytes: 1 << 20, depth: 20 };
    let check = |body: &str, expected: &str| {
        let module = format!("{body}\ndef preprocessing_fn(inputs):\n    f(1)\n");
        let found = shown(&module, &Options { limits, ..Options::default() });
        assert_eq!(found, expected, "{body}");
    };
    check(
        "def f(n):\n    for i in range(10000):\n        n += i",
        "the module takes more than 1000 steps (calls and turns of loops)
  detail: At m.star:3:9.
    3 |         n += i
      |         ^^^^^^
  hint: A module only writes a graph down: is a loop endless?",
    );
    check(
        "def f(n):\n    return f(n + 1)",
        "the module calls functions within functions 20 deep
  detail: At m.star:2:14.
    2 |     return f(n + 1)
      |              ^^^^^
  hint: Does a function call itself without end?",
    );
    check(
        "def f(n):\n    s = 'a'\n    for i in range(100):\n        s = s + s",
        "the module uses more than 1 MiB
  detail: At m.star:4:9.
    4 |         s = s + s
      |         ^^^^^^^^^
  hint: A module only writes a graph down: is a loop endless?",
    );
    check(
        "def f(n):\n    return [0] * 1000000000",
        "more than 1000000 items at once
  detail: At m.star:2:12, in `f` called at m.star:4:5.
    2 |     return [0] * 1000000000
      |            ^^^^^^^^^^^^^^^^
  hint: A module only writes a graph down; it needs no long lists.",
    );
    check(
        "def f(n):\n    return list(range(100000000))",
        "more than 1000000 items at once
  detail: At m.star:2:17, in `f` called at m.star:4:5.
    2 |     return list(range(100000000))
      |                 ^^^^^^^^^^^^^^^^
  hint: A module only writes a graph down; it needs no long lists.",
    );
}

#[test]
fn operations_read_files_of_the_folder() {
    let read = RefCell::new(Vec::new());
    let load = |path: &str| -> Result<Vec<u8>> {
        read.borrow_mut().push(path.to_owned());
        match path {
            "words/vocab.txt" => Ok(b"[UNK]\na\n".to_vec()),
            _ => Err(Error::input(format!("there is no `{path}`"))),
        }
    };
    let options = Options { load: &load, ..Options::default() };
    let body = "text.tokenize(s, text.bert_tokenizer(vocab='//words/vocab.txt', lower_case=False))";
    let expected = "o = text.tokenize(s, text.bert_tokenizer_of(constant, lower_case=False))";
    assert_eq!(shown(&module_of(body), &options), expected);
    let body = "tft.apply_vocabulary(s, tft.vocabulary_from_file('words/vocab.txt'))";
    assert_eq!(shown(&module_of(body), &options), "o = tft.apply_vocabulary(s, constant)");
    assert_eq!(*read.borrow(), ["words/vocab.txt"; 2]);
    let refused = |body: &str, message: &str| {
        let found = shown(&module_of(body), &options);
        assert_eq!(found.lines().next(), Some(message), "{found}");
        assert!(found.contains("At m.star:8:"), "{found}");
    };
    refused("text.bert_tokenizer('no.txt')", "there is no `no.txt`");
    for path in ["../vocab.txt", "/etc/passwd", "a//b", "a\\\\b", ""] {
        let shown = path.replace("\\\\", "\\");
        refused(
            &format!("tft.vocabulary_from_file('{path}')"),
            &format!("`{shown}` is no file that a module may read"),
        );
    }
    assert_eq!(read.borrow().len(), 3);
    check_error(
        "text.bert_tokenizer(3)",
        "`text.bert_tokenizer`: `vocab` is 3; the name of a file is wanted",
        "",
        "text.bert_tokenizer(3)",
        "",
    );
}

#[test]
fn files_of_the_folder_are_loaded_once() {
    let files = [
        ("a.star", "load('sub/b.star', 'B')\ndef f(x):\n    return x * B\n"),
        ("sub/b.star", "B = 2\nprint('b')\n"),
        ("ring.star", "load('ring2.star', 'x')\n"),
        ("ring2.star", "load('//ring.star', 'x')\n"),
        ("self.star", "load('m.star', 'x')\n"),
        ("bad.star", "x = 1 +\n"),
    ];
    let asked = RefCell::new(Vec::new());
    let load = |path: &str| -> Result<Vec<u8>> {
        asked.borrow_mut().push(path.to_owned());
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| {
            Error::new(engine::ErrorKind::NotFound, format!("there is no file `{path}`"))
        })
    };
    let options = Options { load: &load, ..Options::default() };
    let uses = "load('a.star', 'f')\nload('//sub/b.star', c='B')\n\
                def preprocessing_fn(inputs):\n    return {'o': f(inputs['x']) + c}\n";
    assert_eq!(shown(uses, &options), "o = math.add(math.multiply(x, constant), constant)");
    assert_eq!(asked.borrow().as_slice(), ["a.star", "sub/b.star"]);
    assert_eq!(
        shown("load('ring.star', 'x')\n", &options),
        "`ring.star` loads itself
  detail: At ring2.star:1:6. `m.star` loads `ring.star` loads `ring2.star` loads `ring.star`.
    1 | load('//ring.star', 'x')
      |      ^^^^^^^^^^^^^"
    );
    assert_eq!(
        shown("load('self.star', 'x')\n", &options).lines().next(),
        Some("`m.star` loads itself")
    );
    assert_eq!(
        shown("\nload('none.star', 'x')\n", &options),
        "there is no file `none.star`
  detail: At m.star:2:6.
    2 | load('none.star', 'x')
      |      ^^^^^^^^^^^"
    );
    assert!(shown("load('bad.star', 'x')\n", &options).contains("At bad.star:1:8."));
}

#[test]
fn what_modules_print_is_given_on() {
    let printed = RefCell::new(Vec::new());
    let print = |text: &str| printed.borrow_mut().push(text.to_owned());
    let options = Options { print: &print, ..Options::default() };
    let module = "def preprocessing_fn(inputs):\n    x = inputs['x']\n    print('x is', x * 2)\n    \
                  return {'x': x}\n";
    assert_eq!(shown(module, &options), "x = x");
    assert_eq!(printed.borrow().as_slice(), ["x is math.multiply(x, constant): float32"]);
}

#[test]
fn graphs_are_described_however_their_parts_are_shared() {
    let check = |body: &str| {
        let module = format!(
            "def preprocessing_fn(inputs):\n    x, n = inputs[\"x\"], inputs[\"n\"]\n{body}\n    return {{\"x\": tft.scale_to_z_score(x), \"n\": n}}\n"
        );
        let graph = trace("m.star", module.as_bytes(), &inputs(), &Options::default()).unwrap();
        for (_, value) in &graph.outputs {
            assert!(graph.show(*value).len() < 250);
            assert_eq!(graph.domain(*value), None);
        }
    };
    // Each step doubles what the whole would be if it were written out.
    check("    for i in range(60):\n        x = x + x\n        n = tf.where(n < i, n, n)");
    // Each step is one deeper.
    check("    for i in range(20000):\n        x = x + 1.0\n        n = tf.where(n < i, n, n)");
}
