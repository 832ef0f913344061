"""Makes signatures.json: every function of TensorFlow Transform that modules call, with its parameters.

Run it as `make.py` is.
"""

import inspect
import json
import pathlib

import tensorflow_transform as tft


def functions(module, prefix):
    for name, value in sorted(vars(module).items()):
        if inspect.isfunction(value) and not name.startswith("_"):
            yield f"{prefix}.{name}", list(inspect.signature(value).parameters)


found = dict([*functions(tft, "tft"), *functions(tft.experimental, "tft.experimental")])
lines = [f"{json.dumps(name)}: {json.dumps(parameters)}" for name, parameters in found.items()]
path = pathlib.Path(__file__).resolve().parent / "signatures.json"
path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
