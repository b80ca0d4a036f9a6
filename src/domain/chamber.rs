/// The chamber of a meeting or a committee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chamber {
    House,
    Senate,
    Joint,
    NoChamber,
}

impl Chamber {
    /// Any case; `None` for anything but the four known words.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "house" => Some(Self::House),
            "senate" => Some(Self::Senate),
            "joint" => Some(Self::Joint),
            "nochamber" => Some(Self::NoChamber),
            _ => None,
        }
    }

    /// As `hearings.chamber` knows it: Joint has its home in `NoChamber`.
    pub fn for_hearing(self) -> &'static str {
        match self {
            Self::House => "House",
            Self::Senate => "Senate",
            Self::Joint | Self::NoChamber => "NoChamber",
        }
    }

    /// As `committees.chamber` knows it.
    pub fn for_committee(self) -> &'static str {
        match self {
            Self::House => "House",
            Self::Senate => "Senate",
            Self::Joint => "Joint",
            Self::NoChamber => "NoChamber",
        }
    }

    /// As a path segment of the API: lower case only.
    pub fn for_path(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::Senate => "senate",
            Self::Joint => "joint",
            Self::NoChamber => "nochamber",
        }
    }
}
