"""Makes anomalies.json: small schemas and statistics, and what the real TFDV says of them.

Run with a Python that has tensorflow-data-validation 1.16.1:

    python tests/golden/anomalies.py

Every case is written by hand, one for each rule that TFDV has; statistics and schemas are in the text
form of their messages. Cases that make TFDV abort are left out by hand.
"""

import json
import pathlib

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.anomalies.proto import validation_config_pb2
from tensorflow_data_validation.api.validation_api import validate_statistics_internal
from tensorflow_data_validation.api.validation_options import ValidationOptions
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

HERE = pathlib.Path(__file__).parent


def common(present=10, missing=0, low=1, high=1, total=None, more=""):
    total = present * high if total is None else total
    return (
        f"common_stats {{ num_non_missing: {present} num_missing: {missing} min_num_values: {low} "
        f"max_num_values: {high} avg_num_values: 1 tot_num_values: {total} {more} }}"
    )


def quoted(text):
    return "'" + "".join(f"\\x{byte:02x}" if byte < 32 or byte in b"'\"\\" else chr(byte) if byte < 127 else f"\\x{byte:02x}" for byte in text.encode()) + "'"


def numeric(kind, least, most, name="f", more="", **rest):
    return (
        f"features {{ path {{ step: '{name}' }} type: {kind} num_stats {{ {common(**rest)} "
        f"min: {least} max: {most} {more} }} }}"
    )


def strings(values, name="f", kind="STRING", unique=None, more="", outer="", **rest):
    buckets = " ".join(
        f"buckets {{ label: {quoted(label)} sample_count: {count} }}" for label, count in values
    )
    unique = len(values) if unique is None else unique
    return (
        f"features {{ path {{ step: '{name}' }} type: {kind} string_stats {{ {common(**rest)} "
        f"unique: {unique} rank_histogram {{ {buckets} }} {more} }} {outer} }}"
    )


def feature(kind, more="", name="f"):
    return f"feature {{ name: '{name}' type: {kind} {more} }}"


def histogram(buckets, kind="STANDARD", nan=0):
    inside = " ".join(
        f"buckets {{ low_value: {low} high_value: {high} sample_count: {n} }}"
        for low, high, n in buckets
    )
    return f"histograms {{ type: {kind} num_nan: {nan} {inside} }}"


def custom(name, value, feature="f"):
    return f"features {{ path {{ step: '{feature}' }} custom_stats {{ name: '{name}' {value} }} }}"


AB = [("a", 7), ("b", 3)]
LEVELS = """presence_and_valency_stats { num_non_missing: 10 min_num_values: 2 max_num_values: 2 }
presence_and_valency_stats { num_non_missing: 20 num_missing: %d min_num_values: %d max_num_values: 3 }"""


def nl(coverage=0.5, length=3.0, tokens=""):
    text = f"feature_coverage: {coverage} avg_token_length: {length} {tokens}"
    return f"""features {{ path {{ step: 'f' }} type: STRING string_stats {{ {common()} }}
      custom_stats {{ name: 'nl_statistics' any {{
        [type.googleapis.com/tensorflow.metadata.v0.NaturalLanguageStatistics] {{ {text} }} }} }} }}"""


def token(value, fraction, least, most):
    return (
        f"token_statistics {{ {value} frequency: 3 fraction_of_sequences: {fraction} "
        f"per_sequence_min_frequency: {least} per_sequence_avg_frequency: 1 "
        f"per_sequence_max_frequency: {most} }}"
    )


