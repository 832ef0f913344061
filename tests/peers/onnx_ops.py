"""Asks onnxruntime what exported operations give: FRAZIL_EXPORTS=DIR cargo test --test it exports, then
python onnx_ops.py DIR [OP …]. Integers and strings must be equal, floats within ULPS units in the last
place; exits with 1 where they are not. With --mutate one constant of each graph is changed, and where it is
not seen is said."""

import collections, os, resource
import numpy as np
import onnx
import onnxruntime
from cases import first_wrong, judge, others, values_of

# exp, log, tanh and powers are other polynomials there, 2 ulps off at most; all else gives the same bits.
ULPS = 4
# Where onnxruntime's own kernels differ, on rare values.
KNOWN = {}
# Examples that answer the same whatever their constants are.
BLIND = {"dates.diff: dates.diff(when, when)"}  # 0 whatever it is divided by
FARTHEST = collections.Counter()


def off(found, expected, ulps):
    """Which values differ; counts how far."""
    found, expected = found.reshape(-1), expected.reshape(-1)
    if found.shape != expected.shape:
        return f"{found.shape} values, {expected.shape} expected"
    if expected.dtype in (np.float32, np.float64):
        if found.dtype != expected.dtype:
            return f"{found.dtype} values"
        ints, bits = (np.int32, 31) if expected.dtype == np.float32 else (np.int64, 63)
        ordered = lambda v: [-(i + 2**bits) if i < 0 else i for i in v.view(ints).tolist()]
        distance = np.array([abs(a - b) for a, b in zip(ordered(found), ordered(expected))], dtype=float)
        same = np.isnan(found) & np.isnan(expected)
        wrong = ~same & ((distance > ULPS) | (np.isnan(found) != np.isnan(expected)))
        ulps[int(max([0, *distance[~same & ~wrong]]))] += 1
    else:
        wrong = found != expected
    return first_wrong(found, expected, wrong)


def part(column, first, rows):
    """Some rows of a column."""
    if column["splits"]:
        splits = column["splits"][0][first:first + rows + 1]
        begin, end, each = splits[0], splits[-1], 1
    else:
        splits, each = None, int(np.prod(column["shape"]))
        begin, end = first * each, (first + rows) * each
    splits = [[split - begin for split in splits]] if splits else []
    return {**column, "splits": splits, "values": column["values"][begin:end]}


def parts(case):
    """All rows, none, and some alone: lists of all rows are empty then."""
    n = case["rows"]
    for first, rows in [(0, n), (0, 0)] + [(row, 1) for row in range(0, n, 9)]:
        columns = {kind: [part(column, first, rows) for column in case[kind]] for kind in ("inputs", "outputs")}
        yield {**case, **columns, "rows": rows}


def run(model, case):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    return [answers(session, part) for part in parts(case)]


def answers(session, case):
    feeds = {}
    for column in case["inputs"]:
        values = values_of(column, bytes.decode)
        if column["splits"]:
            feeds[column["name"] + ".row_splits"] = np.array(column["splits"][0], np.int64)
        else:
            values = values.reshape([case["rows"]] + column["shape"])
        feeds[column["name"]] = values
    wanted = {i.name for i in session.get_inputs()}
    feeds = {name: values for name, values in feeds.items() if name in wanted}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def compare(found, case, ulps):
    for answers, part in zip(found, parts(case)):
        wrong = compare_part(answers, part, ulps)
        if wrong:
            return f"of {part['rows']} rows: {wrong}"
    return None


def compare_part(answers, case, ulps):
    inputs = {column["name"] for column in case["inputs"]}
    for column in case["outputs"]:
        name = column["name"] + (".out" if column["name"] in inputs else "")
        answer = answers[name]
        if column["splits"]:
            if answers[name + ".row_splits"].tolist() != column["splits"][0]:
                return "values are in other rows"
        elif list(answer.shape) != [case["rows"]] + column["shape"]:
            return f"the shape is {answer.shape}"
        wrong = off(np.asarray(answer), values_of(column, bytes.decode), ulps)
        if wrong:
            return wrong
    return None


def mutants(model):
    """The model with one constant changed, for each of its constants that is no shape or axis."""
    graph = model.graph
    places = {1: ["Reshape", "Expand", "Unsqueeze", "Slice", "CumSum", "ReduceSum", "ReduceMax"],
              2: ["Slice"], 3: ["Slice"]}
    shapes = {node.input[i] for node in graph.node for i, ops in places.items()
              if node.op_type in ops and len(node.input) > i}

    def changed(change):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        change(other.graph)
        return other

    for i, constant in enumerate(graph.initializer):
        values = onnx.numpy_helper.to_array(constant)
        if constant.name in shapes or not values.size:
            continue
        tensors = [onnx.numpy_helper.from_array(np.asarray(other, values.dtype), constant.name)
                   for other in others(values, "~")]
        yield constant.name, [changed(lambda graph: graph.initializer[i].CopyFrom(t)) for t in tensors]
    for i, node in enumerate(graph.node):
        for j, attribute in enumerate(node.attribute):
            def other(graph):
                attribute = graph.node[i].attribute[j]
                if attribute.name == "values_int64s":
                    attribute.ints[:] = [id + 1 for id in attribute.ints]
                elif attribute.name == "case_change_action":
                    attribute.s = b"UPPER" if attribute.s == b"LOWER" else b"LOWER"
                else:
                    attribute.s = attribute.s + b"~"
            if attribute.name in ("values_int64s", "case_change_action", "pattern", "delimiter"):
                yield f"{attribute.name} of {node.op_type}", [changed(other)]


def answers_alike(model, case):
    """In a process of its own: a changed graph may divide by 0, or ask for any amount of memory."""
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        try:
            wrong = compare(run(model.SerializeToString(), case), case, collections.Counter())
        except Exception as error:
            wrong = str(error)
        os._exit(bool(wrong))
    return os.waitpid(child, 0)[1] == 0


def mutated(place, case):
    """How many changed models answer differently, and which do not."""
    models = list(mutants(onnx.load(os.path.join(place, "model.onnx"))))
    unseen = [name for name, others in models if all(answers_alike(other, case) for other in others)]
    return len(models) - len(unseen), unseen


def check(place, case):
    return compare(run(os.path.join(place, "model.onnx"), case), case, FARTHEST)


judge(f"onnxruntime {onnxruntime.__version__}", "model.onnx", "onnx.json", check, mutated, KNOWN, BLIND, FARTHEST)
