"""Makes tests/golden/examples.{tfrecord,pbtxt,json}: what the real TFDV says of single examples.

    peer/bin/python tests/golden/make_examples.py        (the environment of make.py)

Each row is one tf.Example, decoded alone and given to `validate_instance`, once without an
environment and once in SERVING. Reasons are listed by feature.
"""

import json
import pathlib

import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.api import validation_api
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx_bsl.coders import example_coder

HERE = pathlib.Path(__file__).resolve().parent

SCHEMA = """
feature { name: "any" type: BYTES presence { min_count: 1 } value_count { min: 1 max: 3 } }
feature { name: "bool_float" type: FLOAT bool_domain {} }
feature { name: "bool_int" type: INT bool_domain {} }
feature { name: "bool_text" type: BYTES bool_domain { true_value: "yes" false_value: "no" } }
feature { name: "color" type: BYTES domain: "colors" presence { min_fraction: 1.0 min_count: 1 }
          value_count { min: 1 max: 1 } }
feature { name: "float" type: FLOAT float_domain { min: 0.1 max: 2.5 } }
feature { name: "float_strict" type: FLOAT float_domain { disallow_nan: true disallow_inf: true } }
feature { name: "float_text" type: BYTES float_domain { min: -1 max: 1 disallow_nan: true } }
feature { name: "image" type: BYTES image_domain { max_image_byte_size: 8 } }
feature { name: "int" type: INT int_domain { min: -5 max: 100 } presence { min_fraction: 0.5 } }
feature { name: "int_free" type: INT int_domain {} }
feature { name: "int_text" type: BYTES int_domain { min: 0 max: 9 } }
feature { name: "label" type: INT not_in_environment: "SERVING" }
feature { name: "mostly" type: BYTES string_domain { value: "a" value: "b" }
          distribution_constraints { min_domain_mass: 0.6 } }
feature { name: "old" type: INT lifecycle_stage: DEPRECATED value_count { min: 3 } }
feature { name: "planned" type: FLOAT lifecycle_stage: PLANNED }
feature { name: "shape" type: INT shape { dim { size: 2 } dim { size: 2 } } }
feature { name: "unique" type: BYTES unique_constraints { min: 2 max: 3 } }
feature { name: "untouched" type: BYTES }
feature { name: "v" type: FLOAT }
feature { name: "i" type: INT }
feature { name: "w" type: FLOAT }
sparse_feature { name: "sparse" value_feature { name: "v" } index_feature { name: "i" } is_sorted: true }
weighted_feature { name: "weighted" feature { step: "untouched" } weight_feature { step: "w" } }
string_domain { name: "colors" value: "red" value: "green" value: "sk\\303\\275" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""

GOOD = {"any": [b"x"], "color": [b"red"], "int": [5]}
NAN, INF = float("nan"), float("inf")

ROWS = [
    {},
    {"color": [b"blue"]},
    {"color": [b"blue", b"red"]},
    {"color": []},
    {"color": ["ský".encode()]},
    {"color": [b"\xff\xfe"]},
    {"color": [b"\xff\xfe", b"blue"]},
    {"color": None},
    {"color": [b'a "quoted"\n\tvalue']},
    {"color": [3]},
    {"any": None},
    {"any": [b"a", b"b", b"c", b"d"]},
    {"any": [1]},
    {"any": None, "color": None, "int": None},
    {"int": [-6]},
    {"int": [101]},
    {"int": [-6, 101, 7]},
    {"int": [-5, 100]},
    {"int": [1.5]},
    {"int": [b"7"]},
    {"int": [b"seven"]},
    {"int": None},
    {"int_free": [2**62, -(2**62)]},
    {"int_text": [b"7"]},
    {"int_text": [b"7", b"10"]},
    {"int_text": [b"-1", b"10"]},
    {"int_text": [b"seven", b"7", b"eight"]},
    {"int_text": [b""]},
    {"float": [0.1, 2.5]},
    {"float": [0.09]},
    {"float": [2.6, 0.0]},
    {"float": [NAN]},
    {"float": [NAN, 3.0]},
    {"float": [INF]},
    {"float": [1]},
    {"float_strict": [NAN]},
    {"float_strict": [-INF, 1.0]},
    {"float_strict": [NAN, INF, 1.0]},
    {"float_text": [b"0.5", b"-1e0"]},
    {"float_text": [b"2"]},
    {"float_text": [b"nan"]},
    {"float_text": [b"x", b"2"]},
    {"bool_int": [0, 1]},
    {"bool_int": [-1]},
    {"bool_int": [2]},
    {"bool_float": [0.0, 1.0]},
    {"bool_float": [0.5]},
    {"bool_float": [-0.5, 1.0]},
    {"bool_float": [NAN]},
    {"bool_text": [b"yes", b"no"]},
    {"bool_text": [b"maybe", b"yes"]},
    {"image": [b"12345678"]},
    {"image": [b"123456789"]},
    {"label": [1]},
    {"mostly": [b"a"]},
    {"mostly": [b"z"]},
    {"mostly": [b"a", b"b", b"z"]},
    {"mostly": [b"a", b"z", b"z"]},
    {"old": [1], "planned": [b"text"]},
    {"shape": [1, 2, 3, 4]},
    {"shape": [1, 2, 3]},
    {"shape": []},
    {"unique": [b"a"]},
    {"unique": [b"a", b"b", b"a"]},
    {"unique": [b"a", b"b", b"c", b"d"]},
    {"new": [1]},
    {"new": [b"a"], "newer": [1.0], "color": [b"blue"]},
    {"v": [1.0, 2.0], "i": [0, 3]},
    {"v": [1.0, 2.0], "i": [0]},
    {"v": [1.0]},
    {"i": [1, 2]},
    {"untouched": [b"a"], "w": [1.0]},
    {"untouched": [b"a", b"b"], "w": [1.0]},
    {"untouched": [b"a"]},
    {"w": [1.0]},
]


def feature(values):
    kinds = {int: "int64_list", float: "float_list", bytes: "bytes_list"}
    result = tf.train.Feature()
    # An empty list has a kind all the same.
    values_of = getattr(result, kinds[type(values[0]) if values else bytes])
    values_of.SetInParent()
    values_of.value.extend(values)
    return result


def serialized(row):
    example = tf.train.Example()
    for name, values in sorted({**GOOD, **row}.items()):
        if values is None:
            continue
        if name == "shape" and not values:
            example.features.feature[name].int64_list.SetInParent()
        else:
            example.features.feature[name].CopyFrom(feature(values))
    return example.SerializeToString(deterministic=True)


def reasons(anomalies):
    return [
        [path, anomalies_pb2.AnomalyInfo.Type.Name(reason.type), reason.description]
        for path, info in sorted(anomalies.anomaly_info.items())
        for reason in info.reason
    ]


def main():
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    options = tfdv.StatsOptions(schema=schema)
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    records = [serialized(row) for row in ROWS]
    expected = {"": [], "SERVING": []}
    for record in records:
        batch = decoder.DecodeBatch([record])
        for environment, rows in expected.items():
            rows.append(reasons(validation_api.validate_instance(batch, options, environment or None)))
    (HERE / "examples.pbtxt").write_text(SCHEMA.lstrip())
    with tf.io.TFRecordWriter(str(HERE / "examples.tfrecord")) as writer:
        for record in records:
            writer.write(record)
    lines = [
        f"  {json.dumps(environment)}: [\n" + ",\n".join("    " + json.dumps(row) for row in rows) + "\n  ]"
        for environment, rows in expected.items()
    ]
    (HERE / "examples.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
