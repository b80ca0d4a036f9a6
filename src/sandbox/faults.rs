//! Faults to order: by share, or for the next requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SandboxError;
use super::asked::Route;
use super::draw::{mix, mix_text, unit};

/// A way to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    ServerError,
    BadGateway,
    Unavailable,
    GatewayTimeout,
    TooMany,
    Slow,
    Reset,
    Truncated,
    Html,
    Redirect,
    Oversize,
    Drip,
    BadRow,
    Poison,
    Missing,
    Filter,
    GzipBomb,
    Deep,
    BadUtf8,
    ContentType,
    Duplicates,
    Nul,
    HugeTitle,
    WrongTypes,
    RedirectLoop,
    ForeignNext,
    OddHeaders,
}

/// What a share of a kind is a share of.
enum Of {
    Requests,
    /// Requests for details.
    Details,
    /// Requests for lists of meetings.
    Lists,
    /// Both of them.
    Meetings,
    /// The detail of an event, always the same ones.
    Events,
    /// Rows of the list, always the same ones.
    Rows,
    /// List requests that carry a date filter.
    Filters,
}

impl Kind {
    pub const ALL: [Self; 27] = [
        Self::ServerError,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::TooMany,
        Self::Slow,
        Self::Reset,
        Self::Truncated,
        Self::Html,
        Self::Redirect,
        Self::Oversize,
        Self::Drip,
        Self::BadRow,
        Self::Poison,
        Self::Missing,
        Self::Filter,
        Self::GzipBomb,
        Self::Deep,
        Self::BadUtf8,
        Self::ContentType,
        Self::Duplicates,
        Self::Nul,
        Self::HugeTitle,
        Self::WrongTypes,
        Self::RedirectLoop,
        Self::ForeignNext,
        Self::OddHeaders,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ServerError => "500",
            Self::BadGateway => "502",
            Self::Unavailable => "503",
            Self::GatewayTimeout => "504",
            Self::TooMany => "429",
            Self::Slow => "slow",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Html => "html",
            Self::Redirect => "redirect",
            Self::Oversize => "oversize",
            Self::Drip => "drip",
            Self::BadRow => "bad-row",
            Self::Poison => "poison",
            Self::Missing => "404",
            Self::Filter => "filter",
            Self::GzipBomb => "gzip-bomb",
            Self::Deep => "deep",
            Self::BadUtf8 => "bad-utf8",
            Self::ContentType => "content-type",
            Self::Duplicates => "duplicates",
            Self::Nul => "nul",
            Self::HugeTitle => "huge-title",
            Self::WrongTypes => "wrong-types",
            Self::RedirectLoop => "redirect-loop",
            Self::ForeignNext => "foreign-next",
            Self::OddHeaders => "odd-headers",
        }
    }

    /// All names, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    pub fn parse(name: &str) -> Result<Self, SandboxError> {
        let wanted = name.trim().to_ascii_lowercase().replace('_', "-");
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == wanted)
            .ok_or_else(|| SandboxError::UnknownFault {
                name: name.to_owned(),
            })
    }

    fn of(self) -> Of {
        match self {
            Self::BadRow => Of::Rows,
            Self::Poison | Self::Missing => Of::Events,
            Self::Filter => Of::Filters,
            Self::HugeTitle => Of::Details,
            Self::ForeignNext => Of::Lists,
            Self::Duplicates | Self::Nul | Self::WrongTypes => Of::Meetings,
            _ => Of::Requests,
        }
    }

    /// Whether a request of this sort can meet the fault at all.
    fn fits(self, route: &Route<'_>, filtered: bool) -> bool {
        let detail = matches!(route, Route::Meeting { .. });
        let list = matches!(route, Route::Meetings { .. });
        match self.of() {
            Of::Requests => true,
            Of::Meetings => detail || list,
            Of::Details | Of::Events => detail,
            Of::Lists | Of::Rows => list,
            Of::Filters => filtered && list,
        }
    }

    /// Whether a share of it is drawn anew for each request.
    fn is_drawn(self) -> bool {
        !matches!(self.of(), Of::Events | Of::Rows | Of::Filters)
    }
}

/// Faults by share, as set by `--fault KIND=SHARE`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares(Vec<(Kind, f64)>);

impl Shares {
    /// From pieces such as `500=0.05`.
    pub fn parse<S: AsRef<str>>(pieces: &[S]) -> Result<Self, SandboxError> {
        let mut shares = Self::default();
        for piece in pieces {
            let piece = piece.as_ref();
            let bad = || SandboxError::BadShare {
                text: piece.to_owned(),
            };
            let (name, share) = piece.split_once('=').ok_or_else(bad)?;
            let kind = Kind::parse(name)?;
            shares.set(kind, share.trim().parse().map_err(|_| bad())?)?;
        }
        Ok(shares)
    }

    pub fn set(&mut self, kind: Kind, share: f64) -> Result<(), SandboxError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(SandboxError::BadShare {
                text: format!("{}={share}", kind.name()),
            });
        }
        self.0.retain(|(other, _)| *other != kind);
        if share > 0.0 {
            self.0.push((kind, share));
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (Kind, f64)> + '_ {
        self.0.iter().copied()
    }

    fn of(&self, kind: Kind) -> f64 {
        self.0
            .iter()
            .find(|(other, _)| *other == kind)
            .map_or(0.0, |(_, share)| *share)
    }
}

