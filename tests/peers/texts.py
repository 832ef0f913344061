"""Writes texts that are hard to cut, for exported tokenizers: python texts.py DIR

Every assigned character, alone and in words, and 20,000 rows of characters at random: special tokens, words of
100 and 101 characters, bytes that are no UTF-8. DIR also gets a module for each of BERT's two modes, with the
vocabulary and the `tokenizer.json` of the examples."""

import os, pathlib, random, shutil, sys, unicodedata
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "ops/transform/src/ops/text/example"
WORDS = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "unaffable", "ΣΊΣΥΦΟΣ", "İSTANBUL", "straße", "x" * 100,
         "x" * 101, "é" * 100, "é" * 101, "naïve", "don't", "U.S.A.", "[unused1]", "the", "quick", "jumped"]
COMMON = list("abcdefghij THE ##' \" -,.!?#@éüñçÅÉİıßſΣσς日本語中文العربية हिन्दी ไทย 한국어\t\n\r\x0b\x0c\x85\xa0"
              "\u200b\u200d\ufeff\u2028\u3000\ue000\U000f0000½🙂👩‍👧")
MODULE = """def preprocessing_fn(inputs):
    ids, mask, types = text.bert_inputs(inputs["s"], tokenizer={tokenizer}, max_length=64, layout="{layout}")
    pair, pair_mask, pair_types = text.bert_inputs(
        inputs["s"], inputs["t"], tokenizer={tokenizer}, max_length=32, layout="{layout}")
    return {{"ids": ids, "mask": mask, "types": types,
            "pair": pair, "pair_mask": pair_mask, "pair_types": pair_types}}
"""


def texts():
    known = [chr(c) for c in range(0x110000)
             if not 0xD800 <= c <= 0xDFFF and unicodedata.category(chr(c)) not in ("Cn", "Co")]
    for i in range(0, len(known), 8):
        yield " ".join(f"a{c}b {c}" for c in known[i:i + 8]).encode()
    random.seed(5)
    for i in range(20_000):
        parts = []
        for _ in range(random.randint(0, 30)):
            kind = random.random()
            parts.append(random.choice(known[:100_000]) if kind < 0.3 else random.choice(COMMON) if kind < 0.75
                         else f" {random.choice(WORDS)}{random.choice([' ', '', ','])}")
        text = "".join(parts).encode()
        if i % 17 == 0 and text:
            at = random.randrange(len(text))
            text = text[:at] + bytes([random.randrange(128, 256)]) + text[at:]
        yield text


def main():
    place = pathlib.Path(sys.argv[1])
    (place / "rows").mkdir(parents=True)
    feature = lambda text: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
    before = b""
    with tf.io.TFRecordWriter(str(place / "rows/texts.tfrecord")) as out:
        for text in texts():
            features = tf.train.Features(feature={"s": feature(text), "t": feature(before)})
            out.write(tf.train.Example(features=features).SerializeToString())
            before = text
    dense = "presence { min_fraction: 1 } shape { dim { size: 1 } }"
    schema = [f'feature {{ name: "{name}" type: BYTES {dense} }}' for name in "st"]
    (place / "schema.pbtxt").write_text("\n".join(schema))
    for name in ["vocab.txt", "tokenizer.json"]:
        shutil.copy(EXAMPLE / name, place)
    modes = {"tf_text": ('text.bert_tokenizer("vocab.txt")', "tfx"),
             "huggingface": ('text.hugging_face_tokenizer("tokenizer.json")', "tokenizer")}
    for name, (tokenizer, layout) in modes.items():
        (place / f"{name}.star").write_text(MODULE.format(tokenizer=tokenizer, layout=layout))


main()
