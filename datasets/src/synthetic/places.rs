//! The city of the synthetic trips: places with coordinates, and the companies that drive there.

use super::draw::{Stream, Weighted, mix};

/// Where trips begin and end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) area: i64,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// Number of the census tract.
    pub(super) tract: i64,
}

/// The places most trips begin at: community area, 10⁻⁹ degrees north and east, weight.
const CENTRES: [(i64, i64, i64, f64); 12] = [
    (8, 41_892_507_781, -87_626_214_906, 16.0),
    (8, 41_899_602_111, -87_633_308_037, 10.0),
    (32, 41_880_994_471, -87_632_746_489, 14.0),
    (32, 41_884_987_192, -87_620_992_913, 8.0),
    (28, 41_879_255_084, -87_642_648_998, 8.0),
    (6, 41_944_226_601, -87_655_998_182, 8.0),
    (76, 41_979_070_820, -87_903_039_661, 6.0),
    (7, 41_922_686_284, -87_649_488_729, 6.0),
    (24, 41_901_206_994, -87_676_355_989, 4.0),
    (33, 41_857_183_858, -87_620_334_624, 2.0),
    (3, 41_965_811_970, -87_655_878_786, 2.0),
    (56, 41_785_998_518, -87_750_934_289, 2.0),
];
/// Places in all.
const PLACES: usize = 300;
/// Share of the trips that begin at one of the places that are not centres.
const ELSEWHERE: f64 = 0.14;

/// All places, and how often each is drawn. They are the same for every seed: a city does not
/// change from span to span.
pub(super) fn places() -> (Vec<Place>, Weighted) {
    let [north, east] = ["north", "east"].map(|name| Stream::new(0, name));
    let mut places = Vec::with_capacity(PLACES);
    let mut weights = Vec::with_capacity(PLACES);
    let centres: f64 = CENTRES.iter().map(|centre| centre.3).sum();
    for i in 0..PLACES {
        let (area, latitude, longitude, weight) = match CENTRES.get(i) {
            Some(&(area, latitude, longitude, weight)) => {
                (area, latitude, longitude, weight / centres * (1.0 - ELSEWHERE))
            }
            None => (
                (i as i64 * 31) % 77 + 1,
                41_660_000_000 + north.below(i as u64, 360_000_000) as i64,
                -87_915_000_000 + east.below(i as u64, 375_000_000) as i64,
                1.0 / (i + 1) as f64,
            ),
        };
        places.push(Place {
            area,
            latitude: latitude as f64 / 1e9,
            longitude: longitude as f64 / 1e9,
            tract: 17_031_000_000 + area * 10_000 + i as i64 * 100 % 10_000,
        });
        weights.push(weight);
    }
    let rest: f64 = weights[CENTRES.len()..].iter().sum();
    for weight in &mut weights[CENTRES.len()..] {
        *weight *= ELSEWHERE / rest;
    }
    (places, Weighted::new(weights))
}

/// The companies with many cars, and their shares.
const COMPANIES: [(&str, f64); 9] = [
    ("Taxi Affiliation Services", 0.520),
    ("Dispatch Taxi Affiliation", 0.164),
    ("Blue Ribbon Taxi Association Inc.", 0.110),
    ("Choice Taxi Association", 0.088),
    ("Northwest Management LLC", 0.056),
    ("KOAM Taxi Association", 0.025),
    ("Top Cab Affiliation", 0.013),
    ("Chicago Medallion Leasing INC", 0.003),
    ("Chicago Medallion Management", 0.002),
];
/// Companies with a single car, which make the long tail.
const SINGLE_CARS: usize = 2_000;
/// Share of all trips that they drive.
const TAIL: f64 = 0.019;

/// All companies, and how often each is drawn; `drift` moves trips from the first to the others.
pub(super) fn companies(drift: f64) -> (Vec<String>, Weighted) {
    let first = ["Star", "Lake", "Prairie", "River", "North", "Loop", "Union", "Garden"];
    let second = ["Cab Co.", "Taxi", "Transit Inc.", "Livery", "Cars LLC", "Fleet"];
    let mut names = Vec::with_capacity(COMPANIES.len() + SINGLE_CARS);
    let mut weights = Vec::with_capacity(COMPANIES.len() + SINGLE_CARS);
    for (i, (name, share)) in COMPANIES.into_iter().enumerate() {
        names.push(name.to_owned());
        weights.push(share * if i == 0 { 1.0 - 0.5 * drift } else { 1.0 });
    }
    let harmonic: f64 = (1..=SINGLE_CARS).map(|rank| 1.0 / rank as f64).sum();
    for i in 0..SINGLE_CARS {
        let bits = mix(i as u64 + 1) as usize;
        names.push(format!(
            "{} - {:05} {} {}",
            1000 + i,
            bits % 100_000,
            first[bits / 100_000 % first.len()],
            second[bits / 1_000_000 % second.len()],
        ));
        weights.push(TAIL / (harmonic * (i + 1) as f64));
    }
    (names, Weighted::new(weights))
}

/// Months of consecutive days, January being 1, from 2013-01-01 on.
pub(super) fn months(days: usize) -> Vec<u8> {
    let mut months = Vec::with_capacity(days + 366);
    let mut year = 2013;
    while months.len() < days {
        let february = if year % 4 == 0 { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, length) in (1..).zip(lengths) {
            months.extend(std::iter::repeat_n(month, length));
        }
        year += 1;
    }
    months
}
