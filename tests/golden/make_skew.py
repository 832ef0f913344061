"""Makes tests/golden/skew: two small sets of examples, and what the real TFDV says of their skew.

    peer/bin/python tests/golden/make_skew.py        (the environment of make.py)

TFDV gives features, pairs and counts in any order; they are sorted here, and nothing else is changed.
Pairs are named by their rows: the feature `row` is where an example is in its file.
"""

import json
import pathlib
import random
import tempfile

import apache_beam as beam
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_data_validation.skew import feature_skew_detector as skew
from tensorflow_data_validation.skew.protos import feature_skew_results_pb2 as results

HERE = pathlib.Path(__file__).resolve().parent / "skew"

CASES = {
    "plain": {},
    "two_ids": {"identifier_features": ["id", "day"]},
    "a_list_as_id": {"identifier_features": ["list"]},
    "a_float_as_id": {"identifier_features": ["float"], "float_round_ndigits": 1},
    "ignored": {"features_to_ignore": ["int", "float", "zero"]},
    "rounded": {"float_round_ndigits": 2},
    "rounded_away": {"float_round_ndigits": 0},
    "duplicates": {"allow_duplicate_identifiers": True},
    "confusion": {"confusion_configs": [skew.ConfusionConfig("country"), skew.ConfusionConfig("day")]},
    "confusion_duplicates": {
        "confusion_configs": [skew.ConfusionConfig("country")],
        "allow_duplicate_identifiers": True,
    },
}


def put(example, name, values):
    feature = example.features.feature[name]
    if not values:
        # Without a kind it would be no feature at all; a file holds each feature in one kind.
        (feature.float_list if name == "floats" else feature.int64_list).SetInParent()
    elif isinstance(values[0], int):
        feature.int64_list.value.extend(values)
    elif isinstance(values[0], float):
        feature.float_list.value.extend(values)
    else:
        feature.bytes_list.value.extend(values)


def make(side, n, seed):
    """Examples that depend on their identifier, and on the side where they are to differ."""
    chance = random.Random(seed)
    ids = list(range(n))
    # Some identifiers are in one side only, some several times.
    ids = [i for i in ids if chance.random() > 0.1]
    ids += [chance.choice(ids) for _ in range(n // 10)]
    chance.shuffle(ids)
    examples = []
    for row, i in enumerate(ids):
        of_id = random.Random(i)
        example = tf.train.Example()
        put(example, "row", [row])
        where = chance.random()
        if where > 0.1:
            put(example, "id", [i * 7919])
        elif where > 0.05:
            put(example, "id", [])
        put(example, "day", [b"2024-0%d" % (i % 9)])
        put(example, "int", [of_id.randrange(5) + (chance.random() < 0.1)])
        value = of_id.uniform(-3, 3)
        put(example, "float", [value + chance.choice([0.0, 0.0, 0.0, 0.001, 0.3])])
        put(example, "text", [of_id.choice([b"", b"a", b"\xff\xfe", "größer".encode(), b"x" * 1000])])
        put(example, "list", [of_id.randrange(3) for _ in range(of_id.randrange(4))])
        if chance.random() < 0.5:
            example.features.feature["list"].int64_list.value.append(9)
        put(example, "floats", [of_id.choice([0.5, 1.25, float("inf"), float("nan")]) for _ in range(of_id.randrange(3))])
        if chance.random() < 0.7:
            put(example, "country", [of_id.choice([b"de", b"fr", b"\xc3"]) if chance.random() < 0.9 else b"us"])
        elif chance.random() < 0.5:
            example.features.feature["country"].bytes_list.SetInParent()
        # The same number in two types.
        put(example, "type", [1.0 if side == "base" else 1])
        put(example, f"only_{side}", [i])
        # There without values, or not there.
        if of_id.random() < 0.5:
            put(example, "empty", [])
        if chance.random() < 0.5:
            put(example, "sometimes_empty", [])
        # What differs by its bits alone.
        put(example, "zero", [0.0 if side == "base" or i % 2 else -0.0])
        put(example, "near_zero", [0.001 if side == "base" else -0.001])
        # No kind of values.
        example.features.feature["no_kind"].SetInParent()
        examples.append(example)
    return examples


def run(base, test, options):
    options = {"identifier_features": ["id"], "features_to_ignore": [], "sample_size": 100_000, **options}
    options["features_to_ignore"] = options["features_to_ignore"] + ["row"]
    with tempfile.TemporaryDirectory() as folder:
        with beam.Pipeline() as pipeline:
            sides = (pipeline | "base" >> beam.Create(base), pipeline | "test" >> beam.Create(test))
            for name, found in (sides | skew.DetectFeatureSkewImpl(**options)).items():
                bytes_of = found | f"bytes {name}" >> beam.Map(lambda message: message.SerializeToString())
                bytes_of | f"write {name}" >> beam.io.WriteToTFRecord(f"{folder}/{name}")
        def read(name, message):
            files = sorted(pathlib.Path(folder).glob(f"{name}-*"))
            return [message.FromString(r.numpy()) for f in files for r in tf.data.TFRecordDataset(str(f))]
        (stats,) = read(skew.MATCH_STATS_KEY, results.MatchStats)
        features = read(skew.SKEW_RESULTS_KEY, results.FeatureSkew)
        pairs = read(skew.SKEW_PAIRS_KEY, results.SkewPair)
        counts = read(skew.CONFUSION_KEY, results.ConfusionCount)
    plain = lambda message: json_format.MessageToDict(message, preserving_proto_field_name=True)
    row = lambda example: tf.train.Example.FromString(example).features.feature["row"].int64_list.value[0]
    found = {
        "match_stats": plain(stats),
        "feature_skew": [plain(f) for f in sorted(features, key=lambda f: f.feature_name)],
        "confusion_counts": [
            plain(c)
            for c in sorted(counts, key=lambda c: (c.feature_name, c.base.bytes_value, c.test.bytes_value))
        ],
        "pairs": sorted(
            [
                row(p.base),
                row(p.test),
                sorted(p.base_only_features),
                sorted(p.test_only_features),
                sorted(p.matched_features),
                sorted(p.mismatched_features),
            ]
            for p in pairs
        ),
    }
    return found


def main():
    HERE.mkdir(exist_ok=True)
    sides = [make("base", 60, 1), make("test", 60, 2)]
    for name, examples in zip(("base", "test"), sides):
        with tf.io.TFRecordWriter(str(HERE / f"{name}.tfrecord")) as writer:
            for example in examples:
                writer.write(example.SerializeToString(deterministic=True))
    for name, options in CASES.items():
        found = run(*sides, options)
        lines = [f"{json.dumps(key)}: {json.dumps(found[key])}" for key in found]
        (HERE / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
