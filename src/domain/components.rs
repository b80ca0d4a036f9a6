//! Which parts of a meeting an updater writes.

use std::fmt;

/// One part of a meeting that can be switched on or off (contract §1, `components`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    Hearings,
    Witnesses,
    Committees,
    Documents,
    Bills,
}

impl Component {
    pub const ALL: [Self; 5] = [
        Self::Hearings,
        Self::Witnesses,
        Self::Committees,
        Self::Documents,
        Self::Bills,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hearings => "hearings",
            Self::Witnesses => "witnesses",
            Self::Committees => "committees",
            Self::Documents => "documents",
            Self::Bills => "bills",
        }
    }
}

/// A component name that does not exist.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown component '{0}': choose from hearings, witnesses, committees, documents, bills")]
pub struct UnknownComponent(pub String);

/// The enabled components; hearings is always in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a set of five flags is what this is
pub struct Components {
    pub witnesses: bool,
    pub committees: bool,
    pub documents: bool,
    pub bills: bool,
}

impl Default for Components {
    fn default() -> Self {
        Self {
            witnesses: true,
            committees: true,
            documents: false,
            bills: false,
        }
    }
}

impl Components {
    /// Exactly the named components, plus hearings.
    pub fn from_names<S: AsRef<str>>(names: &[S]) -> Result<Self, UnknownComponent> {
        let mut set = Self {
            witnesses: false,
            committees: false,
            documents: false,
            bills: false,
        };
        for name in names {
            let name = name.as_ref().trim();
            match Component::ALL.into_iter().find(|c| c.name() == name) {
                Some(Component::Hearings) => {}
                Some(Component::Witnesses) => set.witnesses = true,
                Some(Component::Committees) => set.committees = true,
                Some(Component::Documents) => set.documents = true,
                Some(Component::Bills) => set.bills = true,
                None => return Err(UnknownComponent(name.to_owned())),
            }
        }
        Ok(set)
    }
}

impl fmt::Display for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hearings")?;
        for (on, component) in [
            (self.witnesses, Component::Witnesses),
            (self.committees, Component::Committees),
            (self.documents, Component::Documents),
            (self.bills, Component::Bills),
        ] {
            if on {
                write!(f, ", {}", component.name())?;
            }
        }
        Ok(())
    }
}
