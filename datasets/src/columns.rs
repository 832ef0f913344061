//! The columns of rows that come in batches which do not all have the same.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use engine::{Error, ErrorKind, Result};

/// All columns that were seen, in the order in which they came.
///
/// Codes of dictionaries become what they stand for, for rows of different batches meet. What structs
/// hold comes together as columns do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Columns {
    fields: Vec<FieldRef>,
}

impl Columns {
    /// Those of a schema.
    pub(crate) fn of(schema: &Schema) -> Self {
        Columns { fields: schema.fields().iter().cloned().collect() }
    }

    /// Whether there are none that a Parquet file can have.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.iter().all(is_bare)
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.name().clone()).collect()
    }

    /// All as a schema.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.fields.clone()))
    }

    /// Adds the columns of a batch; gives the batch without dictionaries.
    ///
    /// # Errors
    /// When a column has had another type.
    pub(crate) fn add(&mut self, records: &RecordBatch) -> Result<RecordBatch> {
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
        self.join(&Columns { fields: fields.clone() })?;
        let options = RecordBatchOptions::new().with_row_count(Some(records.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|e| arrow(&e))
    }

    /// Adds those of other rows, behind those that are there.
    ///
    /// # Errors
    /// When a column has another type.
    pub(crate) fn join(&mut self, other: &Columns) -> Result<()> {
        if self.fields.is_empty() {
            self.fields.clone_from(&other.fields);
        } else if !other.fields.is_empty() {
            self.fields = union(&self.fields, &other.fields, "")?;
        }
        Ok(())
    }

    /// Whether a file with these columns can hold the rows.
    pub(crate) fn fit(&self, schema: &Schema) -> bool {
        let same = |(own, other): (&FieldRef, &FieldRef)| {
            own.name() == other.name()
                && *own.data_type() == plain(other.data_type())
                && own.is_nullable() == other.is_nullable()
        };
        self.fields.len() == schema.fields().len()
            && self.fields.iter().zip(schema.fields()).all(same)
    }

    /// Leaves out structs without fields, which Parquet does not have.
    pub(crate) fn retain_full(&mut self) {
        self.fields.retain(|field| !is_bare(field));
    }

    /// The same, sorted by name, as what structs among them hold.
    pub(crate) fn sort(&mut self) {
        self.fields = sorted(&self.fields);
    }

    /// A batch with all of the columns, behind its first `kept` ones; those it lacks are null.
    pub(crate) fn align(&self, records: &RecordBatch, kept: usize) -> Result<RecordBatch> {
        let (schema, rows) = (records.schema(), records.num_rows());
        let own = &schema.fields()[kept..];
        if own.len() == self.fields.len() && own.iter().zip(&self.fields).all(|(a, b)| a == b) {
            return Ok(records.clone());
        }
        let mut fields: Vec<FieldRef> = schema.fields()[..kept].to_vec();
        let mut columns: Vec<ArrayRef> = records.columns()[..kept].to_vec();
        fields.extend(self.fields.iter().cloned());
        let found = aligned(own, &records.columns()[kept..], &self.fields, rows);
        columns.extend(found.map_err(|e| arrow(&e))?);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|e| arrow(&e))
    }
}

/// Whether it is a struct without fields.
fn is_bare(field: &FieldRef) -> bool {
    matches!(field.data_type(), DataType::Struct(fields) if fields.is_empty())
}

fn arrow(error: &ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, "columns cannot be brought together")
        .with_detail(format!("{error}."))
}

/// The fields of both, those of `known` first; what one of them lacks is nullable. Their names begin
/// with `within` where they are told.
fn union(known: &[FieldRef], others: &[FieldRef], within: &str) -> Result<Vec<FieldRef>> {
    let find =
        |fields: &[FieldRef], name: &str| fields.iter().find(|field| field.name() == name).cloned();
    let nullable = |field: &Field| -> FieldRef { Arc::new(field.clone().with_nullable(true)) };
    let both = |known: &FieldRef| match find(others, known.name()) {
        Some(other) => common(known, &other, &format!("{within}{}", known.name())),
        None => Ok(nullable(known)),
    };
    let mut fields = known.iter().map(both).collect::<Result<Vec<_>>>()?;
    let added = others.iter().filter(|other| find(known, other.name()).is_none());
    fields.extend(added.map(|field| nullable(field)));
    Ok(fields)
}

/// A field that can hold the values of both, which are told of as `name`.
fn common(known: &FieldRef, other: &FieldRef, name: &str) -> Result<FieldRef> {
    use DataType::{List, Null, Struct};
    let data_type = match (known.data_type(), other.data_type()) {
        (was, is) if was == is => was.clone(),
        (was, Null) => was.clone(),
        (Null, is) => is.clone(),
        (List(was), List(is)) => List(common(was, is, name)?),
        (Struct(was), Struct(is)) => Struct(union(was, is, &format!("{name}."))?.into()),
        (was, is) => {
            let message = format!("column `{name}` has two types");
            let hint = "The rows of a Parquet file have the same columns; write TFRecord files.";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_detail(format!("It is {was} in some rows and {is} in others."))
                .with_hint(hint));
        }
    };
    let is_nullable = known.is_nullable() || other.is_nullable();
    Ok(Arc::new(known.as_ref().clone().with_data_type(data_type).with_nullable(is_nullable)))
}

