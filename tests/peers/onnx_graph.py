"""Runs an exported graph in onnxruntime, and compares with what Frazil makes of the same rows:

    frazil transform ROWS --graph GRAPH -o TRANSFORMED --write-format parquet
    frazil graph export GRAPH --to onnx -o MODEL
    python onnx_graph.py MODEL ROWS TRANSFORMED [--mutate]

ROWS and TRANSFORMED are directories of Parquet files. Integers and strings must be equal, floats within ULPS
units in the last place. With --mutate the first number among the model's constants is changed, and the
answers must differ."""

import glob, os, sys
import numpy as np
import onnx, onnx.numpy_helper
import onnxruntime
import pyarrow as pa
import pyarrow.parquet

ULPS = 4
ENDING = ".row_splits"


def table(directory):
    paths = sorted(glob.glob(os.path.join(directory, "**", "*.parquet"), recursive=True))
    return pa.concat_tables([pyarrow.parquet.ParquetFile(path).read() for path in paths])


def lists(column):
    """A list of values for each row, whatever the column is."""
    rows = column.to_pylist()
    return [[] if row is None else row if isinstance(row, list) else [row] for row in rows]


def mutate(model):
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype in (np.float32, np.float64) and values.size == 1 and abs(values.reshape(-1)[0]) > 1:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values + values.dtype.type(1), tensor.name))
            return
    raise AssertionError("there is no constant to change")


def main():
    path, rows, transformed = sys.argv[1:4]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if "--mutate" in sys.argv:
        mutate(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    raw, expected = table(rows), table(transformed)
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64,
             "tensor(bool)": np.bool_, "tensor(string)": object}
    inputs = {entry.name: entry for entry in session.get_inputs()}
    feeds = {}
    for name, entry in inputs.items():
        if name.endswith(ENDING):
            continue
        values = lists(raw[name])
        text = lambda v: v.decode() if isinstance(v, bytes) else v
        flat = np.array([text(value) for row in values for value in row], dtype=kinds[entry.type])
        if name + ENDING in inputs:
            feeds[name + ENDING] = np.cumsum([0] + [len(row) for row in values]).astype(np.int64)
            feeds[name] = flat
        else:
            feeds[name] = flat.reshape([len(values)] + entry.shape[1:])
    names = [entry.name for entry in session.get_outputs()]
    answers = dict(zip(names, session.run(names, feeds)))
    bad = 0
    for name in expected.column_names:
        found = answers.get(name + ".out", answers.get(name))
        wanted = lists(expected[name])
        flat = np.array([value for row in wanted for value in row], dtype=found.dtype)
        splits = answers.get(name + ".out" + ENDING, answers.get(name + ENDING))
        if splits is not None and np.diff(splits).tolist() != [len(row) for row in wanted]:
            bad += 1
            print(f"{name}: rows have other lengths")
        found = found.reshape(-1)
        if found.dtype == np.float32:
            a, b = found.view(np.int32).astype(np.int64), flat.view(np.int32).astype(np.int64)
            flip = lambda v: np.where(v < 0, -(v + 2**31), v)
            wrong = int((np.abs(flip(a) - flip(b)) > ULPS).sum())
        else:
            wrong = int((found != flat).sum())
        if wrong:
            print(f"{name}: {wrong} of {len(flat)} values differ")
        bad += wrong
    print(f"onnxruntime {onnxruntime.__version__}: {expected.num_rows} rows, {expected.num_columns} columns: "
          f"{bad} differences")
    sys.exit((bad == 0) if "--mutate" in sys.argv else (bad != 0))


main()
