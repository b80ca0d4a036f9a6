//! The loop over batches: each is validated, applied in its own transaction, or undone, and the others go on.

use std::time::Instant;

use tracing::{error, info, warn};

/// The steps of a batch, with what they work on. `Stop` ends the whole run (Ctrl-C), anything else that
/// goes wrong ends only its batch.
pub trait Steps {
    type Batch;
    type Checkpoint;
    type Stop;

    fn size(&self, batch: &Self::Batch) -> usize;
    fn checkpoint(&mut self, number: usize) -> Result<Self::Checkpoint, Self::Stop>;
    fn validate(&mut self, batch: &Self::Batch) -> Result<Verdict, Self::Stop>;
    fn process(
        &mut self,
        batch: &Self::Batch,
        number: usize,
        checkpoint: &Self::Checkpoint,
    ) -> Result<Outcome, Self::Stop>;
    /// Undoes what the batch committed; a no-op where that is nothing. False: it could not be undone.
    fn roll_back(&mut self, checkpoint: &Self::Checkpoint) -> Result<bool, Self::Stop>;
    /// Applies what is valid in a batch that failed, where the caller wants that; -> records applied.
    fn salvage(&mut self, batch: &Self::Batch, number: usize) -> Result<usize, Self::Stop>;
    /// Called after each batch, outside any transaction.
    fn finished(
        &mut self,
        report: &Report,
        batch: &Self::Batch,
        checkpoint: &Self::Checkpoint,
    ) -> Result<(), Self::Stop>;
}

/// What validation said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    Invalid(Vec<String>),
    /// The validator itself failed (a caller's replacement raised).
    Failed(String),
}

/// What applying a batch came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub success: bool,
    pub records: usize,
    pub error: Option<String>,
    pub issues: Vec<String>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    pub number: usize,
    pub size: usize,
    pub records: usize,
    pub success: bool,
    /// Not applied because validation refused it.
    pub skipped: bool,
    /// It failed and could not be undone.
    pub rollback_failed: bool,
    pub salvaged: usize,
    pub error: Option<String>,
    pub issues: Vec<String>,
    pub validate_ms: f64,
    /// With the commit; `None` where it was skipped.
    pub apply_ms: Option<f64>,
}

/// How the batches of a window are counted: a full run counts on from window to window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering {
    /// Batches of earlier windows.
    pub before: usize,
    /// Batches of this window.
    pub count: usize,
}

/// Milliseconds since then.
pub fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Runs every batch; one that fails never keeps the others from being applied.
pub fn run_batches<S: Steps>(
    steps: &mut S,
    batches: impl IntoIterator<Item = S::Batch>,
    numbering: Numbering,
) -> Result<Vec<Report>, S::Stop> {
    let total = numbering.before + numbering.count;
    let mut reports = Vec::with_capacity(numbering.count);
    for (index, batch) in batches.into_iter().enumerate() {
        let number = numbering.before + index + 1;
        let checkpoint = steps.checkpoint(number)?;
        let mut report = run_one(steps, &batch, number, total, &checkpoint)?;
        if !report.success && !report.rollback_failed {
            report.salvaged = steps.salvage(&batch, number)?;
        }
        steps.finished(&report, &batch, &checkpoint)?;
        reports.push(report);
    }
    Ok(reports)
}

fn run_one<S: Steps>(
    steps: &mut S,
    batch: &S::Batch,
    number: usize,
    total: usize,
    checkpoint: &S::Checkpoint,
) -> Result<Report, S::Stop> {
    let mut report = Report {
        number,
        size: steps.size(batch),
        ..Report::default()
    };
    let started = Instant::now();
    let verdict = steps.validate(batch)?;
    report.validate_ms = ms(started);
    match verdict {
        Verdict::Valid => {}
        Verdict::Invalid(issues) => {
            warn!(target: "updaters.daily_updater", "Batch {number} failed validation: {}", issues.join("; "));
            report.skipped = true;
            report.error = Some("Validation failed".to_owned());
            report.issues = issues;
            return Ok(report);
        }
        Verdict::Failed(why) => {
            warn!(target: "updaters.daily_updater", "Batch {number} failed validation: {why}");
            report.skipped = true;
            report.error = Some(format!("Validation failed: {why}"));
            return Ok(report);
        }
    }
    let started = Instant::now();
    let outcome = steps.process(batch, number, checkpoint)?;
    report.apply_ms = Some(ms(started));
    report.issues = outcome.issues;
    if outcome.success {
        report.success = true;
        report.records = outcome.records;
        info!(target: "updaters.daily_updater", "✓ Batch {number}/{total} succeeded: {} records", report.records);
        return Ok(report);
    }
    let why = outcome
        .error
        .unwrap_or_else(|| "no reason given".to_owned());
    error!(target: "updaters.daily_updater", "✗ Batch {number}/{total} failed: {why}");
    report.error = Some(why);
    if steps.roll_back(checkpoint)? {
        info!(target: "updaters.daily_updater", "✓ Batch {number} rolled back successfully");
    } else {
        report.rollback_failed = true;
        error!(target: "updaters.daily_updater", "CRITICAL: Batch {number} could not be rolled back");
    }
    Ok(report)
}
