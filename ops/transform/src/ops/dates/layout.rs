//! Formats of dates, as `strptime` and `strftime` have them.

use super::calendar::{Civil, DAY, days, days_in_month, instant, weekday};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A format, item by item.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) items: Vec<Item>,
    /// Seconds that the zone of what is read and written is ahead of UTC.
    pub(super) offset: i64,
}

/// A directive, or text between them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Text(Vec<u8>),
    Year,
    YearOfCentury,
    Month,
    MonthName { short: bool },
    Day,
    DayBlank,
    DayOfYear,
    Weekday { short: bool },
    WeekdayNumber { monday_is: i64 },
    IsoYear,
    IsoWeek,
    Hour,
    Hour12,
    Half,
    Minute,
    Second,
    Micros,
    Offset,
    Unix,
}

impl Layout {
    /// Reads a format.
    ///
    /// # Errors
    /// With the directive that is not known.
    pub(super) fn new(format: &str, offset: i64) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut text = Vec::new();
        let mut bytes = format.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                text.push(byte);
                continue;
            }
            let item = match bytes.next() {
                Some(b'%') => {
                    text.push(b'%');
                    continue;
                }
                Some(b'F') => vec![Item::Year, dash(), Item::Month, dash(), Item::Day],
                Some(b'T') => vec![Item::Hour, colon(), Item::Minute, colon(), Item::Second],
                Some(b'R') => vec![Item::Hour, colon(), Item::Minute],
                Some(b'D') => vec![Item::Month, slash(), Item::Day, slash(), Item::YearOfCentury],
                Some(letter) => match Item::of(letter) {
                    Some(item) => vec![item],
                    None => return Err(format!("%{}", letter as char)),
                },
                None => return Err("%".to_owned()),
            };
            if !text.is_empty() {
                items.push(Item::Text(std::mem::take(&mut text)));
            }
            items.extend(item);
        }
        if !text.is_empty() {
            items.push(Item::Text(text));
        }
        Ok(Layout { items, offset })
    }

    /// The instant that a text of this format says.
    pub(super) fn parse(&self, text: &[u8]) -> Option<i64> {
        let mut fields = Fields { offset: self.offset, ..Fields::default() };
        let mut rest = text;
        for item in &self.items {
            rest = item.parse(rest, &mut fields)?;
        }
        if rest.is_empty() { fields.instant() } else { None }
    }

    /// Writes an instant in this format.
    pub(super) fn write(&self, micros: i64, out: &mut Vec<u8>) {
        let civil = Civil::of(micros, self.offset);
        for item in &self.items {
            item.write(civil, micros, self.offset, out);
        }
    }
}

fn dash() -> Item {
    Item::Text(b"-".to_vec())
}

fn colon() -> Item {
    Item::Text(b":".to_vec())
}

fn slash() -> Item {
    Item::Text(b"/".to_vec())
}

/// What a text has said so far.
#[derive(Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    hour12: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    micros: i64,
    offset: i64,
    unix: Option<i64>,
}

impl Fields {
    fn instant(&self) -> Option<i64> {
        if let Some(unix) = self.unix {
            return instant(unix, self.micros);
        }
        let year = self.year.unwrap_or(1970);
        let day = match self.day_of_year {
            Some(day) if day <= 365 || days_in_month(year, 2) == 29 => days(year, 1, 1) + day - 1,
            Some(_) => return None,
            None => {
                let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                if day > days_in_month(year, month) {
                    return None;
                }
                days(year, month, day)
            }
        };
        let hour = match self.hour12 {
            Some(hour) => hour % 12 + if self.afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let seconds = hour * 3600 + self.minute * 60 + self.second - self.offset;
        instant(day * DAY + seconds, self.micros)
    }
}

impl Item {
    fn of(letter: u8) -> Option<Item> {
        Some(match letter {
            b'Y' => Item::Year,
            b'y' => Item::YearOfCentury,
            b'm' => Item::Month,
            b'b' | b'h' => Item::MonthName { short: true },
            b'B' => Item::MonthName { short: false },
            b'd' => Item::Day,
            b'e' => Item::DayBlank,
            b'j' => Item::DayOfYear,
            b'a' => Item::Weekday { short: true },
            b'A' => Item::Weekday { short: false },
            b'u' => Item::WeekdayNumber { monday_is: 1 },
            b'w' => Item::WeekdayNumber { monday_is: 0 },
            b'G' => Item::IsoYear,
            b'V' => Item::IsoWeek,
            b'H' => Item::Hour,
            b'I' => Item::Hour12,
            b'p' => Item::Half,
            b'M' => Item::Minute,
            b'S' => Item::Second,
            b'f' => Item::Micros,
            b'z' => Item::Offset,
            b's' => Item::Unix,
            _ => return None,
        })
    }

