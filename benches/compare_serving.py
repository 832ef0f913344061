"""`frazil serve` beside TensorFlow in process, and beside servers that ask TensorFlow, each on one core.

    cargo build --release && python3.11 benches/compare_serving.py [--peers PYTHON] [--frazil PROGRAM]

Trains a model of taxi trips, exports its graph for TensorFlow, puts the same weights behind it in a SavedModel
with one signature, holds every server to TensorFlow's scores, and prints one table. Raw features go in and
scores come out. A server and all its processes have one core, the load has another: `load.rs` for REST, and
h2load of nghttp2 for gRPC, which is left out where there is none. TensorFlow Serving's program is in no
registry of packages: the session in process is the C++ that it runs, without network, decoding and queues,
and so a bound for it. The other servers call TensorFlow from Python, as it is done with them.

The peers are installed from PyPI into a virtual environment. Triton wants the Python of a distribution, of
version 3.9 to 3.13: its own libraries do not fit every other.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import compare
from compare import FRAZIL, ROOT

PACKAGES = ["tensorflow-cpu==2.21.0", "mlserver==1.7.1", "nvidia-pytriton==0.7.0", "httptools", "safetensors"]
# It asks for the package `tensorflow`, and works with `tensorflow-cpu`.
ALONE = "tensorflow-serving-api==2.21.0"
ROWS = [1, 64]

START = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
tf.get_logger().setLevel("ERROR")
folder = sys.argv[1]
spec = json.load(open(f"{folder}/model/model.json"))
INPUTS = {name: kind.removesuffix("[var]") for name, kind in spec["signature"]["inputs"].items()}
TYPES = {name: np.dtype(object if kind == "string" else kind) for name, kind in INPUTS.items()}
"""

# The SavedModel, its scores, and the requests in the words of TensorFlow Serving and of the Open Inference Protocol.
PREPARE = (
    START
    + """
import csv
from safetensors.numpy import load_file
from tensorflow_serving.apis import predict_pb2
from tritonclient.grpc import service_pb2

weights = {name: tf.constant(value) for name, value in load_file(f"{folder}/model/weights.safetensors").items()}

class Model(tf.Module):
    def __init__(self):
        self.graph = tf.saved_model.load(f"{folder}/tensorflow/transform_fn")

    @tf.function(input_signature=[{name: tf.TensorSpec([None], kind, name) for name, kind in INPUTS.items()}])
    def __call__(self, raw):
        transform, n = self.graph.signatures["transform_signature"], tf.size(raw["fare"], tf.int64)
        args = {}
        for name, of in transform.structured_input_signature[1].items():
            feature = next((f for f in INPUTS if name in [f, f + "_values", f + "_indices", f + "_dense_shape"]), None)
            if name.endswith("_values"):
                args[name] = raw[feature] if feature else tf.zeros([0], of.dtype)
            elif name.endswith("_indices"):
                rows = tf.range(n if feature else tf.zeros_like(n))
                args[name] = tf.stack([rows, tf.zeros_like(rows)], 1)
            elif name.endswith("_dense_shape"):
                args[name] = tf.stack([n, 1])
            else:
                args[name] = raw[feature][:, None] if feature else tf.zeros(tf.stack([n, 1]), of.dtype)
        features = transform(**args)
        numbers, embeddings, wide = [], [], []
        for kind, of in [item for feature in spec["spec"]["features"] for item in feature.items()]:
            value = features[of["name"]]
            if kind == "numeric":
                numbers.append(value[:, None])
            else:
                embeddings.append(tf.gather(weights["embedding." + of["name"]], value - of["least"]))
                wide.append(tf.gather(weights["wide." + of["name"]], value - of["least"]))
        hidden = tf.concat(numbers + embeddings, 1)
        for i in range(len(spec["spec"]["architecture"]["wide_and_deep"]["hidden"])):
            hidden = tf.nn.relu(hidden @ weights[f"hidden.{i}.weight"] + weights[f"hidden.{i}.bias"])
        logits = tf.add_n([hidden @ weights["logits.weight"] + weights["logits.bias"], *wide])
        return {"score": tf.sigmoid(logits)[:, 0]}

model = Model()
tf.saved_model.save(model, f"{folder}/saved", signatures=model.__call__)
meta = tf.compat.v1.saved_model.load(tf.compat.v1.Session(graph=tf.Graph()), ["serve"], f"{folder}/saved")
signature = meta.signature_def["serving_default"]
names = {name: [signature.inputs[name].name, kind] for name, kind in INPUTS.items()}
json.dump({"inputs": names, "output": signature.outputs["score"].name}, open(f"{folder}/signature", "w"))

(path,) = [f"{folder}/data/{name}" for name in os.listdir(f"{folder}/data")]
rows = [row for row in csv.DictReader(open(path, encoding="utf-8")) if all(row[name] for name in INPUTS)]
cast = {"float32": float, "int64": int, "string": str}
OIP = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}
for n in map(int, sys.argv[2:]):
    chosen = [{name: cast[kind](row[name]) for name, kind in INPUTS.items()} for row in rows[:n]]
    columns = {name: [row[name] for row in chosen] for name in INPUTS}
    tensors = {name: tf.constant(values, INPUTS[name]) for name, values in columns.items()}
    scores = model(tensors)["score"].numpy()
    json.dump(scores.tolist(), open(f"{folder}/scores-{n}", "w"))
    json.dump(columns, open(f"{folder}/columns-{n}", "w"))
    json.dump({"instances": chosen}, open(f"{folder}/tfs-rest-{n}", "w"))
    inputs = [
        {"name": name, "shape": [n, 1], "datatype": OIP[INPUTS[name]], "data": values}
        for name, values in columns.items()
    ]
    json.dump({"inputs": inputs}, open(f"{folder}/oip-rest-{n}", "w"))
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "taxi"
    for name, tensor in tensors.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy(), shape=[n, 1]))
    infer = service_pb2.ModelInferRequest(model_name="taxi")
    for of in inputs:
        tensor = infer.inputs.add(name=of["name"], datatype=of["datatype"], shape=of["shape"])
        if of["datatype"] == "BYTES":
            tensor.contents.bytes_contents.extend(value.encode() for value in of["data"])
        elif of["datatype"] == "INT64":
            tensor.contents.int64_contents.extend(of["data"])
        else:
            tensor.contents.fp32_contents.extend(of["data"])
    for kind, message in [("tfs", request), ("oip", infer)]:
        body = message.SerializeToString()
        open(f"{folder}/{kind}-grpc-{n}", "wb").write(b"\\0" + len(body).to_bytes(4, "big") + body)
"""
)

