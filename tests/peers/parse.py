"""Reads what Frazil writes with the real TensorFlow Data Validation, and uses it there.

    python3.11 -m venv peer && peer/bin/pip install tensorflow-data-validation==1.16.1 'apache-beam[dill]==2.72.0'
    peer/bin/python tests/peers/parse.py target/debug/frazil

Makes data, statistics, schemas and anomalies with Frazil in every form, loads them with TFDV, and asks
TFDV the same questions of them: their answers have to be equal.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import tensorflow_data_validation as tfdv
from google.protobuf import json_format, text_format
from tensorflow_data_validation.utils.display_util import get_statistics_html
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/frazil").resolve())

# Anomalies of every severity of change, which both programs have to find.
TIGHTENED = """
feature { name: "trip_miles" type: FLOAT float_domain { max: 1 } presence { min_fraction: 1 } }
feature { name: "payment_type" type: BYTES domain: "payment_type" distribution_constraints { min_domain_mass: 0.9 } }
feature { name: "never_there" type: INT presence { min_count: 1 } }
feature { name: "trip_start_hour" type: BYTES }
string_domain { name: "payment_type" value: "Cash" value: "é \\"quoted\\" \\n" }
default_environment: "TRAINING"
"""


def frazil(*words, code=0):
    run = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    assert run.returncode == code, f"frazil {words}: {run.returncode}\n{run.stdout}{run.stderr}"
    return run.stdout


def load(path, message):
    """Reads a file of any form as anybody would, without Frazil."""
    data = path.read_bytes()
    match path.suffix:
        case ".pb":
            message.ParseFromString(data)
        case ".pbtxt":
            text_format.Parse(data.decode(), message)
        case ".json":
            json_format.Parse(data.decode(), message)
        case other:
            raise ValueError(other)
    return message


def same(what, found, expected):
    a, b = (text_format.MessageToString(m, as_utf8=True) for m in (found, expected))
    if a != b:
        lines = [f"  {x!r} != {y!r}" for x, y in zip(a.splitlines(), b.splitlines()) if x != y]
        sys.exit(f"{what}: different\n" + "\n".join(lines[:10]))
    print(f"ok: {what}")


def forms(folder, name, make, message):
    """Writes a message in three forms, and checks that all read the same; gives it."""
    for suffix in ["pb", "pbtxt", "json"]:
        make(folder / f"{name}.{suffix}")
    binary = load(folder / f"{name}.pb", message())
    for suffix in ["pbtxt", "json"]:
        same(f"{name} as .{suffix}", load(folder / f"{name}.{suffix}", message()), binary)
    return binary


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        frazil("generate", folder / "data", "--rows", 3000, "--shards", 2, "--columns", "full", "-q")
        frazil("generate", folder / "drifted", "--rows", 3000, "--shards", 2, "--columns", "full", "--drift", 0.5, "-q")
        data = folder / "data" / "taxi@2.tfrecord"

        statistics = forms(
            folder, "statistics", lambda to: frazil("stats", data, "-q", "-o", to), statistics_pb2.DatasetFeatureStatisticsList
        )
        frazil("stats", data, "-q", "-o", folder / "statistics.tfrecord")
        same("statistics by tfdv.load_statistics", tfdv.load_statistics(str(folder / "statistics.tfrecord")), statistics)
        same("statistics by tfdv.load_stats_binary", tfdv.load_stats_binary(str(folder / "statistics.pb")), statistics)
        shown = get_statistics_html(tfdv.load_statistics(str(folder / "statistics.tfrecord")))
        inside = re.search(r'proto-input="([^"]+)"', shown).group(1)
        drawn = statistics_pb2.DatasetFeatureStatisticsList.FromString(base64.b64decode(inside))
        # The name of a dataset is what the page calls it.
        drawn.datasets[0].name = statistics.datasets[0].name
        same("statistics inside of tfdv's get_statistics_html", drawn, statistics)

        schema = forms(
            folder, "schema", lambda to: frazil("schema", "infer", folder / "statistics.pb", "-o", to), schema_pb2.Schema
        )
        same("schema by tfdv.load_schema_text", tfdv.load_schema_text(str(folder / "schema.pbtxt")), schema)
        same("tfdv.infer_schema", tfdv.infer_schema(statistics), schema)
        tfdv.write_schema_text(schema, str(folder / "theirs.pbtxt"))
        assert (folder / "theirs.pbtxt").read_bytes() == (folder / "schema.pbtxt").read_bytes(), "schema.pbtxt has other bytes"
        print("ok: schema.pbtxt by tfdv.write_schema_text, byte for byte")
        assert frazil("schema", "diff", folder / "theirs.pbtxt", folder / "schema.pb") == ""
        print("ok: frazil schema diff finds nothing")

        frazil("schema", "infer", folder / "statistics.pb", "-o", folder / "unused.pb", "--suggest", folder / "suggested.pbtxt")
        suggested = tfdv.load_schema_text(str(folder / "suggested.pbtxt"))
        assert suggested != schema, "nothing was suggested"
        print("ok: suggestions by tfdv.load_schema_text, with their remarks")

        (folder / "tight.pbtxt").write_text(TIGHTENED)
        tight = tfdv.load_schema_text(str(folder / "tight.pbtxt"))
        updated = forms(
            folder,
            "updated",
            lambda to: frazil("schema", "update", folder / "tight.pbtxt", folder / "statistics.pb", "-o", to),
            schema_pb2.Schema,
        )
        same("tfdv.update_schema", tfdv.update_schema(tight, statistics), updated)

        for case, checked, code in [("tight", tight, 1), ("suggested", suggested, 1), ("schema", schema, 0)]:
            other = statistics
            if case == "suggested":
                frazil("stats", folder / "drifted" / "taxi@2.tfrecord", "-q", "-o", folder / "drifted.pb")
                other = load(folder / "drifted.pb", statistics_pb2.DatasetFeatureStatisticsList())
            (folder / "other.pb").write_bytes(other.SerializeToString())
            words = ["validate", folder / "other.pb", "--schema", folder / f"{case}.pbtxt", "--previous", folder / "statistics.pb"]
            anomalies = forms(
                folder,
                f"anomalies of {case}",
                lambda to: frazil(*words, "-o", to, code=code),
                anomalies_pb2.Anomalies,
            )
            expected = tfdv.validate_statistics(other, checked, previous_statistics=statistics)
            same(f"tfdv.validate_statistics with {case}", anomalies, expected)
            print(f"    {len(expected.anomaly_info)} anomalies: {', '.join(sorted(expected.anomaly_info))}")
            tfdv.write_anomalies_text(expected, str(folder / "theirs.pbtxt"))
            same(f"anomalies of {case} by tfdv.load_anomalies_text", tfdv.load_anomalies_text(str(folder / f"anomalies of {case}.pbtxt")), expected)

        found = json.loads(frazil("schema", "check", folder / "suggested.pbtxt", "--json", "--no-notes"))
        assert found == [], found
        print("ok: frazil schema check finds nothing wrong with what was suggested")


if __name__ == "__main__":
    main()
