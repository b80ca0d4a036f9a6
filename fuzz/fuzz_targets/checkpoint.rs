//! Hand-made checkpoints, as they come from Python: honoured or refused, the file sound, and a refusal
//! changes nothing.
#![no_main]

use common::{AT_ONCE, is_an_answer, with_database};
use hearing_updater::store::{HandMade, SqlValue};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn sql(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(b) => SqlValue::Integer(i64::from(*b)),
        Value::Number(n) => match n.as_i64() {
            Some(i) => SqlValue::Integer(i),
            None => SqlValue::Real(n.as_f64().unwrap_or_default()),
        },
        Value::String(s) => SqlValue::Text(s.clone()),
        other => SqlValue::Blob(other.to_string().into_bytes()),
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
}

fn numbers(value: Option<&Value>) -> Vec<i64> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_i64).collect()
}

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let originals = value.get("originals").and_then(Value::as_object);
    let checkpoint = HandMade {
        originals: originals
            .into_iter()
            .flatten()
            .filter_map(|(event, columns)| {
                let columns = columns.as_object()?;
                Some((event.clone(), columns.iter().map(|(k, v)| (k.clone(), sql(v))).collect()))
            })
            .collect(),
        updated: texts(value.get("updated")),
        added: texts(value.get("added")),
        witnesses_added: numbers(value.get("witnesses")),
        documents_added: numbers(value.get("documents")),
    };
    with_database(|_, handle| {
        let before = handle.with(&AT_ONCE, |s| s.dump(false)).expect("readable");
        let outcome = handle.with(&AT_ONCE, |store| store.undo_by_hand(&checkpoint));
        let after = handle.with(&AT_ONCE, |s| s.dump(false)).expect("readable");
        match outcome {
            Ok(report) if report.undone => {}
            Ok(_) => assert!(before == after, "a refused checkpoint changed something"),
            Err(error) => {
                assert!(is_an_answer(&error), "{error}");
                assert!(before == after, "a failed checkpoint changed something");
            }
        }
        let sound = handle.with(&AT_ONCE, |s| s.soundness()).expect("sound");
        assert!(sound.foreign_keys.is_empty(), "{:?}", sound.foreign_keys);
        assert!(!handle.in_transaction());
    });
});
