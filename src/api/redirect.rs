//! Redirects: followed by us, so that the key goes nowhere else.

use reqwest::Response;
use reqwest::header::LOCATION;
use url::Url;

use super::ApiError;

/// Where a redirect leads: only ever to where the key may go.
pub(super) fn target(
    base: &Url,
    endpoint: &str,
    from: &Url,
    response: &Response,
) -> Result<Option<Url>, ApiError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let next = location.to_str().ok().and_then(|text| from.join(text).ok());
    let Some(next) = next else {
        return Err(ApiError::Nonsense {
            endpoint: endpoint.to_owned(),
            detail: "redirected to something that is no address".to_owned(),
        });
    };
    if next.origin() != base.origin() {
        return Err(ApiError::Redirected {
            endpoint: endpoint.to_owned(),
            host: next.origin().ascii_serialization(),
        });
    }
    Ok(Some(next))
}
