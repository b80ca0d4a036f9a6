//! Which meetings changed: the pages of the list, put together.
//!
//! How many requests that takes: one for each 250 meetings. Where meetings moved between pages while we
//! were reading (fewer came than the list counts), the pages are read once more. Each page that one bad
//! row may have broken (a 500, no JSON, too large) costs two halves more; once `DENSE` pieces of one page
//! failed, the rest of it is read row by row. Over `MAX_FAILED` such pieces, or `MAX_FAILED_IN_A_ROW`
//! without a good one between, the list is given up. A broken filter costs up to twelve probes more. In any
//! case at most `MAX_REQUESTS` pages are asked for, each tried as often as any request
//! (`RETRY_ATTEMPTS`).

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use futures::future::{join, try_join_all};

use super::patience::Patience;
use super::{ApiError, Get, ListQuery, Listing};
use crate::domain::{DateTime, ListItem, ListPage, parse_list_page};

/// As many rows as the API gives at once.
const PAGE: usize = 250;
/// Pages fetched at once, where the count says that there are so many.
const AT_ONCE: usize = 4;
const MAX_REQUESTS: usize = 1000;
const MAX_FAILED: usize = 500;
/// Halving a page down to one bad row fails nine times in a row at most; each bad one beside it adds one,
/// or two.
const MAX_FAILED_IN_A_ROW: usize = 40;
/// From so many failures in one page on, halving it costs more than its rows alone.
const DENSE: usize = 64;
/// Further places to look for a good row where the first two are bad.
const FURTHER: [usize; 4] = [2, 5, 11, 23];
/// Pages that show nothing new, where the list counts more.
const MAX_BARREN: usize = 3;

/// Lists every meeting in the window. Pages are asked for by our own offsets; the list's end is an empty
/// page, a page with nothing new, or where count and `next` both say so. `progress` gets the meetings
/// so far and the list's count.
pub async fn list_meetings<G: Get>(
    get: &G,
    query: &ListQuery,
    progress: &mut dyn FnMut(usize, Option<usize>),
) -> Result<Listing, ApiError> {
    let mut reader = Reader {
        patience: Patience::new(get),
        endpoint: format!("committee-meeting/{}", query.congress),
        from: query.from,
        at_once: get.concurrency().clamp(1, AT_ONCE),
        asked: Cell::new(0),
        failed: Cell::new(0),
        failed_in_a_row: Cell::new(0),
    };
    let mut found = Found::new(query.congress);
    let first = reader.first_page(&mut found).await?;
    let pages = reader.sweep(first, &mut found, progress).await?;
    if pages > 1 && found.count.is_some_and(|count| found.rows() < count) {
        tracing::debug!(
            target: "updaters.api",
            "The list changed while it was read ({} of {:?} rows): reading it again",
            found.rows(), found.count
        );
        let again = reader.rows(0, PAGE, None).await?;
        reader.sweep(again, &mut found, progress).await?;
    }
    if reader.from != query.from
        && let Some(from) = query.from
    {
        found
            .items
            .retain(|item| item.update_date.is_none_or(|updated| updated >= from));
    }
    Ok(Listing {
        items: found.items,
        has_holes: !found.bad_rows.is_empty(),
        problems: found.problems,
    })
}

/// A stretch of the list.
#[derive(Default)]
struct Rows {
    items: Vec<ListItem>,
    problems: Vec<String>,
    count: Option<usize>,
    /// `None` where the last row could not be had.
    has_next: Option<bool>,
}

impl Rows {
    fn len(&self) -> usize {
        self.items.len() + self.problems.len()
    }
}

/// What was found so far.
struct Found {
    congress: i64,
    items: Vec<ListItem>,
    index: HashMap<String, usize>,
    /// Events of another Congress, which the list shows at times.
    elsewhere: HashSet<String>,
    problems: Vec<String>,
    bad_rows: HashSet<String>,
    count: Option<usize>,
}

