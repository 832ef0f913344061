//! From what the user names to a source that can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use datasets::csv::{CsvType, CsvTypes, InferCsvTypes, Multivalent};
use datasets::inputs::{InputFile, Resolved, Span, of_split as split_of, resolve};
use datasets::output::RowFormat;
use datasets::{Format, Payload, ReadOptions, detect};
use engine::{Flatten, Pipeline, Result, Source};
use ops::tfmd::{FeatureType, Schema};

use crate::args::{InputArgs, PayloadArg};
use crate::run::Run;

/// Files, their format, and how to read them.
pub(crate) struct Input {
    pub(crate) files: Vec<InputFile>,
    /// The spans that were chosen, if there are any to choose from.
    pub(crate) spans: Vec<Span>,
    format: &'static Format,
    read: ReadOptions,
}

impl Input {
    /// Finds the files.
    pub(crate) fn find(inputs: &[String], args: &InputArgs) -> Result<Self> {
        let span = args.span.as_deref().map(str::parse).transpose()?;
        let of_split;
        let inputs = match &args.split {
            None => inputs,
            Some(split) => {
                of_split = split_of(inputs, split)?;
                &of_split
            }
        };
        let Resolved { files, spans } = resolve(inputs, span.as_ref())?;
        let format = detect(&files, args.format.as_deref())?;
        let read = ReadOptions {
            columns: None,
            payload: match args.payload {
                None => Payload::Detect,
                Some(PayloadArg::Example) => Payload::Example,
                Some(PayloadArg::SequenceExample) => Payload::SequenceExample,
            },
            delimiter: args.delimiter.0,
            column_names: args.column_names.clone(),
            csv_types: None,
            multivalent: Multivalent {
                columns: args.multivalent_columns.clone(),
                delimiter: args.secondary_delimiter.0,
            },
            keep_originals: false,
        };
        Ok(Input { files, spans, format, read })
    }

    /// Whether columns are cells of text, which have the type of all of them together.
    pub(crate) fn is_text(&self) -> bool {
        self.format.untyped
    }

    /// Whether the files are Parquet.
    pub(crate) fn is_parquet(&self) -> bool {
        self.format.name == "parquet"
    }

    /// Whether the files hold messages, which have no order of columns.
    pub(crate) fn is_records(&self) -> bool {
        self.format.name == "tfrecord"
    }

    /// Asks for the bytes of records, so that they can be written again as they are.
    pub(crate) fn keep_originals(&mut self) {
        self.read.keep_originals = true;
    }

    /// How rows are written: as they are read, or in the named format.
    pub(crate) fn row_format(&self, name: Option<&str>) -> Result<RowFormat> {
        let name = name.unwrap_or(self.format.name);
        let is_kept = name == self.format.name;
        let mut format = if is_kept { RowFormat::kept(name)? } else { RowFormat::named(name)? };
        if is_kept {
            format.delimiter = self.read.delimiter;
            format.header = self.read.column_names.is_none();
        }
        format.secondary_delimiter = self.read.multivalent.delimiter;
        Ok(format)
    }

    /// Opens the files; where neither they nor `types` say what types columns have, finds out by a run.
    pub(crate) fn open(
        mut self,
        columns: Option<Vec<String>>,
        types: Option<&Schema>,
        run: &Run,
    ) -> Result<(Vec<InputFile>, Arc<dyn Source>)> {
        self.read.columns = columns;
        if self.format.untyped {
            let known = types.map(of_schema).unwrap_or_default();
            let wanted = self.read.columns.iter().flatten();
            let has_all = types.is_some() && wanted.clone().all(|name| known.get(name).is_some());
            let mut found = if has_all { CsvTypes::default() } else { self.infer(run)? };
            found.columns.extend(known.columns);
            self.read.csv_types = Some(found);
        }
        let source = (self.format.open)(self.files.clone(), &self.read)?;
        Ok((self.files, source))
    }

    /// Opens the files with types that are known.
    #[cfg(feature = "train")]
    pub(crate) fn open_as(
        mut self,
        columns: Vec<String>,
        types: &Schema,
    ) -> Result<Arc<dyn Source>> {
        self.read.columns = Some(columns);
        if self.format.untyped {
            self.read.csv_types = Some(of_schema(types));
        }
        (self.format.open)(self.files, &self.read)
    }

    fn infer(&self, run: &Run) -> Result<CsvTypes> {
        infer((self.format.open)(self.files.clone(), &self.read)?, &self.read, run)
    }

    /// The same, with every record as it is stored, where records are messages.
    pub(crate) fn keeping_messages(mut self) -> Self {
        self.read.keep_originals = self.format.name == "tfrecord";
        self
    }

    /// True where the files hold floats of 32 bits, if any.
    pub(crate) fn has_single_floats(&self) -> bool {
        // tf.Examples have no others, and CSV is read as TFDV reads it.
        self.format.name != "parquet"
    }
}

/// Opens inputs that are one set of rows: types that the files do not say are found over all.
pub(crate) fn open_all(mut inputs: Vec<Input>, run: &Run) -> Result<Vec<Arc<dyn Source>>> {
    let untyped = inputs.iter().filter(|input| input.format.untyped);
    let untyped = untyped.map(|input| (input.format.open)(input.files.clone(), &input.read));
    let untyped = untyped.collect::<Result<Vec<_>>>()?;
    if let (Some(first), false) = (inputs.first(), untyped.is_empty()) {
        let types = infer(Arc::new(Flatten::new(untyped)), &first.read, run)?;
        for input in inputs.iter_mut().filter(|input| input.format.untyped) {
            input.read.csv_types = Some(types.clone());
        }
    }
    inputs.into_iter().map(|input| (input.format.open)(input.files, &input.read)).collect()
}

/// Opens two inputs that are to be compared: types that the files do not say are found over both.
pub(crate) fn open_both(mut inputs: [Input; 2], run: &Run) -> Result<[Arc<dyn Source>; 2]> {
    if inputs.iter().all(|input| input.format.untyped) {
        let untyped = |input: &Input| (input.format.open)(input.files.clone(), &input.read);
        let both = Flatten::new(vec![untyped(&inputs[0])?, untyped(&inputs[1])?]);
        let types = infer(Arc::new(both), &inputs[0].read, run)?;
        for input in &mut inputs {
            input.read.csv_types = Some(types.clone());
        }
    }
    let [base, test] = inputs;
    let open = |mut input: Input| {
        if input.format.untyped && input.read.csv_types.is_none() {
            input.read.csv_types = Some(input.infer(run)?);
        }
        (input.format.open)(input.files, &input.read)
    };
    Ok([open(base)?, open(test)?])
}

fn infer(source: Arc<dyn Source>, read: &ReadOptions, run: &Run) -> Result<CsvTypes> {
    let (pipeline, batches) = Pipeline::read(source);
    let types = batches.combine_globally(InferCsvTypes { multivalent: read.multivalent.clone() });
    let plan = pipeline.plan();
    let mut outputs = run.execute("finding the types of columns", &plan, "csv types", None)?;
    types.output(&mut outputs)
}

/// The types of columns, as the schema has them.
fn of_schema(schema: &Schema) -> CsvTypes {
    let columns: BTreeMap<String, CsvType> = schema
        .feature
        .iter()
        .map(|feature| {
            let found = match feature.r#type() {
                FeatureType::Int => CsvType::Int,
                FeatureType::Float => CsvType::Float,
                FeatureType::Bytes => CsvType::String,
                FeatureType::Struct | FeatureType::TypeUnknown => CsvType::Unknown,
            };
            (feature.name().to_owned(), found)
        })
        .collect();
    CsvTypes { columns }
}
