"""TFX's Trainer and Pusher on a graph that Frazil has exported, and on examples that it has ingested.

    python3.10 -m venv peer && peer/bin/pip install tfx==1.16.0 'setuptools<81' dill wheel
    peer/bin/python tests/peers/pipeline.py target/debug/frazil

The pushed model answers serialized tf.Examples; the transformed features inside of it have to be those of
`frazil transform`."""

import glob
import os
import pathlib
import subprocess
import sys
import tempfile
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/frazil").resolve())
LABEL = "tips_xf"
NUMBERS = ["fare_xf", "trip_miles_xf", "trip_seconds_xf"]
TRAINER = '''
import tensorflow as tf
import tensorflow_transform as tft

LABEL, NUMBERS = {label!r}, {numbers!r}


def run_fn(args):
    output = tft.TFTransformOutput(args.transform_output)
    layer, spec = output.transform_features_layer(), output.raw_feature_spec()

    def transformed(serialized):
        features = layer(tf.io.parse_example(serialized, spec))
        return {{name: tf.reshape(features[name], [-1, 1]) for name in NUMBERS + [LABEL]}}

    def rows(files):
        data = tf.data.TFRecordDataset(tf.io.gfile.glob(files), compression_type="GZIP").batch(200)
        return data.map(transformed).map(lambda features: (features, features.pop(LABEL)))

    inputs = {{name: tf.keras.Input([1], name=name) for name in NUMBERS}}
    hidden = tf.keras.layers.Dense(8, activation="relu")(tf.keras.layers.concatenate(list(inputs.values())))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy")
    model.fit(rows(args.train_files), epochs=1, verbose=0)
    model.tft_layer = layer

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serving_default(examples):
        features = transformed(examples)
        features.pop(LABEL)
        return {{"score": model(features)}}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform_features(examples):
        return transformed(examples)

    model.save(args.serving_model_dir, save_format="tf",
               signatures={{"serving_default": serving_default, "transform_features": transform_features}})
'''


def frazil(*args):
    subprocess.run([PROGRAM, *args], check=True, stdout=subprocess.DEVNULL)


def main():
    from tfx.v1 import dsl, orchestration, proto
    from tfx.v1.components import Pusher, Trainer
    from tfx.v1.types.standard_artifacts import Examples, TransformGraph

    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        frazil("generate", "trips", "--rows", "4000", "-q")
        frazil("schema", "infer", "trips", "-o", "schema.pbtxt", "-q")
        frazil("ingest", "trips", "-o", "examples", "--gzip", "-q")
        frazil("analyze", "examples", "--split", "train", "--preprocessing", str(ROOT / "datasets/modules/taxi.star"),
               "--schema", "schema.pbtxt", "-o", "graph", "-q")
        frazil("graph", "export", "graph", "--to", "tensorflow", "-o", "transform_graph")
        frazil("transform", "examples", "--split", "eval", "--graph", "graph", "-o", "expected", "-q")
        pathlib.Path("trainer.py").write_text(TRAINER.format(label=LABEL, numbers=NUMBERS))

        examples = dsl.Importer(
            source_uri=f"{place}/examples", artifact_type=Examples,
            properties={"split_names": '["train","eval"]'},
            custom_properties={"payload_format": "FORMAT_TF_EXAMPLE", "file_format": "tfrecords_gzip"},
        ).with_id("examples")
        graph = dsl.Importer(source_uri=f"{place}/transform_graph", artifact_type=TransformGraph).with_id("graph")
        trainer = Trainer(
            module_file="trainer.py", examples=examples.outputs["result"], transform_graph=graph.outputs["result"],
            train_args=proto.TrainArgs(num_steps=10), eval_args=proto.EvalArgs(num_steps=1))
        pusher = Pusher(
            model=trainer.outputs["model"],
            push_destination=proto.PushDestination(
                filesystem=proto.PushDestination.Filesystem(base_directory=f"{place}/pushed")))
        pipeline = dsl.Pipeline(
            pipeline_name="taxi", pipeline_root=f"{place}/root", components=[examples, graph, trainer, pusher],
            metadata_connection_config=orchestration.metadata.sqlite_metadata_connection_config(f"{place}/mlmd.db"))
        orchestration.LocalDagRunner().run(pipeline)

        versions = os.listdir("pushed")
        assert len(versions) == 1, versions
        model = tf.saved_model.load(f"pushed/{versions[0]}")
        rows = [record.numpy() for path in sorted(glob.glob("examples/Split-eval/*"))
                for record in tf.data.TFRecordDataset(path, compression_type="GZIP")]
        scores = model.signatures["serving_default"](tf.constant(rows))["score"].numpy()
        assert scores.shape == (len(rows), 1) and np.isfinite(scores).all(), scores
        found = model.signatures["transform_features"](tf.constant(rows))
        spec = tft.TFTransformOutput("transform_graph").transformed_feature_spec()
        paths = sorted(path for path in glob.glob("expected/**/*", recursive=True) if "tfrecord" in path.split("/")[-1])
        kind = "GZIP" if paths[0].endswith("gz") else ""
        written = [record.numpy() for path in paths for record in tf.data.TFRecordDataset(path, compression_type=kind)]
        expected = tf.io.parse_example(written, spec)
        for name in NUMBERS + [LABEL]:
            a, b = found[name].numpy().reshape(-1), np.asarray(expected[name]).reshape(-1)
            assert a.dtype == b.dtype and np.allclose(a, b, rtol=2e-7, atol=0, equal_nan=True), name
        print(f"TFX: trained and pushed on our graph; {len(rows)} examples answered, "
              f"{len(NUMBERS) + 1} transformed columns inside of the model agree")


if __name__ == "__main__":
    main()