impl Found {
    fn new(congress: i64) -> Self {
        Self {
            congress,
            items: Vec::new(),
            index: HashMap::new(),
            elsewhere: HashSet::new(),
            problems: Vec::new(),
            bad_rows: HashSet::new(),
            count: None,
        }
    }

    /// The rows accounted for, the bad ones included.
    fn rows(&self) -> usize {
        self.items.len() + self.elsewhere.len() + self.bad_rows.len()
    }

    fn report(&mut self, problem: String) {
        tracing::warn!(target: "updaters.api", "{problem}");
        self.problems.push(problem);
    }

    /// `seen`: what this reading of the list has shown. The number of rows that are new to it.
    fn take(&mut self, rows: Rows, seen: &mut HashSet<String>) -> usize {
        let before = seen.len();
        self.count = rows.count.or(self.count);
        for problem in rows.problems {
            seen.insert(problem.clone());
            if self.bad_rows.insert(problem.clone()) {
                self.report(problem);
            }
        }
        for item in rows.items {
            seen.insert(item.event_id.clone());
            self.add(item);
        }
        seen.len() - before
    }

    /// Each event once, with its newest date.
    fn add(&mut self, item: ListItem) {
        if item
            .congress
            .is_some_and(|congress| congress != self.congress)
        {
            self.elsewhere.insert(item.event_id);
        } else if let Some(known) = self
            .index
            .get(&item.event_id)
            .and_then(|place| self.items.get_mut(*place))
        {
            if item.update_date > known.update_date {
                *known = item;
            }
        } else {
            self.index.insert(item.event_id.clone(), self.items.len());
            self.items.push(item);
        }
    }
}

struct Reader<'a, G> {
    patience: Patience<'a, G>,
    endpoint: String,
    /// `None` where all are wanted, or the filter does not work.
    from: Option<DateTime>,
    at_once: usize,
    asked: Cell<usize>,
    failed: Cell<usize>,
    failed_in_a_row: Cell<usize>,
}

