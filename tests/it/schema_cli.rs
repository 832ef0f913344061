//! `frazil schema`, whole commands: what they print, what they write, and how they end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/synthetic.pb");
        std::fs::copy(golden, place.path("stats.pb")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frazil"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("COLUMNS").env_remove("NO_COLOR").env_remove("FRAZIL_TOKEN");
        command
    }

    /// What a command prints, which has to end with this code.
    fn run(&self, args: &[&str], code: i32) -> (String, String) {
        let output = self.command(args).output().unwrap();
        let (stdout, stderr) = (output.stdout, output.stderr);
        let (stdout, stderr) =
            (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stdout}{stderr}");
        (stdout, stderr)
    }

    fn ok(&self, args: &[&str]) -> String {
        self.run(args, 0).0
    }

    fn fails(&self, args: &[&str], expected: &str) {
        let (stdout, stderr) = self.run(args, 2);
        assert_eq!(stdout, "", "{args:?}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
}

#[test]
fn a_schema_in_all_forms() {
    let place = Place::new();
    let printed = place.ok(&["schema", "infer", "stats.pb"]);
    assert!(printed.starts_with("feature {\n"), "{printed}");
    for ending in ["pbtxt", "pb", "json"] {
        let name = format!("schema.{ending}");
        assert_eq!(place.ok(&["schema", "infer", "stats.pb", "-o", &name]), "");
        assert_eq!(place.ok(&["schema", "diff", &name, "schema.pbtxt"]), "");
        assert_eq!(
            place.ok(&["schema", "show", &name]),
            place.ok(&["schema", "show", "schema.pbtxt"])
        );
    }
    assert_eq!(place.read("schema.pbtxt"), printed.as_bytes());
    let json = place.ok(&["schema", "show", "schema.pb", "--json"]);
    assert_eq!(place.read("schema.json"), json.as_bytes());
    let table = place.ok(&["schema", "show", "schema.pb"]);
    assert!(table.starts_with("feature ") && table.contains("\npayment_type "), "{table}");
    // Through a pipe.
    let mut command = place.command(&["schema", "show", "-"]);
    command.stdin(std::fs::File::open(place.path("schema.json")).unwrap());
    assert_eq!(String::from_utf8(command.output().unwrap().stdout).unwrap(), table);
}

#[test]
fn data_gives_what_its_statistics_give() {
    let place = Place::new();
    place.ok(&["generate", "data", "--rows", "500", "--shards", "2", "-q"]);
    let data = "data/taxi@2.tfrecord";
    for name in ["own.pb", "own.tfrecord"] {
        place.ok(&["stats", data, "-q", "-o", name]);
        let from_statistics = place.ok(&["schema", "infer", name]);
        assert_eq!(place.ok(&["schema", "infer", data, "-q"]), from_statistics, "{name}");
    }
    let sets = ["--max-string-domain-size", "3", "--no-shape"];
    let args = [&["schema", "infer", "own.pb"][..], &sets].concat();
    let (small, whole) = (place.ok(&args), place.ok(&["schema", "infer", "own.pb"]));
    assert!(small.len() < whole.len() && !small.contains("shape {"), "{small}");
    // Statistics of the same data relax nothing.
    place.ok(&["schema", "infer", "own.pb", "-o", "schema.pbtxt"]);
    assert_eq!(place.ok(&["schema", "update", "schema.pbtxt", "own.pb", "-o", "next.pbtxt"]), "");
    assert_eq!(place.read("schema.pbtxt"), place.read("next.pbtxt"));
}

#[test]
fn updates_relax_and_say_how() {
    let place = Place::new();
    place.write(
        "old.pbtxt",
        "feature { name: 'a' type: INT presence { min_fraction: 1 } int_domain { max: 3 } }",
    );
    place.write(
        "stats.pbtxt",
        "datasets { num_examples: 10
           features { path { step: 'a' } num_stats { max: 7
             common_stats { num_non_missing: 10 min_num_values: 1 max_num_values: 1 tot_num_values: 10 } } }
           features { path { step: 'b' } num_stats { common_stats { num_missing: 10 } } } }",
    );
    let changes = place.ok(&["schema", "update", "old.pbtxt", "stats.pbtxt", "-o", "new.pbtxt"]);
    assert_eq!(changes, "~ a.int_domain.max: 3 → 7 (relaxed)\n+ feature b: INT, optional\n");
    let (stdout, stderr) = place.run(&["schema", "update", "old.pbtxt", "stats.pbtxt"], 0);
    assert_eq!((stdout.as_bytes(), stderr.as_str()), (&*place.read("new.pbtxt"), &*changes));
    let (stdout, _) = place.run(&["schema", "diff", "old.pbtxt", "new.pbtxt"], 1);
    assert_eq!(stdout, changes);
    let (json, _) = place.run(&["schema", "diff", "old.pbtxt", "new.pbtxt", "--json"], 1);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["changes"][0]["effect"], "relaxed");
}

