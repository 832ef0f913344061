"""What the scripts on exported operations share: the kept cases of FRAZIL_EXPORTS, and the verdict on all."""

import collections, glob, json, os, sys
import numpy as np

TYPES = {"bool": np.bool_, "int64": np.int64, "float32": np.float32, "float64": np.float64}


def values_of(column, text=bytes):
    """The values of a column; `text` makes a string of bytes."""
    if column["dtype"] == "string":
        return np.array([text(bytes.fromhex(v)) for v in column["values"]], dtype=object)
    if column["dtype"] == "float32":
        return np.array(column["values"], dtype=np.uint32).view(np.float32)
    if column["dtype"] == "float64":
        return np.array(column["values"], dtype=np.uint64).view(np.float64)
    return np.array(column["values"], dtype=TYPES[column["dtype"]])


def first_wrong(found, expected, wrong):
    """What is said of values some of which are wrong."""
    if not wrong.any():
        return None
    i = int(np.argmax(wrong))
    return f"{int(wrong.sum())} of {len(wrong)} differ, the first at {i}: {found[i]!r}, {expected[i]!r} expected"


def others(values, mark):
    """Other values of a constant; `mark` is a text."""
    if values.dtype == object:
        return [np.vectorize(lambda text: text + mark, otypes=[object])(values)]
    if values.dtype == bool:
        return [~values]
    one = values.dtype.type(1)
    if values.dtype.kind == "f":
        small = np.isfinite(values) & (np.abs(values) < 1e6)
        return [np.where(small, values + one, values.dtype.type(0.5)).astype(values.dtype)]
    return [values + one, -7 - values]


def judge(runtime, model, case_file, check, mutated, known, blind, ulps):
    """Checks every case that has a `model` file or folder, and exits.

    `check(place, case)` says what is wrong, `mutated(place, case)` how many changed constants are seen and
    which are not; `known` are titles with the reasons why they differ, `blind` those that no constant
    changes; `ulps` counts how far floats are off."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--mutate"]
    count, failed = collections.Counter(), []
    for place in sorted(glob.glob(os.path.join(arguments[0], "*", model))):
        place = os.path.dirname(place)
        with open(os.path.join(place, case_file)) as file:
            case = json.load(file)
        if len(arguments) > 1 and not any(case["op"].startswith(name) for name in arguments[1:]):
            continue
        title = f"{case['op']}: {case['example']}"
        if "--mutate" in sys.argv:
            seen, unseen = mutated(place, case)
            count["seen"] += seen
            count["unseen"] += len(unseen)
            if unseen:
                print(f"{title}: {', '.join(unseen)} changed, and nothing differs")
            if unseen and not seen and title not in blind:
                failed.append(title)
            continue
        try:
            wrong = check(place, case)
        except Exception as error:
            wrong = f"{type(error).__name__}: {str(error)[:600]}"
        reason = known.get(title) if wrong else None
        count["known" if reason else "failed" if wrong else "equal"] += 1
        if reason:
            print(f"known: {title}: {reason}: {wrong}")
        elif wrong:
            failed.append(f"{title}: {wrong}")
    print("\n".join(failed))
    if "--mutate" in sys.argv:
        print(f"{count['seen']} changed constants are seen, {count['unseen']} are not")
        sys.exit(bool(failed) or not count["seen"])
    print(f"{runtime}: {count['equal']} examples equal, {count['known']} differ for a known reason, "
          f"{count['failed']} not; the farthest of floats that are compared, in ulps: {dict(sorted(ulps.items()))}")
    sys.exit(bool(failed) or not count["equal"])
