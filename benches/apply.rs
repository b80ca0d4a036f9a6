//! The apply stage: 250 updates and 250 additions with links, witnesses and documents, in batches of
//! 50, journaled, on a database of 1,168 hearings. Run with `cargo bench --bench apply`.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hearing_updater::domain::{
    Chamber, CommitteeRef, Components, Meeting, MeetingType, Witness, WitnessDocument,
    parse_datetime, slot_of,
};
use hearing_updater::store::sqlite::{SqliteStore, init};
use hearing_updater::store::{Access, BatchHead, BatchKind, Hearings, Transactions};

const STORED: usize = 1_168;
const COMMITTEES: usize = 214;

fn person(n: usize) -> Witness {
    // Letters only: digits would not survive in a name.
    let word: String = n
        .to_string()
        .bytes()
        .map(|digit| char::from(b'a' + digit - b'0'))
        .collect();
    let last = format!("K{word}");
    Witness {
        full_name: format!("Jane {last}"),
        first_name: Some("Jane".to_owned()),
        last_name: Some(last),
        position: Some("Director of Policy".to_owned()),
        organization: Some(format!("Institute of {word} studies")),
    }
}

fn meeting(n: usize, people: &[usize], revision: usize) -> Meeting {
    let witnesses: Vec<Witness> = people.iter().map(|p| person(*p)).collect();
    let witness_documents = witnesses
        .iter()
        .map(|witness| {
            let last = witness.last_name.as_deref().unwrap_or_default();
            let url =
                format!("https://docs.house.gov/{n}/HHRG-119-II00-Wstate-{last}J-20250909.pdf");
            WitnessDocument {
                document_type: "Statement",
                format: Some("PDF".to_owned()),
                slot: slot_of(&url),
                url,
            }
        })
        .collect();
    Meeting {
        event_id: (100_000 + n).to_string(),
        congress: Some(119),
        chamber: Some(Chamber::House),
        title: Some(format!(
            "Oversight hearing {n} on the budget request, revision {revision}"
        )),
        meeting_type: Some(MeetingType::Hearing),
        date: Some("2025-09-09".to_owned()),
        time: Some("18:00:00".to_owned()),
        location: Some(format!(
            "{} Longworth House Office Building",
            1_300 + revision
        )),
        url: Some(format!(
            "https://api.congress.gov/v3/committee-meeting/119/house/{n}"
        )),
        update_date: parse_datetime(&format!("2025-09-0{}T10:00:00Z", 1 + revision)),
        committees: (0..=n % 2)
            .map(|k| CommitteeRef {
                system_code: format!("hs{:04}", (n * 7 + k) % COMMITTEES),
                name: None,
                url: None,
            })
            .collect(),
        witnesses,
        witness_documents,
        ..Meeting::default()
    }
}

fn build(path: &Path, journal_mode: &str) {
    init(path).expect("a new database");
    let conn = rusqlite::Connection::open(path).expect("opens");
    conn.pragma_update(None, "journal_mode", journal_mode)
        .expect("journal mode");
    for n in 0..COMMITTEES {
        conn.execute(
            "INSERT INTO committees (system_code, name, chamber, type, congress) \
             VALUES (?1, 'A committee', 'House', 'Standing', 119)",
            [format!("hs{n:04}")],
        )
        .expect("a committee");
    }
    drop(conn);
    let stored: Vec<Meeting> = (0..STORED).map(|n| meeting(n, &[n, n + 1], 0)).collect();
    apply(path, &stored);
}

/// Opens the database (not measured) and applies the meetings. -> the apply stage's time.
fn apply(path: &Path, meetings: &[Meeting]) -> Duration {
    let mut store = SqliteStore::open(path, Access::ReadWrite).expect("opens");
    store.bring_up().expect("is up to date");
    let start = Instant::now();
    for (number, batch) in (1_i64..).zip(meetings.chunks(50)) {
        store
            .begin(BatchHead {
                run: None,
                number,
                kind: BatchKind::Batch,
            })
            .expect("begins");
        for meeting in batch {
            black_box(
                store
                    .write_meeting(meeting, None, Components::default())
                    .expect("writes"),
            );
        }
        store.commit().expect("commits");
    }
    start.elapsed()
}

fn rows(path: &Path) -> (i64, i64) {
    let conn = rusqlite::Connection::open(path).expect("opens");
    let count = |sql: &str| conn.query_row(sql, [], |r| r.get(0)).expect("counts");
    (
        count(
            "SELECT (SELECT count(*) FROM hearings) + (SELECT count(*) FROM hearing_committees) \
             + (SELECT count(*) FROM witnesses) + (SELECT count(*) FROM witness_appearances) \
             + (SELECT count(*) FROM witness_documents)",
        ),
        count("SELECT count(*) FROM updater_journal"),
    )
}

fn changes() -> Vec<Meeting> {
    let updates = (0..250).map(|n| meeting(n, &[n, n + 1, n + 5_000], 1));
    let additions = (STORED..STORED + 250).map(|n| meeting(n, &[n, n + 1, n + 2], 1));
    updates.chain(additions).collect()
}

fn apply_stage(criterion: &mut Criterion) {
    let changes = changes();
    let mut group = criterion.benchmark_group("apply 500 hearings");
    group.sample_size(10);
    for journal_mode in ["delete", "wal"] {
        let dir = tempfile::tempdir().expect("a folder");
        let (base, work) = (dir.path().join("base.db"), dir.path().join("work.db"));
        build(&base, journal_mode);
        let fresh = || {
            for suffix in ["-wal", "-shm", "-journal"] {
                let _ = std::fs::remove_file(dir.path().join(format!("work.db{suffix}")));
            }
            std::fs::copy(&base, &work).expect("copies");
        };
        fresh();
        let before = rows(&work);
        apply(&work, &changes);
        let after = rows(&work);
        println!(
            "{journal_mode}: {} rows added, {} journal entries",
            after.0 - before.0,
            after.1 - before.1
        );
        group.bench_function(journal_mode, |bencher| {
            bencher.iter_custom(|times| {
                (0..times)
                    .map(|_| {
                        fresh();
                        apply(&work, &changes)
                    })
                    .sum()
            });
        });
        group.bench_function(format!("{journal_mode}, opening included"), |bencher| {
            bencher.iter_batched(fresh, |()| apply(&work, &changes), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, apply_stage);
criterion_main!(benches);
