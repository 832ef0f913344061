//! How the learning rate goes, from step to step.

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The same for all steps.
    #[default]
    Constant,
    /// Up from 0 for the first tenth of all steps, then down to 0, as BERT is trained and fine-tuned
    /// (Devlin et al. 2018, arXiv:1810.04805).
    Linear,
}

impl Schedule {
    /// All of them.
    pub const ALL: [Schedule; 2] = [Schedule::Constant, Schedule::Linear];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Schedule::Constant => "constant",
            Schedule::Linear => "linear",
        }
    }

    /// Which share of the learning rate step `step` has, from 0, of `steps` in all epochs.
    pub(crate) fn share(self, step: u64, steps: u64) -> f64 {
        /// One in so many steps is a warm-up.
        const WARM_UP: u64 = 10;
        if self == Schedule::Constant {
            return 1.0;
        }
        let warm = steps / WARM_UP;
        if step < warm {
            (step + 1) as f64 / (warm + 1) as f64
        } else {
            steps.saturating_sub(step) as f64 / (steps - warm).max(1) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn a_linear_schedule_goes_up_and_down() {
        let of = |step| Schedule::Linear.share(step, 20);
        assert_eq!(
            [of(0), of(1), of(2), of(11), of(19)],
            [1.0 / 3.0, 2.0 / 3.0, 1.0, 0.5, 1.0 / 18.0]
        );
        for steps in 1..50 {
            let shares: Vec<f64> =
                (0..steps).map(|step| Schedule::Linear.share(step, steps)).collect();
            assert!(shares.iter().all(|share| *share > 0.0 && *share <= 1.0), "{shares:?}");
            assert_eq!(shares.iter().filter(|share| **share == 1.0).count(), 1, "{shares:?}");
        }
        assert_eq!(Schedule::Linear.share(7, 7), 0.0);
        assert_eq!(Schedule::Constant.share(7, 7), 1.0);
    }
}