# One thread of its own, as much as one core can use.
SCORE = (
    START
    + """
from tensorflow.compat import v1

def scorer():
    config = v1.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1, use_per_session_threads=True
    )
    session = v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        meta = v1.saved_model.load(session, ["serve"], f"{folder}/saved")
    signature = meta.signature_def["serving_default"]
    call = session.make_callable(signature.outputs["score"].name, [signature.inputs[n].name for n in TYPES])
    return lambda columns: call(*(columns[name] for name in TYPES))
"""
)

# TensorFlow's session by its C interface: what TensorFlow Serving runs, without Python around it. Tensors are
# made once, and only the calls are timed.
IN_PROCESS = """
import ctypes, importlib.util, json, sys, time
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p
import numpy as np

folder, seconds, *counts = sys.argv[1:]
home = importlib.util.find_spec("tensorflow").submodule_search_locations[0]
library = ctypes.CDLL(f"{home}/libtensorflow_cc.so.2")
DTYPES = {"float32": 1, "string": 7, "int64": 9}

def tf(name, *args, result=c_void_p):
    function = getattr(library, "TF_" + name)
    function.restype, function.argtypes = result, [c_size_t if isinstance(x, int) else type(x) for x in args]
    return function(*args)

class Output(Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]

def checked(result=None):
    if tf("GetCode", status, result=c_int):
        sys.exit(tf("Message", status, result=c_char_p).decode())
    return result

made = lambda name: c_void_p(tf(name))
status, graph, options = made("NewStatus"), made("NewGraph"), made("NewSessionOptions")
# As a ConfigProto: one thread for operations, and the caller's own between them.
config = bytes.fromhex("1001 28ffffffffffffffffff01 4801")
tf("SetConfig", options, c_char_p(config), len(config), status)
tags = (c_char_p * 1)(b"serve")
load = library.TF_LoadSessionFromSavedModel
load.restype, load.argtypes = c_void_p, [c_void_p, c_void_p, c_char_p, c_void_p, c_int, c_void_p, c_void_p, c_void_p]
session = c_void_p(checked(load(options, None, f"{folder}/saved".encode(), tags, 1, graph, None, status)))
names = json.load(open(f"{folder}/signature"))

def output(name):
    operation, _, index = name.partition(":")
    return Output(tf("GraphOperationByName", graph, c_char_p(operation.encode())), int(index))

def tensor(kind, values):
    size = 24 if kind == "string" else np.dtype(kind).itemsize
    allocate = library.TF_AllocateTensor
    allocate.restype, allocate.argtypes = c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]
    made = c_void_p(allocate(DTYPES[kind], (c_int64 * 1)(len(values)), 1, len(values) * size))
    data = tf("TensorData", made)
    if kind == "string":
        for i, value in enumerate(values):
            place, value = c_void_p(data + size * i), value.encode()
            tf("StringInit", place, result=None)
            tf("StringCopy", place, c_char_p(value), len(value), result=None)
    else:
        ctypes.memmove(data, np.array(values, kind).tobytes(), len(values) * size)
    return made

run = library.TF_SessionRun
run.restype = None
run.argtypes = [c_void_p] * 4 + [c_int] + [c_void_p] * 2 + [c_int, c_void_p, c_int] + [c_void_p] * 2
delete = library.TF_DeleteTensor
delete.restype, delete.argtypes = None, [c_void_p]
wanted, found = (Output * 1)(output(names["output"])), (c_void_p * 1)()
for n in counts:
    columns = json.load(open(f"{folder}/columns-{n}"))
    inputs = (Output * len(columns))(*(output(names["inputs"][name][0]) for name in columns))
    values = (c_void_p * len(columns))(*(tensor(names["inputs"][name][1], columns[name]).value for name in columns))

    def call():
        run(session, None, inputs, values, len(columns), wanted, found, 1, None, 0, None, status)

    for _ in range(500):
        call()
        checked()
        data = ctypes.string_at(tf("TensorData", c_void_p(found[0])), 4 * int(n))
        delete(found[0])
    assert np.allclose(np.frombuffer(data, np.float32), json.load(open(f"{folder}/scores-{n}")), rtol=0, atol=1e-5)
    times, end = [], time.perf_counter() + float(seconds)
    start = time.perf_counter()
    while start < end:
        call()
        delete(found[0])
        now = time.perf_counter()
        times.append(now - start)
        start = now
    checked()
    times.sort()
    rate = len(times) / sum(times)
    print(json.dumps([rate, times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3]), flush=True)
sys.stdin.read()
"""

