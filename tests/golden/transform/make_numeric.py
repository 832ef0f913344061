"""Numbers: scaling, moments, covariance, principal components."""

import random

import tensorflow as tf
import tensorflow_transform as tft

DENSE, SPARSE = tf.io.FixedLenFeature, tf.io.VarLenFeature
NAN, INF = float("nan"), float("inf")

SPEC = {
    "fare": DENSE([], tf.float32),  # positive, long right tail, ties
    "tailed": DENSE([], tf.float32),  # both tails long
    "even": DENSE([], tf.float32),  # uniform, with 0 and -0
    "hour": DENSE([], tf.int64),  # 0 to 23
    "stamp": DENSE([], tf.int64),  # seconds, more digits than a float32 has
    "wide": DENSE([], tf.int64),  # up to the extremes of int64
    "color": DENSE([], tf.string),
    "some": SPARSE(tf.float32),  # 0 to 3 values
    "counts": SPARSE(tf.int64),  # 0 to 3 values
    "none": SPARSE(tf.float32),  # never a value
    "vector": DENSE([3], tf.float32),
    "pair": DENSE([2], tf.int64),
    "same": DENSE([], tf.float32),  # always 3
    "one": DENSE([], tf.int64),  # always 1
    "holes": DENSE([], tf.float32),  # with NaN
    "ends": DENSE([], tf.float32),  # with infinities
    "nothing": DENSE([], tf.float32),  # always NaN
    "weight": DENSE([], tf.float32),  # 0 to 4
    "odd_weight": DENSE([], tf.float32),  # with NaN, 0 and negative
}


def files():
    chance = random.Random(7)
    return [[row(chance, number) for number in range(90)] for _ in range(2)]


def more():
    """Values outside what was analyzed."""
    chance = random.Random(8)
    rows = [row(chance, number) for number in range(8)]
    for line, (value, whole) in zip(rows, [(NAN, 0), (INF, 2**63 - 1), (-INF, -(2**63)), (1e30, 10**12), (-1e30, -5)]):
        line.update(fare=value, tailed=value, even=value, hour=whole, stamp=whole, wide=whole, same=value, one=whole)
        line.update(some=[value, 1.0], counts=[whole, 1], none=[value], vector=[value, 0.0, value], pair=[whole, whole])
        line.update(holes=value, ends=value, nothing=value)
    rows[5].update(same=3.5, one=3, none=[2.0, -0.5], nothing=1.0)
    return rows


def row(chance, number):
    def either(*values):
        return chance.choice(values)

    u = chance.random
    spread = (u() + 0.02) / (u() + 0.02)
    wide = chance.randrange(-(2**63), 2**63)
    return {
        "fare": round(3 + 5 * u() + 40 * u() ** 6, 2 if number % 3 else 0),
        "tailed": 10 + spread - (u() + 0.05) / (u() + 0.05),
        "even": either(0.0, -0.0, u(), -u(), 4 * u() - 2),
        "hour": chance.randrange(24),
        "stamp": 1_400_000_000 + chance.randrange(1000),
        "wide": either(wide, wide >> 20, -(2**63), 2**63 - 1, 0, -1),
        "color": either("red", "red", "red", "green", "blue", "", "é"),
        "some": [round(10 * u(), 3) for _ in range(chance.randrange(4))] if number % 7 else None,
        "counts": [chance.randrange(-3, 12) for _ in range(chance.randrange(4))],
        "none": [] if number % 2 else None,
        "vector": [u(), 100 * u(), -u() * 0.01],
        "pair": [chance.randrange(10), chance.randrange(-1000, 1000)],
        "same": 3.0,
        "one": 1,
        "holes": either(NAN, u(), u(), 5 * u()),
        "ends": either(INF, -INF, u(), u(), u(), u(), u(), u(), -3 * u()),
        "nothing": NAN,
        "weight": either(0.0, 0.5, 1.0, 1.0, 2.25, 4.0),
        "odd_weight": either(NAN, 0.0, -1.0, 1.0, 3.0),
    }


