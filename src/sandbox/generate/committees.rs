//! The committees of the generated Congress: real names and codes, those of a parent ending in 00.

use crate::sandbox::world::Committee;

/// Code, type, name. The first letter of a code is the chamber.
const COMMITTEES: &str = include_str!("committees.txt");

/// All of them.
pub fn committees() -> Vec<Committee> {
    COMMITTEES.lines().filter_map(committee).collect()
}

fn committee(line: &str) -> Option<Committee> {
    let (code, rest) = line.split_once('|')?;
    let (kind, name) = rest.split_once('|')?;
    Some(Committee {
        code: code.to_owned(),
        name: name.to_owned(),
        chamber: match code.as_bytes().first() {
            Some(b'h') => "House",
            Some(b's') => "Senate",
            _ => "Joint",
        },
        kind: kind.to_owned(),
        parent: (kind == "Subcommittee")
            .then(|| format!("{}00", code.get(..4).unwrap_or_default())),
        current: true,
    })
}
