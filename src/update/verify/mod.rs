//! Is the database sound after its updates? What is broken is an issue; what is history, or only worth
//! knowing, is a warning.

mod last_update;

use jiff::Zoned;
use serde_json::{Map, Value, json};

use super::checks::{MIN_HEARINGS, has_held};
use super::historical::{HISTORY_DAYS, compare, days_ago};
use crate::store::{About, Finding, Soundness, Store, StoreResult, Survey};
use last_update::last_update;

/// So many findings of a check are named; the rest is counted.
const NAMED: usize = 20;

/// One of the checks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Check {
    pub name: &'static str,
    pub title: &'static str,
    pub issues: Vec<String>,
    pub warnings: Vec<String>,
    /// Name -> number, text or list, JSON.
    pub figures: Map<String, Value>,
}

/// What the checks came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verification {
    pub checks: Vec<Check>,
    /// There are rows that lead nowhere, or links that are there twice: a repair would remove them.
    pub mendable: bool,
    /// Why nothing may be repaired.
    pub unmendable: Option<String>,
}

/// Runs all checks. Reads only; fewer than `min_days` days of logged runs are not compared.
pub fn verify(
    store: &mut dyn Store,
    now: &Zoned,
    min_days: usize,
    z_threshold: f64,
) -> StoreResult<Verification> {
    let missing = store.missing_tables()?;
    let sound = store.soundness()?;
    let mut integrity = Check::new("integrity", "file integrity");
    integrity.issues(&sound.integrity, "integrity");
    let mut found = Verification {
        unmendable: (!sound.integrity.is_empty()).then(|| {
            "the file is damaged: put a backup back with 'hearing-updater restore'".to_owned()
        }),
        ..Verification::default()
    };
    let mut counts = Check::new("counts", "counts");
    if !missing.is_empty() {
        counts.issues.push(format!(
            "missing table(s): {}; check the path, or make a new database with 'hearing-updater init'",
            missing.join(", ")
        ));
        found.checks = vec![integrity, counts];
        return Ok(found);
    }
    let survey = store.survey()?;
    if let Some(lost) = count(store, &sound, &survey, &mut counts)? {
        found.unmendable.get_or_insert(lost);
    }
    found.mendable = !sound.orphans.is_empty() || links_repeat(&sound);
    found.checks = vec![
        integrity,
        counts,
        values(&sound, &survey),
        dates(&survey),
        foreign_keys(&sound),
        duplicates(&sound, &survey),
        relationships(&survey),
        anomalies(store, now, min_days, z_threshold)?,
        last_update(store, now, &survey)?,
    ];
    Ok(found)
}

impl Check {
    fn new(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            ..Self::default()
        }
    }

    fn issues(&mut self, found: &[String], what: &str) {
        let named = found.iter().take(NAMED);
        self.issues
            .extend(named.map(|one| format!("{what}: {one}")));
        if found.len() > NAMED {
            self.issues
                .push(format!("{what}: {} more", found.len() - NAMED));
        }
    }

    fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Counts what was found of these, and says it in words where there are any.
    fn warn(&mut self, survey: &Survey, abouts: &[(About, &str)]) {
        for (about, words) in abouts {
            if let Some(finding) = of(survey, *about) {
                self.figure(about.as_str(), finding.count);
                if finding.count > 0 {
                    self.warnings.push(told(finding, words));
                }
            }
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "issues": self.issues,
            "warnings": self.warnings,
            "figures": self.figures,
        })
    }
}

fn of(survey: &Survey, about: About) -> Option<&Finding> {
    survey.findings.iter().find(|found| found.about == about)
}

/// `hearings without a date: 9 (event 1, event 2, event 3, ...)`; what is after a semicolon, at the end.
fn told(finding: &Finding, words: &str) -> String {
    let (words, hint) = words.split_at(words.find(';').unwrap_or(words.len()));
    let more = finding.count > i64::try_from(finding.examples.len()).unwrap_or(i64::MAX);
    format!(
        "{words}: {} ({}{}){hint}",
        finding.count,
        finding.examples.join(", "),
        if more { ", ..." } else { "" }
    )
}

fn groups(pairs: &[(String, i64)]) -> Value {
    pairs
        .iter()
        .map(|(name, rows)| (name.clone(), Value::from(*rows)))
        .collect::<Map<_, _>>()
        .into()
}

/// -> why rows must have been lost, if so.
fn count(
    store: &mut dyn Store,
    sound: &Soundness,
    survey: &Survey,
    check: &mut Check,
) -> StoreResult<Option<String>> {
    check.figure("total_hearings", sound.hearings);
    check.figure("table_counts", groups(&store.table_counts()?));
    for (column, pairs) in &survey.groups {
        let name = format!("hearings_by_{}", column.trim_start_matches("hearing_"));
        check.figure(&name, groups(pairs));
    }
    if sound.hearings < MIN_HEARINGS && has_held(store)? {
        let lost = format!(
            "only {} hearings where there have been {MIN_HEARINGS} or more: rows were lost; put a \
             backup back with 'hearing-updater restore'",
            sound.hearings
        );
        check.issues.push(lost.clone());
        return Ok(Some(lost));
    }
    if sound.hearings == 0 {
        check
            .warnings
            .push("no hearings yet: fill it with 'hearing-updater update'".to_owned());
    }
    Ok(None)
}

