//! Native events under Python's loggers: a `tracing` layer queues them, and every way back into Python
//! drains the queue. Nothing here attaches to the interpreter while an event is being made, so an event
//! can be logged with the store locked.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::domain::on_one_line;
use crate::store::forking;

struct Record {
    target: &'static str,
    level: u8,
    message: String,
    created: f64,
}

/// Bounded, so that a thread that never comes back into Python cannot fill the memory.
const QUEUE: usize = 100_000;

static RECORDS: Mutex<VecDeque<Record>> = Mutex::new(VecDeque::new());
/// The lowest level that anybody listens to, in Python's numbers.
static THRESHOLD: AtomicU8 = AtomicU8::new(20);

/// For a fork (see `store::forking`).
pub fn hold() -> Option<Box<dyn Any>> {
    Some(Box::new(forking::soon(&RECORDS)?))
}

struct Queue;

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("updaters")
        && number(*metadata.level()) >= THRESHOLD.load(Ordering::Relaxed)
}

impl<S: Subscriber> Layer<S> for Queue {
    /// The threshold moves with Python's levels: no answer of `enabled` may be kept for a place.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // `tracing` has no level above ERROR; the word at the start says what is.
        let (level, message) = match message.0.strip_prefix("CRITICAL: ") {
            Some(rest) => (50, rest.to_owned()),
            None => (number(*event.metadata().level()), message.0),
        };
        // What upstream or a file's name has in it must not pass for a record of its own.
        let message = on_one_line(&message);
        let record = Record {
            target: event.metadata().target(),
            level,
            message,
            created: created.as_secs_f64(),
        };
        let mut records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() < QUEUE {
            records.push_back(record);
        }
    }
}

/// Installs the layer, once a process; a subscriber that somebody else installed first stays.
pub fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Queue));
    });
}

/// Asks Python whether anybody listens below INFO; called where a run starts. INFO and above are always
/// queued, because levels may change between two calls: the loggers have the last word.
pub fn refresh_threshold(py: Python<'_>) -> PyResult<()> {
    let logger = py
        .import("logging")?
        .call_method1("getLogger", ("updaters",))?;
    let level: i64 = logger.call_method0("getEffectiveLevel")?.extract()?;
    THRESHOLD.store(
        u8::try_from(level.clamp(0, 20)).unwrap_or(20),
        Ordering::Relaxed,
    );
    Ok(())
}

/// Hands what has been queued to Python's loggers, with the time at which it happened.
pub fn drain(py: Python<'_>) -> PyResult<()> {
    let records = {
        let mut queue = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_empty() {
            return Ok(());
        }
        std::mem::take(&mut *queue)
    };
    let get_logger = py.import("logging")?.getattr("getLogger")?;
    for record in records {
        let logger = get_logger.call1((record.target,))?;
        if !logger
            .call_method1("isEnabledFor", (record.level,))?
            .extract::<bool>()?
        {
            continue;
        }
        let args = (
            record.target,
            record.level,
            "(native)",
            0,
            record.message,
            py.None(),
            py.None(),
        );
        let made = logger.call_method1("makeRecord", args)?;
        let fields = PyDict::new(py);
        fields.set_item("created", record.created)?;
        fields.set_item("msecs", (record.created.fract() * 1000.0).floor())?;
        made.getattr("__dict__")?
            .call_method1("update", (fields,))?;
        logger.call_method1("handle", (made,))?;
    }
    Ok(())
}