#[test]
fn checks_name_lines() {
    let place = Place::new();
    place.write(
        "schema.pbtxt",
        "feature {\n  name: 'a'\n  type: BYTES\n  domain: 'wrods'\n}\nfeature { name: 'b' type: BYTES url_domain {} }\n\
         string_domain { name: 'words' value: 'x' }\n",
    );
    let (found, _) = place.run(&["schema", "check", "schema.pbtxt"], 1);
    assert_eq!(
        found,
        "schema.pbtxt:4:3: error: a: There is no `string_domain` `wrods`. [dangling_domain]\n  \
         hint: Did you mean `words`?\n\
         schema.pbtxt:6:33: note: b: Whether values are URLs is not checked. [not_checked]\n\
         schema.pbtxt:7:1: warning: words: No feature names the domain. [unused_domain]\n  \
         hint: Write `domain: \"words\"` into a feature, or remove it.\n\
         1 error, 1 warning, 1 note\n"
    );
    let (json, _) = place.run(&["schema", "check", "schema.pbtxt", "--json", "--no-notes"], 1);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(json[0]["place"], serde_json::json!([4, 3]));
    let list = place.ok(&["schema", "check", "--list"]);
    assert!(list.starts_with("error    feature_without_name"), "{list}");
    place.ok(&["schema", "infer", "stats.pb", "-o", "inferred.pb"]);
    assert_eq!(
        place.ok(&["schema", "check", "inferred.pb", "--no-notes"]),
        "0 errors, 0 warnings, 0 notes\n"
    );
}

#[test]
fn suggestions_are_a_schema_with_remarks() {
    let place = Place::new();
    let printed =
        place.ok(&["schema", "infer", "stats.pb", "-o", "s.pbtxt", "--suggest", "t.pbtxt"]);
    assert!(printed.contains(" (tightened)\n    range: "), "{printed}");
    let text = String::from_utf8(place.read("t.pbtxt")).unwrap();
    let remarks: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# ")).skip(1).collect();
    assert_eq!(remarks, printed.lines().collect::<Vec<_>>());
    let (changes, _) = place.run(&["schema", "diff", "s.pbtxt", "t.pbtxt"], 1);
    for line in changes.lines() {
        assert!(line.starts_with(['+', '~']) && !line.ends_with("(relaxed)"), "{line}");
    }
    place.ok(&["schema", "check", "t.pbtxt"]);
}

#[test]
fn wrong_commands_say_what_to_do() {
    let place = Place::new();
    place.write("bad.pbtxt", "feature {\n  name: 'a'\n  tpye: INT\n}\n");
    place.fails(
        &["schema", "show", "bad.pbtxt"],
        "line 3, column 3: `Feature` has no field `tpye`.",
    );
    place.fails(&["schema", "show", "bad.pbtxt"], "hint: Did you mean `type`?");
    place.fails(&["schema", "show", "stats.pb"], "Expected a schema, found statistics.");
    place.fails(&["schema", "check", "none.pbtxt"], "cannot read `none.pbtxt`");
    place.fails(&["schema", "infer", "bad.pbtxt"], "cannot use `bad.pbtxt`");
    place.fails(&["schema", "infer", "stats.pb", "-o", "x.txt"], "Use .pbtxt, .pb or .json.");
    place.fails(&["schema", "infer", "stats.pb", "-o", "stats.pb"], "`stats.pb` is an input");
    place.fails(
        &["schema", "infer", "stats.pb", "-o", "a.pb", "--suggest", "a.pb"],
        "written twice",
    );
    place.fails(&["schema", "infer", "none.csv"], "cannot read `none.csv`");
    place.fails(&["schema"], "Usage: frazil schema <COMMAND>");
}
