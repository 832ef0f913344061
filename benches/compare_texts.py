"""A fine-tuned encoder beside simple baselines, on the public rows of CoLA and MRPC.

    cargo build --release && python3 benches/compare_texts.py --cola DIR --mrpc DIR --small DIR --pretrained DIR

Needs scikit-learn and pyarrow. `--cola` has `in_domain_train.tsv`, `in_domain_dev.tsv` and `out_of_domain_dev.tsv` of CoLA 1.1,
`--mrpc` has `msr_paraphrase_train.txt` and `msr_paraphrase_test.txt`, `--small` has the `cola_validation.csv` and
`mrpc_validation.csv` of TFX's BERT examples, and `--pretrained` an encoder of BERT's family with its `vocab.txt`.
No sentence that is judged is learnt from: not a row of CoLA, and no pair of MRPC that has a sentence of a judged one.
The best epoch is that with the least loss on the small files. A model that is in `--work` is not trained again.
"""

import argparse
import csv
import math
import pathlib
import shutil
import subprocess

from compare import FRAZIL, ROOT

LENGTH = {"cola": 48, "mrpc": 96}
TRAIN = "--fine-tune all --schedule linear --learning-rate 0.00005 --batch 32 --epochs 3".split()


def norm(text):
    """What makes two sentences the same."""
    return "".join(c for c in text.lower() if c.isalnum())


def sentences(row):
    return [row[name] for name in ("sentence", "sentence1", "sentence2") if name in row]


def table(path, names, skip=0):
    """Rows of a file of tabs; `names` are (name, place)."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()[skip:]
    return [{name: cells[at] for name, at in names} for cells in (line.split("\t") for line in lines)]


def save(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, rows[0].keys(), extrasaction="ignore")
        out.writeheader()
        out.writerows(rows)


def load(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def data(args, name):
    """Rows to learn from, the small set, and the public set to judge by."""
    small = load(args.small / f"{name}_validation.csv")
    if name == "cola":
        of = lambda part: table(args.cola / f"{part}.tsv", [("label", 1), ("sentence", 3)])
        train, judged = of("in_domain_train"), of("in_domain_dev") + of("out_of_domain_dev")
    else:
        names = [("label", 0), ("sentence1", 3), ("sentence2", 4)]
        of = lambda part: table(args.mrpc / f"msr_paraphrase_{part}.txt", names, skip=1)
        train, judged = of("train"), of("test")
    seen = lambda rows: {norm(text) for row in rows for text in sentences(row)}
    is_new = lambda row, known: not any(norm(text) in known for text in sentences(row))
    held_out = seen(small)
    train = [row for row in train if is_new(row, held_out)]
    learnt = seen(train)
    return train, small, [row for row in judged if is_new(row, learnt)]


def run(*args):
    subprocess.run([FRAZIL, *map(str, args)], check=True)


def model(args, name, train, small):
    """A model of all weights of the pretrained encoder."""
    place = args.work / name
    module = place / "module"
    module.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "datasets/modules/bert.star").read_text()
    (module / "bert.star").write_text(text.replace("MAX_LENGTH = 128", f"MAX_LENGTH = {LENGTH[name]}"))
    shutil.copy(args.pretrained / "vocab.txt", module)
    save(place / "train.csv", train)
    save(place / "small.csv", [{key: row[key] for key in train[0]} for row in small])
    if not (place / "model").exists():
        run("analyze", place / "train.csv", "--preprocessing", module / "bert.star", "-o", place / "graph", "--overwrite")
        how = ["--architecture", "encoder", "--pretrained", args.pretrained, *TRAIN, "-o", place / "model"]
        run("train", place / "train.csv", "--eval", place / "small.csv", "--graph", place / "graph", "--label", "label", *how)
    return place


def predicted(place, name, rows):
    """The classes that the model answers."""
    import pyarrow.parquet

    save(place / f"{name}.csv", rows)
    out = place / f"{name}-scored"
    write = ["--write-format", "parquet", "-q", "-o", out, "--overwrite"]
    run("predict", place / f"{name}.csv", "--model", place / "model", *write)
    files = sorted(out.glob("*.parquet"))
    scores = [score for path in files for score in pyarrow.parquet.read_table(path)["score"].to_pylist()]
    assert len(scores) == len(rows)
    return [int(score > 0.5) for score in scores]


def baselines(train, rows):
    """The classes that simple models answer, by their names."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    labels = [int(row["label"]) for row in train]
    yield "majority", [int(sum(labels) * 2 > len(labels))] * len(rows)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    text = lambda rows: [" ".join(sentences(row)) for row in rows]
    known = LogisticRegression(max_iter=2000).fit(words.fit_transform(text(train)), labels)
    yield "logistic, words", known.predict(words.transform(text(rows)))
    if "sentence2" in train[0]:
        known = LogisticRegression(max_iter=2000).fit([overlap(row) for row in train], labels)
        yield "logistic, overlap", known.predict([overlap(row) for row in rows])


def overlap(row):
    """Which share of words two sentences have in common."""
    a, b = (set(text.lower().split()) for text in sentences(row))
    return [len(a & b) / len(a | b), len(a & b) / max(1, min(len(a), len(b))), abs(len(a) - len(b))]


def mcnemar(ours, theirs):
    """How likely so different numbers of rows, which one alone has right, are by chance: the exact test."""
    one, other = sum(a and not b for a, b in zip(ours, theirs)), sum(b and not a for a, b in zip(ours, theirs))
    tail = sum(math.comb(one + other, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / 2 ** (one + other))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cola", "mrpc", "small", "pretrained"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/texts", metavar="DIR")
    args = parser.parse_args()
    print("| rows learnt | rows judged | model | accuracy | ours is better by | p |\n|---|---|---|---:|---:|---:|")
    for name in LENGTH:
        train, small, judged = data(args, name)
        place = model(args, name, train, small)
        for kind, rows in (("small", small), ("public", judged)):
            rows = [{key: row[key] for key in train[0]} for row in rows]
            labels = [int(row["label"]) for row in rows]
            right = lambda classes: [bool(a == b) for a, b in zip(classes, labels)]
            ours = right(predicted(place, kind, rows))
            share = lambda right: sum(right) / len(right)
            about = f"| {name}, {len(train):,} | {kind}, {len(rows):,} |"
            print(f"{about} fine-tuned | {share(ours):.4f} | | |", flush=True)
            for other, classes in baselines(train, rows):
                theirs = right(classes)
                margin, chance = share(ours) - share(theirs), mcnemar(ours, theirs)
                print(f"{about} {other} | {share(theirs):.4f} | {margin:+.4f} | {chance:.2g} |", flush=True)


if __name__ == "__main__":
    main()
