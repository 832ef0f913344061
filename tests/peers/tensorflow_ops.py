"""Asks TensorFlow what exported operations give: FRAZIL_EXPORTS=DIR cargo test --test it exports, then
python tensorflow_ops.py DIR [OP …]. Integers and strings must be equal, floats within ULPS units in the last
place; exits with 1 where they are not. With --mutate one constant of each graph is changed, and where it is
not seen is said."""

import collections, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
try:
    import tensorflow_text  # its operations
except ImportError:
    pass
from cases import first_wrong, judge, others, values_of

ULPS = 1
FARTHEST = collections.Counter()
# Where TensorFlow's own kernels differ from IEEE 754 on rare values.
KNOWN = {
    "math.floordiv: x // y": "a quotient below the normal numbers is 0 there, before it is rounded down",
    "math.pow: math.pow(d, 0.5)": "minus infinity to a fraction is NaN there",
}
# Examples that answer the same whatever their constants are.
BLIND = {
    "dates.diff: dates.diff(when, when)",  # 0 whatever it is divided by
    "tft.apply_vocabulary: tft.apply_vocabulary(s, tft.vocabulary_from_list(['a']), "
    "lookup=[tft.hash_strings(s, 9), 9])",  # the buckets are no constant of the graph
    "tft.compute_and_apply_vocabulary: tft.compute_and_apply_vocabulary(nvec, default_value=99, "
    "frequency_threshold=2)",  # the tokens are in a file, and the default is not needed
}



def feed(info, column, rows, feeds):
    values = values_of(column)
    if not column["splits"]:
        feeds[info.name] = values.reshape([rows] + column["shape"])
        return
    if info.WhichOneof("encoding") == "composite_tensor":
        parts = info.composite_tensor.components
        feeds[parts[0].name] = values.reshape([-1] + inner(column["shape"]))
        for part, splits in zip(parts[1:], all_splits(column)):
            feeds[part.name] = splits
        return
    splits = np.array(column["splits"][0])
    at = np.repeat(np.arange(rows), np.diff(splits))
    places = np.arange(len(values)) - splits[at] if len(values) else np.zeros(0, np.int64)
    coo = info.coo_sparse
    feeds[coo.values_tensor_name] = values
    feeds[coo.indices_tensor_name] = np.stack([at, places], 1).astype(np.int64).reshape(-1, 2)
    longest = int(np.diff(splits).max()) if rows else 0
    feeds[coo.dense_shape_tensor_name] = np.array([rows, longest], np.int64)


def inner(shape):
    """The fixed dimensions behind the last that varies."""
    return shape[len(shape) - shape[::-1].index(-1):]


def all_splits(column):
    """The splits of every dimension up to the last that varies, those of fixed ones included."""
    shape, own, splits = column["shape"], list(column["splits"]), []
    for size in shape[:len(shape) - len(inner(shape))]:
        items = len(own[0]) - 1 if not splits else int(splits[-1][-1])
        if size < 0:
            splits.append(np.array(own.pop(0), np.int64))
        else:
            if not splits:  # Behind rows: the next splits are of as many lists as all rows have.
                items //= size
            splits.append(np.arange(items + 1, dtype=np.int64) * size)
    return splits


def off(found, expected):
    """Which values differ."""
    found, expected = found.reshape(-1), expected.reshape(-1)
    if found.shape != expected.shape:
        return f"{found.shape} values, {expected.shape} expected"
    if expected.dtype in (np.float32, np.float64):
        ints = np.int32 if expected.dtype == np.float32 else np.int64
        a, b = found.view(ints).astype(object), expected.view(ints).astype(object)
        # TensorFlow's kernels take numbers below the normal ones for 0.
        least = np.finfo(expected.dtype).tiny
        small = (np.abs(expected) < least) & (np.abs(found) < least)
        same = small | np.isnan(found) & np.isnan(expected)
        flip = lambda v: np.where(v < 0, -(v + 2 ** (31 if ints is np.int32 else 63)), v)
        distance = np.abs(flip(a) - flip(b))
        FARTHEST[int(distance[~small & np.isfinite(found) & np.isfinite(expected)].max(initial=0))] += 1
        wrong = ~same & ((distance > ULPS) | (np.isnan(found) != np.isnan(expected)))
    else:
        wrong = found != expected
    return first_wrong(found, expected, wrong)


