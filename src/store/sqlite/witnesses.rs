//! Witnesses and their appearances. One person with one organization is one row, found by normalised
//! names in `updater_witness_names`.

use super::db::{Db, integer, text, utc_now};
use super::witness_kind::witness_kind;
use crate::domain::{Meeting, Witness, name_key, organization_key, split_name, without_courtesy};
use crate::store::{Related, StoreResult, Written};

/// An appearance as stored, with the witness's normalised names.
struct Appearance {
    id: i64,
    witness_id: i64,
    name_key: String,
    organization_key: String,
    position: Option<String>,
    kind: Option<String>,
    order: Option<i64>,
}

/// The keys of a listed witness: name and organization.
type Named = (String, String);

/// Brings a hearing's appearances in step with the witnesses of its meeting. -> whether an appearance
/// came, went or changed hands, so that documents may match now.
pub(super) fn write(
    db: Db<'_>,
    meeting: &Meeting,
    how: Related,
    written: &mut Written,
) -> StoreResult<bool> {
    if meeting.witnesses.is_empty() {
        return Ok(false);
    }
    in_step(db)?;
    let hearing_id = written.hearing_id;
    let stored = if written.added {
        Vec::new()
    } else {
        appearances(db, hearing_id)?
    };
    if how == Related::FillGaps && !stored.is_empty() {
        return Ok(false);
    }
    let mut moved = false;
    let mut seen: Vec<i64> = Vec::with_capacity(meeting.witnesses.len());
    let named: Vec<Named> = meeting
        .witnesses
        .iter()
        .map(|w| {
            (
                name_key(&w.full_name),
                organization_key(w.organization.as_deref()),
            )
        })
        .collect();
    for (at, (witness, keys)) in meeting.witnesses.iter().zip(&named).enumerate() {
        let order = i64::try_from(at + 1).unwrap_or(i64::MAX);
        let (name, organization) = keys;
        if name.is_empty() {
            continue;
        }
        let here = stored
            .iter()
            .find(|a| a.name_key == *name && a.organization_key == *organization)
            .or_else(|| namesake(&stored, &named, keys, &seen));
        let known = match here {
            Some(appearance) => Some(appearance.witness_id),
            None => find(db, name, organization)?,
        };
        let witness_id = if let Some(id) = known {
            id
        } else {
            let id = add(db, witness)?;
            written.witnesses_added.push(id);
            id
        };
        if seen.contains(&witness_id) {
            continue;
        }
        seen.push(witness_id);
        let there = here.or_else(|| stored.iter().find(|a| a.witness_id == witness_id));
        if let Some(there) = there {
            if refresh(db, there, witness, order)? {
                written.witnesses_touched += 1;
                written.changed = true;
            }
        } else {
            let id = add_appearance(db, witness_id, hearing_id, witness, order)?;
            written.appearances_added.push(id);
            written.witnesses_touched += 1;
            written.changed = true;
            moved = true;
        }
    }
    if seen.is_empty() {
        return Ok(false);
    }
    let stays = |a: &Appearance| {
        // A legacy duplicate of someone who is named is that person's history, and left alone.
        seen.contains(&a.witness_id)
            || stored.iter().any(|other| {
                seen.contains(&other.witness_id)
                    && !a.name_key.is_empty()
                    && (&other.name_key, &other.organization_key)
                        == (&a.name_key, &a.organization_key)
            })
    };
    for gone in stored.iter().filter(|a| !stays(a)) {
        remove_appearance(db, gone.id)?;
        written.witnesses_touched += 1;
        written.changed = true;
        moved = true;
    }
    Ok(moved)
}

/// Without an organization the name alone tells, among those who appear here already: one whom no
/// other entry names exactly or has taken, else the first, whoever has taken that one.
fn namesake<'a>(
    stored: &'a [Appearance],
    named: &[Named],
    (name, organization): &Named,
    seen: &[i64],
) -> Option<&'a Appearance> {
    if !organization.is_empty() {
        return None;
    }
    let same = || stored.iter().filter(|a| a.name_key == *name);
    let free = |a: &&Appearance| !seen.contains(&a.witness_id);
    let own = |a: &Appearance| {
        named
            .iter()
            .any(|(n, o)| *n == a.name_key && *o == a.organization_key)
    };
    same()
        .find(|a| free(a) && !own(a))
        .or_else(|| same().next())
}

