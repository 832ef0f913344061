"""Frazil's transform graph beside TensorFlow Transform, tensorflow_text and Hugging Face's tokenizers.

    cargo build --release && python3.11 benches/compare_transform.py [--only peers|frazil] [--rows 1500000]

Makes taxi rows with `frazil generate`, repeats the sentences of CSV files for the tokenizers, installs the
peers from PyPI into a virtual environment, times whole processes one after the other and prints one table.
The taxi function is the TFX example's: z-scores of 3 columns, vocabularies of 2, quantile buckets of 4,
7 columns filled, and a label. Times are as in `compare.py`: a peer's imports are left out, and what else
does not grow with the rows (tracing, pipelines) is shown by the marginal rate between two sizes of input.
TFT runs in one process, as it does by default; its two worker processes took twice as long for 100,000 rows.
"""

import argparse
import csv
import os
import pathlib
import shutil
import subprocess

import compare
from compare import FRAZIL, ROOT

PACKAGES = [
    "tensorflow==2.16.2",
    "tensorflow-transform==1.16.0",
    "tfx-bsl==1.16.1",
    "tensorflow-metadata==1.16.1",
    "tensorflow-text==2.16.1",
    "apache-beam[dill]==2.72.0",
    "pyarrow==10.0.1",
    "numpy==1.26.4",
    "tokenizers",
]
TAXI = """
Z_SCORES = ["trip_miles", "fare", "trip_seconds"]
WORDS = ["payment_type", "company"]
BUCKETS = ["pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]
KEPT = ["trip_start_hour", "trip_start_day", "trip_start_month", "pickup_census_tract", "dropoff_census_tract",
        "pickup_community_area", "dropoff_community_area"]

def preprocessing_fn(inputs):
    outputs = {}
    for name in Z_SCORES:
        outputs[name + "_xf"] = tft.scale_to_z_score(fill(inputs[name]))
    for name in WORDS:
        outputs[name + "_xf"] = tft.compute_and_apply_vocabulary(fill(inputs[name]), top_k=1000, num_oov_buckets=10)
    for name in BUCKETS:
        outputs[name + "_xf"] = tft.bucketize(fill(inputs[name]), 10)
    for name in KEPT:
        outputs[name + "_xf"] = fill(inputs[name])
    fare, tips = fill(inputs["fare"]), fill(inputs["tips"])
    tipped = tf.cast(tf.greater(tips, fare * 0.2), tf.int64)
    outputs["tips_xf"] = tf.where(tf.math.is_nan(fare), tf.zeros_like(tipped), tipped)
    return outputs
"""

# The one thing that differs: what stands for a value that is not there.
TAXI_STARLARK = "fill = tft.fill_in_missing\n" + TAXI

TFT = (
    """
import os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.coders.example_coder import RecordBatchToExamples
from tfx_bsl.public import tfxio

def fill(x):
    dense = tf.SparseTensor(x.indices, x.values, [x.dense_shape[0], 1])
    return tf.squeeze(tf.sparse.to_dense(dense, "" if x.dtype == tf.string else 0), 1)
"""
    + TAXI
    + """
FLOATS = ["fare", "trip_miles", "tips", *BUCKETS]
kinds = {name: tf.int64 for name in [*KEPT, "trip_seconds"]} | {name: tf.float32 for name in FLOATS}
kinds |= {name: tf.string for name in WORDS}
SPEC = {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
SCHEMA = schema_utils.schema_from_feature_spec(SPEC)
pattern, graph, out = sys.argv[1:4]
start = time.time()

def read(pipeline):
    source = tfxio.TFExampleRecord(pattern, schema=SCHEMA, telemetry_descriptors=["bench"])
    return (pipeline | source.BeamSource(batch_size=1000), source.TensorAdapterConfig())
"""
)

TFT_ANALYZE = (
    TFT
    + """
with tft_beam.Context(temp_dir=graph + ".temp"), beam.Pipeline() as pipeline:
    read(pipeline) | tft_beam.AnalyzeDataset(preprocessing_fn) | tft_beam.WriteTransformFn(graph)
print("WALL", time.time() - start)
"""
)

TFT_TRANSFORM = (
    TFT
    + """
with tft_beam.Context(temp_dir=graph + ".temp"), beam.Pipeline() as pipeline:
    rows = (read(pipeline), pipeline | tft_beam.ReadTransformFn(graph)) | tft_beam.TransformDataset(
        output_record_batches=True
    )
    encode = lambda pair: RecordBatchToExamples(pair[0])
    rows[0] | beam.FlatMap(encode) | beam.io.WriteToTFRecord(out)
print("WALL", time.time() - start)
"""
)

