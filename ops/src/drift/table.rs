//! Counts of two sides in cells, and what splitting one distribution into two samples would show.
//!
//! If both sides are samples of one distribution, then given what is in each cell of both together,
//! every way to deal it out to the two sides is equally likely: a permutation test. The mean and the
//! variance of any sum over cells follow without drawing anything, also where cells are nearly empty,
//! and a gamma distribution of that mean and variance stands for the sum. For Pearson's χ² of full
//! cells it is the χ² distribution itself.

use super::probability::{Gamma, normal_tail, splits, two_shares};
use super::{Contributor, Labels};

/// Counts of both sides in one cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    pub(super) name: String,
    pub(super) current: f64,
    pub(super) control: f64,
}

/// All cells. Counts are scaled so that their sums are the sizes of the two samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) cells: Vec<Counts>,
    pub(super) n: f64,
    pub(super) m: f64,
}

/// A value, and what chance makes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    pub(super) floor: f64,
    pub(super) p: f64,
}

/// What is expected of a cell in the smaller sample for it to be tested by itself (Cochran 1954,
/// doi:10.2307/3001616).
const EXPECTED: f64 = 5.0;

const REST: &str = "(all other values)";

impl Table {
    pub(super) fn new(cells: Vec<Counts>) -> Self {
        let n = cells.iter().map(|cell| cell.current).sum();
        let m = cells.iter().map(|cell| cell.control).sum();
        Table { cells, n, m }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.n <= 0.0 || self.m <= 0.0
    }

    /// Σ `term`(p, q), its noise and who contributes.
    ///
    /// `term` must be 0 where p = q.
    pub(super) fn sum(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        self.cells.iter().map(|cell| term(cell.current / self.n, cell.control / self.m)).sum()
    }

    /// How the sum is distributed if chance alone decides which side a value goes to.
    pub(super) fn by_chance(&self, term: impl Fn(f64, f64) -> f64) -> Gamma {
        let mut totals: Vec<f64> =
            self.cells.iter().map(|cell| (cell.current + cell.control).round()).collect();
        totals.sort_by(f64::total_cmp);
        let (mut mean, mut variance) = (0.0, 0.0);
        for equal in totals.chunk_by(|a, b| a == b) {
            let (mut first, mut second) = (0.0, 0.0);
            for (x, weight) in splits(equal[0], self.n, self.m) {
                let term = term(x / self.n, (equal[0] - x) / self.m);
                first += weight * term;
                second += weight * term * term;
            }
            mean += equal.len() as f64 * first;
            variance += equal.len() as f64 * (second - first * first).max(0.0);
        }
        // What one cell gains the others lose: with k cells only k − 1 are free.
        let k = self.cells.iter().filter(|cell| cell.current + cell.control > 0.0).count() as f64;
        Gamma { mean, variance: if k > 1.0 { variance * k / (k - 1.0) } else { variance } }
    }

    /// The noise of a sum that came out as `value`.
    pub(super) fn noise(&self, value: f64, alpha: f64, term: impl Fn(f64, f64) -> f64) -> Noise {
        let chance = self.by_chance(term);
        Noise { floor: chance.bound(alpha), p: chance.tail(value) }
    }

    /// The noise of the largest |a x − b y| over cells: the sum of all cells' chances bounds it.
    pub(super) fn noise_of_largest(&self, value: f64, alpha: f64, a: f64, b: f64) -> Noise {
        let mut totals: Vec<f64> =
            self.cells.iter().map(|cell| (cell.current + cell.control).round()).collect();
        totals.sort_by(f64::total_cmp);
        let all = self.n + self.m;
        let cells: Vec<_> = totals
            .chunk_by(|x, y| x == y)
            .map(|equal| {
                let mean = equal[0] * self.n / all;
                let sd = (mean * (self.m / all) * (1.0 - equal[0] / all)).max(0.0).sqrt();
                let ways = if sd > 8.0 { vec![] } else { splits(equal[0], self.n, self.m) };
                (equal[0], equal.len() as f64, mean, sd, ways)
            })
            .collect();
        // a x − b (k − x) is linear in x.
        let p = |value: f64| -> f64 {
            let tails = cells.iter().map(|(k, times, mean, sd, ways)| {
                let difference = |x: f64| a * x - b * (k - x);
                let tail = if ways.is_empty() {
                    let (centre, width) = (difference(*mean), (a + b) * sd);
                    // A step of the difference is what one value more makes.
                    let step = f64::midpoint(a, b);
                    normal_tail((value - step - centre) / width)
                        + normal_tail((value - step + centre) / width)
                } else {
                    let beyond = |(x, _): &&(f64, f64)| difference(*x).abs() >= value - 1e-12;
                    ways.iter().filter(beyond).map(|(_, weight)| weight).sum()
                };
                times * tail.min(1.0)
            });
            tails.sum::<f64>().min(1.0)
        };
        let most = (a * self.n).max(b * self.m);
        Noise { floor: super::probability::bisect(0.0, most, |at| p(at) > alpha), p: p(value) }
    }

