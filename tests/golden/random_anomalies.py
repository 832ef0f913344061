"""Makes random schemas and statistics, and asks the real TFDV about them: a search for differences.

    python tests/golden/random_anomalies.py SEED N FILE
    CASES=FILE cargo test --test it as_tfdv_on_small_cases

Every case is asked in a process of its own, since TFDV aborts on some; those are left out. What is left
to differ is listed in ops/src/validate/traps.md: numbers beyond 64 bits, and booleans that are counted
as categories.
"""

import json
import os
import pathlib
import random
import sys
import tempfile

from anomalies import answer, common, feature, histogram, numeric, strings

LABELS = ["a", "b", "c", "", "1", "0", "true", "false", " 5", "-3", "2.5", "nan", "inf", "1e400", "é",
          "x\ty", "9223372036854775807", "Infinity", "+7", "TRUE"]
DOMAINS = ["int_domain { min: 0 max: 2 }", "int_domain { min: 1 max: 5 }", "int_domain { }",
           "float_domain { min: 0.1 max: 2.5 disallow_nan: true disallow_inf: true }",
           "float_domain { min: 0 max: 1 }", "bool_domain { }",
           "bool_domain { true_value: 'a' false_value: 'b' }", "string_domain { value: 'a' value: 'b' }",
           "domain: 'd'", "domain: 'nowhere'", "string_domain { value: '' value: 'a' value: 'a' }",
           "time_domain {}", "url_domain {}", "image_domain { max_image_byte_size: 3 }",
           "natural_language_domain { }"]
DOMAIN = "string_domain { name: 'd' value: 'a' value: 'c' }"
ENVIRONMENTS = "default_environment: 'A' default_environment: 'B'"


class Random:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, *choices):
        return self.random.choice(choices)

    def often(self, share):
        return self.random.random() < share

    def presence(self):
        present, low = self.one(10, 10, 8, 0, 9), self.one(1, 1, 0, 2)
        missing = 10 - present if self.often(0.9) else 1
        return {"present": present, "missing": missing, "low": low, "high": max(low, self.one(1, 2, 3))}

    def histogram(self):
        ends = sorted(self.random.sample([-5, -1, 0, 0.5, 1, 2, 3, 7.5, 10], self.one(2, 3, 4, 6)))
        buckets = [(low, high, self.one(0, 1, 2.5, 7)) for low, high in zip(ends, ends[1:])]
        if self.often(0.3):
            buckets = sorted([*buckets, (ends[1], ends[1], 3)])
        if self.often(0.2):
            buckets = [("-inf", ends[0], 1), *buckets]
        if self.often(0.2):
            buckets = [*buckets, (ends[-1], "inf", 2)]
        return histogram(buckets, self.one("STANDARD", "QUANTILES"), nan=self.one(0, 0, 0, 2))

    def statistics(self, name):
        kind = self.random.random()
        if kind < 0.4:
            ends = [self.one(-1, 0, 1, 2, 0.5, 3.25, 100, 1e-7, "inf", "-inf", 123456789) for _ in range(2)]
            histograms = " ".join(self.histogram() for _ in range(self.one(0, 1, 2)))
            return numeric(self.one("INT", "FLOAT"), *ends, name=name, more=histograms, **self.presence())
        if kind < 0.9:
            labels = [(label, self.one(1, 2, 5, 40, 0.5)) for label in self.random.sample(LABELS, self.one(0, 1, 2, 5))]
            return strings(
                labels, name=name, kind=self.one("STRING", "STRING", "STRING", "STRING", "INT"),
                unique=self.one(None, 0, 3, 100), more=self.one("", "", "", "invalid_utf8_count: 1"),
                outer=self.one("", "", "", "custom_stats { name: 'domain_info' str: 'mid_domain {}' }"),
                **self.presence(),
            )
        inside = f"{common(**self.presence())} max_num_bytes_int: 9"
        return f"features {{ path {{ step: '{name}' }} type: BYTES bytes_stats {{ {inside} }} }}"

    def comparator(self):
        parts = []
        if self.often(0.6):
            parts.append(f"infinity_norm {{ threshold: {self.one(0, 0.1, 0.5)} }}")
        if self.often(0.4):
            parts.append(f"normalized_abs_difference {{ threshold: {self.one(0, 0.1, 0.5)} }}")
        if self.often(0.6):
            source = self.one("", "source { type: QUANTILES }", "source { type: STANDARD }")
            parts.append(f"jensen_shannon_divergence {{ threshold: {self.one(0, 0.01, 0.2)} {source} }}")
        return " ".join(parts)

    def feature(self, name):
        parts = []
        if self.often(0.5):
            fraction, count = self.one(1, 1, 0.9, 0.5, -1, 2), self.one(0, 1, 9, 10, 11)
            parts.append(f"presence {{ min_fraction: {fraction} min_count: {count} }}")
        if self.often(0.4):
            low, high = self.one(-1, 0, 1, 2), self.one(0, 1, 2)
            parts.append(self.one(
                f"shape {{ dim {{ size: {high} }} }}", "shape { }",
                f"value_count {{ min: {low} max: {high} }}", "value_counts { value_count { min: 1 } }",
            ))
        if self.often(0.7):
            parts.append(self.one(*DOMAINS))
        if self.often(0.25):
            parts.append(f"distribution_constraints {{ min_domain_mass: {self.one(0, 0.5, 0.9, 1)} }}")
        if self.often(0.2):
            parts.append(f"unique_constraints {{ min: {self.one(0, 3)} max: {self.one(2, 50)} }}")
        for comparator in ["drift_comparator", "skew_comparator"]:
            if self.often(0.35):
                parts.append(f"{comparator} {{ {self.comparator()} }}")
        if self.often(0.1):
            parts.append(f"lifecycle_stage: {self.one('BETA', 'DEPRECATED', 'PRODUCTION')}")
        if self.often(0.15):
            parts.append(self.one("not_in_environment: 'A'", "in_environment: 'A'", "in_environment: 'B'"))
        return feature(self.one("INT", "FLOAT", "BYTES", "BYTES"), " ".join(parts), name)

    def dataset(self):
        first = self.statistics("f") if self.often(0.95) else ""
        return first + (self.statistics("g") if self.often(0.5) else "")

    def case(self):
        schema = [self.feature("f"), self.feature("g") if self.often(0.5) else "", ENVIRONMENTS, DOMAIN]
        if self.often(0.2):
            schema.append(f"""dataset_constraints {{ min_examples_count: {self.one(5, 11)}
              max_examples_count: {self.one(9, 20)} num_examples_drift_comparator {{
                min_fraction_threshold: 0.5 max_fraction_threshold: {self.one(1, 2)} }} }}""")
        more = {}
        if self.often(0.6):
            more["previous"] = self.dataset()
        if self.often(0.4):
            more["serving"] = self.dataset()
        if more:
            more["previous_examples"] = self.one(10, 3, 30)
        if self.often(0.25):
            more["environment"] = self.one("A", "B")
        return " ".join(schema), self.dataset(), more


def main():
    seed, n, file = sys.argv[1:]
    draw = Random(int(seed))
    cases = {}
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder, "answer.json")
        for i in range(int(n)):
            case = draw.case()
            child = os.fork()
            if child == 0:
                place.write_text(json.dumps(answer(*case)))
                os._exit(0)
            os.waitpid(child, 0)
            if place.exists():
                cases[f"random_{i}"] = json.loads(place.read_text())
                place.unlink()
    pathlib.Path(file).write_text(json.dumps(cases))
    print(f"{len(cases)} of {n} cases answered")


if __name__ == "__main__":
    main()
