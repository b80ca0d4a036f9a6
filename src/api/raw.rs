//! Answers as the API gave them, whatever is in them: for recording them.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::patience::Patience;
use super::{ApiError, Get};

/// What came of one thing that was wanted.
#[derive(Debug)]
pub struct Raw {
    /// Its place among what was wanted.
    pub at: usize,
    /// The endpoint that answered.
    pub endpoint: String,
    pub result: Result<Value, ApiError>,
}

/// Asks for many things, several at a time. Each names the endpoints where it may be: they are tried in
/// turn until one knows it. What came goes to the sink. `Err` ends it for all: what the sink has not
/// seen was not answered.
pub async fn fetch_raw<G: Get>(
    get: &G,
    wanted: Vec<Vec<String>>,
    sink: &mut dyn FnMut(Raw),
) -> Result<(), ApiError> {
    let patience = &Patience::new(get);
    let at_once = get.concurrency().max(1);
    let mut queue = wanted.into_iter().enumerate();
    let mut under_way = FuturesUnordered::new();
    let mut ended = None;
    loop {
        while ended.is_none() && under_way.len() < at_once {
            let Some((at, endpoints)) = queue.next() else {
                break;
            };
            under_way.push(first(patience, at, endpoints));
        }
        // Those under way are waited for also when it has ended: their answers are had.
        let Some(raw) = under_way.next().await else {
            break;
        };
        match &raw.result {
            Err(error) if error.is_fatal() || matches!(error, ApiError::RateLimited { .. }) => {
                ended.get_or_insert_with(|| error.clone());
            }
            _ => sink(raw),
        }
    }
    ended.map_or(Ok(()), Err)
}

async fn first<G: Get>(patience: &Patience<'_, G>, at: usize, endpoints: Vec<String>) -> Raw {
    let mut missing = Raw {
        at,
        endpoint: String::new(),
        result: Err(ApiError::NotFound {
            endpoint: "nowhere".to_owned(),
        }),
    };
    for endpoint in endpoints {
        let result = patience.get(&endpoint, &[]).await;
        let known = !matches!(result, Err(ApiError::NotFound { .. }));
        missing = Raw {
            at,
            endpoint,
            result,
        };
        if known {
            break;
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::fake::Fake;

    fn missing(endpoint: &str) -> ApiError {
        ApiError::NotFound {
            endpoint: endpoint.to_owned(),
        }
    }

    async fn fetched<G: Get>(get: &G, wanted: &[&[&str]]) -> (Vec<Raw>, Result<(), ApiError>) {
        let wanted = wanted
            .iter()
            .map(|one| one.iter().map(|&e| e.to_owned()).collect())
            .collect();
        let mut all = Vec::new();
        let outcome = fetch_raw(get, wanted, &mut |raw| all.push(raw)).await;
        all.sort_by_key(|raw| raw.at);
        (all, outcome)
    }

    #[tokio::test]
    async fn the_first_place_that_knows_it_answers() {
        let fake = Fake::new(|endpoint, _| match endpoint {
            "b" => Ok(json!({"here": true})),
            other => Err(missing(other)),
        });
        let (all, outcome) = fetched(&fake, &[&["a", "b", "c"], &["c", "d"]]).await;
        outcome.unwrap();
        assert_eq!(all[0].endpoint, "b");
        assert_eq!(all[0].result.as_ref().unwrap()["here"], true);
        assert_eq!(all[1].endpoint, "d");
        assert!(matches!(all[1].result, Err(ApiError::NotFound { .. })));
        assert_eq!(fake.asked().len(), 4);
    }

    #[tokio::test]
    async fn a_failure_is_no_reason_to_look_elsewhere_nor_to_stop() {
        let fake = Fake::new(|endpoint, _| match endpoint {
            "bad" => Err(ApiError::Status {
                endpoint: "bad".to_owned(),
                status: 500,
                detail: String::new(),
            }),
            _ => Ok(json!({})),
        });
        let (all, outcome) = fetched(&fake, &[&["bad", "good"], &["good"]]).await;
        outcome.unwrap();
        assert!(matches!(
            all[0].result,
            Err(ApiError::Status { status: 500, .. })
        ));
        assert!(all[1].result.is_ok());
        assert_eq!(fake.asked().len(), 2);
    }

    #[tokio::test]
    async fn once_the_limit_is_used_up_nothing_more_is_asked_and_what_came_is_kept() {
        let fake = Fake::new(|endpoint, _| match endpoint {
            "last" => Err(ApiError::RateLimited { minutes: 5 }),
            _ => Ok(json!({})),
        });
        let mut wanted: Vec<&[&str]> = vec![&["last"]];
        wanted.extend(std::iter::repeat_n(&["other"] as &[&str], 40));
        let (all, outcome) = fetched(&fake, &wanted).await;
        assert!(matches!(outcome, Err(ApiError::RateLimited { .. })));
        let asked = fake.asked().len();
        assert!(asked < wanted.len(), "{asked}");
        assert_eq!(all.len(), asked - 1);
        assert_eq!(fake.most_in_flight.get(), 16);
    }
}