    /// The cells with the largest terms.
    pub(super) fn contributors(
        &self,
        most: usize,
        term: impl Fn(f64, f64) -> f64,
    ) -> Vec<Contributor> {
        let terms = self.cells.iter().map(|cell| {
            let (p, q) = (cell.current / self.n, cell.control / self.m);
            (term(p, q).abs(), p, q, &cell.name)
        });
        top(terms.collect(), most)
    }

    /// Pearson's χ² test of whether both sides are one distribution; exact for two cells.
    pub(super) fn p_of_one_distribution(&self, x2: f64) -> f64 {
        match self.cells.as_slice() {
            [] | [_] => 1.0,
            [cell, _] => two_shares(cell.current, self.n, cell.control, self.m),
            _ => self.by_chance(|p, q| self.pearson(p, q)).tail(x2),
        }
    }

    /// One cell's term of Pearson's statistic, of both its sides.
    pub(super) fn pearson(&self, p: f64, q: f64) -> f64 {
        let pooled = (p * self.n + q * self.m) / (self.n + self.m);
        if pooled > 0.0 {
            (p - q).powi(2) / pooled * self.n * self.m / (self.n + self.m)
        } else {
            0.0
        }
    }

    /// One cell's term of the likelihood ratio G.
    pub(super) fn likelihood_ratio(&self, p: f64, q: f64) -> f64 {
        let pooled = (p * self.n + q * self.m) / (self.n + self.m);
        let side = |share: f64, size: f64| {
            if share > 0.0 {
                2.0 * size * (share * (share / pooled).ln() - share + pooled)
            } else {
                2.0 * size * pooled
            }
        };
        if pooled > 0.0 { side(p, self.n) + side(q, self.m) } else { 0.0 }
    }

    /// The cells in which enough is expected to be tested; all others together.
    pub(super) fn testable(&self) -> Table {
        let smaller = self.n.min(self.m) / (self.n + self.m);
        let expected = |cell: &Counts| (cell.current + cell.control) * smaller;
        let (mut kept, rare): (Vec<_>, Vec<_>) = self
            .cells
            .iter()
            .cloned()
            .partition(|cell| expected(cell) >= EXPECTED && cell.name != REST);
        let mut rest = Counts { name: REST.to_owned(), current: 0.0, control: 0.0 };
        let add = |rest: &mut Counts, cell: &Counts| {
            rest.current += cell.current;
            rest.control += cell.control;
        };
        rare.iter().for_each(|cell| add(&mut rest, cell));
        kept.sort_by(|a, b| expected(b).total_cmp(&expected(a)).then_with(|| a.name.cmp(&b.name)));
        let is_any = |rest: &Counts| rest.current + rest.control > 1e-9;
        while is_any(&rest) && expected(&rest) < EXPECTED && kept.len() > 1 {
            let Some(last) = kept.pop() else { break };
            add(&mut rest, &last);
        }
        if is_any(&rest) {
            kept.push(rest);
        }
        Table::new(kept)
    }
}

/// Descending by term, ties in order of names as they came.
pub(super) fn top(mut terms: Vec<(f64, f64, f64, &String)>, most: usize) -> Vec<Contributor> {
    let sum: f64 = terms.iter().map(|(term, ..)| term).sum();
    terms.retain(|(term, ..)| *term > 0.0);
    terms.sort_by(|a, b| b.0.total_cmp(&a.0));
    let contributor = |(term, current, control, name): &(f64, f64, f64, &String)| Contributor {
        name: (*name).clone(),
        current: *current,
        control: *control,
        share: term / sum,
    };
    terms.iter().take(most).map(contributor).collect()
}

/// One side's labels, with how many values there are and how many samples they count for.
pub(super) struct Side<'a> {
    pub(super) labels: &'a Labels<'a>,
    pub(super) values: f64,
    pub(super) size: f64,
}

impl Side<'_> {
    fn scale(&self) -> f64 {
        if self.values > 0.0 { self.size / self.values } else { 0.0 }
    }

    fn listed(&self) -> f64 {
        self.labels.values().fold(0.0, |sum, count| sum + count)
    }
}

