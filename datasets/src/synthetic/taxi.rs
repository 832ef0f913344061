//! Taxi trips, column by column: each cell is a function of (seed, row).

use super::draw::{Quantiles, Stream, Weighted, mix, quantile, unit};
use super::places::{Place, companies, months, places};

/// How the cells of a column are made; `None` and `false` make it a missing one.
#[derive(Clone, Copy)]
pub(super) enum Make {
    Int(fn(&Taxi, u64) -> Option<i64>),
    Float(fn(&Taxi, u64) -> Option<f64>),
    Text(fn(&Taxi, u64) -> Option<&str>),
    Write(fn(&Taxi, u64, &mut String) -> bool),
    Ints(fn(&Taxi, u64, &mut Vec<i64>) -> bool),
    Texts(fn(&Taxi, u64, &mut Vec<&'static str>) -> bool),
}

/// The columns; the first [`FLAT`] of them are those of the public data set, in its order.
pub(super) static COLUMNS: &[(&str, Make)] = &[
    ("pickup_community_area", Make::Int(|taxi, row| Some(taxi.pickup(row)?.area))),
    ("fare", Make::Float(|taxi, row| Some(taxi.fare(row) as f64 / 100.0))),
    ("trip_start_month", Make::Int(|taxi, row| Some(i64::from(taxi.months[taxi.day(row)])))),
    ("trip_start_hour", Make::Int(|taxi, row| Some(taxi.hour(row)))),
    // Sunday is 1, and the first day was a Tuesday.
    ("trip_start_day", Make::Int(|taxi, row| Some((taxi.day(row) as i64 + 2) % 7 + 1))),
    ("trip_start_timestamp", Make::Int(|taxi, row| Some(taxi.timestamp(row)))),
    ("pickup_latitude", Make::Float(|taxi, row| Some(taxi.pickup(row)?.latitude))),
    ("pickup_longitude", Make::Float(|taxi, row| Some(taxi.pickup(row)?.longitude))),
    ("dropoff_latitude", Make::Float(|taxi, row| Some(taxi.dropoff(row)?.latitude))),
    ("dropoff_longitude", Make::Float(|taxi, row| Some(taxi.dropoff(row)?.longitude))),
    ("trip_miles", Make::Float(|taxi, row| Some(taxi.miles(row) as f64 / 100.0))),
    ("pickup_census_tract", Make::Int(Taxi::pickup_tract)),
    ("dropoff_census_tract", Make::Int(Taxi::dropoff_tract)),
    ("payment_type", Make::Text(|taxi, row| Some(PAYMENTS[taxi.payment(row)].0))),
    ("company", Make::Text(Taxi::company)),
    ("trip_seconds", Make::Int(Taxi::seconds)),
    ("dropoff_community_area", Make::Int(Taxi::dropoff_area)),
    ("tips", Make::Float(|taxi, row| Some(taxi.tips(row) as f64 / 100.0))),
    ("trip_id", Make::Write(Taxi::trip_id)),
    ("speed_mph", Make::Float(Taxi::speed)),
    ("stop_areas", Make::Ints(Taxi::stop_areas)),
    ("extras", Make::Texts(Taxi::extras)),
    ("review", Make::Write(Taxi::review)),
];

/// How many columns hold one value at most.
pub(super) const FLAT: usize = 18;

/// Payment types: their shares without drift and with all of it.
const PAYMENTS: [(&str, f64, f64); 8] = [
    ("Cash", 0.6605, 0.30),
    ("Credit Card", 0.3316, 0.50),
    ("No Charge", 0.0054, 0.0054),
    ("Unknown", 0.0019, 0.0019),
    ("Dispute", 0.0003, 0.0003),
    ("Pcard", 0.0002, 0.0002),
    ("Prcard", 0.0001, 0.0001),
    ("Mobile", 0.0, 0.1921),
];
/// Weights of the hours of the day, from midnight on.
const HOURS: [u16; 24] = [
    602, 480, 400, 300, 190, 140, 180, 330, 530, 600, 590, 640, 740, 700, 740, 730, 760, 830, 970,
    1010, 970, 840, 840, 730,
];
/// Weights of the days of the week, from Tuesday on.
const DAYS: [f64; 7] = [1.94, 2.02, 2.20, 2.50, 2.44, 1.96, 1.95];
/// Seconds from 1970-01-01 to 2013-01-01.
const FIRST_DAY: i64 = 1_356_998_400;
const WEEKS: u64 = 208;
/// With all of the drift trips are this much later.
const DRIFT_WEEKS: f64 = 52.0;

/// Miles that were really driven.
const DISTANCE: &Quantiles = &[
    (0.0, 0.05),
    (0.05, 0.35),
    (0.25, 0.90),
    (0.50, 1.60),
    (0.75, 3.50),
    (0.90, 9.50),
    (0.99, 19.70),
    (0.9999, 57.0),
    (1.0, 170.0),
];
/// Share of the trips whose distance was recorded as 0.
const NO_MILES: f64 = 0.27;

const STREETS: &[&str] =
    &["toll", "airport", "luggage", "extra passenger", "late night", "event", "cleaning", "pet"];
/// Words of reviews, the most frequent ones first.
const WORDS: &[&str] = &[
    "the",
    "driver",
    "and",
    "was",
    "a",
    "to",
    "very",
    "car",
    "ride",
    "clean",
    "friendly",
    "on",
    "time",
    "great",
    "I",
    "good",
    "fast",
    "traffic",
    "in",
    "from",
    "airport",
    "we",
    "late",
    "but",
    "nice",
    "route",
    "again",
    "not",
    "of",
    "music",
    "for",
    "fair",
    "price",
    "polite",
    "took",
    "long",
    "way",
    "helped",
    "with",
    "luggage",
    "seat",
    "belt",
    "broken",
    "smooth",
    "quiet",
    "café",
    "O’Hare",
    "naïve",
    "detour",
    "would",
    "recommend",
    "thanks",
    "never",
    "again",
    "best",
    "worst",
    "tip",
    "cash",
    "only",
    "card",
    "reader",
    "👍",
    "出租车",
    "Zürich",
];

/// Everything that trips are drawn from.
pub(super) struct Taxi {
    drift: f64,
    places: Vec<Place>,
    place: Weighted,
    companies: Vec<String>,
    company: Weighted,
    payment: Weighted,
    hour: Weighted,
    day: Weighted,
    word: Weighted,
    months: Vec<u8>,
    streams: Streams,
}

/// One stream for each independent property of a trip.
struct Streams {
    pickup: Stream,
    dropoff: Stream,
    stays: Stream,
    has_pickup: Stream,
    has_dropoff: Stream,
    has_tract: Stream,
    week: Stream,
    day: Stream,
    hour: Stream,
    quarter: Stream,
    distance: Stream,
    has_miles: Stream,
    pace: Stream,
    has_seconds: Stream,
    surcharge: Stream,
    payment: Stream,
    company: Stream,
    has_company: Stream,
    tip: Stream,
    id: Stream,
    stops: Stream,
    extras: Stream,
    review: Stream,
}

impl Taxi {
    pub(super) fn new(seed: u64, drift: f64) -> Self {
        let (places, place) = places();
        let (companies, company) = companies(drift);
        let payments = PAYMENTS.map(|(_, before, after)| before + (after - before) * drift);
        let stream = |name| Stream::new(seed, name);
        Taxi {
            drift,
            places,
            place,
            companies,
            company,
            payment: Weighted::new(payments),
            hour: Weighted::new(HOURS.map(f64::from)),
            day: Weighted::new(DAYS),
            word: Weighted::zipf(WORDS.len()),
            months: months((WEEKS as usize + DRIFT_WEEKS as usize + 1) * 7),
            streams: Streams {
                pickup: stream("pickup"),
                dropoff: stream("dropoff"),
                stays: stream("stays"),
                has_pickup: stream("has pickup"),
                has_dropoff: stream("has dropoff"),
                has_tract: stream("has tract"),
                week: stream("week"),
                day: stream("day"),
                hour: stream("hour"),
                quarter: stream("quarter"),
                distance: stream("distance"),
                has_miles: stream("has miles"),
                pace: stream("pace"),
                has_seconds: stream("has seconds"),
                surcharge: stream("surcharge"),
                payment: stream("payment"),
                company: stream("company"),
                has_company: stream("has company"),
                tip: stream("tip"),
                id: stream("id"),
                stops: stream("stops"),
                extras: stream("extras"),
                review: stream("review"),
            },
        }
    }

    fn pickup(&self, row: u64) -> Option<&Place> {
        if self.streams.has_pickup.chance(row, 0.000_133) {
            return None;
        }
        Some(&self.places[self.place.pick(self.streams.pickup.bits(row))])
    }

    fn pickup_tract(&self, row: u64) -> Option<i64> {
        let kept = self.streams.has_tract.bits(row).is_multiple_of(1000);
        self.pickup(row).filter(|_| kept).map(|place| place.tract)
    }

    /// Where the trip ended, were it known: every sixth one where it began.
    fn end(&self, row: u64) -> &Place {
        let streams = &self.streams;
        let stream =
            if streams.stays.chance(row, 1.0 / 6.0) { streams.pickup } else { streams.dropoff };
        &self.places[self.place.pick(stream.bits(row))]
    }

    fn dropoff(&self, row: u64) -> Option<&Place> {
        (self.streams.has_dropoff.unit(row) >= 0.0322).then(|| self.end(row))
    }

    fn dropoff_area(&self, row: u64) -> Option<i64> {
        (self.streams.has_dropoff.unit(row) >= 0.0338).then(|| self.end(row).area)
    }

    fn dropoff_tract(&self, row: u64) -> Option<i64> {
        (self.streams.has_dropoff.unit(row) >= 0.2827).then(|| self.end(row).tract)
    }

    /// Days since 2013-01-01.
    fn day(&self, row: u64) -> usize {
        let week = self.streams.week.below(row, WEEKS) + (self.drift * DRIFT_WEEKS) as u64;
        week as usize * 7 + self.day.pick(self.streams.day.bits(row))
    }

    fn hour(&self, row: u64) -> i64 {
        self.hour.pick(self.streams.hour.bits(row)) as i64
    }

    /// Trips begin at quarters of an hour.
    fn timestamp(&self, row: u64) -> i64 {
        let quarter = self.streams.quarter.below(row, 4) as i64;
        FIRST_DAY + self.day(row) as i64 * 86_400 + self.hour(row) * 3_600 + quarter * 900
    }

    /// Hundredths of a mile, as driven.
    fn distance(&self, row: u64) -> i64 {
        (quantile(DISTANCE, self.streams.distance.unit(row)) * 100.0) as i64
    }

    /// Hundredths of a mile, as recorded.
    fn miles(&self, row: u64) -> i64 {
        if self.streams.has_miles.chance(row, NO_MILES) { 0 } else { self.distance(row) }
    }

    /// Whole minutes, which depend on the distance; 3.2 % are recorded as 0.
    fn seconds(&self, row: u64) -> Option<i64> {
        let recorded = self.streams.has_seconds.unit(row);
        if recorded < 0.0004 {
            return None;
        }
        if recorded < 0.0326 {
            return Some(0);
        }
        // Two to five minutes for a mile, and some to start with.
        let pace = 120.0 + 180.0 * self.streams.pace.unit(row);
        Some((self.distance(row) as f64 / 100.0 * pace + 150.0) as i64 / 60 * 60)
    }

    /// Cents.
    fn fare(&self, row: u64) -> i64 {
        let bits = self.streams.surcharge.bits(row);
        let fare = match bits % 10_000 {
            // The meter was never started …
            0..18 => return 0,
            // … or somebody missed the decimal point.
            18 => self.distance(row) * 20 + 3_250,
            // An agreed price: any number of cents.
            19..4_000 => self.distance(row) * 2 + 250 + (bits >> 32) as i64 % 200,
            // The meter counts by 20 cents.
            _ => self.distance(row) * 9 / 80 * 20 + 325 + (bits >> 32) as i64 % 3 * 100,
        };
        (fare as f64 * (1.0 + 0.3 * self.drift)) as i64
    }

    fn payment(&self, row: u64) -> usize {
        self.payment.pick(self.streams.payment.bits(row))
    }

    /// Cents: almost only known when a card was used.
    fn tips(&self, row: u64) -> i64 {
        let bits = self.streams.tip.bits(row);
        let is_card = matches!(PAYMENTS[self.payment(row)].0, "Credit Card" | "Mobile");
        match bits % 1000 {
            // In cash: rarely anything.
            kind if !is_card => i64::from(kind < 3) * 100,
            0..50 => 0,
            50..550 => {
                [200, 200, 200, 300, 300, 100, 100, 400, 500, 150][(bits >> 32) as usize % 10]
            }
            // 15 to 25 percent.
            _ => self.fare(row) * (15 + (bits >> 32) as i64 % 11) / 100,
        }
    }

    fn company(&self, row: u64) -> Option<&str> {
        if self.streams.has_company.chance(row, 0.3426 + 0.2 * self.drift) {
            return None;
        }
        Some(&self.companies[self.company.pick(self.streams.company.bits(row))])
    }

    /// Distinct in every row, as [`mix`] is a bijection.
    fn trip_id(&self, row: u64, out: &mut String) -> bool {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bits = self.streams.id.bits(row);
        out.extend((0..16).rev().map(|i| DIGITS[(bits >> (4 * i)) as usize & 15] as char));
        true
    }

    /// Infinite where no time passed, NaN where nothing happened, and minus infinity for the tenth
    /// of these clocks that runs backwards.
    fn speed(&self, row: u64) -> Option<f64> {
        let miles = self.miles(row) as f64 / 100.0;
        match self.seconds(row)? {
            0 if self.streams.pace.chance(row, 0.1) => Some(miles / -0.0),
            seconds => Some(miles / (seconds as f64 / 3600.0)),
        }
    }

    /// A fifth is missing; the others have 0 to 8 stops, fewer more often.
    fn stop_areas(&self, row: u64, out: &mut Vec<i64>) -> bool {
        let mut bits = self.streams.stops.bits(row);
        if unit(bits) < 0.2 {
            return false;
        }
        let len = (bits % 3) * (bits / 3 % 3) + bits / 9 % 5;
        for _ in 0..len.min(8) {
            bits = mix(bits);
            out.push(self.places[self.place.pick(bits)].area);
        }
        true
    }

    /// Half is missing; the others have 0 to 4 distinct ones.
    fn extras(&self, row: u64, out: &mut Vec<&'static str>) -> bool {
        let bits = self.streams.extras.bits(row);
        if bits & 1 == 0 {
            return false;
        }
        let mut at = (bits >> 8) as usize % STREETS.len();
        for _ in 0..(bits >> 16) % 5 {
            out.push(STREETS[at]);
            at = (at + 1 + (bits >> 24) as usize % 2) % STREETS.len();
        }
        true
    }

    /// Three quarters are missing; the others have 3 to 18 words, the frequent ones most.
    fn review(&self, row: u64, out: &mut String) -> bool {
        let mut bits = self.streams.review.bits(row);
        if bits & 3 != 0 {
            return false;
        }
        for i in 0..3 + (bits >> 8) % 16 {
            if i > 0 {
                out.push(' ');
            }
            bits = mix(bits);
            out.push_str(WORDS[self.word.pick(bits)]);
        }
        out.push('.');
        true
    }
}
