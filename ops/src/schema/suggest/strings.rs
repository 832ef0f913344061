//! Strings that all look the same: numbers, addresses, dates, identifiers.

use super::{Candidate, Find, SuggestionKind, count};
use crate::tfmd::feature::DomainInfo;
use crate::tfmd::feature_name_statistics::Type;
use crate::tfmd::time_domain::Format;
use crate::tfmd::{Annotation, Feature, FloatDomain, MidDomain, TimeDomain, UrlDomain};

/// With fewer distinct strings nothing is said about others.
const ENOUGH_LABELS: usize = 20;
/// A form of more parts is none.
const MOST_PARTS: usize = 16;

/// The strings of a feature that has no domain yet, if they are many enough to tell.
fn labels<'a>(candidate: &Candidate<'_, 'a>, feature: &Feature) -> Option<Vec<&'a str>> {
    let is_open = feature.domain_info.is_none();
    if !is_open || candidate.view.data_type() != Type::String || candidate.view.has_invalid_utf8() {
        return None;
    }
    let labels: Vec<&str> = candidate.view.labels().into_keys().collect();
    (labels.len() >= ENOUGH_LABELS).then_some(labels)
}

fn support(candidate: &Candidate<'_, '_>, labels: &[&str]) -> String {
    let counts = candidate.view.labels();
    let seen: f64 = counts.values().sum();
    format!(
        "so are all of the {} most frequent strings, {} of {} values.",
        count(labels.len() as u64),
        count(seen as u64),
        count(candidate.values())
    )
}

pub(super) const NUMBER_IN_TEXT: SuggestionKind = SuggestionKind {
    name: "number_in_text",
    doc: "strings that are all decimal numbers",
    find: Find::Feature(|candidate, feature| {
        let labels = labels(candidate, feature)?;
        let is_number = |label: &&str| {
            label.bytes().any(|b| b.is_ascii_digit()) && label.trim().parse::<f64>().is_ok()
        };
        if !labels.iter().all(is_number) {
            return None;
        }
        feature.domain_info = Some(DomainInfo::FloatDomain(FloatDomain::default()));
        Some(support(candidate, &labels))
    }),
};

/// What strings are known to be, by a domain that the schema has for it or by a remark.
enum Known {
    Domain(fn() -> DomainInfo),
    Remark(&'static str),
}

/// Forms with a name, and whether a string has it.
const FORMS: &[(fn(&str) -> bool, Known)] = &[
    (is_url, Known::Domain(|| DomainInfo::UrlDomain(UrlDomain {}))),
    (is_mid, Known::Domain(|| DomainInfo::MidDomain(MidDomain {}))),
    (|text| is_date(text, ""), Known::Domain(|| date("%Y-%m-%d"))),
    (|text| is_date(text, " "), Known::Domain(|| date("%Y-%m-%d %H:%M:%S"))),
    (|text| is_date(text, "T"), Known::Domain(|| date("%Y-%m-%dT%H:%M:%S"))),
    (is_uuid, Known::Remark("UUID")),
    (is_email, Known::Remark("e-mail address")),
    (is_ipv4, Known::Remark("IPv4 address")),
];

pub(super) const FORMAT: SuggestionKind = SuggestionKind {
    name: "format",
    doc: "strings of one form: URL, date, UUID, … or a pattern, as a domain or a remark",
    find: Find::Feature(|candidate, feature| {
        let labels = labels(candidate, feature)?;
        let has_remark = feature.annotation.as_ref().is_some_and(|a| !a.comment.is_empty());
        let known = FORMS.iter().find(|(is, _)| labels.iter().all(|label| is(label)));
        let remark = match known {
            Some((_, Known::Domain(domain))) => {
                feature.domain_info = Some(domain());
                return Some(support(candidate, &labels));
            }
            Some((_, Known::Remark(name))) => format!("form: {name}"),
            None => format!("form: {}", pattern(&labels)?),
        };
        if has_remark {
            return None;
        }
        let annotation: &mut Annotation = feature.annotation.get_or_insert_default();
        annotation.comment.push(remark);
        Some(support(candidate, &labels))
    }),
};

fn is_url(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) && !text.contains(' ')
}

