"""TensorFlow's own operations, row by row, on values that break them.

`errors.json` has what happens where an operation refuses: there TFT would fail the whole batch.
TensorFlow takes numbers below the least normal float32 for 0, and its float32 functions of one
argument (`exp`, `log`, `reciprocal`, ...) may be off by some units in the last place.
"""

import itertools
import re

import tensorflow as tf
import tensorflow_text as text

DENSE, SPARSE = tf.io.FixedLenFeature, tf.io.VarLenFeature
NAN, INF = float("nan"), float("inf")
MIN, MAX = -(2**63), 2**63 - 1

SPEC = {
    "f": DENSE([], tf.float32),
    "g": DENSE([], tf.float32),
    "i": DENSE([], tf.int64),
    "j": DENSE([], tf.int64),  # never 0
    "n": DENSE([], tf.int64),  # -1 to 5
    "s": DENSE([], tf.string),
    "t": DENSE([], tf.string),
    "decimal": DENSE([], tf.string),  # a number as text
    "integer": DENSE([], tf.string),
    "vector": DENSE([3], tf.float32),
    "trio": DENSE([3], tf.string),
    "floats": SPARSE(tf.float32),  # 0 to 3 values, as the next two
    "ints": SPARSE(tf.int64),
    "strings": SPARSE(tf.string),
}

FLOATS = [
    0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -0.5, -2.5, 0.1, -7.25, 3.0, 1e-10, 1e-30, 16777217.0, 123456.789,
    -2147483649.0, 9.223372e18, 1e19, -1e19, 3.4028235e38, INF, -INF, NAN, 88.8, -104.0,
]  # fmt: skip
INTS = [
    0,
    1,
    -1,
    2,
    -2,
    7,
    -7,
    10,
    255,
    256,
    2**24 + 1,
    2**31,
    -(2**31) - 1,
    2**32 + 5,
    2**53 + 1,
    MAX,
    MIN,
    MAX - 1,
    MIN + 1,
]
DIVISORS = [1, -1, 2, -2, 3, -3, 10, 7, MAX, MIN, 2**31, -(2**40), 5]
STRINGS = [
    "", " ", "  a  b ", "Hello World", "ÀÉ straße", "日本語", "İI ıi", "a,b,,c,", ",", "a\tb\nc\r", b"\xff", b"a\xc3",
    b"\xe6\x97x", "e\u0301", "👩‍👩‍👧x", "nul\x00x", "12", "x" * 70, "k=v=w", "\u00a0x\u00a0", "ﬁ Ⅷ ½", "ΑΣ ΣΑ", "ǆ ǅ Ǆ", "aaa",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "\ufeffbom", "a.b*c",
]  # fmt: skip
DECIMALS = [
    "0", "-0", "1", "+3", "1.5", "-.5", "5.", "1e5", "1E-3", "nan", "NaN", "inf", "-inf", "+inf", " 2 ", "1e39",
    "1e-50", "123456789", "0.1", "3.4028236e38", "16777217", "9007199254740993",
]  # fmt: skip
INTEGERS = ["0", "-0", "1", "007", "-12", " 5 ", "2147483647", "-2147483648"]


