"""Reads the Parquet files that Frazil writes with other people's tools.

    python3.11 -m venv peer && peer/bin/pip install pyarrow duckdb polars
    peer/bin/python tests/peers/readers.py target/debug/frazil

pyarrow, DuckDB and Polars have to agree on every value of ingested, transformed and cleaned rows, and with
Frazil's own statistics of the same files on rows, missing values and means.
"""

import glob
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import duckdb
import polars
import pyarrow.parquet

PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/frazil").resolve())
MODULES = pathlib.Path(__file__).resolve().parents[2] / "datasets/modules"


def frazil(*args):
    subprocess.run([PROGRAM, *args], check=True, stdout=subprocess.DEVNULL)


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def check(directory):
    paths = sorted(path for path in glob.glob(f"{directory}/**/*", recursive=True)
                   if os.path.isfile(path) and "parquet" in os.path.basename(path))
    assert paths, directory
    total, columns = 0, {}
    for path in paths:
        with open(path, "rb") as file:
            table = pyarrow.parquet.read_table(file)
        own = {name: table[name].to_pylist() for name in table.column_names}
        with open(path, "rb") as file:
            frame = polars.read_parquet(file)
        by_duck = duckdb.sql(f"select * from read_parquet('{path}')")
        rows = by_duck.fetchall()
        assert frame.height == len(rows) == table.num_rows, path
        assert frame.columns == by_duck.columns == table.column_names, path
        for i, name in enumerate(table.column_names):
            duck = [row[i] for row in rows]
            assert same(frame[name].to_list(), own[name]), (path, name, "polars")
            assert same(duck, own[name]), (path, name, "duckdb")
            columns.setdefault(name, []).extend(own[name])
        total += table.num_rows
    frazil("stats", directory, "--format", "parquet", "-o", "stats.json", "-q")
    found = json.load(open("stats.json"))["datasets"][0]
    assert int(found["num_examples"]) == total, directory
    for feature in found["features"]:
        name = feature.get("name") or feature["path"]["step"][0]
        values = [row if isinstance(row, list) else [row] for row in columns[name] if row is not None]
        flat = [value for row in values for value in row if value is not None]
        kind = feature.get("num_stats") or feature.get("string_stats")
        common = kind["common_stats"]
        assert int(common.get("num_non_missing", 0)) == len(values), (directory, name)
        assert int(common.get("tot_num_values", 0)) == len(flat), (directory, name)
        numbers = [float(value) for value in flat if isinstance(value, (int, float))]
        if "num_stats" in feature and numbers and all(map(math.isfinite, numbers)):
            mean = math.fsum(numbers) / len(numbers)
            assert math.isclose(kind.get("mean", 0.0), mean, rel_tol=1e-9, abs_tol=1e-12), (directory, name)
    print(f"{directory}: {len(paths)} files, {total} rows, {len(columns)} columns: all agree")


def main():
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        frazil("generate", "trips", "--rows", "4000", "-q")
        frazil("schema", "infer", "trips", "-o", "schema.pbtxt", "-q")
        frazil("ingest", "trips", "-o", "examples", "--write-format", "parquet", "-q")
        module = str(MODULES / "taxi.star")
        frazil("analyze", "trips", "--preprocessing", module, "--schema", "schema.pbtxt", "-o", "graph", "-q")
        frazil("transform", "trips", "--graph", "graph", "-o", "rows", "--write-format", "parquet", "-q")
        frazil("generate", "texts", "--columns", "texts", "--rows", "500", "-q")
        frazil("analyze-and-transform", "texts", "--preprocessing", str(MODULES / "bert.star"), "-o", "bert",
               "--transformed", "ids", "--write-format", "parquet", "-q")
        for directory in ["examples/Split-train", "examples/Split-eval", "rows", "ids"]:
            check(directory)
    print(f"pyarrow {pyarrow.__version__}, DuckDB {duckdb.__version__}, Polars {polars.__version__}")


main()
