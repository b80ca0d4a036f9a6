//! List pages from any JSON: never a panic, never more rows than came.
#![no_main]

use hearing_updater::domain::parse_list_page;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    if let Ok(page) = parse_list_page(&value) {
        assert!(page.items.len() + page.problems.len() <= data.len());
        assert!(page.items.iter().all(|item| !item.event_id.is_empty()));
    }
});