DENSE_FLOATS = ["fare", "tailed", "even", "same", "holes", "ends", "nothing"]
DENSE_INTS = ["hour", "stamp", "wide", "one"]
SPARSES = ["some", "counts", "none"]
SCALARS = DENSE_FLOATS + DENSE_INTS + SPARSES


def preprocess(x, note):
    o = {}
    # Scaling, of every column.
    for c in SCALARS:
        o[f"z_{c}"] = tft.scale_to_z_score(x[c])
        o[f"unit_{c}"] = tft.scale_to_0_1(x[c])
        o[f"gaussian_{c}"] = tft.scale_to_gaussian(x[c])
    for c in ["fare", "same", "holes", "hour", "wide", "some", "none"]:
        o[f"range_{c}"] = tft.scale_by_min_max(x[c], -2.0, 3.0)
    o["z_vector"] = tft.scale_to_z_score(x["vector"])
    o["z_vector_elementwise"] = tft.scale_to_z_score(x["vector"], elementwise=True)
    o["z_pair_elementwise"] = tft.scale_to_z_score(x["pair"], elementwise=True)
    o["unit_vector"] = tft.scale_to_0_1(x["vector"])
    o["unit_vector_elementwise"] = tft.scale_to_0_1(x["vector"], elementwise=True)
    o["unit_pair_elementwise"] = tft.scale_to_0_1(x["pair"], elementwise=True)
    o["range_vector_elementwise"] = tft.scale_by_min_max(x["vector"], -1.0, 1.0, elementwise=True)
    o["gaussian_vector_elementwise"] = tft.scale_to_gaussian(x["vector"], elementwise=True)
    o["z_fare_float64"] = tft.scale_to_z_score(tf.cast(x["fare"], tf.float64), output_dtype=tf.float32)

    o["to_dense"] = tft.sparse_tensor_to_dense_with_shape(x["some"], [None, 4], -1.0)
    o["some"] = x["some"]
    o["wide"] = x["wide"]
    o["sum_of_row"] = tf.reduce_sum(x["vector"], axis=1)

    analyzers(x, note)
    projection = tft.pca(x["vector"], 2, dtype=tf.float32)
    note("pca_2", projection)
    o["projected"] = tf.matmul(x["vector"], projection)
    return o


def analyzers(x, note):
    for c in SCALARS:
        note(f"min_{c}", tft.min(x[c]))
        note(f"max_{c}", tft.max(x[c]))
        note(f"sum_{c}", tft.sum(x[c]))
        note(f"size_{c}", tft.size(x[c]))
        note(f"mean_{c}", tft.mean(x[c]))
        note(f"var_{c}", tft.var(x[c]))
        note(f"tukey_location_{c}", tft.tukey_location(x[c]))
        note(f"tukey_scale_{c}", tft.tukey_scale(x[c]))
        left, right = tft.tukey_h_params(x[c])
        note(f"tukey_h_left_{c}", left)
        note(f"tukey_h_right_{c}", right)
    for c in ["vector", "pair"]:
        for name, analyzer in [
            ("min", tft.min),
            ("max", tft.max),
            ("sum", tft.sum),
            ("mean", tft.mean),
            ("var", tft.var),
        ]:
            note(f"{name}_{c}", analyzer(x[c]))
            note(f"{name}_{c}_elementwise", analyzer(x[c], reduce_instance_dims=False))
        note(f"size_{c}", tft.size(x[c]))
        note(f"size_{c}_elementwise", tft.size(x[c], reduce_instance_dims=False))
        note(f"tukey_location_{c}_elementwise", tft.tukey_location(x[c], reduce_instance_dims=False))
        note(f"tukey_scale_{c}_elementwise", tft.tukey_scale(x[c], reduce_instance_dims=False))
    note("mean_fare_float64", tft.mean(tf.cast(x["fare"], tf.float64)))
    note("var_fare_float64", tft.var(tf.cast(x["fare"], tf.float64)))
    note("covariance", tft.covariance(x["vector"], dtype=tf.float32))
    note("covariance_float64", tft.covariance(tf.cast(x["vector"], tf.float64), dtype=tf.float64))
    note("pca_3_float64", tft.pca(tf.cast(x["vector"], tf.float64), 3, dtype=tf.float64))
