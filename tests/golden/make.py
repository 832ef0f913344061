"""Makes tests/golden/*.pb: what the real TFDV says of Frazil's own synthetic data.

    cargo build --release
    python3.11 -m venv peer && peer/bin/pip install tensorflow-data-validation==1.16.1 'apache-beam[dill]==2.72.0'
    peer/bin/python tests/golden/make.py

The data is not kept: `frazil generate` makes the same rows everywhere. TFDV writes features in an
order of its own; they are sorted by path here, and nothing else is changed. From them, schemas.json.
"""

import pathlib
import subprocess
import tempfile

import schemas
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

HERE = pathlib.Path(__file__).resolve().parent
FRAZIL = HERE.parent.parent / "target/release/frazil"

CASES = {
    "synthetic": {},
    "synthetic_weighted": {"weight_feature": "trip_start_month"},
    "synthetic_semantic": {"enable_semantic_domain_stats": True},
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        command = [FRAZIL, "generate", folder, "--rows", "2000", "--shards", "2", "--columns", "full", "-q"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name, options in CASES.items():
            statistics = tfdv.generate_statistics_from_tfrecord(
                f"{folder}/*.tfrecord", stats_options=tfdv.StatsOptions(desired_batch_size=1000, **options)
            )
            result = statistics_pb2.DatasetFeatureStatisticsList()
            result.CopyFrom(statistics)
            for dataset in result.datasets:
                features = sorted(dataset.features, key=lambda f: list(f.path.step))
                del dataset.features[:]
                dataset.features.extend(features)
            (HERE / f"{name}.pb").write_bytes(result.SerializeToString(deterministic=True))
    schemas.main()


if __name__ == "__main__":
    main()