# Without Beam and without writing: what a training job does that transforms as it reads.
TFT_LAYER = (
    TFT
    + """
layer = tft.TFTransformOutput(graph).transform_features_layer()
files = tf.data.Dataset.list_files(pattern, shuffle=False)
records = files.interleave(tf.data.TFRecordDataset, num_parallel_calls=2).batch(1000)
@tf.autograph.experimental.do_not_convert
def step(batch):
    return layer(tf.io.parse_example(batch, SPEC))
rows = 0
for batch in records.map(step, num_parallel_calls=2).prefetch(4):
    rows += int(tf.shape(batch["tips_xf"])[0])
assert rows > 0
print("WALL", time.time() - start)
"""
)

TOKENIZERS = """
import csv, sys, time
from tokenizers import BertWordPieceTokenizer
tokenizer = BertWordPieceTokenizer(sys.argv[2], lowercase=True)
tokenizer.enable_truncation(128)
tokenizer.enable_padding(length=128)
rows = [row["sentence"] for row in csv.DictReader(open(sys.argv[1], encoding="utf-8"))]
encode = tokenizer._tokenizer.encode_batch_fast
encode(rows[:1000])
start = time.time()
for first in range(0, len(rows), 1000):
    batch = encode(rows[first : first + 1000])
    if sys.argv[3] == "ids":
        batch = [row.ids for row in batch]
print("WALL", time.time() - start)
"""

TEXT = """
import csv, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
import tensorflow_text as text
length = 128
tokens = open(sys.argv[2], encoding="utf-8").read().split("\\n")
pad, cls, sep = (tokens.index(token) for token in ["[PAD]", "[CLS]", "[SEP]"])
tokenizer = text.BertTokenizer(sys.argv[2], lower_case=True, token_out_type=tf.int64)

@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def inputs(sentences):
    ids = tokenizer.tokenize(sentences).merge_dims(-2, -1)
    column = lambda token: tf.fill([tf.shape(sentences)[0], 1], tf.constant(token, tf.int64))
    ids = tf.concat([tf.concat([column(cls), ids], 1)[:, : length - 1], column(sep)], 1)
    ids = ids.to_tensor(shape=[None, length], default_value=tf.constant(pad, tf.int64))
    mask = tf.cast(tf.not_equal(ids, pad), tf.int64)
    return ids, mask, tf.zeros_like(mask)

rows = [row["sentence"] for row in csv.DictReader(open(sys.argv[1], encoding="utf-8"))]
rows = tf.data.Dataset.from_tensor_slices(rows).batch(1000)
rows = rows.take(1).concatenate(rows)
start = None
for batch in rows.map(inputs, num_parallel_calls=2).prefetch(4):
    start = start or time.time()
print("WALL", time.time() - start)
"""


def environment(directory):
    """The peers' Python. pip searches for minutes for what fits together; uv finds it at once."""
    python = compare.environment(directory, "tft", ["uv"])
    subprocess.run([python, "-m", "uv", "pip", "install", "-q", "--python", python, *PACKAGES], check=True)
    return python


