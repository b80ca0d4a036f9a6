//! A database served: what the updater reads from it is what is stored.

use std::path::Path;

use super::*;
use crate::domain::{Committee, Components, Meeting, parse_committee, parse_meeting};
use crate::store::{self, Access, BatchHead, BatchKind, Patience, sqlite};

fn patience() -> Patience<'static> {
    Patience {
        limit: Duration::from_secs(5),
        interrupted: &|| false,
    }
}

/// A new database with everything of a generated Congress in it.
fn database(path: &Path, running: &Running) {
    sqlite::init(path).unwrap();
    let handle = store::open(path, Access::ReadWrite).unwrap();
    let head = BatchHead {
        run: None,
        number: 1,
        kind: BatchKind::Batch,
    };
    handle.begin(head, &patience()).unwrap();
    let committees: Vec<Committee> = crate::sandbox::generate::committees()
        .iter()
        .map(|own| {
            let parent = own
                .parent
                .as_ref()
                .map(|code| serde_json::json!({"systemCode": code, "name": code, "url": null}));
            let record = serde_json::json!({
                "systemCode": own.code, "name": own.name, "type": own.kind, "chamber": own.chamber,
                "isCurrent": true, "parent": parent,
            });
            parse_committee(&record, None).unwrap()
        })
        .collect();
    let meetings: Vec<Meeting> = running
        .event_ids()
        .iter()
        .map(|id| parse_meeting(&running.meeting(id).unwrap()).meeting)
        .collect();
    let components =
        Components::from_names(&["witnesses", "committees", "documents", "bills"]).unwrap();
    handle
        .with(&patience(), |store| {
            // Parents end in 00 and come first.
            for committee in committees.iter().filter(|own| own.parent.is_none()) {
                store.write_committee(committee, 119)?;
            }
            for committee in committees.iter().filter(|own| own.parent.is_some()) {
                store.write_committee(committee, 119)?;
            }
            for meeting in &meetings {
                store.write_meeting(meeting, None, components)?;
            }
            Ok(())
        })
        .unwrap();
    handle.commit(&patience()).unwrap();
    handle.close();
}

fn parsed(running: &Running, id: &str) -> Meeting {
    let parsed = parse_meeting(&running.meeting(id).unwrap());
    assert_eq!(parsed.issues, [], "{id}");
    parsed.meeting
}

#[test]
fn a_served_database_reads_as_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("served.db");
    let generated = sandbox(150);
    database(&path, &generated);
    let served = start(Options {
        db: Some(path),
        ..options(0)
    })
    .unwrap();
    assert_eq!(served.event_ids(), generated.event_ids());
    for id in served.event_ids() {
        let (old, new) = (parsed(&generated, &id), parsed(&served, &id));
        assert_eq!(new.congress, old.congress, "{id}");
        assert_eq!(new.chamber, old.chamber, "{id}");
        assert_eq!(new.title, old.title, "{id}");
        assert_eq!(new.meeting_type, old.meeting_type, "{id}");
        assert_eq!(new.status, old.status, "{id}");
        assert_eq!((&new.date, &new.time), (&old.date, &old.time), "{id}");
        assert_eq!(new.location, old.location, "{id}");
        assert_eq!(new.video, old.video, "{id}");
        assert_eq!(new.jacket_number, old.jacket_number, "{id}");
        assert_eq!(new.update_date, old.update_date, "{id}");
        let codes = |meeting: &Meeting| {
            let mut codes: Vec<String> = meeting
                .committees
                .iter()
                .map(|c| c.system_code.clone())
                .collect();
            codes.sort();
            codes
        };
        assert_eq!(codes(&new), codes(&old), "{id}");
        assert_eq!(new.witnesses.len(), old.witnesses.len(), "{id}");
        let documents = |meeting: &Meeting| {
            let mut all: Vec<(String, &str)> = meeting
                .witness_documents
                .iter()
                .map(|document| (document.url.clone(), document.document_type))
                .collect();
            all.sort();
            all
        };
        assert_eq!(documents(&new), documents(&old), "{id}");
        assert_eq!(
            new.meeting_documents.len(),
            old.meeting_documents.len(),
            "{id}"
        );
        assert_eq!(new.bills.len(), old.bills.len(), "{id}");
    }
}

#[tokio::test]
async fn committees_of_a_served_database_keep_their_parents_and_new_meetings_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("served.db");
    database(&path, &sandbox(10));
    let running = start(Options {
        db: Some(path),
        ..options(0)
    })
    .unwrap();
    let (_, body) = Client::of(&running).get("/committee/house/hsii24").await;
    assert_eq!(body["committee"]["parent"]["systemCode"], "hsii00");
    let before = running.event_ids();
    let added = running.add(5, None).unwrap();
    assert!(added.iter().all(|id| !before.contains(id)));
    assert_eq!(running.event_ids().len(), 15);
    assert_eq!(running.change(10, 1, None).unwrap().len(), 10);
}

#[test]
fn new_meetings_of_a_served_database_are_held_by_its_own_committees() {
    let own = |code: &str, chamber| crate::sandbox::world::Committee {
        code: code.to_owned(),
        name: format!("Committee {code}"),
        chamber,
        kind: "Standing".to_owned(),
        parent: None,
        current: true,
    };
    let mut gone = own("hszz00", "House");
    gone.current = false;
    let pool = [own("hsxx00", "House"), own("ssxx00", "Senate"), gone];
    let codes = |pool: &[crate::sandbox::world::Committee]| -> Vec<String> {
        let generator = crate::sandbox::generate::Generator::new(1, 119, pool);
        let mut codes: Vec<String> = (0..300)
            .flat_map(|number| {
                crate::sandbox::world::list(generator.meeting(number, 0).get("committees"))
            })
            .map(|named| named["systemCode"].as_str().unwrap().to_owned())
            .collect();
        codes.sort();
        codes.dedup();
        codes
    };
    assert_eq!(codes(&pool), ["hsxx00", "ssxx00"]);
    // A house without any has the generated ones.
    let some = codes(&pool[..1]);
    assert!(some.iter().any(|code| code.starts_with("ss")));
    assert_eq!(some.iter().filter(|code| code.starts_with('h')).count(), 1);
}

#[test]
fn a_database_that_is_not_there_is_said_plainly() {
    let Err(error) = start(Options {
        db: Some("/nowhere/at/all.db".into()),
        ..options(0)
    }) else {
        panic!("served a database that is not there")
    };
    assert!(error.to_string().contains("/nowhere/at/all.db"), "{error}");
}
