"""Makes schemas.json: statistics, and the schema that the real TFDV infers from them.

Run with a Python that has tensorflow-data-validation 1.16.1:

    python tests/golden/schemas.py

Statistics are those of synthetic*.pb, some written by hand, one for each rule, and some drawn at
random; all but the first are in the text form of their messages.
"""

import json
import pathlib
import random

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

HERE = pathlib.Path(__file__).resolve().parent

OPTIONS = [
    {},
    {"infer_feature_shape": False},
    {"max_string_domain_size": 3},
]


def quoted(text):
    return "'" + "".join(c if c.isalnum() and ord(c) < 128 else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text) + "'"


def common(present=10, missing=0, low=1, high=1, levels=(), weighted=None):
    parts = [f"num_non_missing: {present} num_missing: {missing} min_num_values: {low} max_num_values: {high} tot_num_values: {present * high}"]
    if weighted is not None:
        parts.append(f"weighted_common_stats {{ num_non_missing: {weighted[0]} num_missing: {weighted[1]} }}")
    for gone, least, most in levels:
        parts.append(f"presence_and_valency_stats {{ num_missing: {gone} min_num_values: {least} max_num_values: {most} }}")
        if weighted is not None:
            parts.append(f"weighted_presence_and_valency_stats {{ num_missing: {gone / 2} }}")
    return "common_stats { " + " ".join(parts) + " }"


def path(*steps):
    return "path { " + " ".join(f"step: {quoted(step)}" for step in steps) + " }"


def numbers(where, kind="INT", least=0, most=9, more="", **rest):
    return f"features {{ {where} type: {kind} num_stats {{ {common(**rest)} min: {least} max: {most} }} {more} }}"


def strings(where, labels, kind="STRING", inside="", more="", **rest):
    buckets = " ".join(f"buckets {{ label: {quoted(label)} sample_count: {i + 1} }}" for i, label in enumerate(labels))
    return (
        f"features {{ {where} type: {kind} string_stats {{ {common(**rest)} unique: {len(labels)} "
        f"rank_histogram {{ {buckets} }} {inside} }} {more} }}"
    )


def dataset(*features, head="num_examples: 10"):
    return f"datasets {{ {head} {' '.join(features)} }}"


def domain_info(text):
    return f"custom_stats {{ name: 'domain_info' str: {quoted(text)} }}"


LABELS = [
    ["true"], ["false"], ["1", "0"], ["SET", "CLEAR"], ["set", "false"], ["TRUE", "true"], ["0", "false"], [""], ["", "0"],
    ["True", "False"], ["true", "false", "x"], ["a", "b", "c"], ["a", "b", "c", "d"], ["é", "ü", "z"], [],
    ["5", "-3", "+7"], [" 5 ", "6"], ["\v5", "\f6"], ["5\n"], ["5", ""], ["5 6"], ["0x1f"], ["1_000"], ["1.0"], ["1e3"],
    ["9223372036854775807", "-9223372036854775808"], ["9223372036854775808"], ["-9223372036854775809"],
    ["007", "-0"], ["+"], ["-"], ["+-5"], ["٣"], ["5\u00a0"], ["1", "2"], ["1", "1 "],
]

DOMAINS = [
    "mid_domain {}", "mid_domain: {}", "mid_domain <>", "url_domain {} # remark", "domain: 'x'", "bool_domain { true_value: 'y' }",
    "time_domain { integer_format: UNIX_DAYS }", "int_domain { min: 1 }", "mid_domain {} name: 'a'", "name: 'a'", "type: INT",
    "presence { min_count: 1 }", "shape {}", "no_domain {}", "mid_domain {", "", " ", "string_domain { value: 'a' value: 'b' }",
    "float_domain { min: 1.5 }", "time_of_day_domain {}", "image_domain { minimum_supported_image_fraction: .5 }",
]


