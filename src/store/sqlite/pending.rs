//! Stand-ins until the other half of the store lands; each goes when the real one comes.

use std::collections::{HashMap, HashSet};

use super::SqliteStore;
use crate::domain::{Committee, Components, Meeting};
use crate::store::*;

impl Hearings for SqliteStore {
    fn hearing_row(&mut self, _: &str) -> StoreResult<Option<Row>> {
        todo!()
    }
    fn hearing_row_by_id(&mut self, _: i64) -> StoreResult<Option<Row>> {
        todo!()
    }
    fn columns(&mut self, _: &str) -> StoreResult<Vec<String>> {
        todo!()
    }
    fn committee_row(&mut self, _: &str) -> StoreResult<Option<Row>> {
        todo!()
    }
    fn stored_meeting(&mut self, _: &str) -> StoreResult<Option<StoredMeeting>> {
        todo!()
    }
    fn update_dates(&mut self, _: i64) -> StoreResult<HashMap<String, Option<String>>> {
        todo!()
    }
    fn committee_codes(&mut self) -> StoreResult<HashSet<String>> {
        todo!()
    }
    fn write_meeting(&mut self, _: &Meeting, _: Option<i64>, _: Components) -> StoreResult<Written> {
        todo!()
    }
    fn write_related(&mut self, _: i64, _: &Meeting, _: Components, _: Related) -> StoreResult<Written> {
        todo!()
    }
    fn write_committee(&mut self, _: &Committee, _: i64) -> StoreResult<i64> {
        todo!()
    }
    fn write_update_date(&mut self, _: &str, _: &str) -> StoreResult<bool> {
        todo!()
    }
    fn get_or_create_witness(&mut self, _: &str, _: Option<&str>, _: Option<&str>) -> StoreResult<(i64, bool)> {
        todo!()
    }
    fn create_witness_appearance(
        &mut self,
        _: i64,
        _: i64,
        _: Option<&str>,
        _: Option<&str>,
        _: Option<i64>,
    ) -> StoreResult<(i64, bool)> {
        todo!()
    }
    fn link_committee(&mut self, _: i64, _: i64, _: bool) -> StoreResult<()> {
        todo!()
    }
    fn unlink_committees(&mut self, _: i64) -> StoreResult<usize> {
        todo!()
    }
}

impl Journal for SqliteStore {
    fn undo(&mut self, _: &[BatchId], _: UndoPolicy) -> StoreResult<UndoReport> {
        todo!()
    }
    fn undo_by_hand(&mut self, _: &HandMade) -> StoreResult<UndoReport> {
        todo!()
    }
    fn history(&mut self, _: &str) -> StoreResult<Vec<FieldChange>> {
        todo!()
    }
    fn prune_journal(&mut self, _: i64) -> StoreResult<usize> {
        todo!()
    }
    fn runs(&mut self, _: usize) -> StoreResult<Vec<RunInfo>> {
        todo!()
    }
    fn run(&mut self, _: RunId) -> StoreResult<Option<RunInfo>> {
        todo!()
    }
    fn touched(&mut self, _: &[BatchId]) -> StoreResult<HandMade> {
        todo!()
    }
}

impl Ledger for SqliteStore {
    fn start_run(&mut self, _: i64, _: &str, _: &str) -> StoreResult<RunId> {
        todo!()
    }
    fn finish_run(&mut self, _: Option<RunId>, _: &UpdateLog, _: &[BatchFigures]) -> StoreResult<Option<i64>> {
        todo!()
    }
    fn last_success(&mut self) -> StoreResult<Option<String>> {
        todo!()
    }
    fn deferred(&mut self) -> StoreResult<Vec<Deferred>> {
        todo!()
    }
    fn defer(&mut self, _: &str, _: Option<i64>, _: Option<&str>, _: DeferKind, _: &str) -> StoreResult<()> {
        todo!()
    }
    fn undefer(&mut self, _: &[&str]) -> StoreResult<usize> {
        todo!()
    }
    fn held(&mut self) -> StoreResult<Vec<Held>> {
        todo!()
    }
    fn hold(&mut self, _: &[(String, Option<String>)], _: Option<RunId>) -> StoreResult<()> {
        todo!()
    }
    fn release(&mut self, _: &str) -> StoreResult<bool> {
        todo!()
    }
    fn fact(&mut self, _: &str) -> StoreResult<Option<String>> {
        todo!()
    }
    fn set_fact(&mut self, _: &str, _: &str) -> StoreResult<()> {
        todo!()
    }
}
