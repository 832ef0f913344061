//! The columns of rows that come in batches which do not all have the same.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_cast::cast;
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use engine::{Error, ErrorKind, Result};

use super::spill::arrow;

/// All columns that were seen, in the order in which they came.
///
/// Codes of dictionaries become what they stand for, for rows of different batches meet.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    fields: Vec<FieldRef>,
}

impl Columns {
    /// Those of a schema.
    pub(super) fn of(schema: &Schema) -> Self {
        Columns { fields: schema.fields().iter().cloned().collect() }
    }

    /// All as a schema.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.fields.clone()))
    }

    /// Adds the columns of a batch; gives the batch without dictionaries.
    ///
    /// # Errors
    /// When a column has had another type.
    pub(super) fn add(&mut self, records: &RecordBatch) -> Result<RecordBatch> {
        let schema = records.schema();
        if *schema.fields == *self.fields {
            return Ok(records.clone());
        }
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (field, column) in schema.fields().iter().zip(records.columns()) {
            let data_type = plain(field.data_type());
            columns.push(if *field.data_type() == data_type {
                column.clone()
            } else {
                cast(column, &data_type).map_err(|e| arrow(&e))?
            });
            fields.push(Arc::new(field.as_ref().clone().with_data_type(data_type)));
        }
        self.merge(&fields)?;
        let options = RecordBatchOptions::new().with_row_count(Some(records.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|e| arrow(&e))
    }

    /// Adds the columns of other rows, behind those that are there.
    ///
    /// # Errors
    /// When a column has another type.
    fn merge(&mut self, fields: &[FieldRef]) -> Result<()> {
        let nullable =
            |field: &FieldRef| -> FieldRef { Arc::new(field.as_ref().clone().with_nullable(true)) };
        let is_first = self.fields.is_empty();
        for known in &mut self.fields {
            let same = fields.iter().find(|field| field.name() == known.name());
            if !known.is_nullable() && same.is_none_or(|same| same.is_nullable()) {
                *known = nullable(known);
            }
        }
        for field in fields {
            match self.fields.iter_mut().find(|known| known.name() == field.name()) {
                None if is_first => self.fields.push(field.clone()),
                None => self.fields.push(nullable(field)),
                Some(known) if known.data_type() == field.data_type() => {}
                Some(known) if *known.data_type() == DataType::Null => *known = nullable(field),
                Some(_) if *field.data_type() == DataType::Null => {}
                Some(known) => {
                    let (name, was, is) = (field.name(), known.data_type(), field.data_type());
                    let message = format!("column `{name}` has two types");
                    let hint =
                        "The rows of a Parquet file have the same columns; write TFRecord files.";
                    return Err(Error::new(ErrorKind::Unsupported, message)
                        .with_detail(format!("It is {was} in some rows and {is} in others."))
                        .with_hint(hint));
                }
            }
        }
        Ok(())
    }

    /// Adds those of others, if they have any.
    ///
    /// # Errors
    /// When a column has another type.
    pub(super) fn join(&mut self, other: &Columns) -> Result<()> {
        if other.fields.is_empty() { Ok(()) } else { self.merge(&other.fields) }
    }

    /// Whether a file with these columns can hold the rows.
    pub(super) fn fit(&self, schema: &Schema) -> bool {
        let same = |(own, other): (&FieldRef, &FieldRef)| {
            own.name() == other.name()
                && *own.data_type() == plain(other.data_type())
                && own.is_nullable() == other.is_nullable()
        };
        self.fields.len() == schema.fields().len()
            && self.fields.iter().zip(schema.fields()).all(same)
    }

    /// The same, sorted by name.
    pub(super) fn sort(&mut self) {
        self.fields.sort_by(|a, b| a.name().cmp(b.name()));
    }

    /// A batch with all of the columns, behind its first `kept` ones; those it lacks are null.
    pub(super) fn align(&self, records: &RecordBatch, kept: usize) -> Result<RecordBatch> {
        let (schema, rows) = (records.schema(), records.num_rows());
        let own = &schema.fields()[kept..];
        if own.len() == self.fields.len() && own.iter().zip(&self.fields).all(|(a, b)| a == b) {
            return Ok(records.clone());
        }
        let mut fields: Vec<FieldRef> = schema.fields()[..kept].to_vec();
        let mut columns: Vec<ArrayRef> = records.columns()[..kept].to_vec();
        for field in &self.fields {
            let found = own.iter().position(|own| own.name() == field.name());
            fields.push(field.clone());
            columns.push(match found {
                Some(i) if own[i].data_type() == field.data_type() => {
                    records.column(kept + i).clone()
                }
                _ => new_null_array(field.data_type(), rows),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|e| arrow(&e))
    }
}

/// The type without dictionaries.
fn plain(data_type: &DataType) -> DataType {
    let of = |field: &FieldRef| -> FieldRef {
        Arc::new(field.as_ref().clone().with_data_type(plain(field.data_type())))
    };
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(item) => DataType::List(of(item)),
        DataType::LargeList(item) => DataType::LargeList(of(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(of(item), *n),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(of).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Int64Array, NullArray, StringArray};
    use arrow_schema::Field;

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
            .unwrap()
    }

    #[test]
    fn columns_that_rows_lack_are_nullable() {
        let schema = |names: &[(&str, bool)]| {
            let fields = names.iter().map(|&(name, null)| Field::new(name, DataType::Int64, null));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        };
        let check = |batches: &[&[(&str, bool)]], expected: &[(&str, bool)]| {
            let mut columns = Columns::default();
            for names in batches {
                columns.add(&RecordBatch::new_empty(schema(names))).unwrap();
            }
            assert_eq!(columns.schema(), schema(expected));
        };
        check(&[&[("a", false)], &[("a", false)]], &[("a", false)]);
        check(&[&[("a", false)], &[("a", true)]], &[("a", true)]);
        check(&[&[("a", false), ("b", false)], &[("a", false)]], &[("a", false), ("b", true)]);
        check(&[&[("a", false)], &[("a", false), ("b", false)]], &[("a", false), ("b", true)]);
    }

    #[test]
    fn columns_come_together() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let codes: DictionaryArray<Int32Type> = ["x", "y"].into_iter().collect();
        let mut columns = Columns::default();
        let first = columns
            .add(&batch(vec![("b", ints.clone()), ("n", Arc::new(NullArray::new(2)))]))
            .unwrap();
        let second =
            columns.add(&batch(vec![("n", ints.clone()), ("a", Arc::new(codes))])).unwrap();
        assert_eq!(second.schema().field(1).data_type(), &DataType::Utf8);
        let names = |schema: SchemaRef| {
            schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect()
        };
        let found: Vec<String> = names(columns.schema());
        assert_eq!(found, ["b Int64", "n Int64", "a Utf8"]);
        let aligned = columns.align(&first, 0).unwrap();
        assert_eq!(aligned.column(1).null_count() + aligned.column(2).null_count(), 4);
        let kept = columns.align(
            &batch(vec![("k", ints.clone()), ("a", Arc::new(StringArray::from(vec!["", ""])))]),
            1,
        );
        let found: Vec<String> = names(kept.unwrap().schema());
        assert_eq!(found, ["k Int64", "b Int64", "n Int64", "a Utf8"]);
        columns.sort();
        let found: Vec<String> = names(columns.schema());
        assert_eq!(found, ["a Utf8", "b Int64", "n Int64"]);
        assert!(columns.fit(&columns.schema()) && !columns.fit(&Schema::empty()));
        let error = columns.add(&batch(vec![("a", ints)])).unwrap_err();
        assert_eq!(error.message(), "column `a` has two types");
    }
}
