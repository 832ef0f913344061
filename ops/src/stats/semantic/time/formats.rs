//! The formats of times, and a matcher for all of them at once.
//!
//! A set of positions in a text is a `u64`, bit *i* for the place before character *i*. A directive
//! maps the set of places where it may begin to the set of places where it may end with a few
//! shifts and masks, so alternatives (`1112018` as 1/11 or 11/1) need no search:
//!
//! ```text
//!  text      2 0 1 8 - 1 1 - 3 0
//!  %Y    {0} ───────► {4}
//!  '-'                {4} ► {5}
//!  %m                       {5} ───► {6, 7}
//! ```

/// Position of a format in the list of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format(pub(super) usize);

const DATES: [&str; 17] = [
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%y-%m-%d", "%y/%m/%d", "%m-%d-%Y", "%m/%d/%Y", "%m%d%Y",
    "%m-%d-%y", "%m/%d/%y", "%d-%m-%Y", "%d/%m/%Y", "%d%m%Y", "%d-%B-%Y", "%d-%m-%y", "%d/%m/%y",
    "%d-%B-%y",
];
const TIMES: [&str; 3] = ["%H:%M", "%H:%M:%S", "%H:%M:%S.%f"];
const WHOLE: &str = "%a %b %d %H:%M:%S %Y";
const DELIMITERS: [u8; 2] = [b'T', b' '];

