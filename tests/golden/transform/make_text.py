"""Text: splitting, n-grams, bags of words, term frequencies, and their ids."""

import random

import tensorflow as tf
import tensorflow_transform as tft

DENSE, SPARSE = tf.io.FixedLenFeature, tf.io.VarLenFeature

SPEC = {
    "text": DENSE([], tf.string),
    "tokens": SPARSE(tf.string),  # already split; tokens may be empty or repeated
    "ids": SPARSE(tf.int64),  # from -2 to 7
}

SOME = [
    "",
    " ",
    "  two  spaces and\ttabs\n",
    "One was Johnny",
    "ÀÉÎ Ünïcödé STAYS upper",
    "日本語 の テキスト",
    "no\u00a0break\u2003space\u3000wide",
    "it's 9:30, isn't it? (yes)",
    b"\xff\xfe bad \xc3\x28 bytes",
    "a",
    "a a a a",
    "a b a b c",
    "x_y|z",
    "👩‍👩‍👧 family e\u0301",
    "vertical\x0btab form\x0cfeed\x1cseparator\x85next",
    "nul\x00inside",
]
WORDS = "the a cat sat on Mat and The dog ran to be or not".split()


def files():
    chance = random.Random(31)
    rows = [row(text, chance) for text in SOME]
    rows += [row(" ".join(chance.choice(WORDS) for _ in range(chance.randrange(12))), chance) for _ in range(64)]
    return [rows[:50], rows[50:]]


def more():
    chance = random.Random(32)
    return [row(text, chance) for text in ["", "unseen words the the", "CAT sat", "zebra"]]


def row(text, chance):
    return {
        "text": text,
        "tokens": [chance.choice(["x", "y", "", "é", "x y"]) for _ in range(chance.randrange(6))],
        "ids": [chance.randrange(-2, 8) for _ in range(chance.randrange(6))],
    }


def preprocess(x, note):
    text, given = x["text"], x["tokens"]
    tokens = tf.strings.split(tf.strings.lower(text)).to_sparse()
    letters = tf.strings.unicode_split(text, "UTF-8").to_sparse()
    o = {}
    o["tokens"] = tokens
    o["split"] = tf.strings.split(text).to_sparse()
    o["split_space"] = tf.strings.split(text, " ").to_sparse()
    o["letters"] = letters
    o["punctuation"] = tf.strings.split(tf.strings.regex_replace(text, r"([^a-zA-Z0-9 ])", r" \1 ")).to_sparse()
    o["lower"] = tf.strings.lower(text)
    o["lower_utf8"] = tf.strings.lower(tf.strings.unicode_transcode(text, "UTF-8", "UTF-8"), encoding="utf-8")

    for c, column in [("tokens", tokens), ("given", given)]:
        o[f"unigrams_{c}"] = tft.ngrams(column, (1, 1), " ")
        o[f"bigrams_{c}"] = tft.ngrams(column, (2, 2), " ")
        o[f"ngrams_{c}"] = tft.ngrams(column, (1, 3), "+")
        o[f"bag_{c}"] = tft.bag_of_words(column, (1, 1), " ")
        o[f"bag_2_{c}"] = tft.bag_of_words(column, (1, 2), "|")
        o[f"count_{c}"] = tft.word_count(column)
        o[f"unique_{c}"] = tft.deduplicate_tensor_per_row(column)
        o[f"hash_{c}"] = tft.hash_strings(column, 1000)
        o[f"hash_key_{c}"] = tft.hash_strings(column, 1000, key=[3, 4])
    o["trigrams_letters"] = tft.ngrams(letters, (3, 3), "")
    o["unique_ids"] = tft.deduplicate_tensor_per_row(x["ids"])
    o["hash_text"] = tft.hash_strings(text, 1 << 40)
    o["hash_key_text"] = tft.hash_strings(text, 1 << 40, key=[3, 4])

    ids = tft.compute_and_apply_vocabulary(tokens, top_k=9, num_oov_buckets=1, vocab_filename="tokens")
    o["ids"] = ids
    for name, column, size, smooth in [
        ("tfidf", ids, 10, True),
        ("tfidf_rough", ids, 10, False),
        ("tfidf_given", x["ids"], 6, True),  # ids outside wrap around
        ("tfidf_given_rough", x["ids"], 6, False),
    ]:
        o[f"{name}_ids"], o[f"{name}_weights"] = tft.tfidf(column, size, smooth=smooth)
    o["document_frequency"] = tft.experimental.document_frequency(ids, 10)
    o["idf"] = tft.experimental.idf(ids, 10)
    o["idf_rough"] = tft.experimental.idf(ids, 10, smooth=False)
    o["idf_added"] = tft.experimental.idf(ids, 10, add_baseline=False)
    o["bigram_ids"] = tft.compute_and_apply_vocabulary(
        tft.ngrams(tokens, (1, 2), " "), frequency_threshold=5, vocab_filename="bigrams"
    )
    note("buckets_of_ids", tft.get_num_buckets_for_transformed_feature(ids))
    return o
