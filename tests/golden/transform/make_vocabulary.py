"""Vocabularies with every option, their lookup, and hashes of strings."""

import random

import tensorflow as tf
import tensorflow_transform as tft

DENSE, SPARSE = tf.io.FixedLenFeature, tf.io.VarLenFeature

SPEC = {
    "word": DENSE([], tf.string),  # a long tail with ties; '' is among them
    "few": DENSE([], tf.string),  # four values, of which one has a space in it
    "words": SPARSE(tf.string),  # 0 to 4, none twice in a row
    "bytes": DENSE([], tf.string),  # not UTF-8, line ends, empty
    "pair": DENSE([2], tf.string),
    "none": SPARSE(tf.string),  # never a value
    "empty": DENSE([], tf.string),  # always ''
    "code": DENSE([], tf.int64),  # small, negative and large
    "codes": SPARSE(tf.int64),
    "no_code": SPARSE(tf.int64),  # never a value
    "label": DENSE([], tf.int64),  # 0 or 1, depending on `word` and `words`
    "class": DENSE([], tf.int64),  # 0 to 2
    "labels": SPARSE(tf.int64),  # 0 to 2, several in a row
    "weight": DENSE([], tf.float32),
    "pair_weight": DENSE([2], tf.float32),
}

WORDS = ["the", "of", "Cab", "cab", "été", "日本", "zz", "tie1", "tie2", "tie3", "Tie10", "a b", "tab\there", ""]
ODD = [
    b"\xff\xfe",
    b"ok",
    b"ok\x80",
    b"line\nend",
    b"cr\rhere",
    b"",
    b"\xc3\x28",
    b" ",
    b"caf\xc3\xa9",
    b"nul\x00",
    b"  x ",
]


def files():
    chance = random.Random(21)
    return [[row(chance, number) for number in range(size)] for size in (120, 80)]


def more():
    """Words that were not there, and those that a vocabulary leaves out."""
    chance = random.Random(22)
    rows = [row(chance, number) for number in range(8)]
    for line, word, code in zip(
        rows,
        ["unseen", "", "日", "The", "a", "new\nline", "49d0cd50-04bb-48c0-bc6f-5b575dce351a"],
        [99, -1, 2**63 - 1, -(2**63), 0, 7, 1],
    ):
        line.update(
            word=word,
            few=word,
            words=[word, "the"],
            bytes=word,
            none=[word],
            empty=word,
            code=code,
            codes=[code],
            no_code=[code],
        )
    return rows


def row(chance, number):
    # The first words are many, the last are few; each third row adds one of a tail of twenty.
    word = WORDS[min(int(chance.expovariate(0.35)), len(WORDS) - 1)]
    if number % 3 == 0:
        word = f"w{chance.randrange(20)}"
    if number % 17 == 5:
        word = ""
    words = chance.sample(WORDS[:10], chance.randrange(5))
    label = int(chance.random() < (0.9 if word in ("the", "cab", "日本") or "zz" in words else 0.2))
    return {
        "word": word,
        "few": chance.choice(["Cash", "Cash", "Cash", "Card", "Card", "No Charge", "?"]),
        "words": words,
        "bytes": ODD[number % len(ODD)] if number % 4 else b"ok",
        "pair": [chance.choice(["p", "q", "r"]), chance.choice(["q", "s"])],
        "none": None if number % 2 else [],
        "empty": "",
        "code": chance.choice([1, 1, 1, 2, 3, 10, 11, 111, -1, -2, 2**40, -(2**63)]),
        "codes": [chance.randrange(5) for _ in range(chance.randrange(4))],
        "no_code": [],
        "label": label,
        "class": min(2, label + chance.randrange(2)),
        "labels": sorted(chance.sample([0, 1, 2], chance.randrange(1, 3))),
        "weight": chance.choice([0.0, 0.5, 1.0, 2.0, 3.25]),
        "pair_weight": [chance.choice([1.0, 2.0]), chance.choice([0.25, 4.0])],
    }