const MONTHS: [&str; 12] = [
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
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Dates, times, the whole one, then each date with each time after each delimiter.
pub(super) const N_FORMATS: usize =
    DATES.len() + TIMES.len() + 1 + DATES.len() * TIMES.len() * DELIMITERS.len();

impl Format {
    /// The format in the language of `strptime`.
    pub(super) fn name(self) -> String {
        let Format(at) = self;
        let Some(at) = at.checked_sub(DATES.len()) else { return DATES[at].to_owned() };
        let Some(at) = at.checked_sub(TIMES.len()) else { return TIMES[at].to_owned() };
        let Some(at) = at.checked_sub(1) else { return WHOLE.to_owned() };
        let (date, rest) = (at / (TIMES.len() * 2), at % (TIMES.len() * 2));
        let (time, delimiter) = (rest / 2, rest % 2);
        format!("{}{}{}", DATES[date], DELIMITERS[delimiter] as char, TIMES[time])
    }

    fn combined(date: usize, time: usize, delimiter: usize) -> Self {
        let first = DATES.len() + TIMES.len() + 1;
        Format(first + (date * TIMES.len() + time) * DELIMITERS.len() + delimiter)
    }
}

/// Calls `each` with every format that the text matches from its beginning to its end.
pub(super) fn matches(text: &str, mut each: impl FnMut(Format)) {
    let Some(places) = Places::new(text) else { return };
    let ends = |set: u64| set & places.ends != 0;
    for (i, date) in DATES.iter().enumerate() {
        let after = places.run(1, date);
        if after == 0 {
            continue;
        }
        if ends(after) {
            each(Format(i));
        }
        for (k, &delimiter) in DELIMITERS.iter().enumerate() {
            let start = places.literal(after, delimiter);
            if start != 0 {
                places.times(start, |time| each(Format::combined(i, time, k)));
            }
        }
    }
    places.times(1, |time| each(Format(DATES.len() + time)));
    if ends(places.run(1, WHOLE)) {
        each(Format(DATES.len() + TIMES.len()));
    }
}

/// Where the characters of a text are.
struct Places {
    /// One byte per character; all that are not ASCII look alike, for no format names one.
    text: [u8; MAX_CHARS],
    len: usize,
    /// The places of each digit.
    digits: [u64; 10],
    /// Every character but a line feed.
    any: u64,
    /// The end, and before a line feed at the end, as Python's `$` has it.
    ends: u64,
}

/// The longest match, `30-September-2018 23:59:601.123456`, has half of that.
const MAX_CHARS: usize = 63;

impl Places {
    /// `None` when the text cannot match anything.
    fn new(text: &str) -> Option<Self> {
        // One format begins with a weekday, and days of the month may begin with a space.
        let first = *text.as_bytes().first()?;
        if !first.is_ascii_digit() && first != b' ' && !b"MTWFS".contains(&first) {
            return None;
        }
        let mut places = Places { text: [0; MAX_CHARS], len: 0, digits: [0; 10], any: 0, ends: 0 };
        for char in text.chars() {
            *places.text.get_mut(places.len)? = u8::try_from(char).unwrap_or(u8::MAX);
            if let Some(digit) = char.to_digit(10) {
                places.digits[digit as usize] |= 1 << places.len;
            }
            places.any |= u64::from(char != '\n') << places.len;
            places.len += 1;
        }
        places.ends = 1 << places.len;
        if text.ends_with('\n') {
            places.ends |= 1 << (places.len - 1);
        }
        Some(places)
    }

    /// The places of any of the digits from `low` to `high`.
    fn digit(&self, low: usize, high: usize) -> u64 {
        self.digits[low..=high].iter().fold(0, |set, digit| set | digit)
    }

    /// After `byte`, which is ASCII.
    fn literal(&self, from: u64, byte: u8) -> u64 {
        let here = |&i: &usize| from >> i & 1 == 1 && self.text[i] == byte;
        (0..self.len).filter(here).fold(0, |set, i| set | 2 << i)
    }

    /// After any of the words.
    fn words(&self, from: u64, words: &[&str]) -> u64 {
        let mut set = 0;
        for i in (0..self.len).filter(|i| from >> i & 1 == 1) {
            let rest = &self.text[i..self.len];
            for word in words.iter().filter(|word| rest.starts_with(word.as_bytes())) {
                set |= 1 << (i + word.len());
            }
        }
        set
    }

    /// After two characters, one from each set.
    fn two(from: u64, first: u64, second: u64) -> u64 {
        (from & first & second >> 1) << 2
    }

    /// After one character of the set.
    fn one(from: u64, set: u64) -> u64 {
        (from & set) << 1
    }

    fn directive(&self, from: u64, directive: u8) -> u64 {
        let d = |low, high| self.digit(low, high);
        let two = |first, second| Self::two(from, first, second);
        let any = d(0, 9);
        match directive {
            b'Y' => Self::two(two(any, any), any, any),
            b'y' => two(any, any),
            b'm' => two(d(1, 1), d(0, 2)) | two(d(0, 0), d(1, 9)) | Self::one(from, d(1, 9)),
            b'd' => {
                let blank = Self::one(self.literal(from, b' '), d(1, 9));
                let teens = two(d(3, 3), d(0, 1)) | two(d(1, 2), any) | two(d(0, 0), d(1, 9));
                blank | teens | Self::one(from, d(1, 9))
            }
            b'H' => two(d(2, 2), d(0, 3)) | two(d(0, 1), any) | Self::one(from, any),
            b'M' => two(d(0, 5), any) | Self::one(from, any),
            b'S' => {
                let leap = Self::one(two(d(6, 6), d(0, 0)), d(0, 1));
                leap | two(d(0, 5), any) | Self::one(from, any)
            }
            b'f' => {
                let (mut set, mut next) = (0, from);
                for _ in 0..6 {
                    next = Self::one(next, any);
                    set |= next;
                }
                set
            }
            b'B' => self.words(from, &MONTHS),
            b'b' => MONTHS.iter().fold(0, |set, month| set | self.words(from, &[&month[..3]])),
            b'a' => self.words(from, &DAYS),
            _ => unreachable!("no format has another directive"),
        }
    }

    /// After a format.
    fn run(&self, mut from: u64, format: &str) -> u64 {
        let mut bytes = format.bytes();
        while from != 0 {
            from = match bytes.next() {
                Some(b'%') => match bytes.next() {
                    Some(directive) => self.directive(from, directive),
                    None => 0,
                },
                // Not escaped in the pattern that TFDV makes of the format.
                Some(b'.') => Self::one(from, self.any),
                Some(byte) => self.literal(from, byte),
                None => break,
            };
        }
        from
    }

    /// Calls `each` with every time of day that fills the rest.
    fn times(&self, from: u64, mut each: impl FnMut(usize)) {
        // Each time continues the one before it.
        let mut after = from;
        for (i, more) in [TIMES[0], &TIMES[1][TIMES[0].len()..], &TIMES[2][TIMES[1].len()..]]
            .into_iter()
            .enumerate()
        {
            after = self.run(after, more);
            if after & self.ends != 0 {
                each(i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        matches(text, |format| found.push(format.name()));
        found.sort();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn dates() {
        check("2018-11-30", &["%Y-%m-%d"]);
        check("2018/1/3", &["%Y/%m/%d"]);
        check("20181130", &["%Y%m%d"]);
        check("2018-13-30", &[]);
        check("2018-11-31", &["%Y-%m-%d"]);
        check("2018-11-32", &[]);
        check("2018-00-10", &[]);
        check("11/30/2018", &["%m/%d/%Y"]);
        check("30/11/2018", &["%d/%m/%Y"]);
        check("1/2/2018", &["%d/%m/%Y", "%m/%d/%Y"]);
        check("1/2/03", &["%d/%m/%y", "%m/%d/%y"]);
        check("10-11-12", &["%d-%m-%y", "%m-%d-%y", "%y-%m-%d"]);
        check("1112018", &["%Y%m%d", "%d%m%Y", "%m%d%Y"]);
        check("11302018", &["%m%d%Y"]);
        check("30-November-2018", &["%d-%B-%Y"]);
        check("30-May-18", &["%d-%B-%y"]);
        check("30-november-2018", &[]);
        check("2018-11- 3", &["%Y-%m-%d"]);
        check(" 3-11-2018", &["%d-%m-%Y"]);
        check("2018-11-30\n", &["%Y-%m-%d"]);
        check("2018-11-30\n\n", &[]);
        check("2018-11-30 ", &[]);
    }

    #[test]
    fn times_of_day() {
        check("23:59", &["%H:%M"]);
        check("24:00", &[]);
        check("7:5", &["%H:%M"]);
        check("23:59:58", &["%H:%M:%S"]);
        check("23:59:60", &[]);
        // 601 seconds, or 6, any character (0), 1.
        check("23:59:601", &["%H:%M:%S", "%H:%M:%S.%f"]);
        check("23:59:58.1", &["%H:%M:%S.%f"]);
        check("23:59:58.123456", &["%H:%M:%S.%f"]);
        check("23:59:58.1234567", &[]);
        check("23:59:58,5", &["%H:%M:%S.%f"]);
        check("23:59:58\u{20ac}5", &["%H:%M:%S.%f"]);
        // 5, any character (8), 12.
        check("23:59:5812", &["%H:%M:%S.%f"]);
    }

    #[test]
    fn both() {
        check("2018-11-30T23:59", &["%Y-%m-%dT%H:%M"]);
        check("2018-11-30 23:59:58", &["%Y-%m-%d %H:%M:%S"]);
        check("2018-11-30T23:59:58Z", &[]);
        check("2018-11-30T23:59:58.5Z", &[]);
        check("2018-11-30  23:59", &[]);
        check("30-September-2018 23:59:601.123456", &["%d-%B-%Y %H:%M:%S.%f"]);
        check("Fri Nov 30 10:47:02 2018", &["%a %b %d %H:%M:%S %Y"]);
        check("Fri Nov  3 10:47:02 2018", &["%a %b %d %H:%M:%S %Y"]);
        check("Fri Nov 30 10:47:02 18", &[]);
        check("Fry Nov 30 10:47:02 2018", &[]);
    }

    #[test]
    fn others() {
        for text in ["", " ", "\n", "1", "12", "123456789", "Monday", "a", "\u{662}:15", "--", "::"]
        {
            check(text, &[]);
        }
        check(&"1".repeat(62), &[]);
        check(&"1".repeat(63), &[]);
        check(&"1".repeat(64), &[]);
        check(&"1:".repeat(1_000), &[]);
        check(&"\u{10ffff}".repeat(200), &[]);
        check(&format!("1{}", "\u{10ffff}".repeat(62)), &[]);
    }

    #[test]
    fn names_are_those_of_the_list() {
        let names: Vec<String> = (0..N_FORMATS).map(|at| Format(at).name()).collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!((names.len(), unique.len()), (123, 123));
        assert_eq!(names[20], WHOLE);
        assert_eq!(names[21..24], ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]);
        assert_eq!(names[122], "%d-%B-%y %H:%M:%S.%f");
    }
}