fn appearances(db: Db<'_>, hearing_id: i64) -> StoreResult<Vec<Appearance>> {
    let list = db.select_list(
        "witness_appearances",
        "a.",
        &["position", "witness_type", "appearance_order"],
    )?;
    db.all(
        "witness_appearances",
        &format!(
            "SELECT a.appearance_id, a.witness_id, n.name_key, n.organization_key, {list} \
             FROM witness_appearances a \
             LEFT JOIN updater_witness_names n ON n.witness_id = a.witness_id \
             WHERE a.hearing_id = ?1 ORDER BY a.witness_id"
        ),
        [hearing_id],
        |r| {
            Ok(Appearance {
                id: r.get(0)?,
                witness_id: r.get(1)?,
                name_key: text(r, 2)?.unwrap_or_default(),
                organization_key: text(r, 3)?.unwrap_or_default(),
                position: text(r, 4)?,
                kind: text(r, 5)?,
                order: integer(r, 6)?,
            })
        },
    )
}

/// An appearance that is seen again: position and order follow, the rest stays.
fn refresh(db: Db<'_>, there: &Appearance, witness: &Witness, order: i64) -> StoreResult<bool> {
    let mut pairs: Vec<super::db::Pair<'_>> = Vec::with_capacity(3);
    if witness.position.is_some() && witness.position != there.position {
        pairs.push(("position", &witness.position));
    }
    if there.order != Some(order) {
        pairs.push(("appearance_order", &order));
    }
    if pairs.is_empty() {
        return Ok(false);
    }
    let kind = witness_kind(witness);
    if there.kind.is_none() {
        pairs.push(("witness_type", &kind));
    }
    Ok(db.update("witness_appearances", "appearance_id", there.id, &pairs)? > 0)
}

fn add_appearance(
    db: Db<'_>,
    witness_id: i64,
    hearing_id: i64,
    witness: &Witness,
    order: i64,
) -> StoreResult<i64> {
    db.insert(
        "witness_appearances",
        &[
            ("witness_id", &witness_id),
            ("hearing_id", &hearing_id),
            ("position", &witness.position),
            ("witness_type", &witness_kind(witness)),
            ("appearance_order", &order),
            ("created_at", &utc_now()),
        ],
    )
}

/// With its documents: nothing cascades.
fn remove_appearance(db: Db<'_>, appearance_id: i64) -> StoreResult<()> {
    if db.exists("witness_documents")? {
        db.exec(
            "witness_documents",
            "DELETE FROM witness_documents WHERE appearance_id = ?1",
            [appearance_id],
        )?;
    }
    db.exec(
        "witness_appearances",
        "DELETE FROM witness_appearances WHERE appearance_id = ?1",
        [appearance_id],
    )?;
    Ok(())
}

/// The oldest witness of these normalised names.
fn find(db: Db<'_>, name: &str, organization: &str) -> StoreResult<Option<i64>> {
    db.one(
        "updater_witness_names",
        "SELECT n.witness_id FROM updater_witness_names n \
         JOIN witnesses w ON w.witness_id = n.witness_id \
         WHERE n.name_key = ?1 AND n.organization_key = ?2 ORDER BY n.witness_id LIMIT 1",
        [name, organization],
        |r| r.get(0),
    )
}

fn add(db: Db<'_>, witness: &Witness) -> StoreResult<i64> {
    let now = utc_now();
    // The connection's own trigger on witnesses makes the row of normalised names.
    db.insert(
        "witnesses",
        &[
            ("first_name", &witness.first_name),
            ("last_name", &witness.last_name),
            ("full_name", &witness.full_name),
            ("title", &witness.position),
            ("organization", &witness.organization),
            ("created_at", &now),
            ("updated_at", &now),
        ],
    )
}