def sentences(folder, rows, out):
    """A CSV of `rows` sentences: those of all files in turn, again and again."""
    if out.exists():
        return out
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found += [value for name, value in row.items() if name.startswith("sentence")]
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "label"])
        writer.writerows([found[i % len(found)], i % 2] for i in range(rows))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=["peers", "frazil"])
    parser.add_argument("--rows", type=int, default=1_500_000, help="taxi rows that Frazil sees")
    parser.add_argument("--tft-rows", type=int, nargs=2, default=[20_000, 100_000], help="TFT sees fewer rows, twice")
    parser.add_argument("--text-rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frazil", type=pathlib.Path, default=FRAZIL)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "target/bench-data")
    parser.add_argument(
        "--text", type=pathlib.Path, default=ROOT.parent / "shared/data/text", help="CSV files with sentences"
    )
    parser.add_argument("--vocab", type=pathlib.Path, default=ROOT.parent / "shared/data/bert/vocab.txt")
    parser.add_argument("--peers-dir", type=pathlib.Path, default=ROOT / "target/peers")
    parser.add_argument(
        "--tft", type=pathlib.Path, help="python with tensorflow-transform, tensorflow-text, tokenizers"
    )
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    peers, ours = args.only != "frazil", args.only != "peers"

    def taxi(rows, shards):
        folder = args.data / f"tfrecord-{rows}-{shards}"
        if not folder.exists():
            command = [args.frazil, "generate", folder, "--rows", str(rows), "--shards", str(shards), "-q"]
            subprocess.run([*command, "--format", "tfrecord"], check=True, stdout=subprocess.DEVNULL)
        return folder

    base = {}

    def report(what, rows, command, group, clean=()):
        """Prints the best of some runs, and gives its wall seconds."""
        runs = []
        for _ in range(args.runs):
            for path in clean:
                shutil.rmtree(path, ignore_errors=True)
            runs.append(compare.measure(list(map(str, command))))
        wall, cpu, peak = min(runs)
        base.setdefault(group, wall / rows)
        ratio = wall / rows / base[group]
        print(
            f"| {what} | {ratio:.2f} | {rows:,} | {rows / wall:,.0f} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |",
            flush=True,
        )
        return wall

    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, best of {args.runs} runs")
    print("| what | × the first | rows | rows/s | wall s | CPU s | peak MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    has_text = args.vocab.exists() and args.text.exists()
    if has_text:
        texts = sentences(args.text, args.text_rows, args.data / f"labelled-{args.text_rows}.csv")

    if ours:
        data, graph, out = taxi(args.rows, 8), args.data / "taxi.graph", args.data / "transformed"
        statistics, schema, module = (args.data / name for name in ["taxi.pb", "taxi.pbtxt", "taxi.star"])
        module.write_text(TAXI_STARLARK)
        frazil = lambda *words: [args.frazil, *words, "-q"]
        stats = report("frazil stats", args.rows, frazil("stats", data, "-o", statistics), "taxi")
        subprocess.run(frazil("schema", "infer", statistics, "-o", schema), check=True, stdout=subprocess.DEVNULL)
        analyze = frazil("analyze", data, "--preprocessing", module, "--schema", schema, "-o", graph)
        analyzed = report("frazil analyze", args.rows, analyze, "taxi", clean=[graph])
        transform = frazil("transform", "--graph", graph, data, "-o", out)
        report("frazil transform, written", args.rows, transform, "taxi", clean=[out])
        if has_text:
            folder, graph = args.data / "bert", args.data / "bert.graph"
            folder.mkdir(exist_ok=True)
            shutil.copy(ROOT / "datasets/modules/bert.star", folder)
            shutil.copy(args.vocab, folder / "vocab.txt")
            analyze = frazil("analyze", texts, "--preprocessing", folder / "bert.star", "-o", graph, "--overwrite")
            subprocess.run(analyze, check=True, stdout=subprocess.DEVNULL)
            transform = frazil("transform", "--graph", graph, texts, "-o", out)
            report("frazil transform, BERT inputs, written", args.text_rows, transform, "text", clean=[out])
            speed = ["cargo", "run", "--release", "-q", "-p", "transform", "--example", "text_speed", "--"]
            in_memory = subprocess.run([*speed, args.vocab, texts], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    if peers:
        python = args.tft or environment(args.peers_dir)
        few, many = args.tft_rows
        graph, out = args.data / "tft.graph", args.data / "tft.transformed"
        temp = args.data / "tft.graph.temp"
        for what, code, clean in [
            ("TFT analyze", TFT_ANALYZE, [graph, temp]),
            ("TFT transform by Beam, written", TFT_TRANSFORM, [temp]),
            ("TFT transform in tf.data, not written", TFT_LAYER, []),
        ]:
            walls = []
            for rows in [few, many]:
                words = [f"{taxi(rows, 2)}/*", graph, out]
                walls.append(report(what, rows, [python, "-c", code, *words], "taxi", clean))
            rate = (many - few) / (walls[1] - walls[0])
            print(
                f"| {what}: marginal, {few:,} to {many:,} rows | {1 / rate / base['taxi']:.2f} | | {rate:,.0f} | | | |"
            )
        if has_text:
            for kind in ["encode", "ids"]:
                what = "tokenizers encode_batch_fast" + (", ids as lists" if kind == "ids" else "")
                report(what, args.text_rows, [python, "-c", TOKENIZERS, texts, args.vocab, kind], "text")
            report("tensorflow_text inputs", args.text_rows, [python, "-c", TEXT, texts, args.vocab], "text")

    if ours and has_text:
        print(f"\nFrazil's texts in memory, as `text_speed` measures them:\n{in_memory.stdout}")
    if ours:
        print(f"\n`analyze` takes {analyzed / stats:.2f} times as long as `stats`.")


if __name__ == "__main__":
    main()