def by_hand():
    a = path("a")
    for labels in LABELS:
        yield dataset(strings(a, labels))
        yield dataset(strings(a, labels, kind="INT"))
    for least, most in [(0, 1), (1, 1), (0, 0), (-1, 1), (0, 2), (0.5, 1), ("nan", "nan")]:
        for kind in ["INT", "FLOAT"]:
            yield dataset(numbers(a, kind, least, most))
    for counts in [(10, 0), (9, 1), (0, 10), (1, 9)]:
        for low, high in [(0, 0), (0, 1), (1, 1), (1, 3), (2, 2)]:
            yield dataset(numbers(a, present=counts[0], missing=counts[1], low=low, high=high))
    for levels in [[(0, 2, 2), (0, 3, 3)], [(0, 2, 2), (1, 3, 3)], [(0, 0, 4), (0, 1, 2)], [(0, 1, 1)], [(0, 0, 5)], [(0, 2, 3), (0, 0, 0), (0, 4, 4)]]:
        yield dataset(numbers(a, levels=levels))
        yield dataset(numbers(a, levels=levels, weighted=(8, 1)), head="num_examples: 10 weighted_num_examples: 9")
    for weighted in [(10, 0), (0.5, 0), (0, 0), (3, 1)]:
        both = [numbers(a, weighted=weighted), numbers(path("b"))]
        for features in [both[:1], both]:
            yield dataset(*features, head="num_examples: 10 weighted_num_examples: 9")
    for text in DOMAINS:
        yield dataset(strings(a, ["x"], more=domain_info(text)))
    yield dataset(strings(a, ["x"], more=domain_info("mid_domain {}") + domain_info("url_domain {}")))
    yield dataset(strings(a, ["x"], more=domain_info("") + domain_info("url_domain {}")))
    yield dataset(strings(a, ["x"], more="custom_stats { name: 'domain_info' num: 3 }"))
    yield dataset(strings(a, ["x"], inside="invalid_utf8_count: 1"))
    yield dataset(f"features {{ {a} type: BYTES bytes_stats {{ {common()} unique: 3 }} }}")
    yield dataset(numbers(a, more="validation_derived_source { deriver_name: 'd' source_path { step: 'x' } }"))
    yield dataset(f"features {{ {a} type: STRUCT struct_stats {{ {common()} }} }}", numbers(path("a", "c")), strings(path("a", "b"), ["x", "y"]))
    yield dataset(
        f"features {{ {a} type: STRUCT struct_stats {{ {common(low=1, high=3)} }} }}",
        f"features {{ {path('a', 's')} type: STRUCT struct_stats {{ {common(present=3, missing=7)} }} }}",
        strings(path("a", "s", "b.c"), ["x", "y"]),
    )
    yield dataset(numbers("name: 'x.y'"), f"features {{ name: 's' type: STRUCT struct_stats {{ {common()} }} }}", numbers("name: 's.a'"))
    names = ["x.y", "(x)", "it's", "'", "", "a b", "é", "x2", "x", "(x)y"]
    yield dataset(*(strings(path(name), ["p", "q"]) for name in names))
    yield dataset(strings(path("a", "b"), ["p"]).replace("path { step: 'a' step: 'b' }", path("a.b")), strings(path("'a.b'"), ["q"]))
    yield dataset(f"features {{ {a} custom_stats {{ name: 'missing_value' num: 1 }} }}", numbers(path("b")))
    yield dataset(numbers(path("z"))) + dataset(numbers(path("b")), head="name: 'All Examples' num_examples: 3")
    yield dataset()


def at_random(seed):
    draw = random.Random(seed)
    weighted = draw.random() < 0.3
    features = []
    for i in range(draw.randint(1, 6)):
        present = draw.choice([0, 1, 5, 10])
        low = draw.choice([0, 1, 1, 2])
        rest = {"present": present, "missing": 10 - present, "low": low, "high": low + draw.choice([0, 0, 1])}
        if draw.random() < 0.3:
            rest["levels"] = [(draw.choice([0, 0, 1]), n, n + draw.choice([0, 0, 2])) for n in draw.sample(range(5), draw.randint(1, 3))]
        if weighted and draw.random() < 0.9:
            rest["weighted"] = (present * draw.choice([0.05, 1, 2]), (10 - present) * draw.choice([0, 1]))
        where = path(draw.choice(["f", "f2", "g.h", "(k)"]) + str(i))
        if draw.random() < 0.5:
            features.append(numbers(where, draw.choice(["INT", "FLOAT"]), draw.choice([0, -1, 1]), draw.choice([1, 2]), **rest))
        else:
            labels = sorted({label for group in draw.sample(LABELS, draw.randint(1, 2)) for label in group})
            more = domain_info(draw.choice(DOMAINS)) if draw.random() < 0.2 else ""
            features.append(strings(where, labels, draw.choice(["STRING", "STRING", "INT"]), more=more, **rest))
    return dataset(*features, head="num_examples: 10" + (" weighted_num_examples: 9.5" if weighted else ""))


def inferred(statistics, options):
    return text_format.MessageToString(tfdv.infer_schema(statistics, **options), as_utf8=True)


def main():
    cases = []
    for file in sorted(HERE.glob("synthetic*.pb")):
        for options in OPTIONS:
            statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes())
            cases.append({"file": file.name, "options": options, "schema": inferred(statistics, options)})
    texts = [*by_hand(), *map(at_random, range(80))]
    for i, text in enumerate(texts):
        options = OPTIONS[i % len(OPTIONS)]
        statistics = text_format.Parse(text, statistics_pb2.DatasetFeatureStatisticsList())
        cases.append({"statistics": text, "options": options, "schema": inferred(statistics, options)})
    (HERE / "schemas.json").write_text(json.dumps(cases, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
