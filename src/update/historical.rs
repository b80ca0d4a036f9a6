//! Is this run unlike the ones before it? Figures are compared with those of earlier successful runs.

use std::collections::HashSet;

use jiff::Zoned;
use serde_json::{Value, json};

use crate::store::PastRun;

/// How far back earlier runs are compared with.
pub const HISTORY_DAYS: i64 = 90;

/// Beyond this many standard deviations an anomaly is critical.
const CRITICAL: f64 = 4.0;

/// A figure far from what earlier runs had.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    pub metric: &'static str,
    pub value: f64,
    pub mean: f64,
    pub std_dev: f64,
    pub z_score: f64,
    pub critical: bool,
}

impl Anomaly {
    /// As `historical_anomalies` has it.
    pub fn to_json(&self) -> Value {
        json!({
            "metric": self.metric,
            "value": self.value,
            "mean": self.mean,
            "std_dev": self.std_dev,
            "z_score": self.z_score,
            "severity": if self.critical { "critical" } else { "warning" },
        })
    }
}

/// What the comparison came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Days with a successful run that there are to compare with.
    pub days: usize,
    /// How many of them are needed.
    pub needed: usize,
    /// Empty also where there are too few days to tell.
    pub anomalies: Vec<Anomaly>,
    /// Two anomalies, or one critical.
    pub alert: bool,
}

impl Comparison {
    /// Why nothing was compared.
    pub fn problem(&self) -> Option<String> {
        (self.days < self.needed).then(|| {
            format!(
                "{} days of history in the last {HISTORY_DAYS}, {} are needed",
                self.days, self.needed
            )
        })
    }
}

/// One figure over earlier runs; runs that lack it do not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    pub count: usize,
    pub mean: f64,
    /// Of a sample; 0 for a single run.
    pub std_dev: f64,
    pub min: f64,
    pub max: f64,
    pub median: f64,
}

