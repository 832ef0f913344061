//! Points in a space whose distance is the greatest difference in any dimension.
//!
//! Points are sorted by one number of theirs: whoever is nearer than *r* lies within *r* there, so
//! neighbours are looked for from a point outward until that difference alone is too great.

/// Points: a number of each, and what it has beside that in dimensions where most have 0.
pub(super) struct Points {
    pub(super) numbers: Vec<f64>,
    pub(super) bags: Option<Vec<Vec<(u32, f64)>>>,
    /// Number of each row among all rows, by which noise is made.
    pub(super) ids: Vec<u32>,
    /// Size of the noise where a bag has nothing.
    pub(super) noise: f64,
}

impl Points {
    /// Only the points of some rows.
    pub(super) fn of_rows(&self, rows: &[usize]) -> Points {
        let bags = self.bags.as_ref();
        Points {
            numbers: rows.iter().map(|&row| self.numbers[row]).collect(),
            bags: bags.map(|bags| rows.iter().map(|&row| bags[row].clone()).collect()),
            ids: rows.iter().map(|&row| self.ids[row]).collect(),
            noise: self.noise,
        }
    }

    /// What a row has in a dimension where it has nothing: a little noise, the same whenever it is
    /// asked for. Without it, a bag with something rare is equally far from all others.
    fn nothing(&self, row: usize, dimension: u32) -> f64 {
        let bits = mix(u64::from(self.ids[row]) << 32 | u64::from(dimension));
        self.noise * ((bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    }

    /// The distance if it is at most `limit`.
    fn distance_up_to(&self, i: usize, j: usize, limit: f64) -> Option<f64> {
        let mut most = (self.numbers[i] - self.numbers[j]).abs();
        if let Some(bags) = self.bags.as_ref().filter(|_| most <= limit) {
            let (mut a, mut b) = (bags[i].as_slice(), bags[j].as_slice());
            while most <= limit {
                let difference = match (a, b) {
                    ([x, rest_a @ ..], [y, rest_b @ ..]) if x.0 == y.0 => {
                        (a, b) = (rest_a, rest_b);
                        x.1 - y.1
                    }
                    ([x, rest @ ..], other) if other.first().is_none_or(|y| x.0 < y.0) => {
                        a = rest;
                        x.1 - self.nothing(j, x.0)
                    }
                    (_, [y, rest @ ..]) => {
                        b = rest;
                        y.1 - self.nothing(i, y.0)
                    }
                    (_, []) => break,
                };
                most = most.max(difference.abs());
            }
        }
        (most <= limit).then_some(most)
    }
}

/// Turns a number into one that looks random (SplitMix64, doi:10.1145/2660193.2660195).
pub(super) fn mix(z: u64) -> u64 {
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Points of one kind, or of two that lie in one space, by the number of the first kind.
pub(super) struct Space<'a> {
    points: Vec<&'a Points>,
    /// Rows by their number, and the place of each row there.
    order: Vec<u32>,
    place: Vec<u32>,
}

impl<'a> Space<'a> {
    pub(super) fn new(points: Vec<&'a Points>) -> Self {
        // Bags have next to nothing in their number: the other kind leaves fewer rows to look at.
        let mut points = points;
        points.sort_by_key(|points| points.bags.is_some());
        let numbers = &points[0].numbers;
        let mut order: Vec<u32> = (0..numbers.len() as u32).collect();
        order.sort_by(|&a, &b| numbers[a as usize].total_cmp(&numbers[b as usize]));
        let mut place = vec![0; order.len()];
        for (at, &row) in order.iter().enumerate() {
            place[row as usize] = at as u32;
        }
        Space { points, order, place }
    }

    pub(super) fn distance(&self, i: usize, j: usize) -> f64 {
        self.distance_up_to(i, j, f64::INFINITY).unwrap_or(f64::INFINITY)
    }

    fn distance_up_to(&self, i: usize, j: usize, limit: f64) -> Option<f64> {
        self.points
            .iter()
            .try_fold(0.0, |most, points| Some(f64::max(most, points.distance_up_to(i, j, limit)?)))
    }

    /// The `k` other points that are nearest, with their distances, nearest first.
    pub(super) fn nearest(&self, i: usize, k: usize) -> Vec<(f64, usize)> {
        let numbers = &self.points[0].numbers;
        let mut found: Vec<(f64, usize)> = Vec::with_capacity(k + 1);
        let mut limit = f64::INFINITY;
        let at = self.place[i] as usize;
        let (mut left, mut right) = (at, at + 1);
        loop {
            let gap = |row: Option<&u32>| {
                row.map_or(f64::INFINITY, |&row| (numbers[row as usize] - numbers[i]).abs())
            };
            let on_left = gap(self.order[..left].last());
            let on_right = gap(self.order.get(right));
            let least = on_left.min(on_right);
            if least > limit || least == f64::INFINITY {
                return found;
            }
            let j = if on_left <= on_right {
                left -= 1;
                self.order[left] as usize
            } else {
                right += 1;
                self.order[right - 1] as usize
            };
            let Some(distance) = self.distance_up_to(i, j, limit) else { continue };
            let place = found.partition_point(|&(other, _)| other <= distance);
            found.insert(place, (distance, j));
            found.truncate(k);
            if found.len() == k {
                limit = found[k - 1].0;
            }
        }
    }

    /// Number of points at most `radius` away, the point itself included.
    pub(super) fn count_within(&self, i: usize, radius: f64) -> usize {
        let numbers = &self.points[0].numbers;
        let x = numbers[i];
        let at = self.place[i] as usize;
        // The same difference as in a distance, so that a point on the rim is never lost to rounding.
        let low = self.order[..at].partition_point(|&j| x - numbers[j as usize] > radius);
        let high = at + self.order[at..].partition_point(|&j| numbers[j as usize] - x <= radius);
        if self.points.len() == 1 && self.points[0].bags.is_none() {
            return high - low;
        }
        let near = |&&j: &&u32| self.distance_up_to(i, j as usize, radius).is_some();
        self.order[low..high].iter().filter(near).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few values, so that many points are equally far.
    fn value(i: usize, d: usize) -> f64 {
        ((i * i * 7919 + d * 104_729) % 23) as f64 / 4.0
    }

    #[test]
    fn neighbours_are_those_of_a_plain_search() {
        const N: usize = 60;
        let numbers = |d| (0..N).map(|i| value(i, d)).collect::<Vec<f64>>();
        let ids: Vec<u32> = (0..N as u32).collect();
        let line = Points { numbers: numbers(0), bags: None, ids: ids.clone(), noise: 0.0 };
        let bag = |i: usize| {
            (0..i % 4).map(|d| (d as u32 * 2 + (i % 2) as u32, value(i, d + 1))).collect()
        };
        let bags = (0..N).map(bag).collect();
        let bags = Points { numbers: numbers(7), bags: Some(bags), ids, noise: 0.0 };
        let plain = |points: &Points, i: usize, j: usize| {
            let at = |i: usize, d: u32| -> f64 {
                let bag = points.bags.as_ref().map_or(&[][..], |bags| &bags[i]);
                bag.iter().find(|(other, _)| *other == d).map_or(0.0, |&(_, x)| x)
            };
            let first = (points.numbers[i] - points.numbers[j]).abs();
            (0..10).fold(first, |most, d| most.max((at(i, d) - at(j, d)).abs()))
        };
        for kinds in [vec![&line], vec![&bags], vec![&bags, &line]] {
            let space = Space::new(kinds.clone());
            for i in 0..N {
                let distance = |j| kinds.iter().map(|p| plain(p, i, j)).fold(0.0, f64::max);
                let mut all: Vec<f64> = (0..N).filter(|&j| j != i).map(distance).collect();
                all.sort_by(f64::total_cmp);
                for k in [1, 3, N - 1, N + 10] {
                    let found = space.nearest(i, k);
                    let distances: Vec<f64> = found.iter().map(|&(distance, _)| distance).collect();
                    assert_eq!(distances, all[..k.min(N - 1)]);
                    assert!(found.iter().all(|&(d, j)| j != i && d == distance(j)));
                }
                for radius in [0.0, 0.25, 1.0, 100.0] {
                    let within = all.iter().filter(|&&distance| distance <= radius).count();
                    assert_eq!(space.count_within(i, radius), within + 1);
                }
            }
        }
    }
}