# name: (schema, features of the statistics, and what else there is)
CASES = {
    "empty_schema": ("", numeric("INT", 0, 1)),
    "clean": (feature("INT", "presence { min_fraction: 1 min_count: 1 }"), numeric("INT", 0, 1)),
    # Presence.
    "missing_column": (feature("INT", "presence { min_count: 1 }"), strings(AB, name="other")),
    "missing_optional": (feature("INT", "presence { min_count: 0 }"), strings(AB, name="other")),
    "missing_deprecated": (
        feature("INT", "presence { min_count: 1 } lifecycle_stage: ALPHA"),
        strings(AB, name="other"),
    ),
    "not_present": (feature("INT", "presence { min_count: 1 }"), numeric("INT", 0, 0, present=0, missing=10)),
    "optional_not_present": (feature("INT", "value_count { min: 1 }"), numeric("INT", 0, 0, present=0, missing=10, low=0, high=0)),
    "low_count": (feature("INT", "presence { min_count: 11 }"), numeric("INT", 0, 0)),
    "low_fraction": (feature("INT", "presence { min_fraction: 0.9 }"), numeric("INT", 0, 0, present=8, missing=2)),
    "low_both": (feature("INT", "presence { min_fraction: 1 min_count: 9 }"), numeric("INT", 0, 0, present=8, missing=2)),
    "almost_everywhere": (
        feature("INT", "presence { min_fraction: 1.0 }"),
        numeric("INT", 0, 0, present=10, missing=1),
    ),
    "group_presence": (feature("INT", "group_presence { required: true }"), numeric("INT", 0, 0, present=8, missing=2)),
    # Environments.
    "environment_default": (
        "default_environment: 'A' default_environment: 'B' " + feature("INT", "not_in_environment: 'B' presence { min_count: 1 }"),
        numeric("INT", 0, 0), {"environment": "B"},
    ),
    "environment_label_absent": (
        "default_environment: 'A' default_environment: 'B' " + feature("INT", "not_in_environment: 'B' presence { min_count: 1 }"),
        strings(AB, name="other"), {"environment": "B"},
    ),
    "environment_in_wins": (
        "default_environment: 'A' " + feature("INT", "not_in_environment: 'A' in_environment: 'A' presence { min_count: 1 }"),
        strings(AB, name="other"), {"environment": "A"},
    ),
    "environment_unknown": ("default_environment: 'A' " + feature("INT"), numeric("INT", 0, 0), {"environment": "C"}),
    # Numbers of values.
    "value_count": (feature("INT", "value_count { min: 2 max: 3 }"), numeric("INT", 0, 0, low=1, high=4)),
    "value_count_none": (feature("INT", "value_count { min: 1 }"), numeric("INT", 0, 0, low=0, high=4)),
    "value_count_of_nested": (feature("INT", "value_count { min: 1 }"), numeric("INT", 0, 0, more="", **{"low": 2, "high": 2}).replace("tot_num_values", (LEVELS % (0, 1)) + " tot_num_values")),
    "value_counts": (
        feature("INT", "value_counts { value_count { min: 3 max: 3 } value_count { min: 2 max: 2 } }"),
        numeric("INT", 0, 0).replace("tot_num_values", (LEVELS % (0, 1)) + " tot_num_values"),
    ),
    "value_counts_levels": (feature("INT", "value_counts { value_count { min: 3 } }"), numeric("INT", 0, 0).replace("tot_num_values", (LEVELS % (0, 1)) + " tot_num_values")),
    "value_counts_empty": (
        feature("INT", "value_counts { value_count { min: 2 } value_count { min: 2 } }"),
        numeric("INT", 0, 0).replace("tot_num_values", (LEVELS % (0, 0)) + " tot_num_values"),
    ),
    "shape": (feature("INT", "shape { dim { size: 2 } }"), numeric("INT", 0, 0)),
    "shape_varies": (feature("INT", "shape { dim { size: 2 } }"), numeric("INT", 0, 0, low=1, high=2)),
    "shape_missing": (feature("INT", "shape { dim { size: 1 } }"), numeric("INT", 0, 0, present=9, missing=1)),
    "shape_nested": (feature("INT", "shape { dim { size: 6 } }"), numeric("INT", 0, 0).replace("tot_num_values", (LEVELS % (0, 3)) + " tot_num_values")),
    "shape_nested_missing": (feature("INT", "shape { dim { size: 2 } dim { size: 3 } }"), numeric("INT", 0, 0).replace("tot_num_values", (LEVELS % (1, 3)) + " tot_num_values")),
    "scalar_shape": (feature("INT", "shape { }"), numeric("INT", 0, 0)),
    # Types.
    "type": (feature("INT", "int_domain { max: 3 }"), strings(AB)),
    "type_float": (feature("INT", "int_domain { max: 3 }"), numeric("FLOAT", 0, 5)),
    "type_int": (feature("FLOAT", "float_domain { max: 3 }"), numeric("INT", 0, 5)),
    "type_struct": (feature("STRUCT", "struct_domain { feature { name: 'g' type: INT } }"), numeric("INT", 0, 5)),
    "bytes_with_domain": (feature("BYTES", "string_domain { value: 'a' }"), f"features {{ path {{ step: 'f' }} type: BYTES bytes_stats {{ {common()} }} }}"),
    "bytes": (feature("BYTES"), f"features {{ path {{ step: 'f' }} type: BYTES bytes_stats {{ {common()} }} }}"),
    # Booleans.
    "bool_big": (feature("INT", "bool_domain {}"), numeric("INT", 0, 2)),
    "bool_small": (feature("INT", "bool_domain {}"), numeric("INT", -1, 2)),
    "bool_ok": (feature("INT", "bool_domain {}"), numeric("INT", 0, 1)),
    "bool_float_min": (feature("FLOAT", "bool_domain {}"), numeric("FLOAT", 0.5, 1)),
    "bool_float_max": (feature("FLOAT", "bool_domain {}"), numeric("FLOAT", 0, 1.5)),
    "bool_float_nan": (feature("FLOAT", "bool_domain {}"), numeric("FLOAT", 0, 1, more=histogram([(0, 1, 10)], nan=2))),
    "bool_float_between": (feature("FLOAT", "bool_domain {}"), numeric("FLOAT", 0, 1, more=histogram([(0, 0, 5), (0.2, 0.4, 1), (1, 1, 4)], "QUANTILES"))),
    "bool_float_below": (feature("FLOAT", "bool_domain {}"), numeric("FLOAT", 0, 1, more=histogram([(-2, -1, 5)]))),
    "bool_float_above": (feature("FLOAT", "bool_domain {}"), numeric("FLOAT", 0, 1, more=histogram([(0, 0, 0), (2, 3, 5)]))),
    "bool_string": (feature("BYTES", "bool_domain { true_value: 'b' false_value: 'c' }"), strings(AB)),
    "bool_string_empty": (feature("BYTES", "bool_domain { }"), strings(AB)),
    # Numbers.
    "int_range": (feature("INT", "int_domain { min: 1 max: 4 }"), numeric("INT", 0, 5)),
    "int_in_strings": (feature("BYTES", "int_domain { min: 1 max: 4 }"), strings([(" 0", 1), ("5 ", 2), ("+3", 1)])),
    "int_not_in_strings": (feature("BYTES", "int_domain { min: 1 max: 4 }"), strings([("0", 1), ("x", 2), ("9999999999999999999", 2)])),
    "int_categorical": (feature("INT", "int_domain { min: 1 max: 4 is_categorical: true }"), strings([("0", 1), ("5", 2)], kind="INT")),
    "int_beyond": (feature("INT", "int_domain { min: 1 }"), numeric("INT", -1e19, 5)),
    "int_beyond_unbounded": (feature("INT", "int_domain { }"), numeric("INT", -1e19, 5)),
    "float_range": (feature("FLOAT", "float_domain { min: 0.1 max: 0.7 }"), numeric("FLOAT", 0.05, 12345678)),
    "float_range_single": (feature("FLOAT", "float_domain { min: 0.1 }"), numeric("FLOAT", 0.1, 0.3)),
    "float_nan_inf": (
        feature("FLOAT", "float_domain { disallow_nan: true disallow_inf: true }"),
        numeric("FLOAT", 0, "inf", more=histogram([(0, 1, 9)], nan=1)),
    ),
    "float_nan_inf_allowed": (feature("FLOAT", "float_domain { }"), numeric("FLOAT", 0, "inf", more=histogram([(0, 1, 9)], nan=1))),
    "float_in_strings": (feature("BYTES", "float_domain { min: 0 max: 1 disallow_nan: true disallow_inf: true }"), strings([("-1.5", 1), ("nan", 2), ("inf", 1), ("1e-3", 2)])),
    "float_not_in_strings": (feature("BYTES", "float_domain { max: 1 }"), strings([("1.5", 1), ("1,5", 2)])),
    # Strings.
    "enum": (feature("BYTES", "string_domain { value: 'a' }"), strings(AB)),
    "enum_named": (feature("BYTES", "domain: 'd'") + " string_domain { name: 'd' value: 'b' value: 'z' }", strings(AB)),
    "enum_shared": (
        feature("BYTES", "domain: 'd'") + feature("BYTES", "domain: 'd'", name="g") + " string_domain { name: 'd' value: 'b' }",
        strings(AB) + strings([("c", 1), ("a", 9)], name="g"),
    ),
    "enum_shared_mass": (
        feature("BYTES", "domain: 'd'") + feature("BYTES", "domain: 'd' distribution_constraints { min_domain_mass: 0.5 }", name="g") + " string_domain { name: 'd' value: 'b' }",
        strings(AB) + strings([("c", 1), ("a", 9)], name="g"),
    ),
    "enum_mass_ok": (feature("BYTES", "string_domain { value: 'a' } distribution_constraints { min_domain_mass: 0.7 }"), strings(AB)),
    "enum_mass": (feature("BYTES", "string_domain { value: 'a' } distribution_constraints { min_domain_mass: 0.75 }"), strings(AB)),
    "enum_mass_one": (feature("BYTES", "string_domain { value: 'a' } distribution_constraints { min_domain_mass: 1 }"), strings(AB)),
    "enum_escapes": (feature("BYTES", "string_domain { value: 'a' }"), strings([("tab\there", 99), ("é\"quote'\\", 1), ("\u0001", 3)], present=103)),
    "enum_no_total": (feature("BYTES", "string_domain { value: 'a' }"), strings([("b", 0)], present=1, total=0).replace("avg_num_values: 1", "")),
    "enum_invalid_utf8": (feature("BYTES", "domain: 'd'") + feature("BYTES", "domain: 'd'", name="g") + " string_domain { name: 'd' value: 'a' }", strings(AB, more="invalid_utf8_count: 2") + strings(AB, name="g")),
    "enum_repeats": (feature("BYTES", "string_domain { value: 'a' value: 'a' value: 'b' }"), strings(AB)),
    "unique_low": (feature("BYTES", "unique_constraints { min: 3 max: 5 }"), strings(AB)),
    "unique_high": (feature("BYTES", "unique_constraints { min: 0 max: 1 }"), strings(AB)),
    "unique_none": (feature("INT", "unique_constraints { min: 0 max: 1 }"), numeric("INT", 0, 1)),
    "semantic": (feature("BYTES"), strings(AB, outer="custom_stats { name: 'domain_info' str: 'mid_domain {}' }")),
    "semantic_kept": (feature("BYTES", "url_domain {}"), strings(AB, outer="custom_stats { name: 'domain_info' str: 'mid_domain {}' }")),
    "semantic_wrong": (feature("BYTES"), strings(AB, outer="custom_stats { name: 'domain_info' str: 'name: \"x\"' }")),
    "semantic_new": ("", strings(AB, outer="custom_stats { name: 'domain_info' str: 'natural_language_domain {}' }")),
    # Images and text.
    "image_fraction": (
        feature("BYTES", "image_domain { minimum_supported_image_fraction: 0.9 max_image_byte_size: 10 }"),
        f"features {{ path {{ step: 'f' }} type: BYTES bytes_stats {{ {common()} max_num_bytes_int: 11 }} "
        "custom_stats { name: 'image_format_histogram' rank_histogram { buckets { label: 'png' sample_count: 5 } "
        "buckets { label: 'UNKNOWN' sample_count: 3 } } } }",
    ),
    "nl_missing": (feature("BYTES", "natural_language_domain { coverage { min_coverage: 0.5 } }"), strings(AB)),
    "nl_unconstrained": (feature("BYTES", "natural_language_domain { }"), strings(AB)),
    "nl_coverage": (feature("BYTES", "natural_language_domain { coverage { min_coverage: 0.75 min_avg_token_length: 4 } }"), nl()),
    "nl_tokens": (
        feature("BYTES", """natural_language_domain {
          token_constraints { string_value: 'x' min_per_sequence: 2 max_per_sequence: 3 min_fraction_of_sequences: 0.5 max_fraction_of_sequences: 0.6 }
          token_constraints { int_value: 7 max_fraction_of_sequences: 0.25 } }"""),
        nl(tokens=token("string_token: 'x'", 0.25, 1, 4) + token("int_token: 7", 0.5, 1, 1)),
    ),
    "nl_token_unknown": (feature("BYTES", "natural_language_domain { coverage { min_coverage: 0.75 } token_constraints { string_value: 'y' min_per_sequence: 2 } }"), nl()),
    # The schema itself.
    "no_name": ("feature { type: INT }", numeric("INT", 0, 1, name="")),
    "no_type": ("feature { name: 'f' }", numeric("INT", 0, 1)),
    "no_type_of_strings": ("feature { name: 'f' string_domain { value: 'a' value: 'b' } }", strings(AB)),
    "specification": (
        feature("INT", "presence { min_fraction: -0.5 } value_count { min: -1 max: -2 }"),
        numeric("INT", 0, 1),
    ),
    "specification_fraction": (feature("INT", "presence { min_fraction: 1.5 }"), numeric("INT", 0, 1)),
    "specification_counts": (
        feature("INT", "value_counts { value_count { min: -1 max: 1 } value_count { min: 2 max: 1 } }"),
        numeric("INT", 0, 0).replace("tot_num_values", (LEVELS % (0, 1)) + " tot_num_values"),
    ),
    "specification_shape": (feature("INT", "shape { dim { size: 0 } dim { size: -1 } }"), numeric("INT", 0, 1)),
    "domain_against_type": (feature("INT", "string_domain { value: 'a' }"), numeric("INT", 0, 1)),
    "float_domain_of_int": (feature("INT", "float_domain { min: 3 }"), numeric("INT", 0, 1)),
    "dangling_domain": (feature("BYTES", "domain: 'nowhere'"), strings(AB)),
    "mass_of_bool": (feature("INT", "bool_domain {} distribution_constraints { min_domain_mass: 0.5 }"), numeric("INT", 0, 1)),
    "mass_of_int": (feature("INT", "int_domain {} distribution_constraints { min_domain_mass: 0.5 }"), numeric("INT", 0, 1)),
    "mass_of_float": (feature("FLOAT", "float_domain {} distribution_constraints { min_domain_mass: 0.5 }"), numeric("FLOAT", 0, 1)),
    "mass_of_time": (feature("INT", "time_domain {} distribution_constraints { min_domain_mass: 0.5 }"), numeric("INT", 0, 1)),
    "mass_of_nothing": (feature("INT", "distribution_constraints { min_domain_mass: 0.5 }"), numeric("INT", 0, 1)),
    "bool_both_equal": (feature("BYTES", "bool_domain { true_value: 'a' false_value: 'a' }"), strings([("a", 10)])),
    "deprecated": (feature("INT", "deprecated: true int_domain { max: 0 }"), numeric("INT", 0, 5)),
    "debug_only": (feature("INT", "lifecycle_stage: DEBUG_ONLY int_domain { max: 0 }"), numeric("INT", 0, 5)),
    "beta": (feature("INT", "lifecycle_stage: BETA int_domain { max: 0 }"), numeric("INT", 0, 5)),
    # Structs.
    "struct": (
        feature("STRUCT", "struct_domain { feature { name: 'g' type: INT int_domain { max: 1 } presence { min_count: 1 } } feature { name: 'h' type: INT presence { min_count: 1 } } }"),
        f"features {{ path {{ step: 'f' }} type: STRUCT struct_stats {{ {common()} }} }}"
        + numeric("INT", 0, 5).replace("step: 'f'", "step: 'f' step: 'g'")
        + numeric("INT", 0, 5).replace("step: 'f'", "step: 'f' step: 'new.one'"),
    ),
    "struct_new": (
        "",
        f"features {{ path {{ step: 'f' }} type: STRUCT struct_stats {{ {common()} }} }}"
        + numeric("INT", 0, 5).replace("step: 'f'", "step: 'f' step: 'g'"),
    ),
    "struct_given_up": (
        feature("STRUCT", "presence { min_count: 1 } struct_domain { feature { name: 'g' type: INT int_domain { max: 1 } presence { min_count: 1 } } }"),
        f"features {{ path {{ step: 'f' }} type: STRUCT struct_stats {{ {common(present=0, missing=10)} }} }}"
        + numeric("INT", 0, 5).replace("step: 'f'", "step: 'f' step: 'g'"),
    ),
    # Sparse and weighted features.
    "sparse": (
        "sparse_feature { name: 'f' index_feature { name: 'i' } value_feature { name: 'v' } }",
        """features { path { step: 'f' } custom_stats { name: 'missing_value' num: 3 }
          custom_stats { name: 'missing_index' rank_histogram { buckets { label: 'i' sample_count: 2 } buckets { label: 'j' sample_count: 0 } } }
          custom_stats { name: 'max_length_diff' rank_histogram { buckets { label: 'i' sample_count: 4 } } }
          custom_stats { name: 'min_length_diff' rank_histogram { buckets { label: 'i' sample_count: -1 } } } }""",
    ),
    "sparse_collision": ("sparse_feature { name: 'f' } " + feature("INT"), numeric("INT", 0, 1)),
    "sparse_retired": ("sparse_feature { name: 'f' lifecycle_stage: DEPRECATED } " + feature("INT", "int_domain { max: 0 }"), numeric("INT", 0, 1)),
    "weighted": (
        "weighted_feature { name: 'f' feature { step: 'v' } weight_feature { step: 'w' } }",
        """features { path { step: 'f' } custom_stats { name: 'missing_value' num: 3 } custom_stats { name: 'missing_weight' num: 2 }
          custom_stats { name: 'min_weight_length_diff' num: -1 } custom_stats { name: 'max_weight_length_diff' num: 0 } }""",
    ),
    "weighted_collision": ("weighted_feature { name: 'f' } " + feature("INT"), numeric("INT", 0, 1)),
    # Drift and skew.
    "drift_linf": (
        feature("BYTES", "drift_comparator { infinity_norm { threshold: 0.1 } normalized_abs_difference { threshold: 0.1 } jensen_shannon_divergence { threshold: 0.01 } }"),
        strings(AB), {"previous": strings([("a", 3), ("c", 7)])},
    ),
    "drift_ties": (
        feature("BYTES", "drift_comparator { infinity_norm { threshold: 0.1 } }"),
        strings([("a", 5), ("b", 5)]), {"previous": strings([("c", 5), ("d", 5)])},
    ),
    "drift_at_threshold": (feature("BYTES", "drift_comparator { infinity_norm { threshold: 0.5 } }"), strings([("a", 5), ("b", 5)]), {"previous": strings([("a", 10)])}),
    "skew_numeric": (
        feature("FLOAT", "skew_comparator { jensen_shannon_divergence { threshold: 0.01 } infinity_norm { threshold: 0.1 } }"),
        numeric("FLOAT", 0, 10, more=histogram([(0, 5, 8), (5, 10, 2)], nan=1)),
        {"serving": numeric("FLOAT", 0, 8, more=histogram([(0, 4, 3), (4, 4, 2), (4, 8, 5)]))},
    ),
    "skew_quantiles": (
        feature("FLOAT", "skew_comparator { jensen_shannon_divergence { threshold: 0.01 source { type: QUANTILES } } }"),
        numeric("FLOAT", 0, 10, more=histogram([(0, 1, 10)]) + histogram([(0, 5, 5), (5, 10, 5)], "QUANTILES")),
        {"serving": numeric("FLOAT", 0, 8, more=histogram([(0, 1, 10)]) + histogram([("-inf", 2, 5), (2, "inf", 5)], "QUANTILES"))},
    ),
    "control_missing": (feature("BYTES", "drift_comparator { infinity_norm { threshold: 0.1 } } skew_comparator { infinity_norm { threshold: 0.1 } }"), strings(AB), {"previous": strings(AB, name="g")}),
    "control_no_threshold": (feature("BYTES", "drift_comparator { infinity_norm { } }"), strings(AB), {"previous": strings(AB, name="g")}),
    "drift_and_skew": (
        feature("BYTES", "drift_comparator { infinity_norm { threshold: 0.1 } } skew_comparator { infinity_norm { threshold: 0.1 } }"),
        strings(AB), {"previous": strings([("a", 1)]), "serving": strings([("b", 1)])},
    ),
    # Datasets.
    "few_examples": ("dataset_constraints { min_examples_count: 11 max_examples_count: 12 } " + feature("INT"), numeric("INT", 0, 1)),
    "many_examples": ("dataset_constraints { min_examples_count: 1 max_examples_count: 9 } " + feature("INT"), numeric("INT", 0, 1)),
    "more_than_before": (
        "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 max_fraction_threshold: 1.5 } } " + feature("INT"),
        numeric("INT", 0, 1), {"previous": numeric("INT", 0, 1), "previous_examples": 3},
    ),
    "fewer_than_before": (
        "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 max_fraction_threshold: 1.5 } } " + feature("INT"),
        numeric("INT", 0, 1), {"previous": numeric("INT", 0, 1), "previous_examples": 21},
    ),
    "none_before": (
        "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 max_fraction_threshold: 1.5 } } " + feature("INT"),
        numeric("INT", 0, 1), {"previous": numeric("INT", 0, 1), "previous_examples": 0},
    ),
    "no_examples": (feature("INT", "presence { min_count: 1 }"), "", {"examples": 0}),
    # Weights.
    "weights": (
        feature("INT", "presence { min_fraction: 0.75 min_count: 4 }"),
        numeric("INT", 0, 1, present=9, missing=1, more="").replace(
            "tot_num_values", "weighted_common_stats { num_non_missing: 3.5 num_missing: 1.5 } tot_num_values"
        ),
        {"weight": 5.0},
    ),
    "weighted_strings": (
        feature("BYTES", "string_domain { value: 'a' }"),
        strings(AB, more="weighted_string_stats { rank_histogram { buckets { label: 'b' sample_count: 1.75 } buckets { label: 'c' sample_count: 0.5 } } }").replace(
            "tot_num_values", "weighted_common_stats { num_non_missing: 3.5 tot_num_values: 4 } tot_num_values"
        ),
        {"weight": 5.0},
    ),
    # Severities.
    "warning": ("", numeric("INT", 0, 1), {"warnings": ["SCHEMA_NEW_COLUMN"]}),
    "warning_and_error": (
        feature("INT", "int_domain { max: 0 } presence { min_count: 99 }"),
        numeric("INT", 0, 1), {"warnings": ["INT_TYPE_BIG_INT"]},
    ),
    "derived": (
        feature("INT", "validation_derived_source { deriver_name: 'd' }"),
        numeric("INT", 0, 1).replace("type: INT", "type: INT validation_derived_source { deriver_name: 'd' }"),
    ),
    "derived_unknown": (
        feature("INT"), numeric("INT", 0, 1).replace("type: INT", "type: INT validation_derived_source { deriver_name: 'd' }"),
    ),
    "derived_new": ("", numeric("INT", 0, 1).replace("type: INT", "type: INT validation_derived_source { deriver_name: 'd' }")),
}