/// The listed labels alone, as TFDV's distances see them.
pub(super) fn listed(current: &Side<'_>, control: &Side<'_>) -> Table {
    let (s, t) = (current.scale(), control.scale());
    let cells = super::infinity_norm::both(current.labels, control.labels);
    let cells = cells.map(|(label, x, y)| Counts {
        name: label.to_owned(),
        current: x * s,
        control: y * t,
    });
    Table::new(cells.collect())
}

/// All values: the labels that are listed, and one cell for those that are not.
///
/// A label that a list was too short for occurs there at most as often as the last that is listed. It
/// is taken to be as frequent as on the other side, up to that.
pub(super) fn all(current: &Side<'_>, control: &Side<'_>) -> Table {
    let mut table = listed(current, control);
    let tail = |side: &Side<'_>| ((side.values - side.listed()) * side.scale()).max(0.0);
    let last = |side: &Side<'_>| {
        side.labels.values().copied().fold(f64::INFINITY, f64::min) * side.scale()
    };
    let (tail_x, tail_y) = (tail(current), tail(control));
    let (n, m) = (current.size, control.size);
    if n <= 0.0 || m <= 0.0 {
        return table;
    }
    let (last_x, last_y) = (last(current), last(control));
    let guess_x = |y: f64| (y * n / m).min(last_x);
    let guess_y = |x: f64| (x * m / n).min(last_y);
    let unlisted_x: f64 =
        table.cells.iter().filter(|c| c.current == 0.0).map(|c| guess_x(c.control)).sum();
    let unlisted_y: f64 =
        table.cells.iter().filter(|c| c.control == 0.0).map(|c| guess_y(c.current)).sum();
    let fit = |unlisted: f64, tail: f64| if unlisted > tail { tail / unlisted } else { 1.0 };
    let (fit_x, fit_y) = (fit(unlisted_x, tail_x), fit(unlisted_y, tail_y));
    for cell in &mut table.cells {
        if cell.current == 0.0 {
            cell.current = guess_x(cell.control) * fit_x;
        } else if cell.control == 0.0 {
            cell.control = guess_y(cell.current) * fit_y;
        }
    }
    table.cells.push(Counts {
        name: REST.to_owned(),
        current: (tail_x - unlisted_x * fit_x).max(0.0),
        control: (tail_y - unlisted_y * fit_y).max(0.0),
    });
    Table::new(table.cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(counts: &[(f64, f64)]) -> Table {
        let cell = |(i, (current, control)): (usize, &(f64, f64))| Counts {
            name: format!("label {i}"),
            current: *current,
            control: *control,
        };
        Table::new(counts.iter().enumerate().map(cell).collect())
    }

    #[test]
    fn pearsons_sum_is_chi_square() {
        let table = table(&[(60.0, 40.0), (30.0, 70.0), (110.0, 90.0)]);
        // scipy.stats.chi2_contingency: 22.0, 2 degrees of freedom.
        let x2 = table.sum(|p, q| table.pearson(p, q));
        assert!((x2 - 22.0).abs() < 1e-9, "{x2}");
        let chance = table.by_chance(|p, q| table.pearson(p, q));
        assert!((chance.mean - 2.0).abs() < 0.02, "{chance:?}");
        assert!((chance.variance - 4.0).abs() < 0.5, "{chance:?}");
        let g = table.sum(|p, q| table.likelihood_ratio(p, q));
        assert!((g - 22.6).abs() < 0.3, "{g}");
    }

    #[test]
    fn rare_labels_are_tested_together() {
        let mut counts = vec![(50.0, 50.0), (40.0, 40.0)];
        counts.extend([(1.0, 0.0); 10]);
        let table = table(&counts).testable();
        let names: Vec<_> = table.cells.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(names, ["label 0", "(all other values)"]);
        assert_eq!((table.n, table.m), (100.0, 90.0));
    }

    #[test]
    fn a_list_that_is_cut_off_is_no_difference() {
        let long: Vec<(String, f64)> = (0..20).map(|i| (format!("l{i:02}"), 100.0)).collect();
        let of = |n: usize| -> Labels<'_> {
            long.iter().take(n).map(|(label, count)| (label.as_str(), *count)).collect()
        };
        let (whole, cut) = (of(20), of(12));
        let side = |labels| Side { labels, values: 2000.0, size: 2000.0 };
        let table = all(&side(&whole), &side(&cut));
        assert!(table.sum(|p, q| table.pearson(p, q)) < 1e-9, "{table:?}");
        // Nothing is unlisted here, so that a label which is not there does not occur.
        let complete = Side { labels: &cut, values: 1200.0, size: 1200.0 };
        let table = all(&side(&whole), &complete);
        assert!(table.sum(|p, q| table.pearson(p, q)) > 100.0);
    }
}
