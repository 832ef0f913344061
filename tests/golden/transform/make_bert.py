"""BERT's inputs: word pieces by tensorflow_text, with and without lower case, alone, in pairs and as segments.

The vocabulary is made here; TFT keeps it among the assets (`vocab/pieces.txt`).
"""

import pathlib
import string
import tempfile

import tensorflow as tf
import tensorflow_text as text
from tensorflow_text.python.ops.bert_tokenizer import BasicTokenizer

SPEC = {"a": tf.io.FixedLenFeature([], tf.string), "b": tf.io.FixedLenFeature([], tf.string)}
LENGTH = 24
KINDS = ["input_word_ids", "input_mask", "input_type_ids"]

SPECIAL = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the a an and of to is in it was don t s re ve cat dog sat run play jump big small New York new york Hello hello
world World un able token piece word straße strasse resume cafe naive Ångström angstrom istanbul ss fi fl office finance
привет мир Привет שלום مرحبا 日 本 語 の 北 京 한 국 ½ 1 2 10 ... … “ ” ’ – — € $ ° © ™ ⁄ ① 😀 👍 ﬁ ü é ö ß ı İ σ ς Σ ά""".split()
PIECES = """s ed ing er ly able ment tion ize able ness less ful ss e a o n t r i un ton york 1 2 0 st e ße ße ́ ̈ ά σ ς ет мир ا ب 本 語
é ü ö fi ﬁ ing's""".split()
HARD = [
    "",
    " ",
    "\t\r\n",
    "hello",
    "Hello, World!",
    "HELLO hello HeLLo",
    "the cats jumped unrunnable",
    "don't stop it's they've we're",
    "New York-based (big) dog: $10.21!",
    "a/b\\c|d~e`f^g_h",
    "naïve café résumé",
    "nai\u0308ve cafe\u0301 re\u0301sume\u0301",
    "ÅNGSTRÖM Ångström angstrom A\u030angstro\u0308m",
    "İstanbul ISTANBUL ıstanbul istanbul",
    "straße STRASSE STRAẞE",
    "oﬃce ﬁnance ﬂ ﬁ",
    "日本語の北京",
    "a日b本c",
    "한국 한국어",
    "\u1112\u1161\u11ab\u1100\u116e\u11a8",
    "привет мир ПРИВЕТ Привет",
    "שָׁלוֹם שלום",
    "مرحبا مَرْحَبًا",
    "हिन्दी ภาษาไทย",
    "ΣΊΣΥΦΟΣ σίσυφος ς Σ ά ΄",
    "½ ⅓ 1⁄2 ² ① Ⅷ ㎏ ℡",
    "ｆｕｌｌ　ｗｉｄｔｈ ＡＢＣ １２",
    "𝔥𝔢𝔩𝔩𝔬 𝐇𝐞𝐥𝐥𝐨",
    "… ... .. .",
    "“quoted” ‘single’ – dash — long ‐ hyphen",
    "€10 £5 ¥1 ₹2 ¢",
    "©2020 ™ ® ° ± × ÷",
    "😀 👍🏽 👩‍👩‍👧 🇩🇪",
    "zero\u200bwidth\u200djoin\ufeffbom\u2060",
    "soft\u00adhyphen",
    "no\u00a0break thin\u2009space wide\u3000space",
    "line\u2028sep para\u2029sep next\u0085line",
    "nul\x00bell\x07esc\x1bdel\x7f",
    "tab\tnewline\nreturn\rvertical\x0bform\x0c",
    "bad " + "\ufffd" + " replaced",
    b"raw \xff\xfe bytes \xc3\x28",
    b"cut \xe6\x97",
    b"surrogate \xed\xa0\x80 end",
    "private \ue000 use \U0010ffff last",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "[cls] [unused0] [unused1] [unused0]x",
    "##ing ##s # ##",
    "word" + "s" * 20,
    "a" * 99,
    "a" * 100,
    "a" * 101,
    "s" * 200 + " the",
    "é" * 50,
    "é" * 51,
    "é" * 100,
    "é" * 101,
    "日" * 40,
    "x y z q",
    "qqqq unq quncat",
    "unable unableness unun",
    "the " * 40,
    "cat dog " * 11,
    "cat dog " * 11 + "cat",
    "a.b.c. a..b ...",
    "hello!!!???",
    "10 1 2 12 21 1,000.50 3.14 1e5 0x1F",
    "user@example.com https://a.b/c?d=e&f=g#h",
    "<b>bold</b> &amp; {json: [1, 2]}",
    "C++ C# F♯ 5% 50°",
    "e\u0301\u0301\u0301 stacked",
    "\u0301 lone mark",
    "a\u0327\u0301 order a\u0301\u0327",
    "Ǆ ǅ ǆ Ŀ ŉ",
    "ﷺ ﬀ ﬄ ﬅ",
    "ᾳ ᾼ ῼ",
    "Ω Ω K Å",
    "Đđ Łł Øø Þþ Ææ Œœ",
    "ı İ i I i̇",
    "ꜳ ꝏ",
    "𐐀𐐨 deseret",
    "𠀀 𪛖 rare 㐀 豈 ⼀ 々 〇 ｱ カ\u3099",
    "¡hola! ¿qué?",
    "«guillemets» ‹single›",
    "x̄ ȳ vector⃗",
    "tele\u0336strike",
    "mixed УТФ and ASCII текст",
    "  lead and trail  ",
    "the\u0000",
    "'''quotes'''\"\"\"",
    "new-york new_york new—york",
]