def dataset(features, examples=10, weight=0.0):
    text = f"datasets {{ num_examples: {examples} weighted_num_examples: {weight} {features} }}"
    return text_format.Parse(text, statistics_pb2.DatasetFeatureStatisticsList())


def answer(schema_text, features, more):
    schema = text_format.Parse(schema_text, schema_pb2.Schema())
    statistics = dataset(features, more.get("examples", 10), more.get("weight", 0.0))
    case = {"schema": schema_text, "statistics": text_format.MessageToString(statistics)}
    controls = {}
    for name in ["previous", "serving"]:
        if name in more:
            controls[name] = dataset(more[name], more.get("previous_examples", 10))
            case[name] = text_format.MessageToString(controls[name])
    options = ValidationOptions(severity_overrides=[])
    if "warnings" in more:
        case["warnings"] = more["warnings"]
        for name in more["warnings"]:
            override = validation_config_pb2.SeverityOverride()
            text_format.Parse(f"type: {name} severity: WARNING", override)
            options.severity_overrides.append(override)
    if "environment" in more:
        case["environment"] = more["environment"]
    try:
        anomalies = validate_statistics_internal(
            statistics, schema, more.get("environment"), controls.get("previous"),
            controls.get("serving"), None, options,
        )
        anomalies.ClearField("baseline")
        case["anomalies"] = text_format.MessageToString(anomalies)
        case["updated"] = text_format.MessageToString(tfdv.update_schema(schema, statistics))
    except ValueError as error:
        case["error"] = str(error)
    return case


def main():
    cases = {}
    for name, (schema, features, *more) in CASES.items():
        print(name, flush=True)
        cases[name] = answer(schema, features, more[0] if more else {})
    (HERE / "anomalies.json").write_text(json.dumps(cases, indent=1) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