FASTAPI = (
    SCORE
    + """
import orjson, uvicorn
from fastapi import FastAPI, Request, Response
app, score = FastAPI(), scorer()

@app.post("/v1/models/taxi:predict")
async def predict(request: Request):
    rows = orjson.loads(await request.body())["instances"]
    scores = score({name: np.array([row[name] for row in rows], kind) for name, kind in TYPES.items()})
    return Response(orjson.dumps({"predictions": scores.tolist()}), media_type="application/json")

uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
"""
)

MLSERVER = (
    START.replace("sys.argv[1]", 'os.environ["SERVING"]')
    + SCORE[len(START) :]
    + """
from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput

class Taxi(MLModel):
    async def load(self):
        self.score = scorer()
        return True

    async def predict(self, payload):
        scores = self.score({of.name: np.array(of.data.root, TYPES[of.name]).reshape(-1) for of in payload.inputs})
        output = ResponseOutput(name="score", shape=[len(scores)], datatype="FP32", data=scores.tolist())
        return InferenceResponse(model_name=self.name, outputs=[output])
"""
)

TRITON = (
    SCORE
    + """
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
score = scorer()

@batch
def infer(**columns):
    return {"score": score({name: values[:, 0] for name, values in columns.items()})[:, None]}

http, grpc, metrics = map(int, sys.argv[2:])
tensor = lambda name, kind: Tensor(name=name, dtype=np.bytes_ if kind == object else kind, shape=(1,))
with Triton(config=TritonConfig(http_port=http, grpc_port=grpc, metrics_port=metrics)) as triton:
    inputs = [tensor(name, kind) for name, kind in TYPES.items()]
    triton.bind("taxi", infer, inputs, [tensor("score", np.float32)], config=ModelConfig(max_batch_size=64))
    triton.serve()
"""
)

# What a server answers by gRPC to each request: the scores, and how long the message is.
ASK = """
import json, sys
import grpc, numpy as np
target, method, *paths = sys.argv[1:]
channel, answers = grpc.insecure_channel(target), []
for path in paths:
    answer = channel.unary_unary(method)(open(path, "rb").read()[5:], timeout=10, wait_for_ready=True)
    if "tensorflow" in method:
        from tensorflow_serving.apis import predict_pb2
        scores = predict_pb2.PredictResponse.FromString(answer).outputs["score"].float_val
    else:
        from tritonclient.grpc import service_pb2
        message = service_pb2.ModelInferResponse.FromString(answer)
        raw = message.raw_output_contents
        scores = np.frombuffer(raw[0], np.float32) if raw else message.outputs[0].contents.fp32_contents
    answers.append([list(map(float, scores)), len(answer)])
print(json.dumps(answers))
"""

