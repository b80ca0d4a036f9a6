//! When was the database last updated, and how did that go?

use jiff::Zoned;
use serde_json::{Map, Value, json};

use super::Check;
use crate::store::{LoggedRun, RunLock, Store, StoreResult, Survey};
use crate::update::minutes_since;

/// An update is a daily thing: one day missed is a reason to look.
const STALE_HOURS: i64 = 48;

pub(super) fn last_update(
    store: &mut dyn Store,
    now: &Zoned,
    survey: &Survey,
) -> StoreResult<Check> {
    let mut check = Check::new("last_update", "the last update");
    let last = survey.last_log.as_ref();
    check.figure("last_update", last.map(logged));
    check.figure("last_written", survey.last_written.clone());
    let success = store.last_success(None)?;
    let minutes = success.as_deref().and_then(|at| minutes_since(at, now));
    check.figure("last_success", success.clone());
    check.figure(
        "hours_since_last_success",
        minutes.map(|minutes| minutes / 60),
    );
    match (&success, minutes) {
        _ if !survey.logs => check.warnings.push(
            "when it was last updated is not recorded: there is no table update_logs (the first \
             run that writes adds it)"
                .to_owned(),
        ),
        (None, _) => check
            .warnings
            .push("no successful update is recorded".to_owned()),
        (Some(at), None) => check.warnings.push(format!(
            "the last successful update is of '{at}', which is no time"
        )),
        (Some(at), Some(minutes)) if minutes < -60 => check.warnings.push(format!(
            "the last successful update is of {at}, which is ahead of this computer's clock"
        )),
        (Some(at), Some(minutes)) if minutes > STALE_HOURS * 60 => check.warnings.push(format!(
            "the last successful update was {} days ago, at {at}",
            minutes / (24 * 60)
        )),
        _ => {}
    }
    if let Some(last) = last
        && last.success == Some(false)
    {
        check.warnings.push(format!(
            "the last update failed, at {}{}",
            last.start_time,
            first_error(last).map_or_else(String::new, |error| format!(": {error}"))
        ));
    }
    unfinished(store, last, &mut check)?;
    let deferred = store.deferred()?.len();
    check.figure("deferred_events", deferred);
    if deferred > 0 {
        check.warnings.push(format!(
            "events that wait to be asked for again: {deferred} (see 'hearing-updater deferred')"
        ));
    }
    Ok(check)
}

/// A run that is not in `update_logs`: it is at work, or it was killed.
fn unfinished(
    store: &mut dyn Store,
    last: Option<&LoggedRun>,
    check: &mut Check,
) -> StoreResult<()> {
    // The lock file may be another user's: then nobody can tell.
    let running = RunLock::holder(store.path()).ok().flatten();
    check.figure(
        "running",
        running.as_ref().map(|holder| holder.what.clone()),
    );
    let newest = store.runs(1)?.pop();
    if let Some(run) = newest
        && run.ended_at.is_none()
        && last.is_none_or(|last| last.start_time < run.started_at)
        && running.is_none()
    {
        check.warnings.push(format!(
            "the run of {} did not end: it was killed; what it had committed is there",
            run.started_at
        ));
    }
    Ok(())
}

fn logged(run: &LoggedRun) -> Value {
    let mut value = Map::new();
    value.insert("start_time".to_owned(), json!(run.start_time));
    value.insert("end_time".to_owned(), json!(run.end_time));
    value.insert("success".to_owned(), json!(run.success));
    value.insert("trigger_source".to_owned(), json!(run.trigger_source));
    for (name, number) in &run.figures {
        value.insert((*name).to_owned(), number.map_or(Value::Null, whole));
    }
    value.into()
}

/// Counters are whole numbers, and look like it.
#[allow(clippy::cast_possible_truncation)] // within what a float has exactly
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Value::from(number as i64)
    } else {
        json!(number)
    }
}

/// Of the JSON list, in one line.
fn first_error(run: &LoggedRun) -> Option<String> {
    let errors: Value = serde_json::from_str(run.errors.as_deref()?).ok()?;
    let first = errors.get(0)?.as_str()?;
    Some(first.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_whole_where_they_count() {
        assert_eq!(whole(3.0), json!(3));
        assert_eq!(whole(3.5), json!(3.5));
    }
}