def first_letter(token):
    """The key of a token for coverage; TFT gives it bytes."""
    return token[0:1]


def preprocess(x, note):
    word, words, label, weight = x["word"], x["words"], x["label"], x["weight"]
    o = {}

    def apply(name, column, **options):
        """The ids of a column, by a vocabulary of the output's own name."""
        o[name] = tft.compute_and_apply_vocabulary(column, vocab_filename=name, **options)

    # Order, ties, what text drops, what was never there.
    for c in ["word", "few", "words", "bytes", "pair", "none", "empty", "code", "codes", "no_code"]:
        apply(f"all_{c}", x[c])
    apply("top_5", word, top_k=5)
    apply("top_1", words, top_k=1)
    apply("top_many", word, top_k=1000)
    apply("frequent_8", word, frequency_threshold=8)
    apply("frequent_8_top_3", word, frequency_threshold=8, top_k=3)
    apply("too_frequent", word, frequency_threshold=1000)
    apply("code_top_3", x["code"], top_k=3)
    apply("code_frequent", x["code"], frequency_threshold=10)

    # Out of vocabulary.
    apply("default_99", word, top_k=4, default_value=99)
    apply("oov_1", word, top_k=4, num_oov_buckets=1)
    apply("oov_5", word, top_k=4, num_oov_buckets=5)
    apply("oov_5_words", words, top_k=4, num_oov_buckets=5)
    apply("oov_3_code", x["code"], top_k=2, num_oov_buckets=3)
    apply("oov_2_none", x["none"], num_oov_buckets=2)
    apply("oov_2_bytes", x["bytes"], top_k=1, num_oov_buckets=2)

    # Weights.
    apply("weighted", word, weights=weight)
    apply("weighted_few", x["few"], weights=weight)
    apply("weighted_frequent", word, weights=weight, frequency_threshold=9)
    apply("weighted_pair", x["pair"], weights=x["pair_weight"])
    apply("weighted_code", x["code"], weights=weight)

    # Mutual information.
    apply("information", word, labels=label)
    apply("information_words", words, labels=label)
    apply("information_classes", words, labels=x["class"])
    apply("information_multi", words, labels=x["labels"])
    apply("information_top", word, labels=label, top_k=5)
    apply("information_threshold", word, labels=label, frequency_threshold=2.0)
    apply("information_difference", words, labels=label, min_diff_from_avg=2.0)
    apply("adjusted", word, labels=label, use_adjusted_mutual_info=True)
    apply("adjusted_words", words, labels=label, use_adjusted_mutual_info=True)
    apply("weighted_information", word, labels=label, weights=weight)
    apply("weighted_adjusted", word, labels=label, weights=weight, use_adjusted_mutual_info=True)

    # Reserved tokens, coverage, shuffle, files.
    apply("reserved", word, reserved_tokens=["[PAD]", "[UNK]"])
    apply("reserved_top", word, reserved_tokens=["[PAD]", "the", "cab"], top_k=3)
    apply("reserved_oov", word, reserved_tokens=["[PAD]"], top_k=2, num_oov_buckets=2)
    apply("coverage", word, top_k=3, key_fn=first_letter, coverage_top_k=1)
    apply("coverage_2", word, top_k=2, key_fn=first_letter, coverage_top_k=2, coverage_frequency_threshold=5)
    apply("coverage_frequent", word, top_k=2, key_fn=first_letter, coverage_frequency_threshold=7)
    apply("shuffled", word, fingerprint_shuffle=True)
    apply("shuffled_top", word, fingerprint_shuffle=True, top_k=6)
    apply("gzip", word, file_format="tfrecord_gzip")
    apply("gzip_bytes", x["bytes"], file_format="tfrecord_gzip", num_oov_buckets=2)
    apply("gzip_empty", x["empty"], file_format="tfrecord_gzip")
    apply("gzip_none", x["none"], file_format="tfrecord_gzip")
    apply("gzip_reserved", word, file_format="tfrecord_gzip", reserved_tokens=["[PAD]"], top_k=3)
    apply("stored", word, store_frequency=True, top_k=6, num_oov_buckets=1)
    apply("stored_few", x["few"], store_frequency=True)
    apply("stored_code", x["code"], store_frequency=True)
    # With places for all words. With fewer, TFT itself gives one answer here and another there.
    o["approximate"] = tft.experimental.compute_and_apply_approximate_vocabulary(
        word, top_k=100, vocab_filename="approximate"
    )
    o["approximate_weighted"] = tft.experimental.compute_and_apply_approximate_vocabulary(
        word, top_k=100, weights=weight, num_oov_buckets=1, vocab_filename="approximate_weighted"
    )

    # Files alone, with the frequencies that made their order.
    def store(name, column, **options):
        tft.vocabulary(column, store_frequency=True, vocab_filename=f"frequency_{name}", **options)

    for c in ["word", "few", "words", "pair", "none", "empty", "code", "codes", "no_code"]:
        store(c, x[c])
    store("weighted", word, weights=weight)
    store("weighted_code", x["code"], weights=weight)
    store("information", word, labels=label)
    store("information_difference_0", word, labels=label, min_diff_from_avg=0)
    store("information_words", words, labels=label, min_diff_from_avg=0)
    store("information_classes", words, labels=x["class"], min_diff_from_avg=0)
    store("information_multi", words, labels=x["labels"], min_diff_from_avg=0)
    store("adjusted", word, labels=label, use_adjusted_mutual_info=True, min_diff_from_avg=0)
    store("adjusted_words", words, labels=label, use_adjusted_mutual_info=True, min_diff_from_avg=0)
    store("weighted_information", word, labels=label, weights=weight, min_diff_from_avg=0)
    store("weighted_adjusted", word, labels=label, weights=weight, use_adjusted_mutual_info=True, min_diff_from_avg=0)
    store("reserved", word, reserved_tokens=["[PAD]", "the"], top_k=3)
    store("coverage", word, top_k=3, key_fn=first_letter, coverage_top_k=1)
    store("shuffled", word, fingerprint_shuffle=True, top_k=6)
    store("gzip", word, file_format="tfrecord_gzip")
    tft.experimental.approximate_vocabulary(word, 100, store_frequency=True, vocab_filename="frequency_approximate")
    tft.vocabulary(word, vocab_filename="a name/with:odd letters", top_k=2)

    # One vocabulary for another column.
    file = tft.vocabulary(words, top_k=6, vocab_filename="shared")
    o["shared_word"] = tft.apply_vocabulary(word, file)
    o["shared_words"] = tft.apply_vocabulary(words, file, num_oov_buckets=3)
    o["shared_default"] = tft.apply_vocabulary(x["pair"], file, default_value=-7)
    o["one_hot"] = tf.one_hot(tft.compute_and_apply_vocabulary(x["few"], vocab_filename="one_hot"), 4)
    note("buckets_of_shared", tft.get_num_buckets_for_transformed_feature(o["shared_words"]))
    note("size_of_shared", tft.experimental.get_vocabulary_size_by_name("shared"))
    # A vocabulary of what a vocabulary gave: two phases.
    o["again"] = tft.compute_and_apply_vocabulary(o["top_5"], vocab_filename="again")

    for c in ["word", "words", "bytes", "pair"]:
        o[f"hash_{c}"] = tft.hash_strings(x[c], 1 << 62)
        o[f"hash_100_{c}"] = tft.hash_strings(x[c], 100)
        o[f"hash_key_{c}"] = tft.hash_strings(x[c], 1 << 62, key=[1, 2])
        o[f"hash_key_7_{c}"] = tft.hash_strings(x[c], 7, key=[2**63 - 1, 12345])
    return o