PATHS = {
    "tfs-rest": "/v1/models/taxi:predict",
    "tfs-grpc": "/tensorflow.serving.PredictionService/Predict",
    "oip-rest": "/v2/models/taxi/infer",
    "oip-grpc": "/inference.GRPCInferenceService/ModelInfer",
}


def free_ports(n):
    """Ports that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def tree(pid):
    """A process and all that it has started."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def resident(pid):
    """MiB of memory of a process and all that it has started; what they share counts once."""
    total = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
    return total / 1024


@contextlib.contextmanager
def running(command, log, **options):
    """A process on the first core, until it is not needed any more."""
    with log.open("w") as errors:
        command = ["taskset", "-c", "0", *map(str, command)]
        process = subprocess.Popen(command, stderr=errors, stdin=subprocess.PIPE, **options)
        try:
            yield process
        finally:
            started = tree(process.pid)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            for one in started if process.poll() is None else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, 9)
            process.wait()


def run(*command, core=None):
    """What a program prints."""
    command = [*(["taskset", "-c", core] if core else []), *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)[:200]}:\n{done.stderr}")
    return done.stdout


class Bench:
    """The files and programs of a run."""

    def __init__(self, args):
        self.peers, self.seconds = args.peers, args.seconds
        self.folder = args.data / "serving"
        self.load = self.folder / "load"

    def ask(self, kind, port, rows):
        """For each number of rows the scores of a server, and the length of its answer by gRPC."""
        paths = [self.folder / f"{kind}-{n}" for n in rows]
        if kind.endswith("grpc"):
            return json.loads(run(self.peers, "-c", ASK, f"127.0.0.1:{port}", PATHS[kind], *paths, core="1"))
        answers = []
        for path in paths:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{PATHS[kind]}", path.read_bytes())
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer = json.load(answer)
            answers.append([answer["outputs"][0]["data"] if kind.startswith("oip") else answer["predictions"], 0])
        return answers

    def shoot(self, kind, port, n, rate, seconds, length):
        """Requests a second, p50 and p99 in ms, with 8 connections; rate 0 is as many as it takes.

        A connection of REST waits for each answer; one of gRPC has 4 requests under way.
        """
        path = self.folder / f"{kind}-{n}"
        if kind.endswith("rest"):
            options = [f"rate={rate}", f"seconds={seconds}", "connections=8", f"path={PATHS[kind]}"]
            text = run(self.load, f"127.0.0.1:{port}", "taxi", path, *options, core="1")
            if set(re.findall(r"(\d+): \d+", text)) != {"200"}:
                raise SystemExit(f"{kind} {n}: {text}")
            number = lambda pattern: float(re.search(pattern, text)[1])
            return number(r", (\d+) a second"), number(r"p50 (\S+)"), number(r"p99 (\S+)")
        log = self.folder / "h2load.log"
        log.unlink(missing_ok=True)
        # At a rate, others may be under way, so that each is sent when its time has come.
        how = ["--rps", rate / 8, "-m", 16] if rate else ["-m", 4]
        words = ["h2load", "-c", 8, "-D", seconds, *how, "-d", path, "--log-file", log]
        words += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        text = run(*words, f"http://127.0.0.1:{port}{PATHS[kind]}", core="1")
        lines = [line.split() for line in log.read_text().splitlines()]
        data = int(re.search(r"\((\d+)\) data", text)[1])
        # An error of gRPC is HTTP's 200 without a message.
        if {line[1] for line in lines} != {"200"} or data < 0.99 * len(lines) * (length + 5):
            raise SystemExit(f"{kind} {n}: {text}")
        times = sorted(int(line[2]) / 1e3 for line in lines)
        return len(times) / seconds, times[len(times) // 2], times[len(times) * 99 // 100]

    def measure(self, what, server, kind, port):
        """The lines of the table of one server and protocol."""
        for n, (found, length) in zip(ROWS, self.ask(kind, port, ROWS)):
            expected = json.loads((self.folder / f"scores-{n}").read_text())
            if len(found) != n or max(abs(a - b) for a, b in zip(found, expected)) > 1e-5:
                raise SystemExit(f"{what} answers {found[:3]} …, TensorFlow {expected[:3]} …")
            shoot = lambda rate, seconds: self.shoot(kind, port, n, rate, seconds, length)
            shoot(0, 1)
            most = shoot(0, self.seconds)[0]
            rate = 1000 if most > 1250 else int(most * 0.08) * 10
            for _ in range(4):
                held, p50, p99 = shoot(rate, self.seconds)
                if held > 0.98 * rate:
                    break
                rate = int(rate * 0.08) * 10
            row(what, n, f"{rate:,}", p50, p99, most, resident(server.pid))


def row(what, n, rate, p50, p99, most, memory):
    """A line of the table."""
    digits = lambda ms: f"{ms:.2f}" if ms < 10 else f"{ms:.0f}"
    cells = [what, n, rate, digits(p50), digits(p99), f"{most:,.0f}", f"{most * n:,.0f}", f"{memory:.0f}"]
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def environment(directory):
    """The peers' Python."""
    python = compare.environment(directory, "serving", ["uv"])
    install = [python, "-m", "uv", "pip", "install", "-q", "--python", python]
    subprocess.run([*install, *PACKAGES], check=True)
    subprocess.run([*install, "--no-deps", ALONE], check=True)
    return python


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--frazil", type=pathlib.Path, default=FRAZIL)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "target/bench-data")
    parser.add_argument("--peers-dir", type=pathlib.Path, default=ROOT / "target/peers")
    parser.add_argument("--peers", type=pathlib.Path, help="python with what this file's `PACKAGES` names")
    args = parser.parse_args()
    args.peers = args.peers or environment(args.peers_dir)
    bench = Bench(args)
    folder = bench.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    run("rustc", "-O", "--edition", "2024", ROOT / "runners/serve/examples/load.rs", "-o", bench.load)
    data, graph, model = folder / "data", folder / "graph", folder / "model"
    run(args.frazil, "generate", data, "--rows", 20_000, "--shards", 1, "--format", "csv", "-q")
    run(args.frazil, "analyze", data, "--preprocessing", ROOT / "datasets/modules/taxi.star", "-o", graph, "-q")
    run(args.frazil, "train", data, "--eval", data, "--graph", graph, "--label", "tips_xf", "-o", model, "-q")
    run(args.frazil, "graph", "export", graph, "--to", "tensorflow", "-o", folder / "tensorflow")
    run(args.peers, "-c", PREPARE, folder, *ROWS)
    (folder / "taxi_runtime.py").write_text(MLSERVER)

    print(f"One core of {os.cpu_count()} for the server, load {os.getloadavg()[0]:.1f} at the start")
    print("| what | rows a request | requests/s sent | p50 ms | p99 ms | most requests/s | most rows/s | MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    log = folder / "log"
    kinds = ["rest", "grpc"] if shutil.which("h2load") else ["rest"]

    def serve(what, protocol, kinds, ports, command, **options):
        with running(command, log, stdout=subprocess.DEVNULL, **options) as server:
            end = time.time() + 90
            while True:
                try:
                    bench.ask(f"{protocol}-rest", ports[0], ROWS[:1])
                    break
                except OSError as error:
                    if server.poll() is not None or time.time() > end:
                        print(f"{what} does not answer: {error}\n{log.read_text()}", file=sys.stderr)
                        return
                time.sleep(0.2)
            for kind, port in zip(kinds, ports):
                name = f"{what}, {'gRPC' if kind == 'grpc' else 'REST'}"
                bench.measure(name, server, f"{protocol}-{kind}", port)

    ports = free_ports(2)
    addresses = ["--listen", f"127.0.0.1:{ports[0]}", "--grpc", f"127.0.0.1:{ports[1]}"]
    command = [args.frazil, "serve", "--model", f"taxi={model}", "--threads", 1, *addresses]
    serve("`frazil serve`", "tfs", kinds, ports, command)

    command = [args.peers, "-c", IN_PROCESS, folder, args.seconds, *ROWS]
    with running(command, log, stdout=subprocess.PIPE, text=True) as process:
        for n in ROWS:
            line = process.stdout.readline()
            if not line:
                raise SystemExit(log.read_text())
            most, p50, p99 = json.loads(line)
            row("TensorFlow's session, in process", n, "most", p50, p99, most, resident(process.pid))

    ports = free_ports(3)
    serve("Triton and TensorFlow", "oip", kinds, ports, [args.peers, "-c", TRITON, folder, *ports])
    ports = free_ports(3)
    settings = {"http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2]}
    settings |= {"parallel_workers": 0, "debug": False, "host": "127.0.0.1"}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps({"name": "taxi", "implementation": "taxi_runtime.Taxi"}))
    env = {**os.environ, "PYTHONPATH": str(folder), "SERVING": str(folder)}
    command = [args.peers.with_name("mlserver"), "start", folder]
    serve("MLServer and TensorFlow", "oip", kinds, ports, command, env=env)
    ports = free_ports(1)
    serve("FastAPI and TensorFlow", "tfs", ["rest"], ports, [args.peers, "-c", FASTAPI, folder, *ports])


if __name__ == "__main__":
    main()
