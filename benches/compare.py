"""Frazil beside TFDV, DuckDB and polars, on the same files, in one run.

    cargo build --release && python3.11 benches/compare.py [--rows 1500000] [--peers-dir target/peers]

Makes the data with `frazil generate`, installs the peers from PyPI into two virtual environments
(TFDV needs older packages than the others can live with), times whole processes one after the
other, and prints one table. Times are of the operating system for the process and its children; the
seconds that a peer needs to import itself are left out of its wall time.
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FRAZIL = ROOT / "target/release/frazil"

TFDV = """
import glob, sys, time, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow_data_validation as tfdv
start = time.time()
tfdv.generate_statistics_from_tfrecord(sys.argv[1], output_path=sys.argv[2])
print("WALL", time.time() - start)
"""

DUCKDB = """
import sys, time, duckdb
start = time.time()
duckdb.sql(f"SET threads TO {sys.argv[2]}")
reader = "read_csv" if sys.argv[1].endswith("csv") else "read_parquet"
duckdb.sql(f"SUMMARIZE SELECT * FROM {reader}('{sys.argv[1]}')").fetchall()
print("WALL", time.time() - start)
"""

POLARS = """
import os, sys, time
os.environ["POLARS_MAX_THREADS"] = sys.argv[2]
import polars as pl
start = time.time()
read = pl.read_csv if sys.argv[1].endswith("csv") else pl.read_parquet
frame = read(sys.argv[1], **({"infer_schema_length": None} if sys.argv[1].endswith("csv") else {}))
frame.describe()
for column in frame.columns:
    frame[column].value_counts(sort=True)
print("WALL", time.time() - start)
"""


def environment(directory, name, packages):
    """A virtual environment with the packages, made when it is missing."""
    home = directory / name
    python = home / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--prefer-binary", *packages], check=True)
    return python


def measure(command):
    """Wall and CPU seconds and peak MiB of a whole process with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.time() - start
    if status != 0:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    for line in text.splitlines():
        if line.startswith("WALL "):
            wall = float(line.split()[1])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, usage.ru_maxrss / 1024


def best(command, runs):
    """The run with the least wall time."""
    return min(measure(command) for _ in range(runs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "target/bench-data")
    parser.add_argument("--peers-dir", type=pathlib.Path, default=ROOT / "target/peers")
    parser.add_argument("--tfdv", type=pathlib.Path, help="python with tensorflow-data-validation")
    parser.add_argument("--others", type=pathlib.Path, help="python with duckdb and polars")
    parser.add_argument("--tfdv-rows", type=int, default=100_000, help="TFDV sees fewer rows")
    args = parser.parse_args()
    tfdv = args.tfdv or environment(
        args.peers_dir, "tfdv", ["tensorflow-data-validation==1.16.1", "apache-beam[dill]==2.72.0"]
    )
    others = args.others or environment(args.peers_dir, "others", ["duckdb", "polars", "pyarrow"])
    cores = str(os.cpu_count())

    def data(format, rows, shards):
        folder = args.data / f"{format}-{rows}-{shards}"
        if not folder.exists():
            command = [FRAZIL, "generate", folder, "--rows", str(rows), "--shards", str(shards)]
            subprocess.run([*command, "--format", format, "-q"], check=True, stdout=subprocess.DEVNULL)
        return folder

    tfrecord, parquet = data("tfrecord", args.rows, 8), data("parquet", args.rows, 8)
    csv, few = data("csv", args.rows, 1), data("tfrecord", args.tfdv_rows, 1)
    out = args.data / "stats.pb"
    one_csv = next(csv.glob("*.csv"))
    stats = [FRAZIL, "stats", "-q", "-o", out]
    scan = [FRAZIL, "scan", "-q"]
    python = lambda python, code, *words: [python, "-c", code, *map(str, words)]
    rows = args.rows
    jobs = [
        ("TFRecord", "frazil stats", rows, [*stats, tfrecord]),
        ("TFRecord", "frazil stats, 1 worker", rows, [*stats, tfrecord, "--workers", "1"]),
        ("TFRecord", "frazil stats, 2 processes", rows, [*stats, tfrecord, "--processes", "2"]),
        ("TFRecord", "frazil scan (read, check, decode)", rows, [*scan, tfrecord]),
        ("TFRecord", "TFDV", args.tfdv_rows, python(tfdv, TFDV, next(few.iterdir()), out)),
        ("Parquet", "frazil stats", rows, [*stats, parquet]),
        ("Parquet", "frazil scan (decode)", rows, [*scan, parquet]),
        ("Parquet", "polars describe + value_counts", rows, python(others, POLARS, f"{parquet}/*.parquet", cores)),
        ("Parquet", "DuckDB SUMMARIZE", rows, python(others, DUCKDB, f"{parquet}/*.parquet", cores)),
        ("CSV", "frazil stats", rows, [*stats, one_csv]),
        ("CSV", "polars describe + value_counts", rows, python(others, POLARS, one_csv, cores)),
        ("CSV", "DuckDB SUMMARIZE", rows, python(others, DUCKDB, one_csv, cores)),
    ]
    print(f"{rows:,} rows, {cores} cores, best of {args.runs} runs")
    print("| input | what | × frazil stats | rows/s | wall s | CPU s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    base = {}
    for kind, what, n, command in jobs:
        wall, cpu, peak = best(list(map(str, command)), args.runs if what != "TFDV" else 1)
        base.setdefault(kind, wall / n)
        ratio = wall / n / base[kind]
        print(f"| {kind} | {what} | {ratio:.2f} | {n / wall:,.0f} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