def check(place, case):
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        model = tf.compat.v1.saved_model.load(session, ["transform"], os.path.join(place, "model"))
        return compare(session, model.signature_def["transform_signature"], case)


def compare(session, signature, case):
    feeds = {}
    for column in case["inputs"]:
        feed(signature.inputs[column["name"]], column, case["rows"], feeds)
    wanted = {}
    for column in case["outputs"]:
        info = signature.outputs[column["name"]]
        if info.WhichOneof("encoding") == "composite_tensor":
            wanted[column["name"]] = [part.name for part in info.composite_tensor.components]
        elif column["splits"]:
            coo = info.coo_sparse
            wanted[column["name"]] = [coo.values_tensor_name, coo.indices_tensor_name, coo.dense_shape_tensor_name]
        else:
            wanted[column["name"]] = [info.name]
    answers = session.run(wanted, feeds)
    for column in case["outputs"]:
        answer, expected = answers[column["name"]], values_of(column)
        if column["splits"] and len(column["shape"]) > 1:
            expected_splits = all_splits(column)
            if len(answer) != len(expected_splits) + 1:
                return f"{len(answer) - 1} splits"
            if any(a.tolist() != b.tolist() for a, b in zip(answer[1:], expected_splits)):
                return "lists have other lengths"
        elif column["splits"]:
            splits = np.array(column["splits"][0])
            at = np.repeat(np.arange(case["rows"]), np.diff(splits))
            if answer[1][:, 0].tolist() != at.tolist():
                return "values are in other rows"
            if answer[2][0] != case["rows"]:
                return f"{answer[2][0]} rows"
        elif list(answer[0].shape) != [case["rows"]] + column["shape"]:
            return f"the shape is {answer[0].shape}"
        wrong = off(np.asarray(answer[0]), expected)
        if wrong:
            return wrong
    return None


# Inputs that are shapes, axes and the like.
SHAPES = {"Reshape": 1, "GatherV2": 2, "Slice": 1, "Fill": 0, "ConcatV2": -1, "Cumsum": 1, "Sum": 1, "Max": 1,
          "Min": 1, "OneHot": 1, "RaggedTensorToTensor": 0, "BroadcastTo": 1, "UniqueV2": 1}


def mutants(place):
    """The graph with one constant changed, for each of its constants that is no shape or axis."""
    model = saved_model_pb2.SavedModel()
    with open(os.path.join(place, "model", "saved_model.pb"), "rb") as file:
        model.ParseFromString(file.read())
    meta = model.meta_graphs[0]
    nodes = {node.name: node for node in meta.graph_def.node}
    fixed = {node.input[SHAPES[node.op]] for node in nodes.values() if node.op in SHAPES}
    for asset in meta.asset_file_def:
        name = asset.tensor_info.name.split(":")[0]
        fixed.add(name)
        path = os.path.join(place, "model", "assets", asset.filename).encode()
        nodes[name].attr["value"].tensor.string_val[:] = [path]
    for name, node in nodes.items():
        if node.op != "Const" or name in fixed:
            continue
        values = tf.make_ndarray(node.attr["value"].tensor)
        if values.size and values.dtype != np.int32:
            kept = node.attr["value"].tensor.SerializeToString()
            for other in others(values, b"~"):
                changed = tf.make_tensor_proto(other, dtype=values.dtype, shape=values.shape)
                node.attr["value"].tensor.CopyFrom(changed)
                yield name, meta
            node.attr["value"].tensor.ParseFromString(kept)


def mutated(place, case):
    """How many changed graphs answer differently, and which do not."""
    found = {}
    for name, meta in mutants(place):
        if found.get(name):
            continue
        graph = tf.Graph()
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            try:
                tf.import_graph_def(meta.graph_def, name="")
                session.run("init")
                wrong = compare(session, meta.signature_def["transform_signature"], case)
            except Exception as error:
                wrong = str(error)
        found[name] = bool(wrong)
    unseen = [name for name, seen in found.items() if not seen]
    return len(found) - len(unseen), unseen


judge(f"TensorFlow {tf.__version__}", "model", "case.json", check, mutated, KNOWN, BLIND, FARTHEST)