impl<G: Get> Reader<'_, G> {
    /// The first page, whatever it takes: in pieces, or without the filter.
    async fn first_page(&mut self, found: &mut Found) -> Result<Rows, ApiError> {
        loop {
            let first = self.page(0, PAGE, false).await;
            let error = match first {
                Err(error) if error.may_be_one_row() => error,
                first => return self.rows(0, PAGE, Some(first)).await,
            };
            // Bad rows leave others readable; a broken filter does not.
            let (zeroth, next) = join(self.fails(0, false), self.fails(1, false)).await;
            if !(zeroth? && next?) || self.is_good_further_on().await? {
                return self.rows(0, PAGE, Some(Err(error))).await;
            }
            if self.from.take().is_none() {
                return Err(error);
            }
            found.report(format!(
                "the list fails with its date filter ({error}): everything was listed, and filtered here"
            ));
        }
    }

    /// Whether a single row cannot be had.
    async fn fails(&self, offset: usize, probing: bool) -> Result<bool, ApiError> {
        match self.page(offset, 1, probing).await {
            // Beyond the end is no sign of health.
            Ok(page) => Ok(probing && page.items.is_empty()),
            Err(error) if error.may_be_one_row() => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn is_good_further_on(&self) -> Result<bool, ApiError> {
        for offset in FURTHER {
            if !self.fails(offset, true).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads on from the first page to the end; how many pages that took.
    async fn sweep(
        &self,
        first: Rows,
        found: &mut Found,
        progress: &mut dyn FnMut(usize, Option<usize>),
    ) -> Result<usize, ApiError> {
        let mut seen = HashSet::new();
        let mut group = vec![first];
        let (mut pages, mut barren) = (0, 0);
        loop {
            for rows in group {
                pages += 1;
                let (got, has_next) = (rows.len(), rows.has_next);
                let new = found.take(rows, &mut seen);
                progress(found.items.len(), found.count);
                let counted = found.count.map(|count| pages * PAGE < count);
                let more = counted == Some(true) || has_next.or(counted).unwrap_or(true);
                barren = if new == 0 { barren + 1 } else { 0 };
                let stuck = barren > 0 && (counted != Some(true) || barren > MAX_BARREN);
                if got == 0 || stuck || !more {
                    return Ok(pages);
                }
            }
            let left = found
                .count
                .map_or(0, |count| count.saturating_sub(pages * PAGE));
            let next = left.div_ceil(PAGE).clamp(1, self.at_once);
            let offsets = (0..next).map(|i| (pages + i) * PAGE);
            group = try_join_all(offsets.map(|at| self.rows(at, PAGE, None))).await?;
        }
    }

    /// The rows from `offset` on, `many` of them at most; in halves where it has to be. `known` is the
    /// answer to the whole, where that was asked already.
    async fn rows(
        &self,
        offset: usize,
        many: usize,
        mut known: Option<Result<ListPage, ApiError>>,
    ) -> Result<Rows, ApiError> {
        let mut rows = Rows::default();
        // The next piece is the last.
        let mut pieces = vec![(offset, many)];
        let whole = many;
        let mut failed = 0;
        while let Some((at, many)) = pieces.pop() {
            if many > 1 && failed >= DENSE {
                pieces.extend((at..at + many).rev().map(|row| (row, 1)));
                continue;
            }
            // The whole page and the lone row are worth insisting on; what lies between is cut anyway.
            let probing = many > 1 && many < whole;
            let answer = match known.take() {
                Some(answer) => answer,
                None => self.page(at, many, probing).await,
            };
            match answer {
                Ok(page) => {
                    let got = page.items.len() + page.problems.len();
                    rows.items.extend(page.items);
                    let problems = page.problems.into_iter();
                    rows.problems
                        .extend(problems.map(|p| format!("list from offset {at}: {p}")));
                    rows.count = page.count.or(rows.count);
                    rows.has_next = Some(page.has_next);
                    if got == 0 {
                        break;
                    }
                    if got < many && page.has_next {
                        // A server with smaller pages than ours.
                        pieces.push((at + got, many - got));
                    }
                }
                Err(error) if error.may_be_one_row() => {
                    failed += 1;
                    self.one_more_failed(&error)?;
                    if many > 1 {
                        let half = many.div_ceil(2);
                        pieces.push((at + half, many - half));
                        pieces.push((at, half));
                    } else {
                        rows.has_next = None;
                        rows.problems.push(format!(
                            "the list's row at offset {at} cannot be had and was stepped over ({error})"
                        ));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }

    fn one_more_failed(&self, error: &ApiError) -> Result<(), ApiError> {
        self.failed.set(self.failed.get() + 1);
        self.failed_in_a_row.set(self.failed_in_a_row.get() + 1);
        if self.failed.get() > MAX_FAILED || self.failed_in_a_row.get() > MAX_FAILED_IN_A_ROW {
            return Err(error.clone());
        }
        Ok(())
    }

    async fn page(&self, offset: usize, limit: usize, probing: bool) -> Result<ListPage, ApiError> {
        let nonsense = |detail: String| ApiError::Nonsense {
            endpoint: self.endpoint.clone(),
            detail,
        };
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() > MAX_REQUESTS {
            return Err(nonsense(format!(
                "the list does not end after {MAX_REQUESTS} pages"
            )));
        }
        let mut params = vec![
            ("limit".to_owned(), limit.to_string()),
            ("offset".to_owned(), offset.to_string()),
        ];
        if let Some(from) = self.from {
            params.push(("fromDateTime".to_owned(), from.for_api()));
        }
        let answer = self.patience.ask(&self.endpoint, &params, probing).await?;
        let page = parse_list_page(&answer).map_err(nonsense)?;
        self.failed_in_a_row.set(0);
        Ok(page)
    }
}

#[cfg(test)]
mod tests;
