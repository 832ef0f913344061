"""Buckets of numbers: quantiles, interpolation, histograms, densities. The rows are those of `numeric`."""

import tensorflow as tf
import tensorflow_transform as tft
from make_numeric import INF, SCALARS, SPEC, files, more  # noqa: F401, the case's own names


def preprocess(x, note):
    o = {}
    for c in SCALARS:
        o[f"buckets_{c}"] = tft.bucketize(x[c], 4)
    o["buckets_2"] = tft.bucketize(x["fare"], 2)
    o["buckets_10"] = tft.bucketize(x["fare"], 10)
    o["buckets_200"] = tft.bucketize(x["fare"], 200)
    o["buckets_fine"] = tft.bucketize(x["fare"], 4, epsilon=0.0001)
    o["buckets_weighted"] = tft.bucketize(x["fare"], 6, weights=x["weight"])
    o["buckets_odd_weight"] = tft.bucketize(x["fare"], 6, weights=x["odd_weight"])
    o["buckets_vector"] = tft.bucketize(x["vector"], 5)
    o["buckets_vector_elementwise"] = tft.bucketize(x["vector"], 5, elementwise=True)
    o["buckets_pair_elementwise"] = tft.bucketize(x["pair"], 3, elementwise=True)

    fixed = [[-1.0, 0.0, 1.0, 5.0, 10.0]]
    for c in ["fare", "even", "holes", "ends", "hour", "wide", "some", "counts", "vector"]:
        o[f"apply_{c}"] = tft.apply_buckets(x[c], fixed)
        o[f"interpolate_{c}"] = tft.apply_buckets_with_interpolation(x[c], fixed)
    o["apply_stamp"] = tft.apply_buckets(x["stamp"], [[1_400_000_001, 1_400_000_100, 1_400_000_777]])
    o["apply_stamp_float"] = tft.apply_buckets(x["stamp"], [[1_400_000_001.0, 1_400_000_100.0, 1_400_000_777.0]])
    o["apply_repeated"] = tft.apply_buckets(x["fare"], [[4.0, 4.0, 6.0, 6.0, 6.0]])
    o["interpolate_repeated"] = tft.apply_buckets_with_interpolation(x["fare"], [[4.0, 4.0, 6.0, 6.0, 6.0]])
    o["interpolate_one"] = tft.apply_buckets_with_interpolation(x["fare"], [[5.0]])
    o["interpolate_infinite"] = tft.apply_buckets_with_interpolation(x["fare"], [[-INF, 4.0, 8.0, INF]])
    o["interpolate_quantiles"] = tft.apply_buckets_with_interpolation(
        x["fare"], tft.quantiles(x["fare"], 10, epsilon=0.01)
    )
    o["interpolate_hour"] = tft.apply_buckets_with_interpolation(x["hour"], tft.quantiles(x["hour"], 4, epsilon=0.01))

    o["density_5"] = tft.estimated_probability_density(x["fare"], boundaries=5)
    o["density_default"] = tft.estimated_probability_density(x["even"])
    o["density_fixed"] = tft.estimated_probability_density(x["fare"], boundaries=[0.0, 4.0, 5.0, 20.0])
    o["density_color"] = tft.estimated_probability_density(x["color"], categorical=True)
    o["density_hour"] = tft.estimated_probability_density(x["hour"], categorical=True)

    analyzers(x, note)
    return o


def analyzers(x, note):
    for c in SCALARS:
        note(f"quantiles_{c}", tft.quantiles(values(x[c]), 4, epsilon=0.01))
    for c in ["vector", "pair"]:
        note(f"quantiles_{c}", tft.quantiles(x[c], 3, epsilon=0.01))
        note(f"quantiles_{c}_elementwise", tft.quantiles(x[c], 3, epsilon=0.01, reduce_instance_dims=False))
    note("quantiles_100", tft.quantiles(x["fare"], 100, epsilon=0.005))
    note("quantiles_weighted", tft.quantiles(x["fare"], 10, epsilon=0.01, weights=x["weight"]))
    note("quantiles_odd_weight", tft.quantiles(x["fare"], 10, epsilon=0.01, weights=x["odd_weight"]))
    for name, column, options in [
        ("10", "fare", {"boundaries": 10}),
        ("fixed", "fare", {"boundaries": [0.0, 4.0, 5.0, 20.0]}),
        ("default", "even", {}),
        ("hour", "hour", {"boundaries": 5}),
        ("color", "color", {"categorical": True}),
        ("hour_categorical", "hour", {"categorical": True}),
    ]:
        counts, boundaries = tft.histogram(x[column], **options)
        note(f"histogram_{name}_counts", counts)
        note(f"histogram_{name}_boundaries", boundaries)


def values(column):
    """The values that are there."""
    return column.values if isinstance(column, tf.SparseTensor) else column
