//! What a request asks for: its path and its query.

use super::faults::Faults;
use super::reply::Reply;
use super::world::seconds;

/// At most this many rows on a page.
const LARGEST_PAGE: usize = 250;
const USUAL_PAGE: usize = 20;

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'a> {
    Meetings {
        congress: Option<&'a str>,
        chamber: Option<&'a str>,
    },
    Meeting {
        congress: &'a str,
        chamber: &'a str,
        event_id: &'a str,
    },
    Committees {
        congress: Option<&'a str>,
        chamber: Option<&'a str>,
    },
    Committee {
        chamber: &'a str,
        code: &'a str,
    },
    Hearing {
        congress: &'a str,
        chamber: &'a str,
        jacket: &'a str,
    },
    Unknown,
}

fn is_chamber(text: &str) -> bool {
    matches!(text, "house" | "senate" | "nochamber" | "joint")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl<'a> Route<'a> {
    pub fn of(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix("/v3/") else {
            return Self::Unknown;
        };
        let segments: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        match *segments.as_slice() {
            ["committee-meeting"] => Self::Meetings {
                congress: None,
                chamber: None,
            },
            ["committee-meeting", congress] if is_number(congress) => Self::Meetings {
                congress: Some(congress),
                chamber: None,
            },
            ["committee-meeting", congress, chamber]
                if is_number(congress) && is_chamber(chamber) =>
            {
                Self::Meetings {
                    congress: Some(congress),
                    chamber: Some(chamber),
                }
            }
            ["committee-meeting", congress, chamber, event_id]
                if is_number(congress) && is_chamber(chamber) =>
            {
                Self::Meeting {
                    congress,
                    chamber,
                    event_id,
                }
            }
            ["committee"] => Self::Committees {
                congress: None,
                chamber: None,
            },
            ["committee", congress] if is_number(congress) => Self::Committees {
                congress: Some(congress),
                chamber: None,
            },
            ["committee", chamber] if is_chamber(chamber) => Self::Committees {
                congress: None,
                chamber: Some(chamber),
            },
            ["committee", congress, chamber] if is_number(congress) && is_chamber(chamber) => {
                Self::Committees {
                    congress: Some(congress),
                    chamber: Some(chamber),
                }
            }
            ["committee", chamber, code] if is_chamber(chamber) => {
                Self::Committee { chamber, code }
            }
            ["hearing", congress, chamber, jacket]
                if is_number(congress) && is_chamber(chamber) =>
            {
                Self::Hearing {
                    congress,
                    chamber,
                    jacket,
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// The parameters of a request; never its key.
#[derive(Debug, Default)]
pub struct Query {
    pub key: Option<String>,
    pairs: Vec<(String, String)>,
}

impl Query {
    pub fn of(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if name.eq_ignore_ascii_case("api_key") {
                query.key = Some(value.into_owned());
            } else {
                query.pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        query
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it filters by date.
    pub fn filtered(&self) -> bool {
        self.get("fromDateTime").is_some()
    }

    /// As text, for the log.
    pub fn text(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.pairs)
            .finish()
    }

    pub fn limit(&self) -> usize {
        match self
            .get("limit")
            .and_then(|text| text.parse::<usize>().ok())
        {
            Some(0) | None => USUAL_PAGE,
            Some(limit) => limit.min(LARGEST_PAGE),
        }
    }

    pub fn offset(&self) -> usize {
        self.get("offset")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    }

    pub fn moment(&self, name: &str) -> Result<Option<i64>, Reply> {
        match self.get(name) {
            None | Some("") => Ok(None),
            Some(text) => seconds(text).map(Some).ok_or_else(|| {
                Reply::failed(400, &format!("{name}: use the format YYYY-MM-DDT00:00:00Z"))
            }),
        }
    }

    /// The address of the next page, at the host that was asked.
    pub fn next(&self, home: &str, path: &str, offset: usize, limit: usize) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("offset", &offset.to_string());
        pairs.append_pair("limit", &limit.to_string());
        for (name, value) in &self.pairs {
            if !matches!(name.as_str(), "offset" | "limit" | "format") {
                pairs.append_pair(name, value);
            }
        }
        pairs.append_pair("format", "json");
        format!("http://{home}{path}?{}", pairs.finish())
    }
}

/// What an endpoint needs to know to answer.
pub struct Asked<'a> {
    pub path: &'a str,
    pub query: &'a Query,
    /// Host and port, as the client named them.
    pub home: &'a str,
    pub faults: &'a Faults,
}