    /// Whether texts can be read that have it.
    fn reads(&self) -> bool {
        !matches!(self, Item::WeekdayNumber { .. } | Item::IsoYear | Item::IsoWeek)
    }

    /// Reads what it says from the beginning of a text; gives the rest.
    fn parse<'a>(&self, text: &'a [u8], fields: &mut Fields) -> Option<&'a [u8]> {
        match self {
            Item::Text(literal) => text.strip_prefix(&literal[..]),
            Item::Year => {
                let (year, rest) = number(text, 4, 4, 0, 9999)?;
                fields.year = Some(year);
                Some(rest)
            }
            Item::YearOfCentury => {
                let (year, rest) = number(text, 2, 2, 0, 99)?;
                fields.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                Some(rest)
            }
            Item::Month => {
                let (month, rest) = number(text, 1, 2, 1, 12)?;
                fields.month = Some(month);
                Some(rest)
            }
            Item::MonthName { .. } => {
                let (month, rest) = name(text, &MONTHS)?;
                fields.month = Some(month + 1);
                Some(rest)
            }
            Item::Day | Item::DayBlank => {
                let blank = matches!(self, Item::DayBlank) && text.first() == Some(&b' ');
                let (day, rest) = number(&text[usize::from(blank)..], 1, 2, 1, 31)?;
                fields.day = Some(day);
                Some(rest)
            }
            Item::DayOfYear => {
                let (day, rest) = number(text, 1, 3, 1, 366)?;
                fields.day_of_year = Some(day);
                Some(rest)
            }
            Item::Weekday { .. } => Some(name(text, &WEEKDAYS)?.1),
            Item::Hour => {
                let (hour, rest) = number(text, 1, 2, 0, 23)?;
                fields.hour = hour;
                Some(rest)
            }
            Item::Hour12 => {
                let (hour, rest) = number(text, 1, 2, 1, 12)?;
                fields.hour12 = Some(hour);
                Some(rest)
            }
            Item::Half => {
                let (half, rest) = text.split_at_checked(2)?;
                fields.afternoon = half.eq_ignore_ascii_case(b"PM");
                (fields.afternoon || half.eq_ignore_ascii_case(b"AM")).then_some(rest)
            }
            Item::Minute => {
                let (minute, rest) = number(text, 1, 2, 0, 59)?;
                fields.minute = minute;
                Some(rest)
            }
            Item::Second => {
                let (second, rest) = number(text, 1, 2, 0, 60)?;
                fields.second = second;
                Some(rest)
            }
            Item::Micros => {
                let (fraction, rest) = number(text, 1, 9, 0, i64::MAX)?;
                let digits = (text.len() - rest.len()) as u32;
                fields.micros = fraction * 10i64.pow(9 - digits) / 1000;
                Some(rest)
            }
            Item::Offset => {
                let (seconds, rest) = offset(text)?;
                fields.offset = seconds;
                Some(rest)
            }
            Item::Unix => {
                let (negative, digits) = match text.strip_prefix(b"-") {
                    Some(digits) => (true, digits),
                    None => (false, text),
                };
                let (seconds, rest) = number(digits, 1, 18, 0, i64::MAX)?;
                fields.unix = Some(if negative { -seconds } else { seconds });
                Some(rest)
            }
            Item::WeekdayNumber { .. } | Item::IsoYear | Item::IsoWeek => None,
        }
    }

    pub(super) fn write(&self, civil: Civil, micros: i64, offset: i64, out: &mut Vec<u8>) {
        match self {
            Item::Text(text) => out.extend_from_slice(text),
            Item::Year => year(civil.year, out),
            Item::YearOfCentury => padded(civil.year.rem_euclid(100), 2, b'0', out),
            Item::Month => padded(civil.month, 2, b'0', out),
            Item::MonthName { short } => {
                out.extend_from_slice(shortened(MONTHS[(civil.month - 1) as usize], *short));
            }
            Item::Day => padded(civil.day, 2, b'0', out),
            Item::DayBlank => padded(civil.day, 2, b' ', out),
            Item::DayOfYear => padded(civil.day_of_year(), 3, b'0', out),
            Item::Weekday { short } => {
                out.extend_from_slice(shortened(WEEKDAYS[weekday(civil.days) as usize], *short));
            }
            Item::WeekdayNumber { monday_is: 1 } => padded(weekday(civil.days) + 1, 1, b'0', out),
            Item::WeekdayNumber { .. } => padded((weekday(civil.days) + 1) % 7, 1, b'0', out),
            Item::IsoYear => year(civil.iso_week().0, out),
            Item::IsoWeek => padded(civil.iso_week().1, 2, b'0', out),
            Item::Hour => padded(civil.second_of_day / 3600, 2, b'0', out),
            Item::Hour12 => padded((civil.second_of_day / 3600 + 11) % 12 + 1, 2, b'0', out),
            Item::Half => {
                let half = if civil.second_of_day < DAY / 2 { b"AM" } else { b"PM" };
                out.extend_from_slice(half);
            }
            Item::Minute => padded(civil.second_of_day / 60 % 60, 2, b'0', out),
            Item::Second => padded(civil.second_of_day % 60, 2, b'0', out),
            Item::Micros => padded(civil.microsecond, 6, b'0', out),
            Item::Offset => {
                out.push(if offset < 0 { b'-' } else { b'+' });
                padded(offset.abs() / 3600, 2, b'0', out);
                padded(offset.abs() / 60 % 60, 2, b'0', out);
            }
            Item::Unix => {
                let seconds = micros.div_euclid(1_000_000);
                out.extend_from_slice(seconds.to_string().as_bytes());
            }
        }
    }
}

