//! Pieces of markup that every row repeats, each as one character: it halves the page.
//!
//! The characters are controls, which no text from the data holds once it is escaped. The page has
//! the table as JSON, and its script puts the pieces back when a row is needed.

use super::{detail, drift};

/// The pieces, longer ones before those that are parts of them.
pub(super) const PHRASES: &[(char, &str)] = &[
    ('\u{1}', detail::QUANTILES),
    ('\u{2}', drift::DISTANCES),
    ('\u{3}', "<table><caption>Values<thead><tr><th scope=col>Value<th scope=col>"),
    ('\u{4}', "<svg class=h viewBox=\"0 0 "),
    ('\u{5}', "\" preserveAspectRatio=none role=img><title>"),
    ('\u{6}', "</title><path class=b d=\"M0 100V"),
    ('\u{7}', "\"/><path class=l d=\"M0 "),
    ('\u{8}', "\"/></svg><p class=x><span>"),
    ('\u{b}', "</span><b class=\"above\">▶ "),
    ('\u{e}', "<td class=c rowspan=2>"),
    ('\u{f}', "<td class=d rowspan=2><p title=\""),
    ('\u{10}', "<tr><th scope=rowgroup rowspan=2><button aria-expanded=false>"),
    ('\u{11}', "</button><small>"),
    ('\u{12}', "</small><th scope=row class=k0>"),
    ('\u{13}', "<tr><th scope=row class=k1>"),
    ('\u{14}', "<td class=none>"),
    ('\u{15}', "Nothing that is judged is above its threshold."),
    ('\u{16}', "<tr><th scope=row>"),
    ('\u{17}', ", noise floor "),
    ('\u{18}', ", threshold "),
    ('\u{19}', "<td class=t>"),
    ('\u{1a}', "</table>"),
    ('\u{1b}', "</span>"),
    ('\u{1c}', "<tbody id=f"),
    ('\u{1d}', "h4V100M"),
    ('\u{1e}', "</bdi>"),
    ('\u{1f}', "<td>"),
];

/// Markup with its pieces as characters.
pub(super) fn shorten(markup: &str) -> String {
    let mut out = String::with_capacity(markup.len() / 2);
    let mut rest = markup;
    // Every piece begins with one of these.
    while let Some(at) = rest.find(['<', '"', ',', 'N', 'h']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match PHRASES.iter().find(|(_, piece)| rest.starts_with(piece)) {
            Some((short, piece)) => {
                out.push(*short);
                rest = &rest[piece.len()..];
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back() {
        let pieces: Vec<&str> = PHRASES.iter().map(|(_, piece)| *piece).collect();
        let markup = pieces.join("1.5é, <i>");
        let short = shorten(&markup);
        assert!(short.chars().count() < 10 * PHRASES.len());
        let long: String = short
            .chars()
            .map(|c| match PHRASES.iter().find(|(short, _)| *short == c) {
                Some((_, piece)) => (*piece).to_owned(),
                None => c.to_string(),
            })
            .collect();
        assert_eq!(long, markup);
    }
}
