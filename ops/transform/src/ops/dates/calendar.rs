//! The Gregorian calendar on all of 64-bit microseconds.
//!
//! Years are counted from 1 March, so that leap days are last; 400 years are 146097 days
//! (Hinnant, "chrono-compatible low-level date algorithms").

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// A day and a time in the calendar of a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    /// Days since 1970-01-01.
    pub(super) days: i64,
    /// The year.
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
    /// Since midnight.
    pub(super) second_of_day: i64,
    /// Since the second.
    pub(super) microsecond: i64,
}

/// The days and the microseconds of the day of an instant, so many seconds ahead of UTC.
#[inline]
pub(super) fn days_of(micros: i64, offset: i64) -> (i64, i64, i64) {
    let seconds = micros.div_euclid(SECOND) + offset;
    (seconds.div_euclid(DAY), seconds.rem_euclid(DAY), micros.rem_euclid(SECOND))
}

impl Civil {
    /// An instant in the calendar of a zone so many seconds ahead of UTC.
    #[inline]
    pub(super) fn of(micros: i64, offset: i64) -> Civil {
        let (days, second_of_day, microsecond) = days_of(micros, offset);
        let (year, month, day) = date(days);
        Civil { days, year, month, day, second_of_day, microsecond }
    }

    /// From 1.
    pub(super) fn day_of_year(self) -> i64 {
        self.days - days(self.year, 1, 1) + 1
    }

    /// The year and the number of the week, from 1, as ISO 8601 counts them.
    pub(super) fn iso_week(self) -> (i64, i64) {
        // A week belongs to the year of its Thursday.
        let thursday = self.days - weekday(self.days) + 3;
        let (year, _, _) = date(thursday);
        (year, (thursday - days(year, 1, 1)) / 7 + 1)
    }
}

/// 0 for Monday.
#[inline]
pub(super) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// Year, month and day of a number of days since 1970-01-01.
#[inline]
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01 of a date.
#[inline]
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Days of a month.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The instant of seconds since 1970 in UTC, if there is one.
pub(super) fn instant(seconds: i64, micros: i64) -> Option<i64> {
    // In two steps, since the seconds of the earliest instants are below what fits.
    let whole = i128::from(seconds) * i128::from(SECOND) + i128::from(micros);
    i64::try_from(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |number: i64, ymd: (i64, i64, i64), week: (i64, i64), day: i64| {
            assert_eq!(date(number), ymd, "{number}");
            assert_eq!(days(ymd.0, ymd.1, ymd.2), number, "{ymd:?}");
            let civil = Civil::of(number * DAY * SECOND, 0);
            assert_eq!((civil.iso_week(), weekday(number)), (week, day), "{ymd:?}");
        };
        check(0, (1970, 1, 1), (1970, 1), 3);
        check(-1, (1969, 12, 31), (1970, 1), 2);
        check(11_016, (2000, 2, 29), (2000, 9), 1);
        check(16_800, (2015, 12, 31), (2015, 53), 3);
        check(16_803, (2016, 1, 3), (2015, 53), 6);
        check(18_321, (2020, 2, 29), (2020, 9), 5);
        check(-719_468, (0, 3, 1), (0, 9), 2);
    }

    #[test]
    fn every_instant_has_a_date() {
        for micros in [i64::MIN, i64::MAX, 0, -1] {
            for offset in [0, 86_399, -86_399] {
                let civil = Civil::of(micros, offset);
                assert!((1..=12).contains(&civil.month));
                assert!((1..=days_in_month(civil.year, civil.month)).contains(&civil.day));
                let seconds = civil.days * DAY + civil.second_of_day - offset;
                assert_eq!(instant(seconds, civil.microsecond), Some(micros));
            }
        }
        assert_eq!(Civil::of(i64::MAX, 0).year, 294_247);
        assert_eq!(Civil::of(i64::MIN, 0).year, -290_308);
        assert_eq!(instant(i64::MAX, 0), None);
    }

    #[test]
    fn days_go_on_without_gaps() {
        let mut before = date(-800_001);
        for number in -800_000..800_000 {
            let (year, month, day) = date(number);
            let next = match before {
                (year, 12, 31) => (year + 1, 1, 1),
                (year, month, day) if day == days_in_month(year, month) => (year, month + 1, 1),
                (year, month, day) => (year, month, day + 1),
            };
            assert_eq!((year, month, day), next);
            before = next;
        }
    }
}
