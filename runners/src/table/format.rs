//! Numbers, shares and text as cells of a table.

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) on: bool,
}

impl Paint {
    fn code(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    pub(crate) fn style(self, style: Style, text: &str) -> String {
        match style {
            Style::Plain => text.to_owned(),
            Style::Dim => self.dim(text),
            Style::Name => self.code("1;36", text),
            Style::Spark => self.code("32", text),
            Style::Odd => self.code("33", text),
            Style::Bad => self.code("1;31", text),
        }
    }
}

/// What a cell's colour says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Dim,
    Name,
    Spark,
    /// Worth a look.
    Odd,
    /// Probably wrong.
    Bad,
}

/// A whole number, by thousands.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with four digits that count.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if size.fract() == 0.0 && size < 1e7 || (999.95..1e7).contains(&size) {
        let sign = if x < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(size.round() as u64));
    }
    if !(1e-3..1e7).contains(&size) {
        let scientific = format!("{x:.3e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    let decimals = match size {
        99.95.. => 1,
        9.995.. => 2,
        0.1.. => 3,
        0.01.. => 4,
        _ => 5,
    };
    let text = format!("{x:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share in percent, which says "0%" and "100%" only where that is exact.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole <= 0.0 {
        return String::new();
    }
    let share = 100.0 * part / whole;
    match share {
        0.0 => "0%".to_owned(),
        100.0 => "100%".to_owned(),
        ..0.05 => "<0.1%".to_owned(),
        99.95..100.0 => ">99.9%".to_owned(),
        _ => format!("{share:.1}%"),
    }
}

/// Heights as one character each: an empty bucket is blank, any other at least the lowest bar.
pub(crate) fn sparkline(heights: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = heights.iter().copied().fold(0.0, f64::max);
    let bar = |&height: &f64| {
        if height <= 0.0 || most <= 0.0 {
            return ' ';
        }
        BARS[((height / most * 8.0).ceil() as usize).clamp(1, 8) - 1]
    };
    heights.iter().map(bar).collect()
}

/// Text that cannot move the cursor or ring the bell: control characters are written as escapes.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Also the marks that turn the direction of writing round.
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Columns that a text takes on a terminal: East Asian and pictorial characters take two.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Text of at most so many columns, with an ellipsis where something was cut off.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        let check = |x: f64, expected: &str| assert_eq!(number(x), expected, "{x:?}");
        check(0.0, "0");
        check(-0.0, "0");
        check(7.0, "7");
        check(-1234.0, "-1,234");
        check(1_382_125_500.0, "1.382e9");
        check(1_482_125.0, "1,482,125");
        check(11.7684, "11.77");
        check(1234.5, "1,235");
        check(123.456, "123.5");
        check(999.96, "1,000");
        check(9.9951, "10");
        check(0.25, "0.25");
        check(0.000_123_4, "1.234e-4");
        check(0.051_23, "0.0512");
        check(-0.001, "-0.001");
        check(1.5e7 + 0.5, "1.5e7");
        check(1e300, "1e300");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-inf");
    }

    #[test]
    fn shares_do_not_pretend() {
        let check = |part: f64, whole: f64, expected: &str| {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        };
        check(0.0, 10.0, "0%");
        check(10.0, 10.0, "100%");
        check(1.0, 100_000.0, "<0.1%");
        check(99_999.0, 100_000.0, ">99.9%");
        check(1.0, 3.0, "33.3%");
        check(1.0, 0.0, "");
    }

    #[test]
    fn bars_show_every_bucket_that_is_not_empty() {
        assert_eq!(sparkline(&[0.0, 1.0, 500.0, 1000.0]), " ▁▄█");
        assert_eq!(sparkline(&[0.0, 0.0]), "  ");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn text_keeps_its_place() {
        assert_eq!(printable("a\x1b[2Jb\n\u{202e}"), "a\\u{1b}[2Jb\\n\\u{202e}");
        assert_eq!(width("出租车é"), 7);
        assert_eq!(fit("出租车", 4), "出…");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("abcd", 4), "abcd");
        assert_eq!(fit("ab", 0), "");
    }
}
