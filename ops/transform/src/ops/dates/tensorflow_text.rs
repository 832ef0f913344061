//! Formats of dates in TensorFlow's nodes, as [`super::layout`] reads and writes them.

use std::fmt::Write as _;

use super::calendar::{Civil, DAY, SECOND};
use super::layout::{Item, Layout, MONTHS, WEEKDAYS};
use super::tensorflow::{
    date, day_of_year, days, days_of, has_day, instant, is_day, iso_week, weekday, with,
};
use crate::export::tensorflow::{Attr, DataType, Nodes, Out, of_text, of_type, quoted};
use crate::types::DType;

const INT: DType = DType::Int64;
const STRING: DType = DType::String;

/// Why a text cannot be read there.
const AMBIGUOUS: &str =
    "where a number or a name of its format ends depends on what comes after it";

impl Layout {
    /// Nodes of instants written in this format.
    pub(super) fn written(&self, nodes: &mut Nodes, micros: &Out) -> Out {
        let mut parts = Vec::new();
        let mut varies = false;
        for item in &self.items {
            if matches!(item, Item::Text(_) | Item::Offset) {
                let mut text = Vec::new();
                item.write(Civil::of(0, 0), 0, self.offset, &mut text);
                parts.push(nodes.text(text));
            } else {
                varies = true;
                parts.push(item.written(nodes, micros, self.offset));
            }
        }
        if !varies {
            // One text for all.
            let none = nodes.text("");
            parts.push(nodes.fill(micros, INT, &none, STRING));
        }
        joined(nodes, &parts)
    }

    /// Nodes of the instants that texts of this format say, and whether they say one.
    ///
    /// # Errors
    /// Saying why there are none.
    pub(super) fn read(&self, nodes: &mut Nodes, x: &Out) -> Result<[Out; 2], &'static str> {
        let mut known = nodes.full_match(x, &self.pattern(None)?);
        let mut fields = Fields::default();
        for (number, item) in self.items.iter().enumerate() {
            let Some((_, any)) = item.said() else { continue };
            let said = nodes.rewritten(x, &self.pattern(Some(number))?, r"\1", false);
            let any = nodes.text(any);
            let said = nodes.select(&known, &said, &any, STRING);
            if let Some(fits) = fields.add(nodes, item, &said)? {
                known = nodes.node("LogicalAnd", &[&known, &fits], []);
            }
        }
        let [instants, there] = fields.instants(nodes, self.offset);
        let known = nodes.node("LogicalAnd", &[&known, &there], []);
        // One instant may be that of all texts.
        let zero = nodes.scalar(0i64);
        Ok([nodes.select(&known, &instants, &zero, INT), known])
    }

    /// A pattern of texts of this format, which has the item of this number as its only group.
    fn pattern(&self, group: Option<usize>) -> Result<String, &'static str> {
        let mut pattern = String::from(r"\A");
        for (number, item) in self.items.iter().enumerate() {
            let next = self.items.get(number + 1);
            let part = item.pattern(next)?;
            let before = if matches!(item, Item::DayBlank) { " ?" } else { "" };
            let open = if group == Some(number) { "(" } else { "(?:" };
            let _ = write!(pattern, "{before}{open}{part})");
        }
        Ok(pattern + r"\z")
    }
}

/// Texts one after the other.
fn joined(nodes: &mut Nodes, parts: &[Out]) -> Out {
    let parts: Vec<&Out> = parts.iter().collect();
    nodes.node("StringJoin", &parts, [("N", Attr::I(parts.len() as i64))])
}

/// Integers from 0 of so many digits.
fn padded(nodes: &mut Nodes, x: &Out, width: i64, fill: &str) -> Out {
    let attrs = [("T", of_type(INT)), ("width", Attr::I(width)), ("fill", of_text(fill))];
    nodes.node("AsString", &[x], attrs)
}

fn year(nodes: &mut Nodes, year: &Out) -> Out {
    let negative = with(nodes, "Less", year, 0);
    let (minus, none) = (nodes.text("-"), nodes.text(""));
    let sign = nodes.select(&negative, &minus, &none, STRING);
    let year = nodes.typed("Abs", INT, &[year]);
    let year = padded(nodes, &year, 4, "0");
    joined(nodes, &[sign, year])
}

fn named(nodes: &mut Nodes, names: &[&str], short: bool, number: &Out) -> Out {
    let names = names.iter().map(|name| if short { &name[..3] } else { name });
    let names: crate::Strings = names.collect();
    let n = names.len() as i64;
    let names = nodes.constant(&names.into(), &[n]);
    nodes.gather(&names, STRING, number)
}

