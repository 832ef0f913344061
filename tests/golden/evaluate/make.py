"""Makes cases.json: what scikit-learn says of random predictions, for tests/it/evaluate.rs.

    python3.11 -m venv venv && venv/bin/pip install scikit-learn==1.9.1 && venv/bin/python make.py

Numbers are floats of 32 bits, which is what CSV files are read as. What scikit-learn does not define, or
has no metric for, is computed here from its definition, with numpy.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics as m

warnings.filterwarnings("ignore")
RANDOM = np.random.default_rng(7)


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def ratio(a, b):
    return a / b if b != 0 else math.nan


def pr_auc(y, s, w):
    """Keras's interpolation, at every distinct score."""
    total = tp = all_ = area = 0.0
    positive = (w * y).sum()
    for t in np.unique(s)[::-1]:
        at = s == t
        tp2, all2 = tp + (w * y)[at].sum(), all_ + w[at].sum()
        if all2 > all_:
            slope = (tp2 - tp) / (all2 - all_)
            intercept = tp - slope * all_
            log = math.log(all2 / all_) if all_ > 0 else 0.0
            area += slope * ((tp2 - tp) + intercept * log)
        tp, all_ = tp2, all2
    return ratio(area, positive)


def operating_points(y, s, w):
    points = []
    p, n = (w * (y == 1)).sum(), (w * (y == 0)).sum()
    for t in np.append(np.unique(s), np.inf):
        on = s >= t
        tp, fp = (w * (on & (y == 1))).sum(), (w * (on & (y == 0))).sum()
        points.append((ratio(tp, p), ratio(n - fp, n), ratio(tp, tp + fp)))
    if p == 0 or n == 0:
        return [math.nan] * 4
    best = lambda of, reached: max((x for x, r in zip(of, reached) if r >= 0.9), default=0.0)
    tpr, tnr, ppv = zip(*points)
    return best(tnr, tpr), best(tpr, tnr), best(tpr, ppv), best(ppv, tpr)


def binary(y, s, w):
    one_class = len(set(y[w > 0])) < 2
    on = s > 0.5
    tp, fp = (w * (on & (y == 1))).sum(), (w * (on & (y == 0))).sum()
    fn, tn = (w * (~on & (y == 1))).sum(), (w * (~on & (y == 0))).sum()
    clipped = np.clip(s, 1e-7, 1 - 1e-7)
    mcc = m.matthews_corrcoef(y, on, sample_weight=w)
    undefined = 0 in (tp + fp, tp + fn, tn + fp, tn + fn)
    at = operating_points(y, s, w)
    return {
        "example_count": len(y),
        "weighted_example_count": w.sum(),
        "auc": math.nan if one_class else m.roc_auc_score(y, s, sample_weight=w),
        "auc_precision_recall": pr_auc(y, s, w),
        "average_precision": math.nan if y.sum() == 0 else m.average_precision_score(y, s, sample_weight=w),
        "binary_accuracy": m.accuracy_score(y, on, sample_weight=w),
        "precision": math.nan if tp + fp == 0 else m.precision_score(y, on, sample_weight=w),
        "recall": math.nan if tp + fn == 0 else m.recall_score(y, on, sample_weight=w),
        "specificity": ratio(tn, tn + fp),
        "f1_score": math.nan if tp + fp + fn == 0 else m.f1_score(y, on, sample_weight=w),
        "balanced_accuracy": math.nan if one_class else m.balanced_accuracy_score(y, on, sample_weight=w),
        "matthews_correlation_coefficient": math.nan if undefined else mcc,
        "binary_cross_entropy": m.log_loss(y, clipped, sample_weight=w, labels=[0, 1]),
        "mean_squared_error": m.mean_squared_error(y, s, sample_weight=w),
        "mean_absolute_error": m.mean_absolute_error(y, s, sample_weight=w),
        "mean_label": np.average(y, weights=w),
        "mean_prediction": np.average(s, weights=w),
        "calibration": ratio((w * s).sum(), (w * y).sum()),
        "specificity_at_sensitivity": at[0],
        "sensitivity_at_specificity": at[1],
        "recall_at_precision": at[2],
        "precision_at_recall": at[3],
    }


def classes(y, p, w, probabilities):
    expected = {
        "example_count": len(y),
        "weighted_example_count": w.sum(),
        "accuracy": m.accuracy_score(y, p, sample_weight=w),
        "balanced_accuracy": m.balanced_accuracy_score(y, p, sample_weight=w),
    }
    mcc = m.matthews_corrcoef(y, p, sample_weight=w)
    constant = len(set(y)) < 2 or len(set(p)) < 2
    expected["matthews_correlation_coefficient"] = math.nan if constant else mcc
    for average in ["macro", "micro", "weighted"]:
        options = dict(average=average, sample_weight=w, zero_division=0)
        expected[f"precision_{average}"] = m.precision_score(y, p, **options)
        expected[f"recall_{average}"] = m.recall_score(y, p, **options)
        expected[f"f1_score_{average}"] = m.f1_score(y, p, **options)
    loss = math.nan
    if probabilities is not None:
        q = probabilities / probabilities.sum(axis=1, keepdims=True)
        q = np.clip(q[np.arange(len(y)), y], 1e-7, 1 - 1e-7)
        loss = np.average(-np.log(q), weights=w)
    expected["categorical_cross_entropy"] = loss
    return expected


