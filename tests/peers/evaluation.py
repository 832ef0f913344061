"""Evaluates the scored rows that Frazil writes with the real TensorFlow Model Analysis, by the same EvalConfig.

    python3.11 -m venv peer && peer/bin/pip install tensorflow-model-analysis==0.47.1 'apache-beam[dill]==2.72.0'
    peer/bin/python tests/peers/evaluation.py target/debug/frazil

Metrics have to agree for all rows and for every slice: TFMA sums in single precision and cuts AUC at 10,000
thresholds, so they agree to the TOLERANCE that is stated for each."""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_model_analysis.api.model_eval_lib import load_eval_result, run_model_analysis
from tensorflow_model_analysis.proto import config_pb2

PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/frazil").resolve())
MODULE = pathlib.Path(__file__).resolve().parents[2] / "datasets/modules/taxi.star"
TOLERANCE = {"example_count": 0, "auc": 2e-3}
CONFIG = """
model_specs { label_key: "tips_xf" prediction_key: "score" }
slicing_specs {}
slicing_specs { feature_keys: "payment_type" }
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics { class_name: "AUC" }
  metrics { class_name: "BinaryAccuracy" }
  metrics { class_name: "Precision" }
  metrics { class_name: "Recall" }
  metrics { class_name: "Calibration" }
  metrics { class_name: "MeanLabel" }
  metrics { class_name: "MeanPrediction" }
  metrics { class_name: "BinaryCrossentropy" }
}
"""
NAMES = {"binary_crossentropy": "binary_cross_entropy"}


def frazil(*args):
    subprocess.run([PROGRAM, *args], check=True, stdout=subprocess.DEVNULL)


def main():
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        frazil("generate", "trips", "--rows", "4000", "-q")
        frazil("analyze", "trips", "--preprocessing", str(MODULE), "-o", "graph", "-q")
        frazil("train", "trips", "--eval", "trips", "--graph", "graph", "--label", "tips_xf", "--architecture",
               "linear", "--epochs", "1", "-o", "model", "-q")
        frazil("predict", "trips", "--model", "model", "-o", "scored", "--keep", "payment_type", "--with-label", "-q")
        pathlib.Path("config.pbtxt").write_text(CONFIG)
        frazil("evaluate", "scored", "--config", "config.pbtxt", "-o", "own", "-q")
        config = text_format.Parse(CONFIG, config_pb2.EvalConfig())
        run_model_analysis(eval_config=config, data_location="scored/*.tfrecord", output_path="theirs")
        theirs = {tuple((name, value.decode() if isinstance(value, bytes) else value) for name, value in key): metrics
                  for key, metrics in load_eval_result("theirs").slicing_metrics}
        own = json.load(open("own/metrics.json"))["slices"]
        compared = 0
        assert len(own) == len(theirs), (len(own), sorted(theirs))
        for entry in own:
            key = tuple(map(tuple, entry["slice"]))
            found = theirs[key][""][""]
            for name, value in found.items():
                mine = entry["metrics"].get(NAMES.get(name, name))
                if mine is None:
                    continue
                number, mine = value.get("doubleValue"), mine.get("value")
                if number is None or (isinstance(number, float) and math.isnan(number)):
                    continue
                # TFMA gives 0 for what has no value, such as the AUC of rows of one class.
                if mine is None:
                    continue
                close = math.isclose(number, mine, rel_tol=TOLERANCE.get(name, 1e-5), abs_tol=TOLERANCE.get(name, 1e-5))
                assert close, (key, name, number, mine)
                compared += 1
        assert compared > 30, compared
        print(f"TFMA: {len(own)} slices, {compared} numbers agree")


main()