pub(super) fn get_or_create(
    db: Db<'_>,
    full_name: &str,
    organization: Option<&str>,
    title: Option<&str>,
) -> StoreResult<(i64, bool)> {
    let name = name_key(full_name);
    if name.is_empty() {
        return Err(crate::store::StoreError::BadRecord {
            what: "witness".to_owned(),
            problem: format!("'{full_name}' is no name"),
        });
    }
    in_step(db)?;
    if let Some(id) = find(db, &name, &organization_key(organization))? {
        return Ok((id, false));
    }
    // As the parser stores names.
    let full_name = without_courtesy(full_name);
    let (first_name, last_name) = split_name(full_name);
    let witness = Witness {
        full_name: full_name.to_owned(),
        first_name,
        last_name,
        position: title.map(str::to_owned),
        organization: organization.map(str::to_owned),
    };
    Ok((add(db, &witness)?, true))
}

/// One appearance by ids. What is given and differs is updated where it is there already.
pub(super) fn appear(
    db: Db<'_>,
    witness_id: i64,
    hearing_id: i64,
    position: Option<&str>,
    witness_type: Option<&str>,
    order: Option<i64>,
) -> StoreResult<(i64, bool)> {
    let there = db.one(
        "witness_appearances",
        "SELECT appearance_id FROM witness_appearances WHERE witness_id = ?1 AND hearing_id = ?2",
        [witness_id, hearing_id],
        |r| r.get::<_, i64>(0),
    )?;
    if let Some(id) = there {
        for (column, value) in [("position", position), ("witness_type", witness_type)] {
            if value.is_some() {
                let sql = format!(
                    "UPDATE witness_appearances SET {column} = ?2 \
                     WHERE appearance_id = ?1 AND {column} IS NOT ?2"
                );
                db.exec("witness_appearances", &sql, (id, value))?;
            }
        }
        if order.is_some() {
            db.exec(
                "witness_appearances",
                "UPDATE witness_appearances SET appearance_order = ?2 \
                 WHERE appearance_id = ?1 AND appearance_order IS NOT ?2",
                (id, order),
            )?;
        }
        return Ok((id, false));
    }
    let id = db.insert(
        "witness_appearances",
        &[
            ("witness_id", &witness_id),
            ("hearing_id", &hearing_id),
            ("position", &position),
            ("witness_type", &witness_type),
            ("appearance_order", &order),
            ("created_at", &utc_now()),
        ],
    )?;
    Ok((id, true))
}

/// Brings `updater_witness_names` in step with `witnesses`. This connection's own changes are followed
/// by a trigger; so there is something to do only once, and after another program committed. (Asked by writers: the open
/// transaction keeps others out.)
pub(super) fn in_step(db: Db<'_>) -> StoreResult<()> {
    if db.memo.names_sure.get() {
        return Ok(());
    }
    let version = db.one("witness names", "PRAGMA main.data_version", [], |r| {
        r.get::<_, i64>(0)
    })?;
    if version.is_some() && version == db.memo.names_at.get() {
        db.memo.names_sure.set(true);
        return Ok(());
    }
    db.exec(
        "witness names",
        "DELETE FROM updater_witness_names WHERE witness_id NOT IN (SELECT witness_id FROM witnesses)",
        [],
    )?;
    db.exec(
        "witness names",
        "REPLACE INTO updater_witness_names \
             (witness_id, name_key, organization_key, full_name, organization) \
         SELECT w.witness_id, updater_name_key(w.full_name), \
                updater_organization_key(w.organization), w.full_name, w.organization \
         FROM witnesses w LEFT JOIN updater_witness_names n ON n.witness_id = w.witness_id \
         WHERE n.witness_id IS NULL OR n.full_name IS NOT w.full_name \
            OR n.organization IS NOT w.organization",
        [],
    )?;
    db.memo.names_at.set(version);
    db.memo.names_sure.set(true);
    Ok(())
}