fn is_mid(text: &str) -> bool {
    ["/m/", "/g/"].iter().any(|start| {
        text.strip_prefix(start).is_some_and(|id| {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    })
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_ipv4(text: &str) -> bool {
    let parts = text.split('.');
    parts.clone().count() == 4 && parts.into_iter().all(|part| part.parse::<u8>().is_ok())
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    !name.is_empty() && host.contains('.') && !host.contains('@') && !text.contains(' ')
}

fn date(format: &str) -> DomainInfo {
    let format = Some(Format::StringFormat(format.to_owned()));
    DomainInfo::TimeDomain(TimeDomain { format })
}

/// Whether a string is a date, and a time behind this separator unless that is empty.
fn is_date(text: &str, separator: &str) -> bool {
    let number = |from: usize, to: usize, least: u32, most: u32| {
        let digits = text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|d| d.parse::<u32>().ok()).is_some_and(|n| (least..=most).contains(&n))
    };
    let at = |i: usize, c: &str| text.get(i..i + 1) == Some(c);
    let is_day = number(0, 4, 1, 9999)
        && at(4, "-")
        && number(5, 7, 1, 12)
        && at(7, "-")
        && number(8, 10, 1, 31);
    if separator.is_empty() {
        return is_day && text.len() == 10;
    }
    is_day
        && text.len() == 19
        && at(10, separator)
        && number(11, 13, 0, 23)
        && at(13, ":")
        && number(14, 16, 0, 59)
        && at(16, ":")
        && number(17, 19, 0, 61)
}

/// The regular expression of strings that are made of the same parts, if they are and it says much.
fn pattern(labels: &[&str]) -> Option<String> {
    /// Characters that are told apart by their kind only.
    fn kind(c: char) -> Option<char> {
        match c {
            '0'..='9' => Some('9'),
            'a'..='z' => Some('a'),
            'A'..='Z' => Some('A'),
            '!'..='~' => Some(c),
            _ => None,
        }
    }
    fn parts(label: &str) -> Option<Vec<(char, usize)>> {
        let mut parts: Vec<(char, usize)> = Vec::new();
        for c in label.chars() {
            let kind = kind(c)?;
            match parts.last_mut() {
                Some((last, n)) if *last == kind => *n += 1,
                _ => parts.push((kind, 1)),
            }
            if parts.len() > MOST_PARTS {
                return None;
            }
        }
        Some(parts)
    }
    let mut common: Option<Vec<(char, usize, usize)>> = None;
    for label in labels {
        let parts = parts(label)?;
        match &mut common {
            None => common = Some(parts.into_iter().map(|(c, n)| (c, n, n)).collect()),
            Some(common) => {
                if !common.iter().map(|(c, ..)| *c).eq(parts.iter().map(|(c, _)| *c)) {
                    return None;
                }
                for ((_, least, most), (_, n)) in common.iter_mut().zip(parts) {
                    (*least, *most) = ((*least).min(n), (*most).max(n));
                }
            }
        }
    }
    let common = common?;
    // One run of letters of any length says nothing.
    let is_telling = common.len() > 1 || matches!(common[..], [(_, least, most)] if least == most);
    if !is_telling || common.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (kind, least, most) in common {
        match kind {
            '9' => text.push_str("[0-9]"),
            'a' => text.push_str("[a-z]"),
            'A' => text.push_str("[A-Z]"),
            '-' | '_' | '/' | ':' | ',' | ';' | '#' | '@' | '=' | '&' | '%' | '!' | '~' => {
                text.push(kind);
            }
            c => text.extend(['\\', c]),
        }
        match (least, most) {
            (1, 1) => {}
            (least, most) if least == most => text += &["{", &least.to_string(), "}"].concat(),
            (least, most) => {
                text += &["{", &least.to_string(), ",", &most.to_string(), "}"].concat();
            }
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |labels: &[&str], expected: Option<&str>| {
            assert_eq!(pattern(labels).as_deref(), expected, "{labels:?}");
        };
        check(&["AB-123", "C-45"], Some("[A-Z]{1,2}-[0-9]{2,3}"));
        check(&["12.5", "7.25"], Some("[0-9]{1,2}\\.[0-9]{1,2}"));
        check(&["abc", "defg"], None);
        check(&["abc", "def"], Some("[a-z]{3}"));
        check(&["a1", "1a"], None);
        check(&["", ""], None);
        check(&["é"], None);
        check(&["a b"], None);
        check(&["a-a-a-a-a-a-a-a-a-a"], None);
        check(&[], None);
    }

    #[test]
    fn forms() {
        let check = |text: &str, expected: &[usize]| {
            let found: Vec<usize> = (0..FORMS.len()).filter(|&i| (FORMS[i].0)(text)).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("https://a.b/c?d", &[0]);
        check("https://a b", &[]);
        check("/m/0abc_1", &[1]);
        check("/m/", &[]);
        check("2024-02-31", &[2]);
        check("2024-13-01", &[]);
        check("2024-02-01 23:59:60", &[3]);
        check("2024-02-01T00:00:00", &[4]);
        check("2024-02-01T24:00:00", &[]);
        check("éé24-02-01", &[]);
        check("123e4567-e89b-12d3-a456-426614174000", &[5]);
        check("a@b.c", &[6]);
        check("a@b@c.d", &[]);
        check("127.0.0.1", &[7]);
        check("", &[]);
    }
}
