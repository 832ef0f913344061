"""Makes tests/golden/transform/CASE/: what the real TensorFlow Transform gives for small inputs.

    python3.11 -m venv peer && peer/bin/pip install uv && peer/bin/uv pip install --python peer/bin/python \
        tensorflow==2.16.2 tensorflow-transform==1.16.0 tfx-bsl==1.16.1 tensorflow-metadata==1.16.1 \
        tensorflow-text==2.16.1 'apache-beam[dill]==2.72.0' pyarrow==10.0.1 numpy==1.26.4
    peer/bin/python tests/golden/transform/make.py [CASE ...]

A case is a module `make_CASE.py` with the feature spec of its inputs, the rows of its files, and
`preprocess(inputs, note)`: one line for each output, and `note(name, tensor)` for each value that an
analyzer found. Read it beside the case's files:

    data-*.tfrecord      the rows that were analyzed and transformed; TFT saw each file as one batch
    more.tfrecord        other rows, only transformed, by the graph that the first gave
    schema.pbtxt         of the inputs: a fixed shape that is always present is dense, all others are sparse
    transformed.json     column -> for each row, in order of the input, the list of its values
    transformed_more.json
    analyzers.json       name -> type, shape and values (flat, rows first)
    vocab/               the asset files as they were written; one as gzipped TFRecord has its tokens in a .json
    transformed_schema.pbtxt
    errors.json          expression -> what TensorFlow says of it, where a case asks

A dense scalar is a list of one value, a dense tensor all its values, a sparse one the values that are
there. Floats are the shortest decimals of their own width, and "NaN", "Infinity", "-Infinity"; bytes are
strings of Latin-1. Nothing is edited but the order of rows, which Beam does not keep.
"""

import gzip
import importlib
import json
import math
import pathlib
import shutil
import struct
import sys
import tempfile

import apache_beam as beam
import numpy
import pyarrow
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.coders import example_coder
from tfx_bsl.tfxio import tensor_adapter, tf_example_record

HERE = pathlib.Path(__file__).resolve().parent
CASES = ["numeric", "phases", "buckets", "per_key", "vocabulary", "text", "ops", "bert"]
ROW, NOTE = "row", "note$"


def example(row):
    """The bytes of a tf.Example; a feature of no kind where the list is empty, none where it is None."""
    kinds = {
        tf.float32: lambda v: tf.train.Feature(float_list=tf.train.FloatList(value=v)),
        tf.int64: lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=v)),
        tf.string: lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=v)),
    }
    features = {name: kinds[dtype](values) for name, (dtype, values) in row.items()}
    message = tf.train.Example(features=tf.train.Features(feature=features))
    return message.SerializeToString(deterministic=True)


def examples(spec, rows):
    def values(value):
        value = value if isinstance(value, list) else [value]
        return [v.encode() if isinstance(v, str) else v for v in value]

    return [
        example({name: (spec[name].dtype, values(value)) for name, value in row.items() if value is not None})
        for row in rows
    ]


def record_batch(schema, records, first):
    """The rows as TFT reads them, with their numbers beside them."""
    batch = example_coder.ExamplesToRecordBatchDecoder(schema.SerializeToString()).DecodeBatch(records)
    numbers = pyarrow.array([[first + i] for i in range(len(records))], pyarrow.list_(pyarrow.int64()))
    return pyarrow.RecordBatch.from_arrays([*batch.columns, numbers], [*batch.schema.names, ROW])


def run(case, folder, scratch):
    spec = case.SPEC
    schema = schema_utils.schema_from_feature_spec(spec)
    files = [examples(spec, rows) for rows in case.files()]
    more = examples(spec, case.more()) if hasattr(case, "more") else []
    assets = pathlib.Path(scratch)
    reader = tf_example_record.TFExampleBeamRecord(
        physical_format="inmem", schema=schema, telemetry_descriptors=["golden"]
    )

    def preprocess(inputs):
        outputs = {}
        some = next(iter(inputs[name] for name in sorted(inputs)))
        rows = some.dense_shape[0] if isinstance(some, tf.SparseTensor) else tf.shape(some, tf.int64)[0]

        def note(name, tensor):
            outputs[NOTE + name] = tf.fill([rows], tf.io.serialize_tensor(tensor))

        outputs.update(case.preprocess(dict(inputs), note))
        return outputs

    firsts = [sum(map(len, files[:i])) for i in range(len(files))]
    batches = [record_batch(schema, records, first) for records, first in zip(files, firsts)]
    adapter = tensor_adapter.TensorAdapterConfig(batches[0].schema, reader.TensorRepresentations())
    with tft_beam.Context(temp_dir=str(assets / "temp"), passthrough_keys={ROW}):
        with beam.Pipeline(runner=getattr(case, "RUNNER", None)) as pipeline:

            def keep(transformed, name):
                path = str(assets / name)
                rows = transformed | f"Rows{name}" >> beam.FlatMap(lambda pair: plain(pair[0]))
                rows | f"Write{name}" >> beam.io.WriteToText(path, num_shards=1, shard_name_template="")

            data = (pipeline | "Data" >> beam.Create(batches, reshuffle=False), adapter)
            (transformed, _), transform_fn = data | tft_beam.AnalyzeAndTransformDataset(
                preprocess, output_record_batches=True
            )
            keep(transformed, "data")
            if more:
                other = (pipeline | "More" >> beam.Create([record_batch(schema, more, 0)]), adapter)
                (transformed, _) = (other, transform_fn) | tft_beam.TransformDataset(output_record_batches=True)
                keep(transformed, "more")
            transform_fn | tft_beam.WriteTransformFn(str(assets / "out"))
    found = {
        name: sorted((json.loads(line) for line in (assets / name).read_text().splitlines()), key=lambda row: row[ROW])
        for name in ["data", "more"][: 1 + bool(more)]
    }
    output = tft.TFTransformOutput(str(assets / "out"))
    write(case, folder, schema, files, more, found, output)


