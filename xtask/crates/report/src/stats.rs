//! The few statistics that the report shows: order statistics and a bootstrap, never a mean over outliers.

/// How often the bootstrap draws a set of values again.
const RESAMPLES: usize = 2000;
/// The same record gives the same page.
const SEED: u64 = 0x756b_6c00;
/// Fewer values than this say too little for an interval; their whole range is shown instead.
const MIN_FOR_INTERVAL: usize = 5;

/// Several values of the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub count: usize,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// What the report draws as the spread, around the median.
    pub spread: Spread,
}

/// How far a median can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// The smallest and the largest value.
    Range(f64, f64),
    /// Where the median lies with a confidence of 95 %.
    Interval95(f64, f64),
}

impl Spread {
    pub fn bounds(self) -> (f64, f64) {
        match self {
            Spread::Range(low, high) | Spread::Interval95(low, high) => (low, high),
        }
    }
}

/// Summarises values; nothing without any.
pub fn summary(values: &[f64]) -> Option<Summary> {
    let median = median(values)?;
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let spread = if values.len() < MIN_FOR_INTERVAL {
        Spread::Range(min, max)
    } else {
        let (low, high) = median_interval_95(values);
        Spread::Interval95(low, high)
    };
    Some(Summary { count: values.len(), median, min, max, spread })
}

/// The value in the middle, or the middle of the two values there.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[sorted.len() / 2 - 1], upper) } else { upper })
}

/// The percentile bootstrap of the median (Efron 1979): the middle 95 % of the medians of sets drawn with replacement.
fn median_interval_95(values: &[f64]) -> (f64, f64) {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let drawn: Vec<f64> = values.iter().map(|_| values[random.usize(..values.len())]).collect();
            median(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    (medians[RESAMPLES * 25 / 1000], medians[RESAMPLES * 975 / 1000 - 1])
}

/// The line through points by least squares: slope and intercept. Nothing when the points do not determine one.
pub fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    let common = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    (points.len() >= 2 && spread > 0.0).then(|| (common / spread, mean_y - common / spread * mean_x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 4.0]), Some(4.0));
        assert_eq!(median(&[9.0, 1.0, 4.0, 2.0]), Some(3.0));
    }

    #[test]
    fn few_values_show_their_range_and_more_an_interval_within_it() {
        let few = summary(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((few.median, few.spread), (2.0, Spread::Range(1.0, 3.0)));
        let values: Vec<f64> = (1..=101).map(f64::from).collect();
        let Spread::Interval95(low, high) = summary(&values).unwrap().spread else { panic!("no interval") };
        // By order statistics the interval of 101 values is about 51 +- 0.98 * sqrt(101).
        assert!((38.0..=45.0).contains(&low) && (57.0..=64.0).contains(&high), "{low}..{high}");
    }

    #[test]
    fn the_interval_of_equal_values_is_a_point_and_every_run_gives_the_same() {
        assert_eq!(summary(&[5.0; 9]).unwrap().spread, Spread::Interval95(5.0, 5.0));
        let values = [4.0, 8.0, 15.0, 16.0, 23.0, 42.0];
        assert_eq!(summary(&values), summary(&values));
    }

    #[test]
    fn lines() {
        assert_eq!(line(&[(1.0, 5.0), (2.0, 7.0), (3.0, 9.0)]), Some((2.0, 3.0)));
        assert_eq!(line(&[(1.0, 5.0)]), None);
        assert_eq!(line(&[(1.0, 5.0), (1.0, 6.0)]), None);
    }
}