def files():
    size = 130
    floats, ints, strings = itertools.cycle(FLOATS), itertools.cycle(INTS), itertools.cycle(STRINGS)
    rows = []
    for row, f, i, s in zip(range(size), floats, ints, strings):
        turn = row // len(FLOATS)
        g = FLOATS[(row + 1 + 5 * turn) % len(FLOATS)] if turn else f
        t = STRINGS[(row * 7 + 3) % len(STRINGS)] if row % 5 else s
        rows.append(
            {
                "f": f,
                "g": g,
                "i": i,
                "j": DIVISORS[(row * 3 + row // len(INTS)) % len(DIVISORS)],
                "n": row % 7 - 1,
                "s": s,
                "t": t,
                "decimal": DECIMALS[row % len(DECIMALS)],
                "integer": INTEGERS[row % len(INTEGERS)],
                "vector": [f, g, 0.25],
                "trio": [s, t, "-"],
                "floats": [f, g, f][: row % 4],
                "ints": [i, 1, row % 3][: row % 4],
                "strings": [s, t, s][: row % 4],
            }
        )
    return [rows]


def preprocess(x, note):
    f, g, i, j, n, s, t = (x[c] for c in ["f", "g", "i", "j", "n", "s", "t"])
    bit = lambda condition: tf.cast(condition, tf.int64)
    o = {}

    # Casts.
    o["f_int64"] = tf.cast(f, tf.int64)
    o["f_int32"] = tf.cast(tf.cast(f, tf.int32), tf.int64)
    o["f_bool"] = bit(tf.cast(f, tf.bool))
    o["f_float64_int64"] = tf.cast(tf.cast(f, tf.float64), tf.int64)
    o["i_float32"] = tf.cast(i, tf.float32)
    o["i_float64"] = tf.strings.as_string(tf.cast(i, tf.float64), precision=0)
    o["i_float64_int64"] = tf.cast(tf.cast(i, tf.float64), tf.int64)
    o["i_float32_int64"] = tf.cast(tf.cast(i, tf.float32), tf.int64)
    o["i_int32"] = tf.cast(tf.cast(i, tf.int32), tf.int64)
    o["i_bool"] = bit(tf.cast(i, tf.bool))
    o["bool_float32"] = tf.cast(i > 0, tf.float32)
    o["bool_int64"] = bit(i > 0)
    o["f_float64_float32"] = tf.cast(tf.cast(f, tf.float64) / 3.0, tf.float32)

    # Arithmetic of floats.
    o["f_add"] = f + g
    o["f_subtract"] = f - g
    o["f_multiply"] = f * g
    o["f_divide"] = f / g
    o["f_floordiv"] = f // g
    o["f_mod"] = f % g
    o["f_truncatemod"] = tf.truncatemod(f, g)
    o["f_maximum"] = tf.maximum(f, g)
    o["f_minimum"] = tf.minimum(f, g)
    o["f_pow"] = tf.pow(f, g)
    o["f_squared_difference"] = tf.math.squared_difference(f, g)
    o["f_divide_no_nan"] = tf.math.divide_no_nan(f, g)
    o["f_multiply_no_nan"] = tf.math.multiply_no_nan(f, g)
    o["f_negative"] = -f
    o["f_abs"] = tf.abs(f)
    o["f_sign"] = tf.sign(f)
    o["f_square"] = tf.square(f)
    o["f_reciprocal"] = tf.math.reciprocal(f)
    o["f_sqrt"] = tf.sqrt(f)
    o["f_exp"] = tf.exp(f)
    o["f_expm1"] = tf.math.expm1(f)
    o["f_log"] = tf.math.log(f)
    o["f_log1p"] = tf.math.log1p(f)
    o["f_sigmoid"] = tf.sigmoid(f)
    o["f_tanh"] = tf.tanh(f)
    o["f_floor"] = tf.floor(f)
    o["f_ceil"] = tf.math.ceil(f)
    o["f_round"] = tf.round(f)
    o["f_clip"] = tf.clip_by_value(f, -1.0, 2.5)
    o["f_is_nan"] = bit(tf.math.is_nan(f))
    o["f_is_inf"] = bit(tf.math.is_inf(f))
    o["f_is_finite"] = bit(tf.math.is_finite(f))
    o["f_add_half"] = f + 0.5
    o["f_floordiv_2"] = f // 2.0
    o["f_mod_3"] = f % 3.0
    o["f_float64_add"] = tf.cast(tf.cast(f, tf.float64) + tf.cast(g, tf.float64), tf.float32)

    # Arithmetic of integers, which wrap.
    o["i_add"] = i + j
    o["i_subtract"] = i - j
    o["i_multiply"] = i * j
    o["i_divide"] = tf.cast(i / j, tf.float32)
    # The least integer by -1 is no answer that TensorFlow promises: it is left out.
    safe = tf.where(tf.logical_and(tf.equal(i, MIN), tf.equal(j, -1)), tf.constant(1, tf.int64), j)
    o["i_floordiv"] = i // safe
    o["i_mod"] = i % safe
    o["i_truncatediv"] = tf.truncatediv(i, safe)
    o["i_truncatemod"] = tf.truncatemod(i, safe)
    o["i_maximum"] = tf.maximum(i, j)
    o["i_minimum"] = tf.minimum(i, j)
    o["i_negative"] = -i
    o["i_abs"] = tf.abs(i)
    o["i_sign"] = tf.sign(i)
    o["i_square"] = tf.square(i)
    o["i_clip"] = tf.clip_by_value(i, tf.constant(-5, tf.int64), tf.constant(300, tf.int64))
    o["i_mod_24"] = i % 24
    o["i_floordiv_10"] = i // 10

    # Comparison and choice.
    for name, compare in [
        ("less", tf.less),
        ("less_equal", tf.less_equal),
        ("greater", tf.greater),
        ("greater_equal", tf.greater_equal),
        ("equal", tf.equal),
        ("not_equal", tf.not_equal),
    ]:
        o[f"f_{name}"] = bit(compare(f, g))
        o[f"i_{name}"] = bit(compare(i, j))
    o["s_equal"] = bit(tf.equal(s, t))
    o["s_not_equal"] = bit(tf.not_equal(s, t))
    o["s_equal_empty"] = bit(tf.equal(s, ""))
    o["and"] = bit(tf.logical_and(f > 0, i > 0))
    o["or"] = bit(tf.logical_or(f > 0, i > 0))
    o["xor"] = bit(tf.math.logical_xor(f > 0, i > 0))
    o["not"] = bit(tf.logical_not(f > 0))
    o["where"] = tf.where(f > g, f, g)
    o["where_nan"] = tf.where(tf.math.is_nan(f), 0.0, f)
    o["where_int"] = tf.where(i > j, i, 0)
    o["where_string"] = tf.where(tf.equal(s, ""), "none", s)

    # Rows: vectors, one-hot, joining and reducing.
    v = x["vector"]
    o["v_first"] = v[:, 0]
    o["v_last_two"] = v[:, 1:]
    o["v_add"] = v + tf.expand_dims(f, 1)
    o["v_scale"] = v * [1.0, 10.0, 100.0]
    o["v_sum"] = tf.reduce_sum(v, axis=1)
    o["v_mean"] = tf.reduce_mean(v, axis=1)
    o["v_max"] = tf.reduce_max(v, axis=1)
    o["v_min"] = tf.reduce_min(v, axis=1)
    o["v_prod"] = tf.reduce_prod(v, axis=1)
    o["v_any"] = bit(tf.reduce_any(v > 0, axis=1))
    o["v_all"] = bit(tf.reduce_all(v > 0, axis=1))
    o["v_argmax"] = tf.argmax(v, axis=1)
    o["v_argmin"] = tf.argmin(v, axis=1)
    o["v_reverse"] = tf.reverse(v, [1])
    o["stack"] = tf.stack([f, g], axis=1)
    o["stack_int"] = tf.stack([i, j, n], axis=1)
    o["concat"] = tf.concat([v, tf.expand_dims(g, 1)], axis=1)
    o["concat_string"] = tf.concat([x["trio"], tf.expand_dims(s, 1)], axis=1)
    o["one_hot"] = tf.one_hot(n, 4)
    o["one_hot_int"] = tf.one_hot(n, 4, on_value=tf.constant(7, tf.int64), off_value=tf.constant(-7, tf.int64))
    o["one_hot_i"] = tf.one_hot(i, 3)
    o["zeros_like"] = tf.zeros_like(f)
    o["ones_like"] = tf.ones_like(i)

    strings(x, o, bit)
    sparse(x, o)
    return o


def strings(x, o, bit):
    s, t, f, i = x["s"], x["t"], x["f"], x["i"]
    clean = tf.strings.unicode_transcode(s, "UTF-8", "UTF-8")
    o["s_transcode"] = clean
    o["s_lower"] = tf.strings.lower(s)
    o["s_upper"] = tf.strings.upper(s)
    o["s_lower_utf8"] = tf.strings.lower(clean, encoding="utf-8")
    o["s_upper_utf8"] = tf.strings.upper(clean, encoding="utf-8")
    o["s_strip"] = tf.strings.strip(s)
    o["s_length"] = tf.cast(tf.strings.length(s), tf.int64)
    o["s_length_utf8"] = tf.cast(tf.strings.length(s, unit="UTF8_CHAR"), tf.int64)
    o["s_length_clean"] = tf.cast(tf.strings.length(clean, unit="UTF8_CHAR"), tf.int64)
    o["s_substr"] = tf.strings.substr(s, 0, 3)
    o["s_substr_utf8"] = tf.strings.substr(clean, 0, 3, unit="UTF8_CHAR")
    long = tf.strings.join(["abcdef", s])
    o["s_substr_2_5"] = tf.strings.substr(long, 2, 5)
    o["s_substr_from_end"] = tf.strings.substr(long, -4, 3)
    o["s_substr_utf8_from_end"] = tf.strings.substr(tf.strings.join(["abcdef", clean]), -4, 3, unit="UTF8_CHAR")
    o["s_split"] = tf.strings.split(s).to_sparse()
    o["s_split_comma"] = tf.strings.split(s, ",").to_sparse()
    o["s_split_aa"] = tf.strings.split(s, "aa").to_sparse()
    o["s_split_comma_once"] = tf.strings.split(s, ",", maxsplit=1).to_sparse()
    o["s_split_once"] = tf.strings.split(s, maxsplit=1).to_sparse()
    o["s_unicode_split"] = tf.strings.unicode_split(s, "UTF-8").to_sparse()
    o["s_unicode_split_ignore"] = tf.strings.unicode_split(s, "UTF-8", errors="ignore").to_sparse()
    o["s_unicode_decode"] = tf.cast(tf.strings.unicode_decode(s, "UTF-8").to_sparse(), tf.int64)
    o["s_bytes_split"] = tf.strings.bytes_split(s).to_sparse()
    o["s_regex_vowels"] = tf.strings.regex_replace(s, "[aeiou]", "_")
    o["s_regex_first"] = tf.strings.regex_replace(s, "[aeiou]", "_", replace_global=False)
    o["s_regex_groups"] = tf.strings.regex_replace(s, r"(\w)(\w)", r"\2\1\0")
    o["s_regex_space"] = tf.strings.regex_replace(s, r"\s+", " ")
    o["s_regex_empty"] = tf.strings.regex_replace(s, "x*", "-")
    o["s_regex_ends"] = tf.strings.regex_replace(s, "^|$", "|")
    o["s_regex_any"] = tf.strings.regex_replace(s, ".", "#")
    o["s_regex_letters"] = tf.strings.regex_replace(s, r"\pL", "L")
    o["s_regex_case"] = tf.strings.regex_replace(s, "(?i)A", "<>")
    o["s_full_match"] = bit(tf.strings.regex_full_match(s, r"[a-z ]*"))
    o["s_full_match_any"] = bit(tf.strings.regex_full_match(s, ".*"))
    o["s_join"] = tf.strings.join([s, t])
    o["s_join_separator"] = tf.strings.join([s, t, s], separator="|")
    o["s_join_constant"] = tf.strings.join([s, "-", t])
    o["s_add"] = s + "!" + t
    o["s_reduce_join"] = tf.strings.reduce_join(x["trio"], axis=1)
    o["s_reduce_join_separator"] = tf.strings.reduce_join(x["trio"], axis=1, separator="_")
    o["s_hash_fast"] = tf.strings.to_hash_bucket_fast(s, 1 << 62)
    o["s_hash_fast_10"] = tf.strings.to_hash_bucket_fast(s, 10)
    o["s_hash_strong"] = tf.strings.to_hash_bucket_strong(s, 1 << 62, [5, 6])
    o["s_hash_legacy"] = tf.strings.to_hash_bucket(s, 1 << 62)
    o["s_nfkc"] = text.normalize_utf8(clean, "NFKC")
    o["s_nfd"] = text.normalize_utf8(clean, "NFD")
    o["s_fold"] = text.case_fold_utf8(clean)
    o["number_float32"] = tf.strings.to_number(x["decimal"], tf.float32)
    o["number_float64"] = tf.strings.as_string(
        tf.strings.to_number(x["decimal"], tf.float64), scientific=True, precision=17
    )
    o["number_int64"] = tf.strings.to_number(x["integer"], tf.int64)
    o["number_int32"] = tf.cast(tf.strings.to_number(x["integer"], tf.int32), tf.int64)
    o["f_string"] = tf.strings.as_string(f)
    o["f_string_2"] = tf.strings.as_string(f, precision=2)
    o["f_string_scientific"] = tf.strings.as_string(f, scientific=True)
    o["f_string_shortest"] = tf.strings.as_string(f, shortest=True)
    o["f_string_wide"] = tf.strings.as_string(f, width=12, fill="0", precision=1)
    o["f_float64_string"] = tf.strings.as_string(tf.cast(f, tf.float64))
    o["i_string"] = tf.strings.as_string(i)
    o["i_string_wide"] = tf.strings.as_string(i, width=5, fill="0")
    o["i_string_spaces"] = tf.strings.as_string(i, width=5)
    o["bool_string"] = tf.strings.as_string(i > 0)


def sparse(x, o):
    """Columns whose rows have none to three values."""
    floats, ints, words = x["floats"], x["ints"], x["strings"]
    change = lambda column, values: tf.SparseTensor(column.indices, values, column.dense_shape)
    o["floats"] = floats
    o["ints"] = ints
    o["strings"] = words
    o["floats_int64"] = tf.cast(floats, tf.int64)
    o["ints_float32"] = tf.cast(ints, tf.float32)
    o["floats_abs"] = change(floats, tf.abs(floats.values))
    o["strings_lower"] = change(words, tf.strings.lower(words.values))
    first = lambda column, default: tf.sparse.to_dense(tf.sparse.slice(column, [0, 0], [2**40, 1]), default)[:, 0]
    o["dense_3"] = tf.sparse.to_dense(tf.SparseTensor(floats.indices, floats.values, [floats.dense_shape[0], 3]), -1.0)
    o["dense_3_int"] = tf.sparse.to_dense(tf.SparseTensor(ints.indices, ints.values, [ints.dense_shape[0], 3]), -1)
    o["dense_3_string"] = tf.sparse.to_dense(
        tf.SparseTensor(words.indices, words.values, [words.dense_shape[0], 3]), ""
    )
    o["first"] = first(floats, 0.0)
    o["first_string"] = first(words, "")
    o["floats_sum"] = tf.ensure_shape(tf.sparse.reduce_sum(floats, axis=1), [None])
    o["floats_max"] = tf.ensure_shape(tf.sparse.reduce_max(floats, axis=1), [None])
    o["strings_joined"] = tf.strings.reduce_join(tf.RaggedTensor.from_sparse(words), axis=1, separator=" ")
    o["strings_count"] = tf.cast(tf.RaggedTensor.from_sparse(words).row_lengths(), tf.int64)
    o["cross_hashed"] = tf.sparse.cross_hashed([words, tf.sparse.from_dense(tf.expand_dims(x["t"], 1))], 1000)
    o["cross"] = tf.sparse.cross([words, tf.sparse.from_dense(tf.expand_dims(x["t"], 1))])


ERRORS = [
    "tf.constant(5, tf.int64) // tf.constant(0, tf.int64)",
    "tf.constant(5, tf.int64) % tf.constant(0, tf.int64)",
    "tf.constant(5, tf.int64) / tf.constant(0, tf.int64)",
    "tf.constant(0, tf.int64) / tf.constant(0, tf.int64)",
    "tf.pow(tf.constant(2, tf.int64), tf.constant(-1, tf.int64))",
    "tf.pow(tf.constant(2, tf.int64), tf.constant(64, tf.int64))",
    "tf.cast('1', tf.int64)",
    "tf.cast(1, tf.string)",
    "tf.cast(True, tf.string)",
    "tf.constant(1.0) + tf.constant(1)",
    "tf.constant(1, tf.int64) + tf.constant(1, tf.int32)",
    "tf.constant(1, tf.int64) * 2.5",
    "tf.constant('a') < tf.constant('b')",
    "tf.strings.to_number('')",
    "tf.strings.to_number('abc')",
    "tf.strings.to_number('infinity')",
    "tf.strings.to_number('Inf')",
    "tf.strings.to_number('-nan')",
    "tf.strings.to_number('1e')",
    "tf.strings.to_number('.')",
    "tf.strings.to_number('1f')",
    "tf.strings.to_number('\\t1\\n')",
    "tf.strings.to_number('+ 1')",
    "tf.strings.to_number('1', tf.bool)",
    "tf.strings.to_number('1 2')",
    "tf.strings.to_number('0x10')",
    "tf.strings.to_number('1_000')",
    "tf.strings.to_number('+3', tf.int64)",
    "tf.strings.to_number('1.5', tf.int64)",
    "tf.strings.to_number('9223372036854775807', tf.int64)",
    "tf.strings.to_number('9223372036854775808', tf.int64)",
    "tf.strings.to_number('2147483648', tf.int32)",
    "tf.strings.to_number('1e400', tf.float64)",
    "tf.strings.substr('', 1, 2)",
    "tf.strings.substr('abc', 3, 2)",
    "tf.strings.substr('abc', 4, 2)",
    "tf.strings.substr('abc', -3, 2)",
    "tf.strings.substr('abc', -4, 2)",
    "tf.strings.substr('abc', 1, -1)",
    "tf.strings.substr('日本', 1, 1)",
    "tf.strings.lower(b'\\xff', encoding='utf-8')",
    "tf.strings.regex_replace('a', '(', 'b')",
    "tf.strings.regex_replace('a', '(?=a)', 'b')",
    "tf.strings.regex_replace('a', '(a)', r'\\2')",
    "tf.strings.unicode_split(b'a\\xff', 'UTF-8', errors='strict')",
    "tf.strings.split('a,b', '')",
    "tf.one_hot(-1, 3)",
    "tf.one_hot(3, 3)",
    "tf.clip_by_value(1.0, 3.0, 2.0)",
    "tf.clip_by_value(float('nan'), 0.0, 1.0)",
    "tf.stack([tf.constant([1.0]), tf.constant([1])])",
    "tf.concat([tf.constant([1.0]), tf.constant([1, 2])], 0)",
    "tf.strings.as_string(1.0, precision=-1)",
    "tf.strings.as_string(float('nan'))",
    "tf.strings.to_hash_bucket_fast('a', 0)",
    "tf.strings.to_hash_bucket_strong('a', 10, [1])",
]


def errors():
    """What each expression gives: its value, or the error's kind and first line."""
    found = {}
    for expression in ERRORS:
        try:
            result = eval(expression, {"tf": tf})
            array = result.numpy()
            value = array.tolist() if hasattr(array, "tolist") else array
            found[expression] = {"dtype": result.dtype.name, "value": value}
        except Exception as error:
            message = re.sub(r"\{\{.*\}\} | \[Op:.*", "", str(error).splitlines()[0])
            found[expression] = {"error": type(error).__name__, "message": message}
    return found
