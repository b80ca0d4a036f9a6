//! Meetings and committees from any JSON: never a panic, and stable when written out and read again.
#![no_main]

use hearing_updater::domain::{parse_committee, parse_meeting};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let _ = parse_committee(&value, None);
    let first = parse_meeting(&value);
    let again: Value = serde_json::from_str(&value.to_string()).expect("JSON that we wrote");
    assert_eq!(format!("{first:?}"), format!("{:?}", parse_meeting(&again)));
});
