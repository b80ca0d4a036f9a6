//! What a list did not show: the next runs look back to it, as event ids that nobody could read cannot be
//! remembered one by one.

use crate::domain::{DateTime, parse_datetime};
use crate::store::{Store, StoreResult};

/// Seconds by which clocks may differ without a word.
pub const CLOCKS_DIFFER: i64 = 3600;

/// What a run leaves to those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LookBack {
    /// It listed nothing that would tell.
    #[default]
    AsBefore,
    /// Its list was whole.
    Whole,
    To(DateTime),
}

/// What runs after this one have to look back to, where its list was not read whole (`has_holes`; `from`
/// is where the list began, `None` for all), or our clock, which says `now`, is `ahead` by so many
/// seconds: then the run's recorded time is no time up to which anything was seen. `before` is what an
/// earlier run left; a list that does not reach back so far leaves it as it is.
pub fn look_back_to(
    from: Option<DateTime>,
    before: Option<DateTime>,
    has_holes: bool,
    now: DateTime,
    ahead: i64,
) -> LookBack {
    if before.is_some_and(|before| from.is_some_and(|from| from > before)) {
        LookBack::AsBefore
    } else if has_holes {
        LookBack::To(from.unwrap_or(DateTime::EPOCH))
    } else if ahead > CLOCKS_DIFFER {
        LookBack::To(now.plus_seconds(-ahead))
    } else {
        LookBack::Whole
    }
}

pub fn hole(store: &mut dyn Store, congress: i64) -> StoreResult<Option<DateTime>> {
    Ok(store
        .fact(&key(congress))?
        .and_then(|text| parse_datetime(&text)))
}

/// Writes what `look_back_to` said, where that is news.
pub fn remember_hole(store: &mut dyn Store, congress: i64, look_back: LookBack) -> StoreResult<()> {
    let to = match look_back {
        LookBack::AsBefore => return Ok(()),
        LookBack::Whole => None,
        LookBack::To(moment) => Some(moment),
    };
    if hole(store, congress)? == to {
        return Ok(());
    }
    let text = to.map(DateTime::stored).unwrap_or_default();
    store.set_fact(&key(congress), &text)
}

fn key(congress: i64) -> String {
    format!("look_back_to_{congress}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        parse_datetime(text).unwrap()
    }

    #[test]
    fn a_whole_list_by_a_clock_that_is_right_leaves_nothing() {
        let now = at("2025-10-13 12:00:00");
        assert_eq!(
            look_back_to(Some(at("2025-10-06")), None, false, now, 60),
            LookBack::Whole
        );
        assert_eq!(look_back_to(None, None, false, now, 0), LookBack::Whole);
    }

    #[test]
    fn a_list_with_holes_is_to_be_read_again_from_its_beginning() {
        let now = at("2025-10-13 12:00:00");
        let from = at("2025-10-06 00:00:00");
        assert_eq!(
            look_back_to(Some(from), None, true, now, 0),
            LookBack::To(from)
        );
        assert_eq!(
            look_back_to(None, None, true, now, 0),
            LookBack::To(at("1970-01-01"))
        );
    }

    #[test]
    fn a_clock_that_is_ahead_leaves_the_time_that_it_really_was() {
        let wrong = at("2025-10-16 12:00:00");
        let right = look_back_to(Some(at("2025-10-06")), None, false, wrong, 3 * 86_400);
        assert_eq!(right, LookBack::To(at("2025-10-13 12:00:00")));
    }

    #[test]
    fn a_list_that_does_not_reach_back_to_it_leaves_it() {
        let (now, hole) = (at("2025-10-13 12:00:00"), Some(at("2025-10-01")));
        let after = |from| look_back_to(from, hole, false, now, 0);
        assert_eq!(after(Some(at("2025-10-06"))), LookBack::AsBefore);
        assert_eq!(after(hole), LookBack::Whole);
        assert_eq!(after(None), LookBack::Whole);
    }
}