impl Item {
    fn written(&self, nodes: &mut Nodes, micros: &Out, offset: i64) -> Out {
        let [days, second, micro] = days_of(nodes, micros, offset);
        let [years, month, day] = date(nodes, &days);
        let two = |nodes: &mut Nodes, x: &Out| padded(nodes, x, 2, "0");
        match self {
            // Those of the layout are written by it.
            Item::Text(_) | Item::Offset => nodes.text(""),
            Item::Year => year(nodes, &years),
            Item::YearOfCentury => {
                let years = with(nodes, "FloorMod", &years, 100);
                two(nodes, &years)
            }
            Item::Month => two(nodes, &month),
            Item::MonthName { short } => {
                let number = with(nodes, "Sub", &month, 1);
                named(nodes, &MONTHS, *short, &number)
            }
            Item::Day => two(nodes, &day),
            Item::DayBlank => padded(nodes, &day, 2, ""),
            Item::DayOfYear => {
                let day = day_of_year(nodes, &days);
                padded(nodes, &day, 3, "0")
            }
            Item::Weekday { short } => {
                let number = weekday(nodes, &days);
                named(nodes, &WEEKDAYS, *short, &number)
            }
            Item::WeekdayNumber { monday_is } => {
                let number = weekday(nodes, &days);
                let mut number = with(nodes, "AddV2", &number, 1);
                if *monday_is != 1 {
                    number = with(nodes, "FloorMod", &number, 7);
                }
                padded(nodes, &number, 1, "0")
            }
            Item::IsoYear => {
                let [years, _] = iso_week(nodes, &days);
                year(nodes, &years)
            }
            Item::IsoWeek => {
                let [_, week] = iso_week(nodes, &days);
                two(nodes, &week)
            }
            Item::Hour => {
                let hour = with(nodes, "FloorDiv", &second, 3600);
                two(nodes, &hour)
            }
            Item::Hour12 => {
                let hour = with(nodes, "FloorDiv", &second, 3600);
                let hour = with(nodes, "AddV2", &hour, 11);
                let hour = with(nodes, "FloorMod", &hour, 12);
                let hour = with(nodes, "AddV2", &hour, 1);
                two(nodes, &hour)
            }
            Item::Half => {
                let morning = with(nodes, "Less", &second, DAY / 2);
                let (am, pm) = (nodes.text("AM"), nodes.text("PM"));
                nodes.select(&morning, &am, &pm, STRING)
            }
            Item::Minute => {
                let minute = with(nodes, "FloorDiv", &second, 60);
                let minute = with(nodes, "FloorMod", &minute, 60);
                two(nodes, &minute)
            }
            Item::Second => {
                let second = with(nodes, "FloorMod", &second, 60);
                two(nodes, &second)
            }
            Item::Micros => padded(nodes, &micro, 6, "0"),
            Item::Unix => {
                let seconds = with(nodes, "FloorDiv", micros, SECOND);
                nodes.typed("AsString", INT, &[&seconds])
            }
        }
    }

    /// The least and most digits of a number with its bounds (none of its own where it is no plain number), and
    /// a text that can stand in for what an item says. Other items say nothing.
    fn said(&self) -> Option<(Digits, &'static str)> {
        let digits = |least, most, from, to| Some(((least, most, from, to), "1"));
        match self {
            Item::Year => digits(4, 4, 0, 9999),
            Item::YearOfCentury => digits(2, 2, 0, 99),
            Item::Month | Item::Hour12 => digits(1, 2, 1, 12),
            Item::Day | Item::DayBlank => digits(1, 2, 1, 31),
            Item::DayOfYear => digits(1, 3, 1, 366),
            Item::Hour => digits(1, 2, 0, 23),
            Item::Minute => digits(1, 2, 0, 59),
            Item::Second => digits(1, 2, 0, 60),
            Item::Micros => digits(1, 9, 0, i64::MAX),
            Item::Unix => digits(1, 18, i64::MIN, i64::MAX),
            Item::MonthName { .. } => Some(((0, 0, 0, 0), "jan")),
            Item::Half => Some(((0, 0, 0, 0), "am")),
            Item::Offset => Some(((0, 0, 0, 0), "Z")),
            Item::Text(_)
            | Item::Weekday { .. }
            | Item::WeekdayNumber { .. }
            | Item::IsoYear
            | Item::IsoWeek => None,
        }
    }

