//! Committees that the database does not know yet.

use serde_json::Value;

use super::patience::Patience;
use super::{ApiError, Get, segment};
use crate::domain::{Chamber, Committee, parse_committee};

/// What looking up a committee mostly takes: itself, and the one above it.
pub const REQUESTS_A_COMMITTEE: usize = 2;

/// A subcommittee, its committee, and room for one more.
const MAX_DEPTH: usize = 4;

/// A committee by its system code (`hsii24`). The code's first letter says under which chamber to look;
/// where it is not there, the others are tried.
pub async fn fetch_committee<G: Get>(get: &G, code: &str) -> Result<Committee, ApiError> {
    fetch(&Patience::new(get), code).await
}

/// A committee and those above it, the topmost first. A parent that the API does not know, or that would
/// go round in a circle, ends the chain: the first of it has no `parent` then.
pub async fn fetch_committee_with_parents<G: Get>(
    get: &G,
    code: &str,
) -> Result<Vec<Committee>, ApiError> {
    let patience = Patience::new(get);
    let mut chain = vec![fetch(&patience, code).await?];
    while let Some(parent) = chain.last().and_then(|c| c.parent.as_ref()) {
        let parent_code = normal(&parent.system_code);
        let known = chain.iter().any(|c| c.system_code == parent_code);
        if !known && chain.len() < MAX_DEPTH {
            match fetch(&patience, &parent_code).await {
                Ok(committee) => {
                    chain.push(committee);
                    continue;
                }
                Err(ApiError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(
            target: "updaters.api",
            "Committee {}: its parent {parent_code} cannot be had; stored without it", normal(code)
        );
        if let Some(top) = chain.last_mut() {
            top.parent = None;
        }
    }
    chain.reverse();
    Ok(chain)
}

/// The chamber that a code's first letter names.
fn own_chamber(code: &str) -> Option<Chamber> {
    match code.chars().next() {
        Some('h') => Some(Chamber::House),
        Some('s') => Some(Chamber::Senate),
        Some('j') => Some(Chamber::Joint),
        _ => None,
    }
}

/// The places where a committee may be, the likeliest first.
fn places(code: &str) -> impl Iterator<Item = (Chamber, String)> {
    let own = own_chamber(code);
    let others = [
        Chamber::House,
        Chamber::Senate,
        Chamber::Joint,
        Chamber::NoChamber,
    ];
    let segment = segment(code);
    own.into_iter()
        .chain(others.into_iter().filter(move |c| Some(*c) != own))
        .map(move |chamber| {
            let endpoint = format!("committee/{}/{segment}", chamber.for_path());
            (chamber, endpoint)
        })
}

/// Where a committee may be, the likeliest place first.
pub fn committee_endpoints(code: &str) -> Vec<String> {
    places(&normal(code))
        .map(|(_, endpoint)| endpoint)
        .collect()
}

async fn fetch<G: Get>(patience: &Patience<'_, G>, code: &str) -> Result<Committee, ApiError> {
    let code = normal(code);
    let mut missing = None;
    for (chamber, endpoint) in places(&code) {
        match patience.get(&endpoint, &[]).await {
            // Joint subcommittees are filed under the Senate: the code knows better.
            Ok(answer) => {
                return read(
                    &answer,
                    own_chamber(&code).unwrap_or(chamber),
                    &code,
                    endpoint,
                );
            }
            Err(error @ ApiError::NotFound { .. }) => missing = missing.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(missing.unwrap_or(ApiError::NotFound {
        endpoint: format!("committee {code}"),
    }))
}

fn read(
    answer: &Value,
    chamber: Chamber,
    code: &str,
    endpoint: String,
) -> Result<Committee, ApiError> {
    let committee = match parse_committee(answer, Some(chamber)) {
        Ok(committee) => committee,
        Err(detail) => return Err(ApiError::Nonsense { endpoint, detail }),
    };
    if normal(&committee.system_code) != code {
        let detail = format!(
            "the answer is about another committee ({})",
            committee.system_code
        );
        return Err(ApiError::Nonsense { endpoint, detail });
    }
    Ok(committee)
}

fn normal(code: &str) -> String {
    code.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::fake::Fake;

    fn committee(code: &str, parent: Option<&str>) -> Value {
        let mut inner = json!({
            "systemCode": code, "type": "Standing", "isCurrent": true,
            "history": [{"libraryOfCongressName": format!("Name of {code}"),
                         "startDate": "1995-01-04T05:00:00Z"}],
        });
        if let Some(parent) = parent {
            inner["parent"] = json!({"systemCode": parent, "name": "Above"});
        }
        json!({"committee": inner})
    }

    fn missing(endpoint: &str) -> Result<Value, ApiError> {
        Err(ApiError::NotFound {
            endpoint: endpoint.to_owned(),
        })
    }

    #[tokio::test]
    async fn the_code_says_where_to_look() {
        let api = Fake::new(|endpoint, _| match endpoint {
            "committee/house/hsii24" => Ok(committee("hsii24", None)),
            other => missing(other),
        });
        let found = fetch_committee(&api, " HSII24").await.unwrap();
        assert_eq!(
            (found.name.as_str(), found.chamber),
            ("Name of hsii24", Chamber::House)
        );
        assert_eq!(api.asked(), ["committee/house/hsii24"]);
    }

    #[tokio::test]
    async fn a_joint_subcommittee_filed_under_the_senate_is_found_with_its_parent_first() {
        let api = Fake::new(|endpoint, _| match endpoint {
            "committee/senate/jsec03" => Ok(committee("jsec03", Some("jsec00"))),
            "committee/joint/jsec00" => Ok(committee("jsec00", None)),
            other => missing(other),
        });
        let chain = fetch_committee_with_parents(&api, "jsec03").await.unwrap();
        let codes: Vec<_> = chain.iter().map(|c| c.system_code.as_str()).collect();
        assert_eq!(codes, ["jsec00", "jsec03"]);
        assert!(chain.iter().all(|c| c.chamber == Chamber::Joint));
    }

    #[tokio::test]
    async fn a_circle_of_parents_ends() {
        let api = Fake::new(|endpoint, _| match endpoint {
            "committee/house/hsaa01" => Ok(committee("hsaa01", Some("hsbb00"))),
            "committee/house/hsbb00" => Ok(committee("hsbb00", Some("hsaa01"))),
            other => missing(other),
        });
        let chain = fetch_committee_with_parents(&api, "hsaa01").await.unwrap();
        let codes: Vec<_> = chain.iter().map(|c| c.system_code.as_str()).collect();
        assert_eq!(codes, ["hsbb00", "hsaa01"]);
        assert!(chain[0].parent.is_none() && chain[1].parent.is_some());
    }

    #[tokio::test]
    async fn a_parent_that_is_not_there_is_left_out() {
        let api = Fake::new(|endpoint, _| match endpoint {
            "committee/house/hsaa01" => Ok(committee("hsaa01", Some("hsaa00"))),
            other => missing(other),
        });
        let chain = fetch_committee_with_parents(&api, "hsaa01").await.unwrap();
        assert_eq!(chain.len(), 1);
        assert!(chain[0].parent.is_none());
    }

    #[tokio::test]
    async fn an_unknown_code_is_not_found_and_another_committee_is_nonsense() {
        let api = Fake::new(|endpoint, _| missing(endpoint));
        let error = fetch_committee(&api, "hsxx00").await.unwrap_err();
        assert_eq!(error.to_string(), "committee/house/hsxx00: not found (404)");
        assert_eq!(api.asked().len(), 4);
        let api = Fake::new(|_, _| Ok(committee("hsyy00", None)));
        let error = fetch_committee(&api, "hsxx00").await.unwrap_err();
        assert!(matches!(error, ApiError::Nonsense { .. }), "{error}");
    }
}
