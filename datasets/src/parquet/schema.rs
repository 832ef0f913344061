//! Which Arrow types the columns of a file are asked for as.
//!
//! - Text is read as bytes: checking UTF-8 costs time, and one bad value would cost the row group.
//! - Bytes whose pages are all dictionary-encoded, with a small dictionary, stay dictionaries:
//!   whoever counts values then counts codes.
//! - Everything else is read as what the file says it is.

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use ::parquet::basic::{ConvertedType, Encoding, LogicalType, Type as Physical};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData};
use ::parquet::schema::types::{SchemaDescriptor, Type};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};

/// A dictionary page that takes more stored bytes is not small.
const SMALL_DICTIONARY: i64 = 64 << 10;

/// The file's metadata with the types that its columns are to be read as.
pub(super) fn readable(
    metadata: ParquetMetaData,
) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    let plain = ArrowReaderOptions::new;
    let bytes = Arc::new(text_as_bytes(&metadata)?);
    let found = ArrowReaderMetadata::try_new(Arc::clone(&bytes), plain())?;
    let mut wanted = Wanted { metadata: &bytes, leaf: 0 };
    let fields: Fields = found.schema().fields().iter().map(|field| wanted.field(field)).collect();
    let schema = Schema::new_with_metadata(fields, found.schema().metadata().clone());
    let options = plain().with_schema(Arc::new(schema));
    // A hint that the reader refuses is not worth an error.
    ArrowReaderMetadata::try_new(bytes, options)
        .or_else(|_| ArrowReaderMetadata::try_new(Arc::new(metadata), plain()))
}

/// The same metadata, where no column of bytes is said to be text.
fn text_as_bytes(metadata: &ParquetMetaData) -> std::result::Result<ParquetMetaData, ParquetError> {
    let file = metadata.file_metadata();
    let root = without_text(file.schema_descr().root_schema())?;
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        Arc::new(SchemaDescriptor::new(Arc::new(root))),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaData::new(file, metadata.row_groups().to_vec()))
}

fn without_text(node: &Type) -> std::result::Result<Type, ParquetError> {
    let info = node.get_basic_info();
    let id = info.has_id().then(|| info.id());
    if node.is_group() {
        let children = node.get_fields().iter().map(|child| without_text(child).map(Arc::new));
        let mut group = Type::group_type_builder(info.name())
            .with_fields(children.collect::<std::result::Result<_, _>>()?)
            .with_converted_type(info.converted_type())
            .with_logical_type(info.logical_type_ref().cloned())
            .with_id(id);
        if info.has_repetition() {
            group = group.with_repetition(info.repetition());
        }
        return group.build();
    }
    let text = matches!(
        info.logical_type_ref(),
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)
    ) || matches!(
        info.converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
    );
    if !text || node.get_physical_type() != Physical::BYTE_ARRAY {
        return Ok(node.clone());
    }
    Type::primitive_type_builder(info.name(), Physical::BYTE_ARRAY)
        .with_repetition(info.repetition())
        .with_id(id)
        .build()
}

/// Walks the fields in the order of the leaf columns.
struct Wanted<'a> {
    metadata: &'a ParquetMetaData,
    leaf: usize,
}

impl Wanted<'_> {
    fn field(&mut self, field: &FieldRef) -> FieldRef {
        let wanted = self.data_type(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(wanted))
    }

    fn data_type(&mut self, data_type: &DataType) -> DataType {
        match data_type {
            DataType::Struct(fields) => {
                DataType::Struct(fields.iter().map(|field| self.field(field)).collect())
            }
            DataType::List(item) => DataType::List(self.field(item)),
            DataType::LargeList(item) => DataType::LargeList(self.field(item)),
            DataType::ListView(item) => DataType::ListView(self.field(item)),
            DataType::LargeListView(item) => DataType::LargeListView(self.field(item)),
            DataType::FixedSizeList(item, n) => DataType::FixedSizeList(self.field(item), *n),
            DataType::Map(entries, sorted) => DataType::Map(self.field(entries), *sorted),
            leaf => {
                let dictionary = self.has_small_dictionary(self.leaf);
                self.leaf += 1;
                leaf_type(leaf, dictionary)
            }
        }
    }

    /// True when all values of the leaf are codes of small dictionaries, in every row group.
    fn has_small_dictionary(&self, leaf: usize) -> bool {
        let groups = self.metadata.row_groups();
        groups.iter().all(|group| group.columns().get(leaf).is_some_and(small_dictionary))
    }
}

fn small_dictionary(column: &ColumnChunkMetaData) -> bool {
    let Some(start) = column.dictionary_page_offset() else {
        return column.num_values() == 0;
    };
    let stored = column.data_page_offset().saturating_sub(start);
    let coded = column.page_encoding_stats_mask().is_some_and(|pages| {
        pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY)
    });
    coded && (0..=SMALL_DICTIONARY).contains(&stored)
}

fn leaf_type(found: &DataType, dictionary: bool) -> DataType {
    let plain = match found {
        DataType::Binary | DataType::Utf8 | DataType::BinaryView | DataType::Utf8View => {
            DataType::Binary
        }
        // A file that needs long offsets keeps them.
        DataType::LargeBinary | DataType::LargeUtf8 => return DataType::LargeBinary,
        DataType::Dictionary(_, value) => match leaf_type(value, false) {
            DataType::Binary => DataType::Binary,
            _ => return found.clone(),
        },
        other => return other.clone(),
    };
    if dictionary {
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(plain))
    } else {
        plain
    }
}

/// The first column that one schema lacks or has with another type.
pub(super) fn difference(a: &Schema, b: &Schema) -> Option<String> {
    let other = |field: &Field| {
        let in_b = b.field_with_name(field.name()).ok()?;
        let (a, b) = (values(field.data_type()), values(in_b.data_type()));
        (a != b).then(|| format!("column `{}` is {a} in one file and {b} in another", field.name()))
    };
    let only = |a: &Schema, b: &Schema| {
        let lacks = a.fields().iter().find(|field| b.field_with_name(field.name()).is_err())?;
        Some(format!("column `{}` is in one file only", lacks.name()))
    };
    a.fields().iter().find_map(|field| other(field)).or_else(|| only(a, b)).or_else(|| only(b, a))
}

/// The type of the values, whatever their encoding.
fn values(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}
