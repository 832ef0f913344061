"""Asks `frazil serve --grpc` with the real stubs of TensorFlow Serving, and compares with its REST answers.

    python3.11 -m venv peer && peer/bin/pip install tensorflow==2.16.2 tensorflow-serving-api==2.16.1 grpcio
    peer/bin/python tests/peers/serving.py target/debug/frazil

Makes data and a model with Frazil, serves it, and asks by every method: a client of TensorFlow Serving has to
work without a change, also with a token and over TLS.
"""

import base64
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/frazil").resolve())
FLOATS = ["fare", "trip_miles", "pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]
WORDS = ["payment_type", "company"]


def frazil(*words):
    subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True)


@contextlib.contextmanager
def served(*words):
    """The addresses of REST and of gRPC of a server."""
    command = [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = [server.stdout.readline().split()[-1] for _ in range(2)]
            yield lines[0], lines[1].split("://")[1]
        finally:
            server.terminate()
        assert server.wait() == 0, "the server did not end well"


def rest(address, path, body):
    request = urllib.request.Request(f"{address}/v1/models/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def same(what, found, expected):
    found, expected = np.float32(found), np.float32(expected)
    assert found.shape == expected.shape and found.size, f"{what}: {found.shape} {expected.shape}"
    assert (found.view(np.int32) == expected.view(np.int32)).all(), f"{what}: {found} {expected}"
    print(f"ok: {what}: {found.size} scores, bit for bit")


def fails(what, code, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{what}: {error}"
        print(f"ok: {what}: {error.code().name}: {error.details()}")
    else:
        sys.exit(f"{what} did not fail")


def spec_of(request, **fields):
    fields = {"name": "taxi", **fields}
    version = fields.pop("version", None)
    for name, value in fields.items():
        setattr(request.model_spec, name, value)
    if version is not None:
        request.model_spec.version.value = version
    return request


def ask_all(address, target, records):
    channel = grpc.insecure_channel(target)
    prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    examples = [tf.train.Example.FromString(record) for record in records]
    has_all = lambda e: all(e.features.feature[name].WhichOneof("kind") for name in FLOATS + WORDS)
    full = [e for e in examples if has_all(e)][:40]
    floats = {name: np.float32([e.features.feature[name].float_list.value[0] for e in full]) for name in FLOATS}
    words = {name: [e.features.feature[name].bytes_list.value[0] for e in full] for name in WORDS}

    request = spec_of(predict_pb2.PredictRequest())
    for name, values in floats.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, shape=[len(full), 1]))
    for name, values in words.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, shape=[len(full)]))
    columns = {name: [[float(x)] for x in values] for name, values in floats.items()}
    columns.update({name: [[x.decode()] for x in values] for name, values in words.items()})
    expected = rest(address, "taxi:predict", {"inputs": columns})["outputs"]
    answer = prediction.Predict(request, timeout=10)
    same("Predict of dense tensors", tf.make_ndarray(answer.outputs["score"]), expected)
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (7, "serving_default")

    for name in FLOATS:
        del request.inputs[name].float_val[:]
        request.inputs[name].tensor_content = floats[name].tobytes()
    same("Predict of tensor_content", prediction.Predict(request).outputs["score"].float_val, expected)
    request.model_spec.signature_name = "transform"
    for name in ["trip_start_hour", "trip_start_day", "trip_start_month", "pickup_community_area"]:
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.full(len(full), 7, np.int32)))
    request.inputs["tips"].CopyFrom(tf.make_tensor_proto(np.zeros(len(full), np.float32)))
    request.output_filter.extend(["trip_start_hour_xf", "fare_xf"])
    features = prediction.Predict(request).outputs
    assert sorted(features) == ["fare_xf", "trip_start_hour_xf"], features
    assert list(features["trip_start_hour_xf"].int64_val) == [7] * len(full)
    print("ok: Predict of int32 as int64, with an output_filter")

    raw = spec_of(predict_pb2.PredictRequest())
    raw.inputs["examples"].CopyFrom(tf.make_tensor_proto(records))
    rows = [{"examples": {"b64": base64.b64encode(record).decode()}} for record in records]
    expected = rest(address, "taxi:predict", {"instances": rows})["predictions"]
    same("Predict of serialized examples, as of TFX", prediction.Predict(raw).outputs["score"].float_val, expected)
    raw.model_spec.signature_name = "transform"
    features = prediction.Predict(raw).outputs
    print(f"ok: Predict by the signature transform: {', '.join(sorted(features))}")

    request = spec_of(classification_pb2.ClassificationRequest())
    request.input.example_list.examples.extend(examples)
    result = prediction.Classify(request).result
    same("Classify", [of.classes[1].score for of in result.classifications], expected)
    assert [of.label for of in result.classifications[0].classes] == ["0", "1"]
    context = request.input.example_list_with_context
    context.examples.extend(examples)
    context.context.features.feature["trip_start_hour"].int64_list.value.append(7)
    same("Classify with context", [of.classes[1].score for of in prediction.Classify(request).result.classifications], expected)
    multi = inference_pb2.MultiInferenceRequest()
    multi.input.example_list.examples.extend(examples)
    for signature in ["", "classify"]:
        task = spec_of(multi.tasks.add(), signature_name=signature)
        task.method_name = "tensorflow/serving/classify"
    for of in prediction.MultiInference(multi).results:
        scores = [one.classes[1].score for one in of.classification_result.classifications]
        same(f"MultiInference by {of.model_spec.signature_name}", scores, expected)

    request = spec_of(get_model_metadata_pb2.GetModelMetadataRequest())
    request.metadata_field.append("signature_def")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert prediction.GetModelMetadata(request).metadata["signature_def"].Unpack(signatures)
    print(f"ok: GetModelMetadata: {', '.join(sorted(signatures.signature_def))}")
    status = models.GetModelStatus(spec_of(get_model_status_pb2.GetModelStatusRequest()))
    (of,) = status.model_version_status
    assert (of.version, of.state) == (7, get_model_status_pb2.ModelVersionStatus.AVAILABLE), of
    print("ok: GetModelStatus: 7 is AVAILABLE")
    assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
    print("ok: grpc.health.v1.Health/Check: SERVING")

    code = grpc.StatusCode
    predict = lambda **fields: lambda: prediction.Predict(spec_of(predict_pb2.PredictRequest(), **fields))
    fails("an unknown model", code.NOT_FOUND, predict(name="é"))
    fails("an unknown version", code.NOT_FOUND, predict(version=8))
    fails("an unknown label", code.INVALID_ARGUMENT, predict(version_label="x"))
    fails("an unknown signature", code.FAILED_PRECONDITION, predict(signature_name="x"))
    fails("no input", code.INVALID_ARGUMENT, predict())
    request = spec_of(regression_pb2.RegressionRequest())
    request.input.example_list.examples.extend(examples)
    fails("Regress of a classifier", code.INVALID_ARGUMENT, lambda: prediction.Regress(request))
    reload = model_management_pb2.ReloadConfigRequest()
    fails("HandleReloadConfigRequest", code.UNIMPLEMENTED, lambda: models.HandleReloadConfigRequest(reload))
    compressed = lambda: prediction.Predict(raw, compression=grpc.Compression.Gzip)
    fails("a compressed message", code.UNIMPLEMENTED, compressed)
    raw.inputs["examples"].CopyFrom(tf.make_tensor_proto([bytes(17 << 20)]))
    fails("a message that is too large", code.RESOURCE_EXHAUSTED, lambda: prediction.Predict(raw))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        frazil("generate", folder / "data", "--rows", 3000, "--shards", 1, "-q")
        module = ROOT / "datasets/modules/taxi.star"
        frazil("analyze", folder / "data", "--preprocessing", module, "-o", folder / "graph", "-q")
        words = ["--graph", folder / "graph", "--label", "tips_xf", "-o", folder / "model", "--epochs", 1, "-q"]
        frazil("train", folder / "data", "--eval", folder / "data", *words)
        frazil("push", folder / "model", "--to", folder / "models", "--version", 7, "--force")
        records = [r.numpy() for r in tf.data.TFRecordDataset(str(next((folder / "data").glob("*.tfrecord")))).take(200)]
        model = ["--model", f"taxi={folder / 'models'}"]
        with served(*model) as (address, target):
            ask_all(address, target, records)

        (folder / "token").write_text("secret\n")
        tests = ROOT / "runners/serve/tests/it"
        guards = ["--token-file", folder / "token", "--tls-cert", tests / "certificate.pem", "--tls-key", tests / "key.pem"]
        with served(*model, *guards) as (_, target):
            roots = grpc.ssl_channel_credentials((tests / "certificate.pem").read_bytes())
            request = spec_of(get_model_status_pb2.GetModelStatusRequest())
            for token, works in [("secret", True), ("other", False)]:
                both = grpc.composite_channel_credentials(roots, grpc.access_token_call_credentials(token))
                name = [("grpc.ssl_target_name_override", "localhost")]
                status = model_service_pb2_grpc.ModelServiceStub(grpc.secure_channel(target, both, name)).GetModelStatus
                if works:
                    assert status(request).model_version_status[0].version == 7
                    print("ok: TLS and a token")
                else:
                    fails("another token", grpc.StatusCode.UNAUTHENTICATED, lambda: status(request))


if __name__ == "__main__":
    main()
