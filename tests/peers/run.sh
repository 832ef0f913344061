#!/usr/bin/env bash
# Everything that real peers are asked, each in a Python of its own: tests/peers/run.sh FRAZIL [PLACE]
# It fails where a peer cannot be installed: nothing is skipped. Environments in PLACE are used again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
frazil=$(realpath "$1")
if [ -n "${2:-}" ]; then
    mkdir -p "$2"
    place=$(realpath "$2")
else
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
fi

step() { printf '\n-- %s\n' "$*"; }

# uv finds in seconds what pip searches for many minutes.
if ! [ -x "$place/uv/bin/uv" ]; then
    python3.11 -m venv --clear "$place/uv"
    "$place/uv/bin/pip" install -q uv >&2
fi

# The Python of an environment with these packages.
python() {
    local name=$1 version=${VERSION:-3.11}
    shift
    if ! [ -e "$place/$name/done" ]; then
        "$place/uv/bin/uv" venv -q --clear -p "$version" "$place/$name"
        "$place/uv/bin/uv" pip install -q -p "$place/$name/bin/python" "$@" >&2
        touch "$place/$name/done"
    fi
    echo "$place/$name/bin/python"
}

step "statistics, schemas and anomalies: TensorFlow Data Validation"
$(python tfdv tensorflow-data-validation==1.16.1 'apache-beam[dill]==2.72.0') "$here/parse.py" "$frazil"

step "Parquet: pyarrow, DuckDB, Polars"
$(python parquet pyarrow duckdb polars) "$here/readers.py" "$frazil"

tensorflow=$(python tensorflow tensorflow==2.16.2 tf_keras==2.16.0 tensorflow-text==2.16.1 \
    tensorflow-transform==1.16.0 'apache-beam[dill]==2.72.0' \
    tensorflow-serving-api==2.16.1 grpcio)
cases="$place/cases"
rm -rf "$cases"
(cd "$here/../.." && FRAZIL_EXPORTS="$cases" cargo test -q --test it every_operation_has_its_nodes)

step "exported operations: TensorFlow"
"$tensorflow" "$here/tensorflow_ops.py" "$cases"

step "exported graphs: TensorFlow Transform, and a model that is served"
work="$place/graphs"
rm -rf "$work" && mkdir "$work" && cd "$work"
for graph in taxi:taxi bert:texts; do
    module=${graph%%:*} columns=${graph##*:}
    "$frazil" generate "$columns-data" --columns "$columns" --rows 10000 -q
    "$frazil" analyze "$columns-data" --preprocessing "$here/../../datasets/modules/$module.star" -o "$module" -q
    "$frazil" transform "$columns-data" --graph "$module" -o "$module-rows" --write-format tfrecord -q
    "$frazil" graph export "$module" --to tensorflow -o "$module-there"
    for flag in "" --mutate; do
        # shellcheck disable=SC2086
        "$tensorflow" "$here/tensorflow_graph.py" "$module-there" "$columns-data" "$module-rows" $flag
    done
done

step "exported operations and a graph: onnxruntime"
onnx=$(python onnx onnx onnxruntime numpy pyarrow)
"$onnx" "$here/onnx_ops.py" "$cases"
cat >small.star <<'MODULE'
def preprocessing_fn(inputs):
    return {
        "fare": tft.scale_to_z_score(inputs["fare"]),
        "miles": tft.bucketize(inputs["trip_miles"], 10),
        "seconds": tft.scale_to_0_1(tft.fill_in_missing(inputs["trip_seconds"])),
        "payment": tft.compute_and_apply_vocabulary(inputs["payment_type"], num_oov_buckets=1),
        "company": tft.compute_and_apply_vocabulary(inputs["company"]),
    }
MODULE
"$frazil" ingest all=taxi-data -o raw --write-format parquet -q
"$frazil" analyze taxi-data --preprocessing small.star -o small -q
"$frazil" transform raw/Split-all --graph small -o small-rows --write-format parquet -q
"$frazil" graph export small --to onnx -o small.onnx
for flag in "" --mutate; do
    # shellcheck disable=SC2086
    "$onnx" "$here/onnx_graph.py" small.onnx raw/Split-all small-rows $flag
done

step "BERT's two modes, on every character"
"$tensorflow" "$here/texts.py" texts
for mode in tf_text huggingface; do
    "$frazil" analyze texts/rows --preprocessing "texts/$mode.star" --schema texts/schema.pbtxt -o "$mode" -q
    "$frazil" transform texts/rows --graph "$mode" -o "$mode-rows" -q
    "$frazil" graph export "$mode" --to tensorflow -o "$mode-there"
    "$tensorflow" "$here/tensorflow_graph.py" "$mode-there" texts/rows "$mode-rows"
done

step "evaluations: TensorFlow Model Analysis"
$(python tfma tensorflow-model-analysis==0.47.1 tf_keras==2.16.0 \
    'apache-beam[dill]==2.72.0') "$here/evaluation.py" "$frazil"

step "serving: the stubs of TensorFlow Serving"
"$tensorflow" "$here/serving.py" "$frazil"

step "TFX: its Trainer and Pusher on an exported graph"
$(VERSION=${PYTHON310:-3.10} python tfx tfx==1.16.0 'setuptools<81' dill pip wheel) "$here/pipeline.py" "$frazil"