    /// Whether what it reads begins with a digit: always, never, or either way.
    fn begins_with_digit(&self) -> Option<bool> {
        match self {
            Item::Text(text) => Some(text.first().is_some_and(u8::is_ascii_digit)),
            Item::DayBlank | Item::Unix => None,
            _ => Some(self.said().is_some_and(|((_, most, ..), _)| most > 0)),
        }
    }

    /// A pattern of the texts that it reads before the next item. Ours takes as many digits and as long a name
    /// as there is, and never less: where a shorter one could match, there is none.
    fn pattern(&self, next: Option<&Item>) -> Result<String, &'static str> {
        let digit = next.map_or(Some(false), Item::begins_with_digit);
        Ok(match self {
            Item::Text(text) => quoted(std::str::from_utf8(text).map_err(|_| AMBIGUOUS)?),
            Item::MonthName { .. } => names(&MONTHS, next)?,
            Item::Weekday { .. } => names(&WEEKDAYS, next)?,
            Item::Half => "[aApP][mM]".to_owned(),
            Item::Offset => {
                let colon = matches!(next, Some(Item::Text(text)) if text.first() == Some(&b':'));
                if colon || digit != Some(false) {
                    return Err(AMBIGUOUS);
                }
                "Z|[-+](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?".to_owned()
            }
            _ => {
                let ((least, most, ..), _) = self.said().ok_or(AMBIGUOUS)?;
                let sign = if matches!(self, Item::Unix) { "-?" } else { "" };
                match digit {
                    _ if least == most => format!("{sign}[0-9]{{{most}}}"),
                    Some(true) => format!("{sign}[0-9]{{{most}}}"),
                    Some(false) => format!("{sign}[0-9]{{{least},{most}}}"),
                    None => return Err(AMBIGUOUS),
                }
            }
        })
    }
}

/// Least and most digits, least and most of the number.
type Digits = (usize, usize, i64, i64);

/// A pattern of names, whole or their first three letters, in any case of ASCII.
fn names(names: &[&str], next: Option<&Item>) -> Result<String, &'static str> {
    let begins = match next {
        Some(Item::Text(text)) => text.first().copied(),
        _ => None,
    };
    if begins.is_some_and(|byte| byte.is_ascii_alphabetic()) {
        return Err(AMBIGUOUS);
    }
    let any_case = |name: &str| {
        let letters = name.chars();
        let letters =
            letters.map(|c| format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()));
        letters.collect::<String>()
    };
    let whole = names.iter().map(|name| any_case(name));
    let short = names.iter().map(|name| any_case(&name[..3]));
    Ok(whole.chain(short).collect::<Vec<_>>().join("|"))
}

/// What texts have said so far: the last of each.
#[derive(Default)]
struct Fields {
    year: Option<Out>,
    month: Option<Out>,
    day: Option<Out>,
    day_of_year: Option<Out>,
    hour: Option<Out>,
    hour12: Option<Out>,
    afternoon: Option<Out>,
    minute: Option<Out>,
    second: Option<Out>,
    micros: Option<Out>,
    offset: Option<Out>,
    unix: Option<Out>,
}