def vocabulary():
    """The pieces in order: special ones, words, letters, endings, each once."""
    letters = string.ascii_lowercase + string.ascii_uppercase + string.digits + string.punctuation
    pieces = SPECIAL + WORDS + list(letters) + [f"##{p}" for p in [*PIECES, *string.ascii_lowercase, *string.digits]]
    return list(dict.fromkeys(pieces))


FOLDER = tempfile.TemporaryDirectory()
PATH = pathlib.Path(FOLDER.name) / "pieces.txt"
PATH.write_text("\n".join(vocabulary()) + "\n")
PAD, CLS, SEP = (vocabulary().index(token) for token in ["[PAD]", "[CLS]", "[SEP]"])


def files():
    return [[{"a": a, "b": HARD[(row * 7 + 3) % len(HARD)]} for row, a in enumerate(HARD)]]


def tokenizer(**options):
    return text.BertTokenizer(str(PATH), token_out_type=tf.int64, **options)


def ids(column, **options):
    """The ids of a row's pieces, words joined."""
    return tokenizer(**options).tokenize(column).merge_dims(-2, -1)


def ends(column, length, start, lower):
    """[CLS] and pieces, cut so that [SEP] is at most the last of `length`."""
    rows = tf.shape(column)[0]
    row = ids(column, lower_case=lower)
    if start:
        row = tf.concat([tf.fill([rows, 1], tf.constant(CLS, tf.int64)), row], axis=1)
    return tf.concat([row[:, : length - 1], tf.fill([rows, 1], tf.constant(SEP, tf.int64))], axis=1)


def padded(row, default):
    return row.to_tensor(shape=[None, LENGTH], default_value=tf.constant(default, tf.int64))


def single(a, lower):
    """One sentence: all types are 0."""
    words = padded(ends(a, LENGTH, True, lower), PAD)
    mask = tf.cast(tf.not_equal(words, PAD), tf.int64)
    return words, mask, tf.zeros_like(mask)


def pair(a, b, lower):
    """Two sentences of half the length each: the types are 1 from the second on, padding included."""
    first = ends(a, LENGTH // 2, True, lower)
    words = padded(tf.concat([first, ends(b, LENGTH // 2, False, lower)], axis=1), PAD)
    return words, tf.cast(tf.not_equal(words, PAD), tf.int64), padded(tf.zeros_like(first), 1)


def segments(columns, lower):
    """Sentences trimmed in turns to fit together: padding has type 0."""
    rows = [ids(column, lower_case=lower) for column in columns]
    trimmed = text.RoundRobinTrimmer(max_seq_length=LENGTH - len(rows) - 1).trim(rows)
    words, types = text.combine_segments(
        trimmed,
        start_of_sequence_id=tf.constant(CLS, tf.int64),
        end_of_segment_id=tf.constant(SEP, tf.int64),
    )
    words, mask = text.pad_model_inputs(words, max_seq_length=LENGTH)
    types, _ = text.pad_model_inputs(types, max_seq_length=LENGTH)
    return words, mask, types


def preprocess(x, note):
    a, b = x["a"], x["b"]
    o = {}
    for case, lower in [("lower", True), ("cased", False)]:
        o[f"pieces_{case}"] = ids(a, lower_case=lower).to_sparse()
        for name, columns in [
            ("single", single(a, lower)),
            ("pair", pair(a, b, lower)),
            ("segment", segments([a], lower)),
            ("segments", segments([a, b], lower)),
        ]:
            for kind, column in zip(KINDS, columns):
                o[f"{name}_{case}_{kind}"] = tf.cast(tf.ensure_shape(column, [None, LENGTH]), tf.int64)
    o["pieces_nfkc"] = ids(a, normalization_form="NFKC").to_sparse()
    o["pieces_nfd"] = ids(a, normalization_form="NFD").to_sparse()
    o["pieces_unused"] = ids(a, lower_case=True, preserve_unused_token=True).to_sparse()
    o["pieces_unknown_split"] = ids(a, lower_case=True, split_unknown_characters=True).to_sparse()
    o["pieces_short"] = ids(a, lower_case=True, max_bytes_per_word=10).to_sparse()
    o["words_lower"] = BasicTokenizer(lower_case=True).tokenize(a).to_sparse()
    o["words_cased"] = BasicTokenizer(lower_case=False).tokenize(a).to_sparse()
    o["fold"] = text.case_fold_utf8(tf.strings.unicode_transcode(a, "UTF-8", "UTF-8"))
    return o