/// Columns as `fields` say, of those that are there, whose types they can hold.
fn aligned(
    own: &[FieldRef],
    columns: &[ArrayRef],
    fields: &[FieldRef],
    rows: usize,
) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
    let of = |field: &FieldRef| match own.iter().position(|own| own.name() == field.name()) {
        Some(i) => widened(&columns[i], field.data_type()),
        None => Ok(new_null_array(field.data_type(), rows)),
    };
    fields.iter().map(of).collect()
}

/// The same values in a type that can hold them, by [`common`].
fn widened(column: &ArrayRef, data_type: &DataType) -> std::result::Result<ArrayRef, ArrowError> {
    Ok(match (column.data_type(), data_type) {
        (found, wanted) if found == wanted => column.clone(),
        (DataType::List(_), DataType::List(item)) => {
            let list = column.as_list::<i32>();
            let values = widened(list.values(), item.data_type())?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls)?)
        }
        (DataType::Struct(own), DataType::Struct(fields)) => {
            let found = column.as_struct();
            let columns = aligned(own, found.columns(), fields, found.len())?;
            Arc::new(StructArray::try_new(fields.clone(), columns, found.nulls().cloned())?)
        }
        _ => new_null_array(data_type, column.len()),
    })
}

/// Fields by name, as those of structs among them.
fn sorted(fields: &[FieldRef]) -> Vec<FieldRef> {
    let of = |field: &FieldRef| match field.data_type() {
        DataType::Struct(fields) => {
            let data_type = DataType::Struct(sorted(fields).into());
            Arc::new(field.as_ref().clone().with_data_type(data_type))
        }
        _ => field.clone(),
    };
    let mut fields: Vec<FieldRef> = fields.iter().map(of).collect();
    fields.sort_by(|a, b| a.name().cmp(b.name()));
    fields
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
    use arrow_array::types::{Float32Type, Int32Type, Int64Type};
    use arrow_array::{DictionaryArray, Int64Array, NullArray, StringArray};
    use arrow_buffer::OffsetBuffer;

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

    /// A column of a struct, with its fields.
    fn structs(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
        let field = |(name, array): (&str, ArrayRef)| {
            (Arc::new(Field::new(name, array.data_type().clone(), true)), array)
        };
        Arc::new(StructArray::from(fields.into_iter().map(field).collect::<Vec<_>>()))
    }

    #[test]
    fn what_structs_hold_comes_together_as_columns_do() {
        let ints: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), Some(2)]),
            None,
            Some(vec![]),
        ]));
        // As many lists in a row: a list of lists, or of nulls where they have no type.
        let steps = |values: ArrayRef| -> ArrayRef {
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 1]), values, None))
        };
        let kindless = steps(Arc::new(NullArray::new(3)));
        let batches = [
            batch(vec![("s", structs(vec![("x", kindless.clone()), ("b", kindless)]))]),
            batch(vec![("s", structs(vec![("b", steps(ints.clone())), ("a", steps(ints))]))]),
            batch(vec![("i", Arc::new(Int64Array::from(vec![7, 8])))]),
            batch(vec![("s", Arc::new(StructArray::new_empty_fields(2, None)))]),
        ];
        let mut columns = Columns::default();
        for batch in &batches {
            columns.add(batch).unwrap();
        }
        columns.sort();
        columns.retain_full();
        let aligned = batches.each_ref().map(|batch| columns.align(batch, 0).unwrap());
        let schema = aligned[0].schema();
        assert!(aligned.iter().all(|batch| batch.schema() == schema));
        assert_eq!(schema.field(0).name(), "i");
        let lists = aligned.each_ref().map(|batch| batch.column(1).as_struct());
        assert_eq!(lists[0].column_names(), ["a", "b", "x"]);
        assert_eq!(lists.map(Array::null_count), [0, 0, 2, 0]);
        assert_eq!(lists[0].column(0).null_count(), 2);
        let kindless = lists[0].column(1).as_list::<i32>();
        assert_eq!((kindless.null_count(), kindless.values().null_count()), (0, 3));
        assert_eq!(lists[1].column(1), batches[1].column(0).as_struct().column(0));
        assert_eq!(lists[1].column(2).null_count(), 2);

        let floats = ListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(1.0)])]);
        let item = Arc::new(Field::new("item", floats.data_type().clone(), true));
        let one = OffsetBuffer::from_lengths([1]);
        let floats: ArrayRef = Arc::new(ListArray::new(item, one, Arc::new(floats), None));
        let error = columns.add(&batch(vec![("s", structs(vec![("a", floats)]))])).unwrap_err();
        assert_eq!(error.message(), "column `s.a` has two types");
        assert_eq!(error.detail(), Some("It is Int64 in some rows and Float32 in others."));
        let mut none = Columns::default();
        none.add(&batches[3]).unwrap();
        assert!(none.is_empty() && !columns.is_empty());
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