def regression(y, p, w):
    mean = np.average(y, weights=w)
    constant = ((y - mean) ** 2).sum() == 0
    def correlation():
        dy, dp = y - mean, p - np.average(p, weights=w)
        return ratio((w * dy * dp).sum() ** 2, (w * dy * dy).sum() * (w * dp * dp).sum())
    return {
        "example_count": len(y),
        "weighted_example_count": w.sum(),
        "mean_squared_error": m.mean_squared_error(y, p, sample_weight=w),
        "root_mean_squared_error": m.root_mean_squared_error(y, p, sample_weight=w),
        "mean_absolute_error": m.mean_absolute_error(y, p, sample_weight=w),
        "mean_absolute_percentage_error": 100 * np.average(np.abs(p - y) / np.maximum(np.abs(y), 1e-7), weights=w),
        "r2_score": math.nan if constant else m.r2_score(y, p, sample_weight=w),
        "squared_pearson_correlation": math.nan if constant else correlation(),
        "mean_label": mean,
        "mean_prediction": np.average(p, weights=w),
        "calibration": ratio((w * p).sum(), (w * y).sum()),
    }


def plain(x):
    x = float(x)
    return None if math.isnan(x) else x


def case(name, task, y, p, w, of, nan_rows=()):
    """One case: columns y, p or p0.., w, and a slice s; expected numbers of all rows and each slice."""
    n = len(y)
    s = RANDOM.choice(["a", "b", "c"], n)
    expected = {}
    for slice_, rows in [("", np.arange(n))] + [(v, np.flatnonzero(s == v)) for v in sorted(set(s))]:
        numbers = of(rows)
        if set(nan_rows) & set(rows.tolist()):
            keep = ("example_count", "weighted_example_count")
            numbers = {k: v if k in keep else math.nan for k, v in numbers.items()}
        expected[slice_] = {k: plain(v) for k, v in numbers.items()}
    rows = []
    for i in range(n):
        cell = "nan" if i in nan_rows else p[i]
        cell = "|".join(repr(float(x)) for x in cell) if isinstance(cell, np.ndarray) else cell
        cell = repr(float(cell)) if isinstance(cell, float) else str(cell)
        label = repr(float(y[i])) if isinstance(y[i], float) else str(y[i])
        rows.append(f"{label},{cell},{float(w[i])!r},{s[i]}")
    return {"name": name, "task": task, "csv": "y,p,w,s\n" + "\n".join(rows) + "\n", "expected": expected}


def binary_case(name, y, s, w, nan_rows=()):
    return case(name, "binary", y, s, w, lambda r: binary(y[r], s[r], w[r]), nan_rows)


def main():
    n = 150
    ones = np.ones(n)
    weights = f32(RANDOM.gamma(1.0, 2.0, n) + 0.01)
    y = RANDOM.integers(0, 2, n)
    scores = f32(np.clip(0.3 * y + RANDOM.normal(0.4, 0.25, n), 0.001, 0.999))
    ties = f32(np.round(scores * 8) / 8)
    cases = [
        binary_case("binary", y, scores, ones),
        binary_case("binary with weights", y, scores, weights),
        binary_case("binary with ties", y, ties, ones),
        binary_case("binary with ties and weights", y, ties, weights),
        binary_case("binary with rare positives", (RANDOM.random(n) < 0.04).astype(int), scores, weights),
        binary_case("only positives", np.ones(n, int), scores, ones),
        binary_case("only negatives", np.zeros(n, int), scores, weights),
        binary_case("constant scores", y, np.full(n, 0.25), weights),
        binary_case("constant scores at the threshold", y, np.full(n, 0.5), ones),
        binary_case("perfect", y, f32(np.where(y == 1, 0.9, 0.1)), ones),
        binary_case("scores of 0 and 1", y, RANDOM.integers(0, 2, n).astype(float), ones),
        binary_case("a NaN", y, scores, weights, nan_rows=(17,)),
    ]
    k = 5
    labels = RANDOM.integers(0, k, n)
    logits = RANDOM.normal(0, 1, (n, k))
    logits[np.arange(n), labels] += 1.2
    q = np.exp(logits)
    q = f32(q / q.sum(axis=1, keepdims=True))
    ids = q.argmax(axis=1)
    never = np.where(ids == 3, 0, ids)
    several = lambda y, p, w, q=None: lambda r: classes(y[r], p[r], w[r], None if q is None else q[r])
    cases += [
        case("probabilities", "multiclass", labels, list(q), weights, several(labels, ids, weights, q)),
        case("classes", "multiclass", labels, ids, ones, several(labels, ids, ones)),
        case("a class that is never predicted", "multiclass", labels, never, weights, several(labels, never, weights)),
        case("one class", "multiclass", np.full(n, 2), np.full(n, 2), ones, several(np.full(n, 2), np.full(n, 2), ones)),
    ]
    t = f32(RANDOM.normal(3, 2, n))
    r = f32(t + RANDOM.normal(0, 1, n))
    far = f32(t + 4096.0)
    reg = lambda y, p, w: lambda rows: regression(y[rows], p[rows], w[rows])
    cases += [
        case("regression", "regression", t, r, ones, reg(t, r, ones)),
        case("regression with weights", "regression", t, r, weights, reg(t, r, weights)),
        case("labels far from 0", "regression", far, f32(far + r - t), weights, reg(far, f32(far + r - t), weights)),
        case("constant labels", "regression", np.full(n, 2.5), r, ones, reg(np.full(n, 2.5), r, ones)),
        case("a NaN in regression", "regression", t, r, ones, reg(t, r, ones), nan_rows=(3, 90)),
    ]
    Path(__file__).with_name("cases.json").write_text(json.dumps(cases, indent=0) + "\n")


main()
