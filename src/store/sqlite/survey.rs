//! Figures of the whole database, and what a person should know of its rows. Reads only.

use std::collections::HashMap;

use rusqlite::types::ValueRef;

use super::SqliteStore;
use super::db::{Db, text};
use super::dump;
use crate::domain::{name_key, organization_key};
use crate::store::{About, Finding, LoggedRun, Mended, Row, StoreResult, Survey, Verify};

/// So many are named of what is found.
const EXAMPLES: usize = 3;

const GROUPS: [&str; 4] = ["congress", "chamber", "hearing_type", "status"];

const LOG_FIGURES: [&str; 8] = [
    "duration_seconds",
    "hearings_checked",
    "hearings_updated",
    "hearings_added",
    "committees_updated",
    "witnesses_updated",
    "api_requests",
    "error_count",
];

/// A table and columns of it.
type Needed = (&'static str, &'static [&'static str]);

struct Question {
    about: About,
    /// What has to be there for it to be asked; rows of the first table are counted.
    needs: &'static [Needed],
    condition: &'static str,
    /// What is shown of a row.
    shown: &'static str,
}

const EVENT: &str = "'event ' || event_id";

const QUESTIONS: [Question; 12] = [
    Question {
        about: About::UnreadableDate,
        needs: &[("hearings", &["event_id", "hearing_date"])],
        // SQLite rolls 31 February over; a day that is none does not come back the same.
        condition: "trim(hearing_date) <> '' \
                    AND date(substr(hearing_date, 1, 10)) IS NOT substr(hearing_date, 1, 10)",
        shown: "'event ' || event_id || ': hearing_date ' || quote(hearing_date)",
    },
    Question {
        about: About::NoDate,
        needs: &[("hearings", &["event_id", "hearing_date"])],
        condition: "trim(coalesce(hearing_date, '')) = ''",
        shown: EVENT,
    },
    Question {
        about: About::OutsideCongress,
        needs: &[("hearings", &["event_id", "hearing_date", "congress"])],
        // The first Congress began in 1789; each begins and ends on 3 January.
        condition: "date(substr(hearing_date, 1, 10)) NOTNULL AND congress NOTNULL AND substr(hearing_date, 1, 10) NOT BETWEEN \
                    printf('%04d-01-03', 1787 + 2 * congress) \
                    AND printf('%04d-01-03', 1789 + 2 * congress)",
        shown: "'event ' || event_id || ' (' || substr(hearing_date, 1, 10) || ')'",
    },
    Question {
        about: About::FarAhead,
        needs: &[("hearings", &["event_id", "hearing_date"])],
        condition: "date(substr(hearing_date, 1, 10)) > date('now', '+1 year')",
        shown: "'event ' || event_id || ' (' || substr(hearing_date, 1, 10) || ')'",
    },
    Question {
        about: About::DatesDisagree,
        needs: &[(
            "hearings",
            &["event_id", "hearing_date", "hearing_date_only"],
        )],
        condition: "trim(hearing_date) <> '' AND trim(hearing_date_only) <> '' \
                    AND substr(hearing_date, 1, 10) <> substr(hearing_date_only, 1, 10)",
        shown: EVENT,
    },
    Question {
        about: About::UnreadableUpdateDate,
        needs: &[("hearings", &["event_id", "update_date"])],
        condition: "trim(update_date) <> '' AND datetime(update_date) IS NULL",
        shown: "'event ' || event_id || ': ' || quote(update_date)",
    },
    Question {
        about: About::FutureUpdateDate,
        needs: &[("hearings", &["event_id", "update_date"])],
        condition: "datetime(update_date) > datetime('now', '+1 day')",
        shown: "'event ' || event_id || ' (' || update_date || ')'",
    },
    Question {
        about: About::NoTitle,
        needs: &[("hearings", &["event_id", "title"])],
        condition: "trim(title) = ''",
        shown: EVENT,
    },
    Question {
        about: About::NoLocation,
        needs: &[("hearings", &["event_id", "location"])],
        condition: "trim(coalesce(location, '')) = ''",
        shown: EVENT,
    },
    Question {
        about: About::NoCommittee,
        needs: &[
            ("hearings", &["event_id", "hearing_id"]),
            ("hearing_committees", &["hearing_id"]),
        ],
        condition: "NOT EXISTS (SELECT 1 FROM hearing_committees AS other \
                    WHERE other.hearing_id = hearings.hearing_id)",
        shown: EVENT,
    },
    Question {
        about: About::NoWitness,
        needs: &[
            ("hearings", &["event_id", "hearing_id"]),
            ("witness_appearances", &["hearing_id"]),
        ],
        condition: "NOT EXISTS (SELECT 1 FROM witness_appearances AS other \
                    WHERE other.hearing_id = hearings.hearing_id)",
        shown: EVENT,
    },
    Question {
        about: About::WitnessNowhere,
        needs: &[
            ("witnesses", &["witness_id", "full_name"]),
            ("witness_appearances", &["witness_id"]),
        ],
        condition: "NOT EXISTS (SELECT 1 FROM witness_appearances AS other \
                    WHERE other.witness_id = witnesses.witness_id)",
        shown: "'witness ' || witness_id || ' ' || quote(full_name)",
    },
];

/// Rows that a unique index of newer databases would keep out.
const REPEATED: [(About, &str, &str); 3] = [
    (
        About::RepeatedWitnessDocuments,
        "witness_documents",
        "appearance_id",
    ),
    (
        About::RepeatedSupportingDocuments,
        "supporting_documents",
        "hearing_id",
    ),
    (
        About::RepeatedTranscripts,
        "hearing_transcripts",
        "hearing_id",
    ),
];

impl Verify for SqliteStore {
    fn dump(&mut self, ours: bool) -> StoreResult<Vec<(String, Vec<Row>)>> {
        dump::dump(self.reading()?, ours)
    }

    fn survey(&mut self) -> StoreResult<Survey> {
        let db = self.reading()?;
        let mut survey = Survey::default();
        for column in GROUPS {
            if db.shape("hearings")?.has(column) {
                survey.groups.push((column, group(db, column)?));
            }
        }
        for question in &QUESTIONS {
            if has(db, question.needs)? {
                survey.findings.push(ask(db, question)?);
            }
        }
        for (about, table, owner) in REPEATED {
            if db.shape(table)?.has(owner) && db.shape(table)?.has("document_url") {
                survey.findings.push(repeated(db, about, table, owner)?);
            }
        }
        if has(db, &[("witnesses", &["witness_id", "full_name"])])? {
            survey.findings.push(alike(db)?);
        }
        // Of dates that are dates: what is none is told of above.
        survey.earliest = extreme(db, "min", "hearing_date")?;
        survey.latest = extreme(db, "max", "hearing_date")?;
        survey.newest_update_date = extreme(db, "max", "update_date")?;
        survey.last_written = extreme(db, "max", "updated_at")?;
        survey.logs = db.exists("update_logs")?;
        survey.last_log = last_log(db)?;
        Ok(survey)
    }

    fn mend(&mut self) -> StoreResult<Mended> {
        super::mend::mend(self)
    }
}

fn has(db: Db<'_>, needs: &[Needed]) -> StoreResult<bool> {
    for (table, columns) in needs {
        let shape = db.shape(table)?;
        if !columns.iter().all(|column| shape.has(column)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn group(db: Db<'_>, column: &str) -> StoreResult<Vec<(String, i64)>> {
    let sql = format!("SELECT {column}, COUNT(*) FROM hearings GROUP BY 1 ORDER BY 1");
    db.all("hearings", &sql, [], |row| {
        let value = text(row, 0)?.unwrap_or_else(|| "NULL".to_owned());
        Ok((value, row.get(1)?))
    })
}

fn ask(db: Db<'_>, question: &Question) -> StoreResult<Finding> {
    let table = question.needs.first().map_or("hearings", |need| need.0);
    let (shown, condition) = (question.shown, question.condition);
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE {condition}");
    let count = db.one(table, &sql, [], |row| row.get(0))?.unwrap_or(0);
    let examples = if count > 0 {
        let sql =
            format!("SELECT {shown} FROM {table} WHERE {condition} ORDER BY 1 LIMIT {EXAMPLES}");
        db.all(table, &sql, [], shown_text)?
    } else {
        Vec::new()
    };
    Ok(Finding {
        about: question.about,
        count,
        examples,
    })
}

fn shown_text(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    Ok(text(row, 0)?.unwrap_or_else(|| "a row without an id".to_owned()))
}

fn repeated(db: Db<'_>, about: About, table: &str, owner: &str) -> StoreResult<Finding> {
    let sql = format!(
        "SELECT quote(document_url) || ' of {owner} ' || quote({owner}) || ' ' || COUNT(*) || ' times' \
         FROM {table} WHERE document_url NOTNULL AND {owner} NOTNULL \
         GROUP BY {owner}, document_url HAVING COUNT(*) > 1 ORDER BY 1"
    );
    let mut examples = db.all(table, &sql, [], shown_text)?;
    let count = i64::try_from(examples.len()).unwrap_or(i64::MAX);
    examples.truncate(EXAMPLES);
    Ok(Finding {
        about,
        count,
        examples,
    })
}

/// By the normalised names of now: those in `updater_witness_names` may be another program's work behind.
fn alike(db: Db<'_>) -> StoreResult<Finding> {
    let list = db.select_list(
        "witnesses",
        "",
        &["witness_id", "full_name", "organization"],
    )?;
    let sql = format!("SELECT {list} FROM witnesses ORDER BY witness_id");
    let rows = db.all("witnesses", &sql, [], |row| {
        Ok((
            text(row, 0)?.unwrap_or_default(),
            text(row, 1)?.unwrap_or_default(),
            text(row, 2)?,
        ))
    })?;
    let mut people: HashMap<(String, String), Vec<String>> = HashMap::new();
    let mut order = Vec::new();
    for (id, name, organization) in rows {
        let key = (name_key(&name), organization_key(organization.as_deref()));
        let ids = people.entry(key.clone()).or_default();
        ids.push(id);
        if ids.len() == 2 {
            order.push((name, key));
        }
    }
    let examples = order
        .iter()
        .take(EXAMPLES)
        .map(|(name, key)| {
            let ids = people.get(key).map(|ids| ids.join(", "));
            format!("'{name}' (witnesses {})", ids.unwrap_or_default())
        })
        .collect();
    Ok(Finding {
        about: About::AlikeWitnesses,
        count: i64::try_from(order.len()).unwrap_or(i64::MAX),
        examples,
    })
}

fn extreme(db: Db<'_>, which: &str, column: &str) -> StoreResult<Option<String>> {
    if !db.shape("hearings")?.has(column) {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {which}({column}) FROM hearings WHERE date(substr({column}, 1, 10)) = substr({column}, 1, 10)"
    );
    Ok(db.one("hearings", &sql, [], |row| text(row, 0))?.flatten())
}

fn last_log(db: Db<'_>) -> StoreResult<Option<LoggedRun>> {
    let shape = db.shape("update_logs")?;
    if !shape.has("start_time") {
        return Ok(None);
    }
    let own = [
        "start_time",
        "end_time",
        "success",
        "errors",
        "trigger_source",
    ];
    let wanted: Vec<&str> = own.into_iter().chain(LOG_FIGURES).collect();
    let list = db.select_list("update_logs", "", &wanted)?;
    let sql = format!(
        "SELECT {list} FROM update_logs WHERE start_time NOTNULL ORDER BY start_time DESC, rowid DESC LIMIT 1"
    );
    db.one("update_logs", &sql, [], |row| {
        let mut figures = Vec::with_capacity(LOG_FIGURES.len());
        for (at, name) in LOG_FIGURES.into_iter().enumerate() {
            figures.push((name, number(row.get_ref(own.len() + at)?)));
        }
        Ok(LoggedRun {
            start_time: text(row, 0)?.unwrap_or_default(),
            end_time: text(row, 1)?,
            success: number(row.get_ref(2)?).map(|success| success != 0.0),
            errors: text(row, 3)?,
            trigger_source: text(row, 4)?,
            figures,
        })
    })
}

/// A number, also one that an older program stored as text.
#[allow(clippy::cast_precision_loss)] // figures of a run
pub(super) fn number(value: ValueRef<'_>) -> Option<f64> {
    let found = match value {
        ValueRef::Integer(whole) => whole as f64,
        ValueRef::Real(real) => real,
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok()?,
        ValueRef::Null | ValueRef::Blob(_) => return None,
    };
    found.is_finite().then_some(found)
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
