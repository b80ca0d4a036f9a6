//! Validation of one batch of 50 records (target: under 1 ms), as a list of meetings gives them: with
//! committees and witnesses; and of meetings that have documents and videos as well.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hearing_updater::batch::validate;
use serde_json::{Value, json};

fn record(number: usize, documents: usize) -> Value {
    let witness = |n: usize| {
        json!({
            "name": format!("The Honorable Jane{n} Roe-Smith, Ph.D."),
            "position": "President and Chief Executive Officer",
            "organization": format!("U.S. Department of Number {n} & Others"),
        })
    };
    let document = |n: usize| {
        let file = format!("HHRG-119-II24-Wstate-RoeJ-2025052{n}.pdf");
        json!({
            "documentType": "Witness Statement", "format": "PDF",
            "url": format!("https://www.congress.gov/119/meeting/house/{number}/witnesses/{file}"),
        })
    };
    let mut record = json!({
        "eventId": (118_000 + number).to_string(),
        "congress": 119,
        "chamber": if number.is_multiple_of(2) { "House" } else { "Senate" },
        "type": "Hearing",
        "meetingStatus": "Scheduled",
        "title": "Legislative hearing on: •\tH.R. 1246 (Rep. Hageman), To authorize leases\r\n",
        "date": "2025-05-21T14:00:00Z",
        "updateDate": "2025-10-01T19:59:54Z",
        "location": {"room": "1324", "building": "Longworth House Office Building"},
        "committees": [
            {"systemCode": "hsii00", "name": "Natural Resources"}, {"systemCode": "hsii24"}
        ],
        "witnesses": (0..3).map(witness).collect::<Vec<_>>(),
    });
    if documents > 0 {
        record["witnessDocuments"] = (0..documents).map(document).collect();
        record["videos"] = json!([
            {"name": "YouTube", "url": "https://www.youtube.com/watch?v=abcDEF_-123"},
            {"name": "Event", "url": "https://www.congress.gov/event/119th-congress/house-event/1"},
        ]);
    }
    record
}

fn validation(criterion: &mut Criterion) {
    let known = |code: &str| code.starts_with("hsii");
    for (name, documents) in [
        ("validate 50 records", 0),
        ("validate 50 records with documents", 8),
    ] {
        let batch: Vec<Result<Value, String>> = (0..50)
            .map(|number| Ok(record(number, documents)))
            .collect();
        assert_eq!(validate(&batch, &known), Vec::<String>::new());
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| validate(black_box(&batch), &known));
        });
    }
}

criterion_group!(benches, validation);
criterion_main!(benches);
