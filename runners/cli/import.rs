//! `frazil graph import`: what another program has made, as a module of one's own: vocabularies and
//! tokenizers with the ids that they have there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::{Error, ErrorKind, Result};
use ops::tfmd::{load_schema, text};
use transform::artifact::directory::{NewDirectory, check_vacant};
use transform::artifact::lines_of_records;
use transform::text::{HuggingFaceTokenizer, TokenizerConstant};

use crate::failure::Done;
use crate::options::{load, read};
use crate::{interrupt, output};

/// The file by which such a folder is known.
const MODULE: &str = "preprocessing.star";
const TFRECORD: &str = ".tfrecord.gz";

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What TFX's Transform has left (a folder with `transform_fn` and `transformed_metadata`), or a
    /// `tokenizer.json` of Hugging Face
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The folder for the module and its files
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Replace an earlier import
    #[arg(long)]
    overwrite: bool,
}

/// A folder on its way: files by name, and what is said of them.
#[derive(Default)]
struct Folder {
    files: BTreeMap<String, Vec<u8>>,
    said: String,
}

pub(crate) fn run(args: &ImportArgs) -> Done {
    check_vacant(&args.output, "module", MODULE, args.overwrite)?;
    let folder = if args.path.is_file() {
        of_tokenizer(&read(&args.path)?)?
    } else {
        of_transform(&args.path)?
    };
    let new = NewDirectory::beside(&args.output)?;
    for (name, bytes) in &folder.files {
        let path = new.path().join(name);
        std::fs::write(&path, bytes)
            .map_err(|e| Error::io(format_args!("write `{}`", path.display()), &e))?;
    }
    {
        let _writing = interrupt::writing();
        new.commit()?;
    }
    let shown = args.output.display();
    let schema = if folder.files.contains_key("schema.pbtxt") {
        format!(" --schema {shown}/schema.pbtxt")
    } else {
        String::new()
    };
    output::print(&format!(
        "{}{shown}/{MODULE} uses them: change it, then\n  \
         frazil analyze DATA --preprocessing {shown}/{MODULE}{schema} -o graph\n",
        folder.said
    ))
}

fn of_tokenizer(json: &[u8]) -> Result<Folder> {
    const FILE: &str = "tokenizer.json";
    // It has to encode every text, as in a graph.
    TokenizerConstant::of_json(FILE, json.to_vec())?;
    let tokenizer = HuggingFaceTokenizer::new(json)?;
    let mut folder = Folder::default();
    let _ = writeln!(
        folder.said,
        "{FILE}: {} tokens, ids up to {}",
        tokenizer.vocabulary_size(),
        tokenizer.last_id()
    );
    let (layout, more) = if tokenizer.pads() {
        ("a model's inputs, joined, cut and padded as the file says", "")
    } else {
        ("the ids of a text's pieces", "; the file has no padding, so there are no model's inputs")
    };
    let call = if tokenizer.pads() {
        "text.bert_inputs(sentence, tokenizer=tokenizer, max_length=MAX_LENGTH, layout=\"tokenizer\")"
    } else {
        "text.tokenize(sentence, tokenizer)"
    };
    let outputs = if tokenizer.pads() {
        "    ids, mask, types = tokenized\n    return {\n        \"input_word_ids\": ids,\n        \
         \"input_mask\": mask,\n        \"input_type_ids\": types,\n    }\n"
    } else {
        "    return {\"ids\": tokenized}\n"
    };
    let module = format!(
        "# A text as {layout}{more}.\n\nCOLUMN = \"text\"\nMAX_LENGTH = 128\n\n\
         def preprocessing_fn(inputs):\n    \
         tokenizer = text.hugging_face_tokenizer(\"{FILE}\")\n    \
         sentence = tft.fill_in_missing(inputs[COLUMN], \"\")\n    \
         tokenized = {call}\n{outputs}"
    );
    folder.files.insert(FILE.to_owned(), json.to_vec());
    folder.files.insert(MODULE.to_owned(), module.into_bytes());
    Ok(folder)
}

