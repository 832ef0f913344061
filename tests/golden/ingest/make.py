"""Makes the examples here and the splits that TFX's ExampleGen gives them, with TensorFlow's protobuf.

    python make.py

The rule is that of `_PartitionFn` in tfx/components/example_gen/base_example_gen_executor.py: the
SHA-256 of a key, as one number, modulo all buckets; the key is the deterministic serialisation of the
whole message, or of one feature.
"""
import bisect
import hashlib
import itertools
import json
import os
import random

import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))
SPLITS = {
    "train:2,eval:1": [2, 1],
    "a:6,b:1,c:2": [6, 1, 2],
    "a:60,b:10,c:20": [60, 10, 20],
    "all:1": [1],
    "x:1,y:4000000000000": [1, 4_000_000_000_000],
}


def split_of(key, buckets):
    ends = list(itertools.accumulate(buckets))
    return bisect.bisect(ends, int(hashlib.sha256(key).hexdigest(), 16) % ends[-1])


def ints(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def floats(*values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def texts(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def field(number, content):
    """A delimited field of fewer than 128 bytes, as no well-behaved writer would order it."""
    return bytes([number << 3 | 2, len(content)]) + content


def odd_records(rng):
    """Bytes that mean an Example and are not what serialising it gives."""
    for i in range(40):
        number = bytes([0x80 | i, 0])                       # two bytes where one is enough
        unpacked = field(3, b"\x08" + number + b"\x08\x07")
        entries = [
            field(1, field(1, b"user") + field(2, field(3, field(1, number)))),
            field(1, field(2, unpacked) + field(1, b"id")),  # the value before the name
            field(1, field(1, b"none")),                     # without a value
            field(1, field(1, b"none") + field(2, b"")),     # again, without a kind
            field(1, field(1, b"f") + field(2, field(2, b"\x0d\x00\x00\xc0\x7f"))),
        ]
        rng.shuffle(entries)
        cut = rng.randrange(len(entries))
        yield field(1, b"".join(entries[:cut])) + field(1, b"".join(entries[cut:]))


def examples(rng):
    for i in range(300):
        feature = {"id": ints(i), "user": ints(rng.randrange(-20, 20))}
        if i % 2:
            feature["name"] = texts(rng.choice([b"", b"x", b"\xff\x00", "zoë".encode()]))
        if i % 3:
            feature["fare"] = floats(*[rng.choice([0.0, -0.0, 1.5, float("nan")]) for _ in range(i % 4)])
        if i % 5 == 0:
            feature["none"] = tf.train.Feature()
        if i % 7 == 0:
            feature["many"] = ints(*[rng.randrange(-(2**63), 2**63) for _ in range(40)])
        yield tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def sequences(rng):
    for i in range(100):
        lists = {
            name: tf.train.FeatureList(feature=[ints(*range(k)) for k in range(rng.randrange(3))])
            for name in "zab"
        }
        yield tf.train.SequenceExample(
            context=tf.train.Features(feature={"user": ints(i % 9), "b": texts(b"c")}),
            feature_lists=tf.train.FeatureLists(feature_list=lists),
        ).SerializeToString()


def csv_rows(rng):
    """Rows as text and as messages; a cell that is missing is a feature that is not there."""
    lines, messages = ["user,fare,name,seconds"], []
    for i in range(200):
        user, fare, name = rng.randrange(30), rng.randrange(400) / 4, rng.choice(["", "cash", "card, no"])
        seconds = rng.choice(["", str(rng.randrange(10**10))])
        lines.append(f'{user},{fare},"{name}",{seconds}' if name else f"{user},{fare},,{seconds}")
        feature = {"user": ints(user), "fare": floats(fare)}
        if name:
            feature["name"] = texts(name.encode())
        if seconds:
            feature["seconds"] = ints(int(seconds))
        message = tf.train.Example(features=tf.train.Features(feature=feature))
        messages.append(message.SerializeToString(deterministic=True))
    with open(os.path.join(HERE, "rows.csv"), "w") as out:
        out.write("\n".join(lines) + "\n")
    return messages


def main():
    rng = random.Random(7)
    examples_ = list(examples(rng)) + list(odd_records(rng))
    files = {
        "examples": (tf.train.Example, examples_),
        "sequences": (tf.train.SequenceExample, list(sequences(rng))),
        "rows": (tf.train.Example, csv_rows(rng)),
    }
    golden = []
    for name, (message, records) in files.items():
        with tf.io.TFRecordWriter(os.path.join(HERE, f"{name}.tfrecord")) as out:
            for record in records:
                out.write(record)
        for text, buckets in SPLITS.items():
            for feature in [None, "user"]:
                found = []
                for record in records:
                    parsed = message.FromString(record)
                    if feature is not None:
                        map_ = parsed.features if message is tf.train.Example else parsed.context
                        parsed = map_.feature[feature]
                    found.append(split_of(parsed.SerializeToString(deterministic=True), buckets))
                golden.append({
                    "file": name,
                    "splits": text,
                    "feature": feature,
                    # One digit for each record: the number of its split.
                    "expected": "".join(map(str, found)),
                })
    with open(os.path.join(HERE, "splits.json"), "w") as out:
        json.dump(golden, out, indent=1)
        out.write("\n")


main()
