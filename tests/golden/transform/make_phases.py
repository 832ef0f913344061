"""Analyzers of what other analyzers gave: two phases and more. The rows are those of `numeric`."""

import tensorflow as tf
import tensorflow_transform as tft
from make_numeric import SPEC, files, more  # noqa: F401, the case's own names

# Beam's other local runner gives up on the third phase.
RUNNER = "BundleBasedDirectRunner"


def preprocess(x, note):
    fare, holes, hour = x["fare"], x["holes"], x["hour"]
    o = {}
    centered = fare - tft.mean(fare)
    o["centered"] = centered
    o["z_squares"] = tft.scale_to_z_score(centered * centered)
    o["buckets_z_squares"] = tft.bucketize(o["z_squares"], 3)
    o["ids_of_buckets"] = tft.compute_and_apply_vocabulary(o["buckets_z_squares"], vocab_filename="ids_of_buckets")
    missing = tf.math.is_nan(holes)
    o["filled"] = tf.where(missing, tft.mean(tf.boolean_mask(holes, ~missing)), holes)
    o["z_filled"] = tft.scale_to_z_score(o["filled"])
    crossed = tf.strings.join([x["color"], tf.strings.as_string(tft.bucketize(fare, 2))], separator="_")
    o["crossed"] = crossed
    o["crossed_ids"] = tft.compute_and_apply_vocabulary(crossed, vocab_filename="crossed")
    o["unit_of_z"] = tft.scale_to_0_1(tft.scale_to_z_score(x["some"]))
    o["late"] = tf.cast(hour > tf.cast(tft.mean(hour), tf.int64), tf.int64)
    note("mean_fare", tft.mean(fare))
    note("var_squares", tft.var(centered * centered))
    note("max_z_squares", tft.max(o["z_squares"]))
    note("share_late", tft.mean(tf.cast(o["late"], tf.float32)))
    return o