fn values(sound: &Soundness, survey: &Survey) -> Check {
    let mut check = Check::new("values", "values out of their range");
    check.issues(&sound.invalid_values, "invalid value");
    check.figure("invalid_values", sound.invalid_values.len());
    check.warn(
        survey,
        &[
            (About::NoTitle, "hearings without a title"),
            (
                About::NoLocation,
                "hearings without a location; 'hearing-updater update --mode full' fills in old ones",
            ),
        ],
    );
    check
}

fn dates(survey: &Survey) -> Check {
    let mut check = Check::new("date_ranges", "date ranges");
    check.figure(
        "date_range",
        json!({"earliest": survey.earliest, "latest": survey.latest}),
    );
    check.figure("newest_update_date", survey.newest_update_date.clone());
    if let Some(finding) = of(survey, About::UnreadableDate) {
        check.figure(finding.about.as_str(), finding.count);
        if finding.count > 0 {
            let issue = told(finding, "hearings whose date is none");
            check.issues.push(issue);
        }
    }
    check.warn(
        survey,
        &[
            (About::NoDate, "hearings without a date"),
            (
                About::OutsideCongress,
                "hearings dated outside the two years of their Congress",
            ),
            (About::FarAhead, "hearings more than a year ahead"),
            (
                About::DatesDisagree,
                "hearings whose hearing_date and hearing_date_only disagree",
            ),
            (
                About::UnreadableUpdateDate,
                "hearings whose update_date cannot be read; every run asks for them again",
            ),
            (
                About::FutureUpdateDate,
                "hearings whose update_date lies ahead; changes before it go unseen",
            ),
        ],
    );
    check
}

fn foreign_keys(sound: &Soundness) -> Check {
    let mut check = Check::new("foreign_keys", "foreign keys");
    let mut broken = sound.foreign_keys.clone();
    // Tables that declare no foreign key can have rows that lead nowhere all the same.
    let undeclared = sound.orphans.iter().filter(|row| !broken.contains(row));
    let undeclared: Vec<_> = undeclared.cloned().collect();
    broken.extend(undeclared);
    check.issues(&broken, "foreign key violation");
    check.figure("foreign_key_violations", broken.len());
    check.figure("orphaned_rows", sound.orphans.len());
    check
}

fn duplicates(sound: &Soundness, survey: &Survey) -> Check {
    let mut check = Check::new("duplicates", "duplicates");
    check.issues(&sound.duplicates, "duplicate");
    check.figure("duplicates", sound.duplicates.len());
    check.warn(
        survey,
        &[
            (
                About::AlikeWitnesses,
                "people who are there as more than one witness of the same organization",
            ),
            (
                About::RepeatedWitnessDocuments,
                "witness documents that are there more than once",
            ),
            (
                About::RepeatedSupportingDocuments,
                "supporting documents that are there more than once",
            ),
            (
                About::RepeatedTranscripts,
                "transcripts that are there more than once",
            ),
        ],
    );
    check
}

/// As `soundness` words them; a link has nothing of its own that a repair could lose.
fn links_repeat(sound: &Soundness) -> bool {
    let mut found = sound.duplicates.iter();
    found.any(|duplicate| duplicate.starts_with("hearing_committees: "))
}

fn relationships(survey: &Survey) -> Check {
    let mut check = Check::new("relationships", "missing relationships");
    check.warn(
        survey,
        &[
            (About::NoCommittee, "hearings without a committee"),
            (About::WitnessNowhere, "witnesses of no hearing"),
        ],
    );
    // Many meetings have none.
    if let Some(finding) = of(survey, About::NoWitness) {
        check.figure(finding.about.as_str(), finding.count);
    }
    check
}

/// The last successful run beside those before it.
fn anomalies(
    store: &mut dyn Store,
    now: &Zoned,
    min_days: usize,
    z_threshold: f64,
) -> StoreResult<Check> {
    let mut check = Check::new("anomalies", "anomalies against recent runs");
    let mut past = store.past_runs(&days_ago(now, HISTORY_DAYS))?;
    let last = past.pop();
    check.figure("history_runs", past.len());
    let compared = compare(
        &last.clone().unwrap_or_default(),
        &past,
        min_days,
        z_threshold,
    );
    check.figure("history_days", compared.days);
    check.figure("history_problem", compared.problem());
    if let Some(last) = last {
        for anomaly in &compared.anomalies {
            check.warnings.push(format!(
                "{} of the run of {} is {:.1}, {:.1} standard deviations from the usual {:.1}{}",
                anomaly.metric,
                last.start_time,
                anomaly.value,
                anomaly.z_score,
                anomaly.mean,
                if anomaly.critical { ": critical" } else { "" }
            ));
        }
        let told: Vec<Value> = compared
            .anomalies
            .iter()
            .map(super::Anomaly::to_json)
            .collect();
        check.figure("anomalies", told);
        check.figure("alert_triggered", compared.alert);
    }
    Ok(check)
}

#[cfg(test)]
mod tests;