/// A fault that a request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub kind: Kind,
    /// Seconds, for 429 and 503.
    pub retry_after: Option<u64>,
}

/// Faults ordered for the next requests.
struct Order {
    id: u64,
    fault: OrderedFault,
    met: u64,
}

/// What to order for the next requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedFault {
    pub kind: Kind,
    pub times: u64,
    /// Only requests whose path holds this.
    pub path: Option<String>,
    /// Only requests for the detail of this event.
    pub event_id: Option<String>,
    /// Seconds, sent as the header of this name.
    pub retry_after: Option<u64>,
}

impl OrderedFault {
    fn fits(&self, target: &str, route: &Route<'_>, filtered: bool, home: bool) -> bool {
        let of_event = match (&self.event_id, route) {
            (None, _) => true,
            (Some(wanted), Route::Meeting { event_id, .. }) => wanted == event_id,
            _ => false,
        };
        of_event
            && self.kind.fits(route, filtered)
            && (home || self.kind != Kind::Redirect)
            && self
                .path
                .as_ref()
                .is_none_or(|path| target.contains(path.as_str()))
    }
}

#[derive(Default)]
struct Ordered {
    shares: Shares,
    /// Those that are met in full stay, for `forget_order` to tell of.
    orders: Vec<Order>,
    last: u64,
}

pub struct Faults {
    seed: u64,
    ordered: Mutex<Ordered>,
}

impl Faults {
    pub fn new(seed: u64, shares: Shares) -> Self {
        Self {
            seed,
            ordered: Mutex::new(Ordered {
                shares,
                ..Ordered::default()
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ordered> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn shares(&self) -> Shares {
        self.lock().shares.clone()
    }

    pub fn set_shares(&self, shares: Shares) {
        self.lock().shares = shares;
    }

    /// -> the order's number, for `forget_order`.
    pub fn order(&self, fault: OrderedFault) -> u64 {
        let mut ordered = self.lock();
        ordered.last += 1;
        let id = ordered.last;
        ordered.orders.push(Order { id, fault, met: 0 });
        id
    }

    /// Forgets one order; -> how many requests met it, `None` where it is not known.
    pub fn forget_order(&self, id: u64) -> Option<u64> {
        let mut ordered = self.lock();
        let at = ordered.orders.iter().position(|order| order.id == id)?;
        Some(ordered.orders.remove(at).met)
    }

    /// -> how many requests met this order so far.
    pub fn order_met(&self, id: u64) -> Option<u64> {
        let ordered = self.lock();
        let order = ordered.orders.iter().find(|order| order.id == id)?;
        Some(order.met)
    }

    /// Forgets ordered faults that no request has met yet.
    pub fn forget_orders(&self) {
        self.lock().orders.clear();
    }

    /// Which fault this request meets: an ordered one first, then by share. `bad-row` by share is asked
    /// about row by row (`bad_rows`).
    pub fn hit(
        &self,
        number: u64,
        target: &str,
        route: &Route<'_>,
        filtered: bool,
        home: bool,
    ) -> Option<Hit> {
        let mut ordered = self.lock();
        let found = ordered.orders.iter_mut().find(|order| {
            order.met < order.fault.times && order.fault.fits(target, route, filtered, home)
        });
        if let Some(order) = found {
            order.met += 1;
            return Some(Hit {
                kind: order.fault.kind,
                retry_after: order.fault.retry_after,
            });
        }
        self.by_share(&ordered.shares, number, route, filtered, home)
    }

    fn by_share(
        &self,
        shares: &Shares,
        number: u64,
        route: &Route<'_>,
        filtered: bool,
        home: bool,
    ) -> Option<Hit> {
        let plain = |kind| {
            Some(Hit {
                kind,
                retry_after: None,
            })
        };
        if let Route::Meeting { event_id, .. } = route {
            for kind in [Kind::Poison, Kind::Missing] {
                if self.marked(kind, event_id, shares.of(kind)) {
                    return plain(kind);
                }
            }
        }
        let chance = mix(mix(self.seed) ^ number);
        if Kind::Filter.fits(route, filtered) && unit(mix(chance)) < shares.of(Kind::Filter) {
            return plain(Kind::Filter);
        }
        // One draw for all kinds, so that the shares add up.
        let mut left = unit(chance);
        for (kind, share) in shares.iter() {
            if !kind.is_drawn() || !kind.fits(route, filtered) || (kind == Kind::Redirect && !home)
            {
                continue;
            }
            if left < share {
                // The real one sends Retry-After now and then.
                let retry_after = (kind == Kind::TooMany && chance & 1 == 1).then_some(1);
                return Some(Hit { kind, retry_after });
            }
            left -= share;
        }
        None
    }

    fn marked(&self, kind: Kind, event_id: &str, share: f64) -> bool {
        share > 0.0 && unit(mix_text(self.seed, kind.name(), event_id)) < share
    }

    /// A test for rows that break their page; `None` where there are none.
    pub fn bad_rows(&self) -> Option<impl Fn(&str) -> bool + '_> {
        let share = self.lock().shares.of(Kind::BadRow);
        (share > 0.0).then_some(move |event_id: &str| self.marked(Kind::BadRow, event_id, share))
    }
}