fn of_transform(directory: &Path) -> Result<Folder> {
    let assets = directory.join("transform_fn/assets");
    let map = directory.join("transformed_metadata/asset_map");
    let keys: BTreeMap<String, String> = if map.is_file() {
        serde_json::from_slice(&read(&map)?).map_err(|e| {
            Error::input(format!("`{}` is no map of names to files", map.display()))
                .with_detail(format!("{e}."))
        })?
    } else {
        names_in(&assets)?.into_iter().map(|name| (name.clone(), name)).collect()
    };
    let schema = directory.join("metadata/schema.pbtxt");
    if keys.is_empty() && !schema.is_file() {
        let shown = directory.display();
        return Err(Error::new(ErrorKind::NotFound, format!("`{shown}` holds nothing to import"))
            .with_detail("There is no vocabulary in it, and no `metadata/schema.pbtxt`.")
            .with_hint("Name the folder that TFX's Transform has left, or a `tokenizer.json`."));
    }
    let mut folder = Folder::default();
    let mut functions = String::new();
    let mut names = BTreeSet::from(["preprocessing_fn".to_owned()]);
    for (key, file) in &keys {
        let bytes = read(&assets.join(file))?;
        let (name, bytes) = match file.strip_suffix(TFRECORD) {
            Some(name) => (name, lines_of_records(&bytes).map_err(|error| of_file(error, file))?),
            None => (file.as_str(), bytes),
        };
        let whole = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let n = if bytes.is_empty() { 0 } else { whole.split(|byte| *byte == b'\n').count() };
        let _ = writeln!(folder.said, "{name}: {n} tokens");
        let function = free_name(key, &mut names);
        let _ = writeln!(
            functions,
            "def {function}(x, default_value=-1, num_oov_buckets=0):\n    \
             \"\"\"Tokens as ids: the {n} lines of `{name}`, counted from 0.\"\"\"\n    \
             return tft.apply_vocabulary(\n        x,\n        \
             tft.vocabulary_from_file({name:?}),\n        default_value=default_value,\n        \
             num_oov_buckets=num_oov_buckets,\n    )\n"
        );
        folder.files.insert(name.to_owned(), bytes);
    }
    let mut columns = Vec::new();
    if schema.is_file() {
        let read = load(&schema, load_schema)?;
        columns.extend(read.feature.iter().map(|feature| feature.name().to_owned()));
        let _ = writeln!(folder.said, "schema.pbtxt: {} features", columns.len());
        folder.files.insert("schema.pbtxt".to_owned(), text::print(&read).into_bytes());
    }
    let mut module =
        "# Vocabularies with the ids that they had, and the columns of the data as they are.\n\n"
            .to_owned();
    module.push_str(&functions);
    module.push_str("def preprocessing_fn(inputs):\n    return {\n");
    for column in columns {
        let _ = writeln!(module, "        {column:?}: inputs[{column:?}],");
    }
    module.push_str("    }\n");
    folder.files.insert(MODULE.to_owned(), module.into_bytes());
    Ok(folder)
}

fn of_file(error: Error, file: &str) -> Error {
    error.with_hint(format!("Copy `{file}` again, or write the vocabulary as text."))
}

/// The names of the files in a folder, if there is one.
fn names_in(folder: &Path) -> Result<BTreeSet<String>> {
    if !folder.is_dir() {
        return Ok(BTreeSet::new());
    }
    let failed = |e: &std::io::Error| Error::io(format_args!("read `{}`", folder.display()), e);
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(|e| failed(&e))? {
        names.insert(entry.map_err(|e| failed(&e))?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// A name for a function, of a file's.
fn free_name(key: &str, taken: &mut BTreeSet<String>) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let mut name: String = key.chars().map(letter).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        name.insert_str(0, "vocabulary_");
    }
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}
