//! Stored hearings and committees, as plain dicts.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::store::{CommitteeName, StoredMeeting};

pub fn committee<'py>(py: Python<'py>, name: &CommitteeName) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("code", &name.system_code)?;
    dict.set_item("name", &name.name)?;
    dict.set_item("chamber", &name.chamber)?;
    dict.set_item("parent", &name.parent)?;
    Ok(dict)
}

pub fn meeting<'py>(py: Python<'py>, meeting: &StoredMeeting) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("hearing_id", meeting.hearing_id)?;
    dict.set_item("event_id", &meeting.event_id)?;
    dict.set_item("congress", meeting.congress)?;
    for (name, value) in [
        ("chamber", &meeting.chamber),
        ("title", &meeting.title),
        ("hearing_type", &meeting.hearing_type),
        ("status", &meeting.status),
        ("date", &meeting.date),
        ("time", &meeting.time),
        ("location", &meeting.location),
        ("video_url", &meeting.video_url),
        ("page", &meeting.page()),
    ] {
        dict.set_item(name, value)?;
    }
    let links = meeting.committees.iter();
    let codes: Vec<&String> = links.map(|link| &link.system_code).collect();
    dict.set_item("committees", codes)?;
    dict.set_item("witnesses", witnesses(py, meeting)?)?;
    dict.set_item("documents", documents(py, meeting)?)?;
    let bills = meeting.bills.iter();
    let bills: Vec<String> = bills
        .map(|bill| format!("{} {} ({})", bill.bill_type, bill.number, bill.congress))
        .collect();
    dict.set_item("bills", bills)?;
    Ok(dict)
}

fn witnesses<'py>(py: Python<'py>, meeting: &StoredMeeting) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for witness in &meeting.witnesses {
        let dict = PyDict::new(py);
        dict.set_item("row_id", witness.appearance_id)?;
        dict.set_item("name", &witness.full_name)?;
        dict.set_item("organization", &witness.organization)?;
        dict.set_item("position", &witness.position)?;
        list.append(dict)?;
    }
    Ok(list)
}

/// Those of witnesses, those of the meeting, and transcripts.
fn documents<'py>(py: Python<'py>, meeting: &StoredMeeting) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    let add = |of: &str, kind: Option<&str>, title: Option<&str>, url: Option<&str>, witness| {
        let dict = PyDict::new(py);
        dict.set_item("of", of)?;
        dict.set_item("type", kind)?;
        dict.set_item("title", title)?;
        dict.set_item("url", url)?;
        dict.set_item::<_, Option<&str>>("witness", witness)?;
        list.append(dict)
    };
    for document in meeting
        .witness_documents
        .iter()
        .chain(&meeting.unmatched_documents)
    {
        let mut witnesses = meeting.witnesses.iter();
        let witness = witnesses.find(|w| Some(w.appearance_id) == document.appearance_id);
        let kind = Some(document.document_type.as_str());
        let name = witness.map(|w| w.full_name.as_str());
        add("witness", kind, None, document.url.as_deref(), name)?;
    }
    for document in &meeting.supporting_documents {
        let title = document
            .title
            .as_deref()
            .or(document.description.as_deref());
        let kind = Some(document.document_type.as_str());
        add("meeting", kind, title, document.url.as_deref(), None)?;
    }
    for transcript in &meeting.transcripts {
        let jacket = transcript.jacket_number.as_deref();
        add("transcript", None, jacket, transcript.url.as_deref(), None)?;
    }
    Ok(list)
}
