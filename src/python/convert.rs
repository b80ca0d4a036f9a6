//! Python values to JSON and SQL values, and back. Plain dicts cross the seams (contract §1), with
//! whatever their owners put into them: what has no JSON form is named, never raised from deep inside.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDate, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString,
    PyTuple,
};
use serde_json::{Map, Number, Value};

use super::interrupts;
use crate::store::{SqlParams, SqlValue};

/// Deeper than any record of the API; shallower than what the stack bears.
const MAX_DEPTH: usize = 64;

/// A record as JSON. `Err` says what in it has no JSON form, in words for a validation issue.
pub fn to_json(value: &Bound<'_, PyAny>) -> Result<Value, String> {
    json_at(value, 0)
}

fn json_at(value: &Bound<'_, PyAny>, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested more than {MAX_DEPTH} levels deep"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err("text with lone surrogates".to_owned()),
        };
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let mut map = Map::with_capacity(dict.len());
        for (key, item) in dict {
            let Ok(key) = key.extract::<String>() else {
                return Err(format!("a key that is no text: {}", type_name(&key)));
            };
            let item = json_at(&item, depth + 1).map_err(|why| under(&key, &why))?;
            map.insert(key, item);
        }
        return Ok(Value::Object(map));
    }
    if let Ok(list) = value.cast::<PyList>() {
        let items = list.iter().map(|item| json_at(&item, depth + 1));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        let items = tuple.iter().map(|item| json_at(&item, depth + 1));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    if value.is_instance_of::<PyInt>() {
        return match value.extract::<i64>() {
            Ok(number) => Ok(Value::Number(number.into())),
            Err(_) => Err("a number beyond 64 bits".to_owned()),
        };
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Number::from_f64(number.value())
            .map(Value::Number)
            .ok_or_else(|| format!("a number that JSON does not have ({})", number.value()));
    }
    // Callers pass dates as such; the parser reads their ISO form.
    if (value.is_instance_of::<PyDateTime>() || value.is_instance_of::<PyDate>())
        && let Some(text) = interrupts::tolerated(
            value.py(),
            value
                .call_method0("isoformat")
                .and_then(|t| t.extract::<String>()),
        )
    {
        return Ok(Value::String(text));
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let copy = PyDict::new(value.py());
        if interrupts::tolerated(value.py(), copy.update(mapping)).is_some() {
            return json_at(copy.as_any(), depth + 1);
        }
    }
    Err(format!("a value of type {}", type_name(value)))
}

fn under(key: &str, why: &str) -> String {
    if why.starts_with('\'') {
        format!("'{key}' > {why}")
    } else {
        format!("'{key}': {why}")
    }
}

pub fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .name()
        .map_or_else(|_| "unknown".to_owned(), |name| name.to_string())
}

/// JSON as plain Python.
pub fn from_json<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => {
            if let Some(int) = number.as_i64() {
                int.into_pyobject(py)?.into_any()
            } else if let Some(int) = number.as_u64() {
                int.into_pyobject(py)?.into_any()
            } else {
                PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any()
            }
        }
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(from_json(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => {
            let dict = PyDict::new(py);
            for (key, item) in map {
                dict.set_item(key, from_json(py, item)?)?;
            }
            dict.into_any()
        }
    })
}

/// A parameter of a statement, by the rules of `sqlite3`.
pub fn to_sql(value: &Bound<'_, PyAny>) -> PyResult<SqlValue> {
    if value.is_none() {
        return Ok(SqlValue::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(SqlValue::Text(text.to_str()?.to_owned()));
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(SqlValue::Integer(i64::from(flag.is_true())));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(SqlValue::Integer(value.extract()?));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(SqlValue::Real(number.value()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(SqlValue::Blob(bytes.as_bytes().to_vec()));
    }
    if value.is_instance_of::<PyDateTime>() {
        let text: String = value.call_method1("isoformat", (" ",))?.extract()?;
        return Ok(SqlValue::Text(text));
    }
    if value.is_instance_of::<PyDate>() {
        return Ok(SqlValue::Text(value.call_method0("isoformat")?.extract()?));
    }
    if let Ok(bytes) = value.extract::<Vec<u8>>() {
        return Ok(SqlValue::Blob(bytes));
    }
    Err(PyValueError::new_err(format!(
        "a value of type {} cannot be stored in the database",
        type_name(value)
    )))
}

pub fn from_sql<'py>(py: Python<'py>, value: &SqlValue) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        SqlValue::Null => py.None().into_bound(py),
        SqlValue::Integer(int) => int.into_pyobject(py)?.into_any(),
        SqlValue::Real(real) => PyFloat::new(py, *real).into_any(),
        SqlValue::Text(text) => PyString::new(py, text).into_any(),
        SqlValue::Blob(bytes) => PyBytes::new(py, bytes).into_any(),
    })
}

/// Statement parameters: a sequence, or a mapping for named ones.
pub fn to_params(params: Option<&Bound<'_, PyAny>>) -> PyResult<SqlParams> {
    let Some(params) = params.filter(|p| !p.is_none()) else {
        return Ok(SqlParams::Positional(Vec::new()));
    };
    if let Ok(dict) = params.cast::<PyDict>() {
        let named = dict
            .iter()
            .map(|(key, value)| Ok((key.extract()?, to_sql(&value)?)));
        return Ok(SqlParams::Named(named.collect::<PyResult<_>>()?));
    }
    if params.is_instance_of::<PyString>() {
        return Err(PyValueError::new_err(
            "parameters must be a sequence or a dict, not a str",
        ));
    }
    let positional = params.try_iter()?.map(|value| to_sql(&value?));
    Ok(SqlParams::Positional(positional.collect::<PyResult<_>>()?))
}
