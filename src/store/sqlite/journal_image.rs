//! Images of rows: JSON objects, column -> value, that bring every value back exactly.
//!
//! Integers and reals stay apart (a real always has a point or an exponent); what JSON has no word for
//! is tagged: `{"$blob": "00ff"}`, `{"$text": "ff"}` (text that is not UTF-8), `{"$real": "inf"}`.

use std::fmt::{self, Write as _};

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::store::SqlValue;

/// The image's name for the row id of a table without a primary key.
pub(super) const ROWID: &str = "$rowid";

/// A value exactly as SQLite keeps it, text that is not UTF-8 included.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Cell {
    pub(super) fn from_ref(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(i) => Self::Integer(i),
            ValueRef::Real(r) => Self::Real(r),
            ValueRef::Text(t) => Self::Text(t.to_vec()),
            ValueRef::Blob(b) => Self::Blob(b.to_vec()),
        }
    }

    /// The same value, bit for bit (`1` and `1.0` differ, so do `0.0` and `-0.0`).
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (a, b) => a == b,
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(i) => Some(*i),
            _ => None,
        }
    }

    /// For people: text as it is, numbers in digits, `None` for NULL.
    pub(super) fn readable(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Integer(i) => Some(i.to_string()),
            Self::Real(r) => Some(format!("{r:?}")),
            Self::Text(t) => Some(String::from_utf8_lossy(t).into_owned()),
            Self::Blob(b) => Some(format!("{} bytes", b.len())),
        }
    }

    pub(super) fn of(value: &SqlValue) -> Self {
        match value {
            SqlValue::Null => Self::Null,
            SqlValue::Integer(i) => Self::Integer(*i),
            SqlValue::Real(r) => Self::Real(*r),
            SqlValue::Text(t) => Self::Text(t.clone().into_bytes()),
            SqlValue::Blob(b) => Self::Blob(b.clone()),
        }
    }

    pub(super) fn into_sql_value(self) -> SqlValue {
        match self {
            Self::Null => SqlValue::Null,
            Self::Integer(i) => SqlValue::Integer(i),
            Self::Real(r) => SqlValue::Real(r),
            Self::Text(t) => match String::from_utf8(t) {
                Ok(text) => SqlValue::Text(text),
                Err(e) => SqlValue::Blob(e.into_bytes()),
            },
            Self::Blob(b) => SqlValue::Blob(b),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(i) => ValueRef::Integer(*i),
            Self::Real(r) => ValueRef::Real(*r),
            Self::Text(t) => ValueRef::Text(t),
            Self::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

/// A row's columns and values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Image(pub(super) Vec<(String, Cell)>);

impl Image {
    pub(super) fn get(&self, column: &str) -> Option<&Cell> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(column))
            .map(|(_, cell)| cell)
    }

    /// Readable text of a column; `None` for NULL or no such column.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        self.get(column).and_then(Cell::readable)
    }

    pub(super) fn integer(&self, column: &str) -> Option<i64> {
        self.get(column).and_then(Cell::integer)
    }

    /// `None` where the text is no image of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

// Straight into cells: a journal of months is read at once, and a tree of values in between would
// take as long again.
impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ImageVisitor)
    }
}

struct ImageVisitor;

impl<'de> Visitor<'de> for ImageVisitor {
    type Value = Image;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("columns and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Image, A::Error> {
        let mut cells = Vec::with_capacity(24);
        while let Some(pair) = map.next_entry()? {
            cells.push(pair);
        }
        Ok(Image(cells))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a number, text or a tagged value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        i64::try_from(value)
            .map(Cell::Integer)
            .map_err(|_| E::custom("a number beyond 64 bits"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Real(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.as_bytes().to_vec()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let tagged = map.next_entry::<String, String>()?;
        let cell = tagged.and_then(|(tag, text)| match tag.as_str() {
            "$blob" => unhex(&text).map(Cell::Blob),
            "$text" => unhex(&text).map(Cell::Text),
            "$real" => text.parse().ok().map(Cell::Real),
            _ => None,
        });
        cell.ok_or_else(|| A::Error::custom("no value of ours"))
    }
}

/// Appends `"name":value` (with a comma where it is not the first) to a JSON object under way.
pub(super) fn push_pair(out: &mut String, name: &str, value: ValueRef<'_>) {
    if out.len() > 1 {
        out.push(',');
    }
    push_string(out, name);
    out.push(':');
    match value {
        ValueRef::Null => out.push_str("null"),
        ValueRef::Integer(i) => {
            let _ = write!(out, "{i}");
        }
        ValueRef::Real(r) if r.is_finite() => {
            let _ = write!(out, "{r:?}");
        }
        ValueRef::Real(r) => {
            let _ = write!(out, "{{\"$real\":\"{r}\"}}");
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => push_string(out, text),
            Err(_) => push_tagged(out, "$text", bytes),
        },
        ValueRef::Blob(bytes) => push_tagged(out, "$blob", bytes),
    }
}

fn push_tagged(out: &mut String, tag: &str, bytes: &[u8]) {
    let _ = write!(out, "{{\"{tag}\":\"");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push_str("\"}");
}

fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or_default());
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        plain = at + 1;
    }
    out.push_str(text.get(plain..).unwrap_or_default());
    out.push('"');
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(cell: &Cell) -> Cell {
        let mut out = String::from("{");
        let ToSqlOutput::Borrowed(value) = cell.to_sql().unwrap() else {
            panic!()
        };
        push_pair(&mut out, "c", value);
        out.push('}');
        Image::parse(&out).unwrap().get("C").unwrap().clone()
    }

    #[test]
    fn every_kind_of_value_comes_back_exactly() {
        for cell in [
            Cell::Null,
            Cell::Integer(0),
            Cell::Integer(i64::MIN),
            Cell::Integer(i64::MAX),
            Cell::Real(1.0),
            Cell::Real(-0.0),
            Cell::Real(0.1 + 0.2),
            Cell::Real(1e300),
            Cell::Real(9_007_199_254_740_993.0),
            Cell::Real(5e-324),
            Cell::Real(f64::INFINITY),
            Cell::Real(f64::NEG_INFINITY),
            Cell::Text(Vec::new()),
            Cell::Text(b"a\0b\"\\\n\r\t\x01\x7f".to_vec()),
            Cell::Text("Zoë — „Größe“".into()),
            Cell::Text(vec![0xff, 0xfe, b'x']),
            Cell::Blob(Vec::new()),
            Cell::Blob(vec![0, 1, 0xff]),
        ] {
            let back = there_and_back(&cell);
            assert!(cell.same(&back), "{cell:?} came back as {back:?}");
        }
    }

    #[test]
    fn integer_and_real_are_told_apart() {
        assert!(!Cell::Integer(1).same(&there_and_back(&Cell::Real(1.0))));
        assert!(!Cell::Real(0.0).same(&Cell::Real(-0.0)));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for text in [
            "",
            "[]",
            "{\"a\":true}",
            "{\"a\":{\"$blob\":\"0\"}}",
            "{\"a\":{\"x\":\"\"}}",
        ] {
            assert_eq!(Image::parse(text), None, "{text}");
        }
    }
}
