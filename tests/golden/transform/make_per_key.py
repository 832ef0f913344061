"""Scaling and buckets within the rows of one key."""

import random

import tensorflow as tf
import tensorflow_transform as tft

DENSE, SPARSE = tf.io.FixedLenFeature, tf.io.VarLenFeature
NAN, INF = float("nan"), float("inf")

SPEC = {
    "key": DENSE([], tf.string),  # some often, some once, one empty, one with a space
    "number": DENSE([], tf.float32),
    "whole": DENSE([], tf.int64),
    "holes": DENSE([], tf.float32),  # with NaN and infinities
    "vector": DENSE([2], tf.float32),
    "list": SPARSE(tf.float32),  # 0 to 3 values
    "list_key": SPARSE(tf.string),  # as many as in `list`
    "id": DENSE([], tf.int64),
}

KEYS = ["b", "b", "b", "a", "a", "c c", "é", "Z", "10", "9", ""]
OFFSETS = {"a": 20.0, "b": 0.0, "Z": -15.0, "10": 30.0}


def files():
    chance = random.Random(11)
    rows = [[row(chance, chance.choice(KEYS)) for _ in range(100)] for _ in range(2)]
    rows[0][7] = row(chance, "once")
    for line in rows[0] + rows[1]:
        if line["key"] == "9":  # a key whose values are all the same
            line.update(number=2.5, whole=7, vector=[1.0, 1.0])
    return rows


def more():
    """Keys that were not there, and values beyond those that were."""
    chance = random.Random(12)
    rows = [row(chance, key) for key in ["unseen", "a", "b", "9", "once", "c", "", "Z", "é"]]
    for line, value in zip(rows, [1.5, INF, -INF, 3.0, NAN, 0.0, 1e30, -1e30, 4.0]):
        line.update(number=value, holes=value, vector=[value, 0.5], list=[value, 1.0], list_key=["unseen", "b"])
    return rows


def row(chance, key):
    u = chance.random
    offset = OFFSETS.get(key, 1.0)
    size = chance.randrange(4)
    return {
        "key": key,
        "number": offset + round(10 * u(), 2),
        "whole": int(offset) + chance.randrange(20),
        "holes": chance.choice([NAN, INF, -INF, u(), u(), u(), u(), u(), u(), u()]),
        "vector": [offset * u(), u()],
        "list": [round(offset + u(), 3) for _ in range(size)],
        "list_key": [chance.choice(["x", "y", "b", b"\xff"]) for _ in range(size)],
        "id": chance.choice([3, 20, 100, -1]),
    }


def preprocess(x, note):
    key = x["key"]
    o = {}
    for c in ["number", "whole", "holes"]:
        o[f"z_{c}"] = tft.scale_to_z_score_per_key(x[c], key)
        o[f"unit_{c}"] = tft.scale_to_0_1_per_key(x[c], key)
        o[f"range_{c}"] = tft.scale_by_min_max_per_key(x[c], key, -2.0, 3.0)
        o[f"buckets_{c}"] = tft.bucketize_per_key(x[c], key, 3)
    for n in [2, 5, 10]:
        o[f"buckets_{n}"] = tft.bucketize_per_key(x["number"], key, n)
    o["buckets_weighted"] = tft.bucketize_per_key(x["number"], key, 4, weights=tf.abs(x["vector"][:, 1]))

    o["z_vector"] = tft.scale_to_z_score_per_key(x["vector"], key)
    o["z_vector_elementwise"] = tft.scale_to_z_score_per_key(x["vector"], key, elementwise=True)
    o["unit_vector"] = tft.scale_to_0_1_per_key(x["vector"], key)
    o["unit_vector_elementwise"] = tft.scale_to_0_1_per_key(x["vector"], key, elementwise=True)
    o["range_vector_elementwise"] = tft.scale_by_min_max_per_key(x["vector"], key, -1.0, 1.0, elementwise=True)

    # A key for each value of a sparse column.
    o["z_list"] = tft.scale_to_z_score_per_key(x["list"], x["list_key"])
    o["unit_list"] = tft.scale_to_0_1_per_key(x["list"], x["list_key"])
    o["buckets_list"] = tft.bucketize_per_key(x["list"], x["list_key"], 3)

    # Keys in a file, which have to be UTF-8. A key with a space in it reads back as another.
    o["z_file"] = tft.scale_to_z_score_per_key(x["number"], key, key_vocabulary_filename="z_file")
    o["unit_file"] = tft.scale_to_0_1_per_key(x["number"], key, key_vocabulary_filename="unit_file")

    for c in ["key", "id", "list_key"]:
        keys, counts = tft.count_per_key(x[c])
        note(f"count_{c}_keys", keys)
        note(f"count_{c}_counts", counts)
    tft.count_per_key(tf.strings.regex_replace(key, r"[^a-zA-Z0-9 ]", "?"), key_vocabulary_filename="counts_file")
    tft.count_per_key(x["id"], key_vocabulary_filename="counts_id_file")
    return o