impl Layout {
    /// Whether it has a directive that can be written but not read.
    pub(super) fn only_written(&self) -> bool {
        !self.items.iter().all(Item::reads)
    }
}

/// An offset from UTC in seconds, and what comes after it: `Z`, `+02`, `+0200`, `+02:00`.
pub(super) fn offset(text: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, rest) = match text.first()? {
        b'Z' => return Some((0, &text[1..])),
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2, 2, 0, 23)?;
    let minutes = rest.strip_prefix(b":").unwrap_or(rest);
    let (minutes, rest) = match number(minutes, 2, 2, 0, 59) {
        Some(found) => found,
        None => (0, rest),
    };
    Some((sign * (hours * 3600 + minutes * 60), rest))
}

/// A number of so many digits within bounds, and what comes after it.
fn number(text: &[u8], least: usize, most: usize, from: i64, to: i64) -> Option<(i64, &[u8])> {
    let digits = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least {
        return None;
    }
    let (digits, rest) = text.split_at(digits);
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    (from..=to).contains(&value).then_some((value, rest))
}

/// Which name a text begins with, whole or its first three letters, and what comes after it.
fn name<'a>(text: &'a [u8], names: &[&str]) -> Option<(i64, &'a [u8])> {
    let begins = |name: &str| {
        text.split_at_checked(name.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, rest)| rest)
    };
    let found = |(i, name): (usize, &&str)| begins(name).map(|rest| (i as i64, rest));
    let short = |(i, name): (usize, &&str)| begins(&name[..3]).map(|rest| (i as i64, rest));
    names.iter().enumerate().find_map(found).or_else(|| names.iter().enumerate().find_map(short))
}

fn shortened(name: &str, short: bool) -> &[u8] {
    if short { &name.as_bytes()[..3] } else { name.as_bytes() }
}

fn year(year: i64, out: &mut Vec<u8>) {
    if year < 0 {
        out.push(b'-');
    }
    padded(year.abs(), 4, b'0', out);
}

fn padded(value: i64, width: usize, with: u8, out: &mut Vec<u8>) {
    let digits = value.to_string();
    out.resize(out.len() + width.saturating_sub(digits.len()), with);
    out.extend_from_slice(digits.as_bytes());
}
