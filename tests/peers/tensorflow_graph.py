"""Loads an exported graph as TFX does, with the real TensorFlow Transform, and compares what comes out:

    frazil transform ROWS --graph GRAPH -o TRANSFORMED --write-format tfrecord
    frazil graph export GRAPH --to tensorflow -o EXPORT
    python tensorflow_graph.py EXPORT ROWS TRANSFORMED [--mutate]

ROWS and TRANSFORMED are directories of TFRecord files. Integers and strings must be equal, floats within
ULPS units in the last place, for every row: from TFTransformOutput's layer, from the SavedModel that
is served, and from a Keras model saved around the layer. With --mutate one constant of the graph is
changed first, and the answers must differ. Exits with 1 where something is not so."""

import glob, os, shutil, sys, tempfile
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
try:
    import tensorflow_text  # its operations
except ImportError:
    pass
from tensorflow.core.protobuf import saved_model_pb2

ULPS = 1


def records(directory):
    for path in sorted(glob.glob(os.path.join(directory, "**", "*"), recursive=True)):
        if os.path.isfile(path) and "tfrecord" in os.path.basename(path):
            yield from (record.numpy() for record in tf.data.TFRecordDataset(path))


def rows_of(tensor):
    """A list of values for each row."""
    if isinstance(tensor, tf.sparse.SparseTensor):
        tensor = tf.RaggedTensor.from_sparse(tensor)
    if isinstance(tensor, tf.RaggedTensor):
        return [np.asarray(row.numpy()).reshape(-1) for row in tensor]
    return [np.asarray(row).reshape(-1) for row in np.asarray(tensor)]


def compare(name, found, expected):
    wrong = 0
    for a, b in zip(found, expected):
        if a.dtype == np.float32 and a.shape == b.shape:
            x, y = a.view(np.int32).astype(np.int64), b.view(np.int32).astype(np.int64)
            flip = lambda v: np.where(v < 0, -(v + 2**31), v)
            same = (np.abs(flip(x) - flip(y)) <= ULPS) | (np.isnan(a) & np.isnan(b))
            wrong += not same.all()
        else:
            wrong += a.tolist() != b.tolist()
    if wrong or len(found) != len(expected):
        print(f"{name}: {wrong} of {len(expected)} rows differ, {len(found)} rows")
    return wrong + abs(len(found) - len(expected))


def mutate(directory):
    """Changes one constant of every graph, and the order of the tokens of every vocabulary."""
    changed = 0
    for path in glob.glob(os.path.join(directory, "*", "assets", "*")):
        lines = open(path, "rb").read().splitlines()
        open(path, "wb").write(b"\n".join(lines[1:] + lines[:1]) + b"\n")
        changed += 1
    for path in glob.glob(os.path.join(directory, "*", "saved_model.pb")):
        model = saved_model_pb2.SavedModel()
        model.ParseFromString(open(path, "rb").read())
        for node in model.meta_graphs[0].graph_def.node:
            tensor = node.attr["value"].tensor if node.op == "Const" else None
            if tensor is not None and tensor.dtype == tf.float32.as_datatype_enum:
                values = np.frombuffer(tensor.tensor_content, np.float32)
                if len(values) == 1 and abs(values[0]) > 1:
                    tensor.tensor_content = (values + np.float32(1)).tobytes()
                    changed += 1
                    break
        open(path, "wb").write(model.SerializeToString())
    assert changed, "there is something to change"


def main():
    export, rows, transformed = sys.argv[1:4]
    must_differ = "--mutate" in sys.argv
    place = tempfile.mkdtemp()
    shutil.copytree(export, os.path.join(place, "export"))
    export = os.path.join(place, "export")
    if must_differ:
        mutate(export)
    raw = list(records(rows))
    output = tft.TFTransformOutput(export)
    expected = tf.io.parse_example(list(records(transformed)), output.transformed_feature_spec())
    parsed = tf.io.parse_example(raw, output.raw_feature_spec())
    layer = output.transform_features_layer()
    bad = 0
    answers = layer(dict(parsed))
    for name in expected:
        bad += compare(f"TFTransformOutput: {name}", rows_of(answers[name]), rows_of(expected[name]))

    served = tf.saved_model.load(os.path.join(export, "serving"), tags=["serve"])
    signature = served.signatures["serving_default"]
    answers = signature(examples=tf.constant(raw))
    for name in expected:
        bad += compare(f"served: {name}", rows_of(answers[name]), rows_of(expected[name]))

    # As TFX's Trainer exports: the layer inside of a function of serialized examples.
    module = tf.Module()
    module.layer = layer
    spec = output.raw_feature_spec()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(examples):
        answers = module.layer(tf.io.parse_example(examples, spec))
        return {name: tf.sparse.to_dense(v) if isinstance(v, tf.sparse.SparseTensor) else v
                for name, v in answers.items()}

    saved = os.path.join(place, "saved")
    tf.saved_model.save(module, saved, signatures=serve)
    shutil.move(export, export + "-moved")
    again = tf.saved_model.load(saved).signatures["serving_default"](tf.constant(raw))
    for name in expected:
        if not isinstance(expected[name], tf.sparse.SparseTensor):
            bad += compare(f"saved again: {name}", rows_of(again[name]), rows_of(expected[name]))
    output = tft.TFTransformOutput(export + "-moved")
    vocabularies = [name for name in (tf.io.gfile.listdir(export + "-moved/transform_fn/assets")
                                      if os.path.isdir(export + "-moved/transform_fn/assets") else [])]
    for name in vocabularies:
        n = output.vocabulary_size_by_name(name)
        assert n == len(output.vocabulary_by_name(name)) > 0, name
    buckets = []
    for name in expected:
        try:
            buckets.append(output.num_buckets_for_transformed_feature(name))
        except ValueError:
            pass
    shutil.rmtree(place)
    print(f"TensorFlow {tf.__version__}, TFT {tft.__version__}: {len(raw)} rows, {len(expected)} columns, "
          f"{len(vocabularies)} vocabularies, {len(buckets)} columns with known buckets: {bad} differences")
    sys.exit((bad == 0) if must_differ else (bad != 0))


main()
