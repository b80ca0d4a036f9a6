//! Is this run unlike the ones before it? Figures are compared with those of earlier successful runs.

use std::collections::HashSet;

use crate::store::PastRun;

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

/// What the comparison came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Days with a successful run that there are to compare with.
    pub days: usize,
    /// Empty also where there are too few days to tell.
    pub anomalies: Vec<Anomaly>,
    /// Two anomalies, or one critical.
    pub alert: bool,
}

type Figure = (&'static str, fn(&PastRun) -> f64);

const FIGURES: [Figure; 5] = [
    ("hearings_checked", |run| run.hearings_checked),
    ("hearings_updated", |run| run.hearings_updated),
    ("hearings_added", |run| run.hearings_added),
    ("error_count", |run| run.error_count),
    ("duration_seconds", |run| run.duration_seconds),
];

/// Compares a run with earlier ones. Fewer than `min_days` days of history tell nothing.
pub fn compare(now: &PastRun, past: &[PastRun], min_days: usize, z_threshold: f64) -> Comparison {
    let days: HashSet<&str> = past
        .iter()
        .filter_map(|run| run.start_time.get(..10))
        .collect();
    let mut comparison = Comparison {
        days: days.len(),
        ..Comparison::default()
    };
    if comparison.days < min_days.max(2) {
        return comparison;
    }
    for (metric, figure) in FIGURES {
        let (mean, std_dev) = spread(past, figure);
        let value = figure(now);
        // A figure that never moved has no scale; then one unit (or a tenth) of it is taken.
        let scale = if std_dev > 0.0 {
            std_dev
        } else {
            (mean.abs() * 0.1).max(1.0)
        };
        let z_score = (value - mean) / scale;
        if z_score.abs() > z_threshold {
            let critical = z_score.abs() > CRITICAL;
            comparison.anomalies.push(Anomaly {
                metric,
                value,
                mean,
                std_dev,
                z_score,
                critical,
            });
        }
    }
    let found = &comparison.anomalies;
    comparison.alert = found.len() >= 2 || found.iter().any(|anomaly| anomaly.critical);
    comparison
}

#[allow(clippy::cast_precision_loss)] // a count of runs
fn spread(past: &[PastRun], figure: fn(&PastRun) -> f64) -> (f64, f64) {
    let count = past.len() as f64;
    let mean = past.iter().map(figure).sum::<f64>() / count;
    let squares: f64 = past.iter().map(|run| (figure(run) - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
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
        let (_, std_dev) = spread(&month(), |run| run.hearings_checked);
        let mean = spread(&month(), |run| run.hearings_checked).0;
        let mild = PastRun {
            hearings_checked: mean + 3.5 * std_dev,
            ..usual()
        };
        let found = compare(&mild, &month(), 17, 3.0);
        assert_eq!((found.anomalies.len(), found.alert), (1, false));
        let (mean, std_dev) = spread(&month(), |run| run.hearings_updated);
        let both = PastRun {
            hearings_updated: mean + 3.5 * std_dev,
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
}