impl Fields {
    /// Takes what texts say for an item; gives whether it is within bounds, where that is not sure.
    fn add(
        &mut self,
        nodes: &mut Nodes,
        item: &Item,
        said: &Out,
    ) -> Result<Option<Out>, &'static str> {
        let ((_, most, from, to), _) = item.said().ok_or(AMBIGUOUS)?;
        if most == 0 {
            self.add_word(nodes, item, said);
            return Ok(None);
        }
        let mut digits = said.clone();
        if matches!(item, Item::Micros) {
            // What is less than microseconds is cut.
            let zeros = nodes.text("000000");
            let long = joined(nodes, &[digits, zeros]);
            digits = first(nodes, &long, 6);
        }
        let number = nodes.node("StringToNumber", &[&digits], [("out_type", of_type(INT))]);
        let field = match item {
            Item::Year | Item::YearOfCentury => &mut self.year,
            Item::Month => &mut self.month,
            Item::Day | Item::DayBlank => &mut self.day,
            Item::DayOfYear => &mut self.day_of_year,
            Item::Hour => &mut self.hour,
            Item::Hour12 => &mut self.hour12,
            Item::Minute => &mut self.minute,
            Item::Second => &mut self.second,
            Item::Micros => &mut self.micros,
            _ => &mut self.unix,
        };
        *field = Some(match item {
            Item::YearOfCentury => {
                let next = with(nodes, "Less", &number, 69);
                let [next_century, century] =
                    [2000, 1900].map(|century| with(nodes, "AddV2", &number, century));
                nodes.select(&next, &next_century, &century, INT)
            }
            _ => number.clone(),
        });
        let from = with(nodes, "GreaterEqual", &number, from);
        let to = with(nodes, "LessEqual", &number, to);
        Ok(Some(nodes.node("LogicalAnd", &[&from, &to], [])))
    }

    fn add_word(&mut self, nodes: &mut Nodes, item: &Item, said: &Out) {
        let lower = nodes.node("StringLower", &[said], []);
        match item {
            Item::MonthName { .. } => {
                let short = first(nodes, &lower, 3);
                let mut month = nodes.scalar(1i64);
                for (number, name) in (1i64..).zip(MONTHS) {
                    let name = nodes.text(name[..3].to_ascii_lowercase());
                    let is = nodes.typed("Equal", STRING, &[&short, &name]);
                    let number = nodes.scalar(number);
                    month = nodes.select(&is, &number, &month, INT);
                }
                self.month = Some(month);
            }
            Item::Half => {
                let pm = nodes.text("pm");
                self.afternoon = Some(nodes.typed("Equal", STRING, &[&lower, &pm]));
            }
            _ => {
                let digits = nodes.rewritten(said, "[^0-9]", "", true);
                let zeros = nodes.text("0000");
                let digits = joined(nodes, &[digits, zeros]);
                let digits = first(nodes, &digits, 4);
                let number = nodes.node("StringToNumber", &[&digits], [("out_type", of_type(INT))]);
                let hours = with(nodes, "FloorDiv", &number, 100);
                let hours = with(nodes, "Mul", &hours, 3600);
                let minutes = with(nodes, "FloorMod", &number, 100);
                let minutes = with(nodes, "Mul", &minutes, 60);
                let ahead = nodes.ints("AddV2", &hours, &minutes);
                let behind = nodes.typed("Neg", INT, &[&ahead]);
                let (sign, minus) = (first(nodes, said, 1), nodes.text("-"));
                let negative = nodes.typed("Equal", STRING, &[&sign, &minus]);
                self.offset = Some(nodes.select(&negative, &behind, &ahead, INT));
            }
        }
    }

    /// The instants, and whether they are any.
    fn instants(self, nodes: &mut Nodes, offset: i64) -> [Out; 2] {
        let [zero, one] = [0i64, 1].map(|n| nodes.scalar(n));
        let micros = self.micros.unwrap_or_else(|| zero.clone());
        if let Some(unix) = self.unix {
            return instant(nodes, &unix, &micros);
        }
        let year = self.year.unwrap_or_else(|| nodes.scalar(1970i64));
        let (days, there) = match self.day_of_year {
            Some(day) => (days(nodes, &year, &one, &day), has_day(nodes, &year, &day)),
            None => {
                let [month, day] =
                    [self.month, self.day].map(|part| part.unwrap_or_else(|| one.clone()));
                (days(nodes, &year, &month, &day), is_day(nodes, &year, &month, &day))
            }
        };
        let hour = match self.hour12 {
            Some(hour) => {
                let hour = with(nodes, "FloorMod", &hour, 12);
                match self.afternoon {
                    Some(afternoon) => {
                        let afternoon = nodes.cast(&afternoon, DType::Bool, INT);
                        let more = with(nodes, "Mul", &afternoon, 12);
                        nodes.ints("AddV2", &hour, &more)
                    }
                    None => hour,
                }
            }
            None => self.hour.unwrap_or_else(|| zero.clone()),
        };
        let mut seconds = with(nodes, "Mul", &days, DAY);
        for (part, of) in [(Some(hour), 3600), (self.minute, 60), (self.second, 1)] {
            let part = part.unwrap_or_else(|| zero.clone());
            let part = with(nodes, "Mul", &part, of);
            seconds = nodes.ints("AddV2", &seconds, &part);
        }
        let offset = self.offset.unwrap_or_else(|| nodes.scalar(offset));
        let seconds = nodes.ints("Sub", &seconds, &offset);
        let [instants, _] = instant(nodes, &seconds, &micros);
        [instants, there]
    }
}

/// The first bytes of texts that have as many.
fn first(nodes: &mut Nodes, x: &Out, n: i32) -> Out {
    let (zero, n) = (nodes.int32(0), nodes.int32(n));
    nodes.node("Substr", &[x, &zero, &n], [("T", of_type(DataType::Int32))])
}