def plain(batch):
    """The rows of a record batch as lines of JSON."""
    names, columns = batch.schema.names, [as_lists(column) for column in batch.columns]
    for values in zip(*columns):
        yield json.dumps({name: v[0] if name == ROW else v for name, v in zip(names, values)})


def as_lists(column):
    kind = column.type.value_type
    while pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        kind = kind.value_type
    return [[value(v, kind == pyarrow.float32()) for v in flat(row)] for row in column.to_pylist()]


def flat(values):
    """The values of nested lists, chained."""
    for v in values:
        yield from flat(v) if isinstance(v, list) else [v]


def value(v, single=False):
    if isinstance(v, dict):
        return {key: value(item) for key, item in v.items()}
    if isinstance(v, list):
        return [value(item) for item in v]
    if isinstance(v, bytes):
        return v.decode("latin-1")
    if isinstance(v, float):
        if math.isnan(v):
            return "NaN"
        if math.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
        return float(str(numpy.float32(v))) if single else v
    return v


def write(case, folder, schema, files, more, found, output):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "vocab").mkdir(parents=True)
    shards = {f"data-{i:05}-of-{len(files):05}": records for i, records in enumerate(files)}
    for name, records in {**shards, **({"more": more} if more else {})}.items():
        with tf.io.TFRecordWriter(str(folder / f"{name}.tfrecord")) as writer:
            for record in records:
                writer.write(record)
    (folder / "schema.pbtxt").write_text(text_format.MessageToString(by_name(schema), as_utf8=True))

    notes = {name: row for name, row in found["data"][0].items() if name.startswith(NOTE)}
    types = output.transformed_metadata.schema
    for name, rows in found.items():
        columns = sorted(set(rows[0]) - set(notes) - {ROW})
        text = ",\n".join(f"{json.dumps(c)}: {json.dumps([row[c] for row in rows])}" for c in columns)
        path = folder / ("transformed.json" if name == "data" else f"transformed_{name}.json")
        path.write_text("{\n" + text + "\n}\n")
    kept = [feature for feature in types.feature if not feature.name.startswith(NOTE)]
    del types.feature[:]
    types.feature.extend(kept)
    (folder / "transformed_schema.pbtxt").write_text(text_format.MessageToString(by_name(types), as_utf8=True))

    if notes:
        lines = []
        for name in sorted(notes):
            tensor = tf.make_ndarray(tensor_pb2.TensorProto.FromString(notes[name][0].encode("latin-1")))
            single = tensor.dtype == numpy.float32
            values = [value(v, single) for v in tensor.reshape([-1]).tolist()]
            dtype = "string" if tensor.dtype == object else str(tensor.dtype)
            entry = {"dtype": dtype, "shape": list(tensor.shape), "values": values}
            lines.append(f"{json.dumps(name.removeprefix(NOTE))}: {json.dumps(entry)}")
        (folder / "analyzers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")

    for asset in sorted((pathlib.Path(output.transform_savedmodel_dir) / "assets").iterdir()):
        if asset.name.endswith(".tfrecord.gz"):
            tokens = [token.decode("latin-1") for token in records_of(gzip.decompress(asset.read_bytes()))]
            (folder / "vocab" / f"{asset.name}.json").write_text(json.dumps(tokens) + "\n")
        shutil.copyfile(asset, folder / "vocab" / asset.name)
    if hasattr(case, "errors"):
        lines = [f"{json.dumps(text)}: {json.dumps(value(result))}" for text, result in case.errors().items()]
        (folder / "errors.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    if not any((folder / "vocab").iterdir()):
        (folder / "vocab").rmdir()


def by_name(schema):
    """The schema with its features in order of their names, which TFT does not promise."""
    features = sorted(schema.feature, key=lambda feature: feature.name)
    del schema.feature[:]
    schema.feature.extend(features)
    return schema


def records_of(data):
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        yield data[12 : 12 + length]
        data = data[16 + length :]


def main():
    sys.path.insert(0, str(HERE))
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as scratch:
            run(importlib.import_module(f"make_{name}"), HERE / name, scratch)
        print(name, flush=True)


if __name__ == "__main__":
    main()
