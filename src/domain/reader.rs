//! Reading JSON without trusting it: each wrong type becomes an issue with its path.

use std::fmt;

use serde_json::{Map, Value};

use super::{Issue, Notice, one_line};

/// Where in a record a value stands; written out only when there is something to report.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    pub fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// The fields of an object, with where it stands.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub map: &'a Map<String, Value>,
    pub path: Path<'a>,
}

impl<'a> Object<'a> {
    /// The value of a field; null counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        // Most objects have a handful of fields: looking at each is quicker than hashing the name.
        let value = if self.map.len() <= 8 {
            self.map
                .iter()
                .find_map(|(name, value)| (name == key).then_some(value))
        } else {
            self.map.get(key)
        };
        value.filter(|value| !value.is_null())
    }
}

/// Collects what is wrong, and what was mapped.
#[derive(Default)]
pub(super) struct Reader {
    pub issues: Vec<Issue>,
    pub notices: Vec<Notice>,
}

impl Reader {
    pub fn issue(&mut self, path: Path<'_>, message: String) {
        self.issues.push(Issue {
            field: path.to_string(),
            message,
        });
    }

    pub fn wrong_type(&mut self, path: Path<'_>, wanted: &str, value: &Value) {
        let field = path.to_string();
        let name = if field.is_empty() {
            "the record"
        } else {
            &field
        };
        let message = format!("{name} must be {wanted}, got {}", kind(value));
        self.issues.push(Issue { field, message });
    }

    /// One clean line of text.
    pub fn text(&mut self, object: Object<'_>, key: &str) -> Option<String> {
        self.raw_text(object, key).and_then(one_line)
    }

    /// Text as it stands; empty text counts as absent.
    pub fn raw_text<'a>(&mut self, object: Object<'a>, key: &str) -> Option<&'a str> {
        match object.get(key)? {
            Value::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            other => {
                self.wrong_type(object.path.key(key), "text", other);
                None
            }
        }
    }

    /// A whole number, also one written as text. `Err` is the value as a person would quote it.
    pub fn whole_number(value: &Value) -> Result<Option<i64>, String> {
        match value {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Ok(Some(whole)),
                // Data frames turn whole numbers into floats; beyond 2^53 they are no longer exact.
                #[allow(clippy::cast_possible_truncation)]
                (None, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => {
                    Ok(Some(float as i64))
                }
                _ => Err(number.to_string()),
            },
            Value::String(text) if text.trim().is_empty() => Ok(None),
            Value::String(text) => text
                .trim()
                .parse()
                .map(Some)
                .map_err(|_| format!("'{}'", shortened(text))),
            other => Err(kind(other).to_owned()),
        }
    }

    /// The elements of a container: absent, null, empty, a list, `{"item": [...]}` or `{"item": {...}}`.
    /// Nulls in a list are skipped; each element comes with its index.
    pub fn elements<'a>(
        &mut self,
        value: Option<&'a Value>,
        path: Path<'_>,
    ) -> Vec<(usize, &'a Value)> {
        let listed = |list: &'a [Value]| {
            list.iter()
                .enumerate()
                .filter(|(_, value)| !value.is_null())
                .collect()
        };
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) if text.trim().is_empty() => Vec::new(),
            Some(Value::Array(list)) => listed(list),
            Some(Value::Object(map)) => match map.get("item") {
                Some(Value::Array(list)) => listed(list),
                Some(item @ Value::Object(_)) => vec![(0, item)],
                Some(Value::Null) => Vec::new(),
                Some(other) => {
                    self.wrong_type(path.key("item"), "a list", other);
                    Vec::new()
                }
                // `{"count": 3, "url": ...}` is how the API says "there are some, elsewhere".
                None if map.keys().all(|key| key == "count" || key == "url") => Vec::new(),
                None => {
                    self.wrong_type(path, "a list", &Value::Object(Map::new()));
                    Vec::new()
                }
            },
            Some(other) => {
                self.wrong_type(path, "a list", other);
                Vec::new()
            }
        }
    }

    pub fn object<'a>(&mut self, value: &'a Value, path: Path<'a>) -> Option<Object<'a>> {
        if let Value::Object(map) = value {
            return Some(Object { map, path });
        }
        self.wrong_type(path, "an object", value);
        None
    }

    /// Calls `read` for each object of a container; what it returns is collected.
    pub fn each<T>(
        &mut self,
        object: Object<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, Object<'_>) -> Option<T>,
    ) -> Vec<T> {
        let path = object.path.key(key);
        let mut found = Vec::new();
        for (at, value) in self.elements(object.get(key), path) {
            if let Some(element) = self.object(value, path.index(at)) {
                found.extend(read(self, element));
            }
        }
        found
    }
}

/// A JSON type, as a person would name it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value for a message: one line, not a page of it.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    let line = one_line(text).unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