type Figure = (&'static str, fn(&PastRun) -> f64);

const FIGURES: [Figure; 5] = [
    ("hearings_checked", |run| run.hearings_checked),
    ("hearings_updated", |run| run.hearings_updated),
    ("hearings_added", |run| run.hearings_added),
    ("error_count", |run| run.error_count),
    ("duration_seconds", |run| run.duration_seconds),
];

/// The naive local time so many days ago; empty (before everything) where that is out of reach.
pub fn days_ago(now: &Zoned, days: i64) -> String {
    jiff::Span::new()
        .try_days(days)
        .and_then(|span| now.checked_sub(span))
        .map_or_else(
            |_| String::new(),
            |then| then.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
}

/// Compares a run with earlier ones; itself, where it was logged already, is none of them. Fewer than
/// `min_days` days of history tell nothing, also of a single figure; a figure that is NaN is not
/// compared.
pub fn compare(now: &PastRun, past: &[PastRun], min_days: usize, z_threshold: f64) -> Comparison {
    let past: Vec<&PastRun> = past
        .iter()
        .filter(|run| now.start_time.is_empty() || run.start_time != now.start_time)
        .collect();
    let needed = min_days.max(2);
    let mut comparison = Comparison {
        days: days_of(past.iter().copied()),
        needed,
        ..Comparison::default()
    };
    for (metric, figure) in FIGURES {
        let known = || past.iter().copied().filter(|run| figure(run).is_finite());
        let value = figure(now);
        if !value.is_finite() || days_of(known()) < needed {
            continue;
        }
        let Some(usual) = summary(known().map(figure).collect()) else {
            continue;
        };
        // A figure that never moved has no scale; then one unit (or a tenth) of it is taken.
        let scale = if usual.std_dev > 0.0 {
            usual.std_dev
        } else {
            (usual.mean.abs() * 0.1).max(1.0)
        };
        let z_score = (value - usual.mean) / scale;
        if z_score.abs() > z_threshold {
            comparison.anomalies.push(Anomaly {
                metric,
                value,
                mean: usual.mean,
                std_dev: usual.std_dev,
                z_score,
                critical: z_score.abs() > CRITICAL,
            });
        }
    }
    let found = &comparison.anomalies;
    let critical = found.iter().filter(|anomaly| anomaly.critical).count();
    comparison.alert = calls_for_alert(found.len(), critical);
    comparison
}

/// Two anomalies, or one critical.
pub fn calls_for_alert(anomalies: usize, critical: usize) -> bool {
    anomalies >= 2 || critical >= 1
}

/// Every figure over these runs, in the order in which they are compared; `None` where no run has it.
pub fn statistics(past: &[PastRun]) -> Vec<(&'static str, Option<Statistics>)> {
    FIGURES
        .iter()
        .map(|(metric, figure)| (*metric, summary(past.iter().map(figure).collect())))
        .collect()
}

/// Days with one of these runs.
fn days_of<'a>(runs: impl Iterator<Item = &'a PastRun>) -> usize {
    runs.filter_map(|run| run.start_time.get(..10))
        .collect::<HashSet<_>>()
        .len()
}

#[allow(clippy::cast_precision_loss)] // a count of runs
fn summary(mut values: Vec<f64>) -> Option<Statistics> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let upper = values.get(count / 2).copied()?;
    let lower = values.get((count - 1) / 2).copied()?;
    Some(Statistics {
        count,
        mean,
        std_dev: (squares / (count as f64 - 1.0).max(1.0)).sqrt(),
        min,
        max,
        median: f64::midpoint(lower, upper),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month() -> Vec<PastRun> {
        (1..=30_i32)
            .map(|day| PastRun {
                start_time: format!("2025-09-{day:02} 02:00:00"),
                hearings_checked: 100.0 + f64::from(day % 5),
                hearings_updated: 20.0 + f64::from(day % 3),
                hearings_added: 5.0,
                error_count: 0.0,
                duration_seconds: 2.0 + f64::from(day % 2) * 0.1,
            })
            .collect()
    }

    fn usual() -> PastRun {
        PastRun {
            start_time: "2025-10-01 02:00:00".into(),
            ..month().swap_remove(3)
        }
    }

    /// So many standard deviations above the month's mean.
    fn beyond(metric: &str, deviations: f64) -> f64 {
        let all = statistics(&month());
        let (_, usual) = all.iter().find(|(name, _)| *name == metric).unwrap();
        let usual = usual.as_ref().unwrap();
        usual.mean + deviations * usual.std_dev
    }

    #[test]
    fn a_usual_run_has_no_anomalies() {
        assert_eq!(compare(&usual(), &month(), 17, 3.0).anomalies, []);
    }

    #[test]
    fn one_critical_anomaly_alerts() {
        let now = PastRun {
            hearings_checked: 0.0,
            ..usual()
        };
        let found = compare(&now, &month(), 17, 3.0);
        assert_eq!(found.anomalies.len(), 1);
        assert_eq!(found.anomalies[0].metric, "hearings_checked");
        assert!(found.anomalies[0].critical && found.alert);
    }

    #[test]
    fn one_mild_anomaly_does_not_alert_and_two_do() {
        let mild = PastRun {
            hearings_checked: beyond("hearings_checked", 3.5),
            ..usual()
        };
        let found = compare(&mild, &month(), 17, 3.0);
        assert_eq!((found.anomalies.len(), found.alert), (1, false));
        let both = PastRun {
            hearings_updated: beyond("hearings_updated", 3.5),
            ..mild
        };
        assert!(compare(&both, &month(), 17, 3.0).alert);
    }

    #[test]
    fn too_few_days_tell_nothing() {
        let now = PastRun {
            hearings_checked: 0.0,
            ..usual()
        };
        let found = compare(&now, &month()[..10], 17, 3.0);
        assert_eq!(
            (found.days, found.anomalies.len(), found.alert),
            (10, 0, false)
        );
    }

    #[test]
    fn four_deviations_are_where_critical_begins() {
        let off = |deviations| PastRun {
            hearings_checked: beyond("hearings_checked", deviations),
            ..usual()
        };
        for (deviations, critical) in [(3.9, false), (-3.9, false), (4.1, true), (-4.1, true)] {
            let found = compare(&off(deviations), &month(), 17, 3.0);
            assert_eq!(found.anomalies[0].critical, critical, "{deviations}");
            assert_eq!(found.alert, critical, "{deviations}");
        }
    }

    #[test]
    fn figures_that_are_not_there_are_neither_compared_nor_counted() {
        let now = PastRun {
            hearings_checked: f64::NAN,
            hearings_added: f64::INFINITY,
            ..usual()
        };
        assert_eq!(compare(&now, &month(), 17, 3.0).anomalies, []);
        let mut past = month();
        for run in &mut past {
            run.duration_seconds = f64::NAN;
        }
        let slow = PastRun {
            duration_seconds: 900.0,
            ..usual()
        };
        assert_eq!(compare(&slow, &past, 17, 3.0).anomalies, []);
        for run in past.iter_mut().take(16) {
            run.duration_seconds = 2.0;
        }
        assert_eq!(compare(&slow, &past, 17, 3.0).anomalies, []);
        past[16].duration_seconds = 2.0;
        assert_eq!(
            compare(&slow, &past, 17, 3.0).anomalies[0].metric,
            "duration_seconds"
        );
    }

    #[test]
    fn a_run_is_not_compared_with_itself() {
        let now = PastRun {
            hearings_checked: 0.0,
            ..usual()
        };
        let alone = compare(&now, &month(), 17, 3.0);
        let mut past = month();
        past.push(now.clone());
        assert_eq!(compare(&now, &past, 17, 3.0), alone);
    }

    #[test]
    fn statistics_are_those_of_a_sample() {
        let runs: Vec<PastRun> = [2.0, 4.0, 4.0, f64::NAN, 10.0]
            .into_iter()
            .map(|added| PastRun {
                hearings_added: added,
                duration_seconds: f64::NAN,
                ..PastRun::default()
            })
            .collect();
        let all = statistics(&runs);
        assert_eq!(
            all.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            [
                "hearings_checked",
                "hearings_updated",
                "hearings_added",
                "error_count",
                "duration_seconds"
            ]
        );
        assert_eq!(
            all[2].1,
            Some(Statistics {
                count: 4,
                mean: 5.0,
                std_dev: 12.0_f64.sqrt(),
                min: 2.0,
                max: 10.0,
                median: 4.0,
            })
        );
        assert_eq!(all[4].1, None);
    }

    #[test]
    fn too_few_days_are_explained() {
        let found = compare(&usual(), &month()[..10], 17, 3.0);
        assert_eq!(
            found.problem().as_deref(),
            Some("10 days of history in the last 90, 17 are needed")
        );
        assert_eq!(compare(&usual(), &month(), 17, 3.0).problem(), None);
    }

    #[test]
    fn an_absurd_number_of_days_is_before_everything() {
        let now: Zoned = "2025-10-13T21:00:00-04:00[America/New_York]"
            .parse()
            .unwrap();
        assert_eq!(days_ago(&now, 3), "2025-10-10 21:00:00");
        assert_eq!(days_ago(&now, i64::MAX), "");
        assert_eq!(days_ago(&now, 7_000_000), "");
    }
}
