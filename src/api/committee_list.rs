//! Every committee of a Congress, by a few pages of the list instead of a request or two for each.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::patience::Patience;
use super::{ApiError, Get};
use crate::domain::{Chamber, Committee, CommitteeRef, parse_committee};

/// As many rows as the API gives at once.
const PAGE: usize = 250;
/// A Congress has some 250 committees a chamber; a list that does not end is no list.
const MAX_PAGES: usize = 20;

/// The committees of a Congress with their parents and types, each once, parents first
/// (`GET /committee/{congress}/{chamber}` of House, Senate and joint committees). What cannot be read is
/// left out: who needs it looks it up.
pub async fn list_committees<G: Get>(get: &G, congress: i64) -> Result<Vec<Committee>, ApiError> {
    let patience = Patience::new(get);
    let mut found = Found::default();
    for chamber in [Chamber::House, Chamber::Senate, Chamber::Joint] {
        let endpoint = format!("committee/{congress}/{}", chamber.for_path());
        match pages(&patience, &endpoint, chamber, &mut found).await {
            Ok(()) | Err(ApiError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found.parents_first())
}

async fn pages<G: Get>(
    patience: &Patience<'_, G>,
    endpoint: &str,
    chamber: Chamber,
    found: &mut Found,
) -> Result<(), ApiError> {
    let mut offset = 0;
    for _ in 0..MAX_PAGES {
        let params = [
            ("limit".to_owned(), PAGE.to_string()),
            ("offset".to_owned(), offset.to_string()),
        ];
        let answer = patience.get(endpoint, &params).await?;
        let Some(rows) = answer.get("committees").and_then(Value::as_array) else {
            return Err(ApiError::Nonsense {
                endpoint: endpoint.to_owned(),
                detail: "the answer has no list of committees".to_owned(),
            });
        };
        for row in rows {
            found.take(row, chamber);
        }
        offset += rows.len();
        let next = answer
            .pointer("/pagination/next")
            .is_some_and(|next| !next.is_null());
        if rows.is_empty() || !next {
            return Ok(());
        }
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    committees: Vec<Committee>,
    index: HashMap<String, usize>,
}

impl Found {
    /// A row of the list, with the subcommittees nested in it.
    fn take(&mut self, row: &Value, chamber: Chamber) {
        let Ok(committee) = parse_committee(row, Some(chamber)) else {
            return;
        };
        let above = CommitteeRef {
            system_code: committee.system_code.clone(),
            name: Some(committee.name.clone()),
            url: committee.url.clone(),
        };
        self.add(committee);
        let nested = row.get("subcommittees").and_then(Value::as_array);
        for one in nested.into_iter().flatten() {
            if let Ok(mut committee) = parse_committee(one, Some(chamber)) {
                if committee.system_code == above.system_code {
                    continue;
                }
                committee.parent.get_or_insert_with(|| above.clone());
                if one.get("type").or(one.get("committeeTypeCode")).is_none() {
                    committee.committee_type = "Subcommittee";
                }
                self.add(committee);
            }
        }
    }

    /// A subcommittee may stand in the list itself, too; what knows the parent is the better one.
    fn add(&mut self, committee: Committee) {
        if let Some(&at) = self.index.get(&committee.system_code) {
            if self.committees[at].parent.is_none() && committee.parent.is_some() {
                self.committees[at] = committee;
            }
            return;
        }
        self.index
            .insert(committee.system_code.clone(), self.committees.len());
        self.committees.push(committee);
    }

    /// Those whose parent is not listed, or that go round in a circle, are left out.
    fn parents_first(self) -> Vec<Committee> {
        let mut placed: HashSet<String> = HashSet::new();
        let mut ordered = Vec::with_capacity(self.committees.len());
        let mut left = self.committees;
        loop {
            let before = left.len();
            let (ready, waiting): (Vec<_>, Vec<_>) = left.into_iter().partition(|committee| {
                committee
                    .parent
                    .as_ref()
                    .is_none_or(|parent| placed.contains(&parent.system_code))
            });
            placed.extend(ready.iter().map(|committee| committee.system_code.clone()));
            ordered.extend(ready);
            if waiting.is_empty() || waiting.len() == before {
                return ordered;
            }
            left = waiting;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::fake::Fake;

    fn missing(endpoint: &str) -> Result<Value, ApiError> {
        Err(ApiError::NotFound {
            endpoint: endpoint.to_owned(),
        })
    }

    #[tokio::test]
    async fn parents_come_first_with_their_types_also_over_several_pages() {
        let api = Fake::new(|endpoint, params| {
            let offset = params.iter().find(|(name, _)| name == "offset");
            match (endpoint, offset.map(|(_, at)| at.as_str())) {
                ("committee/119/house", Some("0")) => Ok(json!({
                    "committees": [
                        {"systemCode": "hsag16", "name": "Livestock", "committeeTypeCode": "Other",
                         "parent": {"systemCode": "HSAG00", "name": "Agriculture Committee"}},
                        {"systemCode": "hsxx01", "name": "Orphan", "parent": {"systemCode": "hsxx00"}},
                        {"name": "No code"}, 7,
                    ],
                    "pagination": {"next": "more"}})),
                ("committee/119/house", Some("4")) => Ok(json!({
                    "committees": [{"systemCode": "hsag00", "name": "Agriculture Committee",
                        "committeeTypeCode": "Standing", "chamber": "House",
                        "subcommittees": [{"systemCode": "hsag16", "name": "Livestock"},
                                          {"systemCode": "hsag22", "name": "Commodity Markets"}]}],
                    "pagination": {"count": 5}})),
                ("committee/119/joint", _) => Ok(json!({
                    "committees": [{"systemCode": "jsec00", "committeeTypeCode": "Joint", "name": "Economic"}]})),
                _ => missing(endpoint),
            }
        });
        let found = list_committees(&api, 119).await.unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|c| {
                let parent = c.parent.as_ref().map_or("", |p| p.system_code.as_str());
                (c.system_code.as_str(), c.committee_type, parent)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("hsag00", "Standing", ""),
                ("jsec00", "Joint", ""),
                ("hsag16", "Other", "hsag00"),
                ("hsag22", "Subcommittee", "hsag00"),
            ]
        );
        assert!(found.iter().all(|c| c.chamber != Chamber::NoChamber));
    }

    #[tokio::test]
    async fn an_answer_that_is_no_list_is_an_error_and_an_endless_one_ends() {
        let api = Fake::new(|_, _| Ok(json!({"committeeMeetings": []})));
        let error = list_committees(&api, 119).await.unwrap_err();
        assert!(
            error.to_string().contains("no list of committees"),
            "{error}"
        );
        let api = Fake::new(|_, _| {
            Ok(
                json!({"committees": [{"systemCode": "hsag00", "name": "A"}],
                      "pagination": {"next": "again"}}),
            )
        });
        assert_eq!(list_committees(&api, 119).await.unwrap().len(), 1);
        assert_eq!(api.asked().len(), 3 * MAX_PAGES);
    }
}
