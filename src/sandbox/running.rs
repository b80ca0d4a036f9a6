//! Starting, steering and stopping a sandbox.

use std::net::{TcpListener as StdListener, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::sync::oneshot;

use super::change::DaysAgo;
use super::cut::{CutListener, Scissors};
use super::faults::{Faults, Kind, OrderedFault, Shares};
use super::gate::{Shared, Window, serve};
use super::log::{Log, Served};
use super::world::World;
use super::{Options, SandboxError, change, from_recording, from_store};

/// A sandbox that serves, on a thread of its own, until it is stopped or dropped.
pub struct Running {
    shared: Arc<Shared>,
    url: String,
    port: u16,
    /// The process it runs in: a forked child has none of its threads.
    process: u32,
    /// How to end it; `None` once it is stopped.
    life: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

fn content(options: &Options) -> Result<World, SandboxError> {
    if let Some(path) = &options.recording {
        let recording = from_recording::read(path)?;
        let congress = recording.congress;
        let mut world = World::new(
            options.seed,
            congress,
            recording.committees.clone(),
            options.now,
        );
        world.replay(recording);
        return Ok(world);
    }
    let congress = options.congress;
    let Some(path) = &options.db else {
        let mut world = World::new(options.seed, congress, Vec::new(), options.now);
        change::fill(&mut world, options.meetings, options.spread_days)?;
        return Ok(world);
    };
    let (own, meetings) = from_store::read(path, congress)?;
    let mut world = World::new(options.seed, congress, own, options.now);
    world.put(meetings)?;
    Ok(world)
}

/// Starts a sandbox; it answers as soon as this returns.
pub fn start(options: Options) -> Result<Running, SandboxError> {
    options.check()?;
    let world = content(&options)?;
    let host = options.host.clone();
    let unbound = |detail: String| SandboxError::Bind {
        host: host.clone(),
        port: options.port,
        detail,
    };
    let unstarted = |error: std::io::Error| SandboxError::Start {
        detail: error.to_string(),
    };
    let address = (host.trim_matches(['[', ']']), options.port)
        .to_socket_addrs()
        .map_err(|error| unbound(error.to_string()))?
        .next()
        .ok_or_else(|| unbound("no such host".to_owned()))?;
    let listener = StdListener::bind(address).map_err(|error| unbound(error.to_string()))?;
    listener.set_nonblocking(true).map_err(unstarted)?;
    let port = listener.local_addr().map_err(unstarted)?.port();
    let bare = host.trim_matches(['[', ']']);
    let home = if bare.contains(':') {
        format!("[{bare}]:{port}")
    } else {
        format!("{bare}:{port}")
    };
    let other = if bare == "localhost" {
        "127.0.0.1"
    } else {
        "localhost"
    };

    let shared = Arc::new(Shared {
        world: RwLock::new(world),
        faults: Faults::new(options.seed, options.faults),
        log: Log::default(),
        latency_micros: AtomicU64::new(micros(options.latency)),
        slow_micros: AtomicU64::new(micros(options.slow)),
        rate_limit: AtomicU64::new(options.rate_limit),
        api_key: options.api_key,
        home: home.clone(),
        elsewhere: format!("{other}:{port}"),
        seed: options.seed,
        window: Mutex::new(Window::default()),
        number: AtomicU64::new(0),
    });
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(unstarted)?;
    let state = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("sandbox".to_owned())
        .spawn(move || runtime.block_on(run(listener, state, stopped)))
        .map_err(unstarted)?;
    let url = format!("http://{home}/v3");
    tracing::debug!(target: "updaters.sandbox", "Sandbox serves at {url}");
    Ok(Running {
        shared,
        url,
        port,
        process: std::process::id(),
        life: Mutex::new(Some((stop, thread))),
    })
}

/// Serves until told to stop; open connections end with the runtime, right after.
async fn run(listener: StdListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => CutListener(listener),
        Err(error) => {
            tracing::error!(target: "updaters.sandbox", "The sandbox cannot serve: {error}");
            return;
        }
    };
    let service = Router::new()
        .fallback(serve)
        .with_state(shared)
        .into_make_service_with_connect_info::<Scissors>();
    tokio::select! {
        _ = axum::serve(listener, service) => {}
        _ = stopped => {}
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Running {
    /// The base address to give to the updater (`API_BASE_URL`).
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops serving; harmless when stopped already.
    pub fn stop(&self) {
        let life = self
            .life
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if self.process != std::process::id() {
            // The thread is the parent's: waiting for it here would be for ever.
            std::mem::forget(life);
        } else if let Some((stop, thread)) = life {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }

    fn world(&self) -> RwLockReadGuard<'_, World> {
        self.shared
            .world
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.shared
            .world
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The served requests, oldest first; the last 100,000.
    pub fn requests(&self) -> Vec<Served> {
        self.shared.log.entries()
    }

    /// All requests since the start, or since the log was cleared.
    pub fn request_count(&self) -> u64 {
        self.shared.log.total()
    }

    /// Requests that met a fault since the start, whether or not the log was cleared.
    pub fn fault_count(&self, kind: Kind) -> u64 {
        self.shared.log.met(kind.name())
    }

    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// The most requests that were in flight at once.
    pub fn max_in_flight(&self) -> usize {
        self.shared.log.max_in_flight()
    }

    /// Sorted.
    pub fn event_ids(&self) -> Vec<String> {
        self.world().event_ids()
    }

    /// A meeting, as the detail shows it.
    pub fn meeting(&self, event_id: &str) -> Option<Value> {
        let entry = self.world().entry(event_id).cloned()?;
        Some(entry.meeting()).filter(|meeting| !meeting.is_null())
    }

    /// Puts a meeting in, verbatim, replacing the one with the same event id. -> its event id
    pub fn set_meeting(&self, meeting: Value) -> Result<String, SandboxError> {
        Ok(self.world_mut().put(vec![meeting])?.remove(0))
    }

    /// False where there is none.
    pub fn remove(&self, event_id: &str) -> bool {
        self.world_mut().remove(event_id)
    }

    /// Moves only the `updateDate`.
    pub fn touch(&self, event_id: &str) -> Result<(), SandboxError> {
        change::touch(&mut self.world_mut(), event_id)
    }

    /// Changes `count` meetings, chosen by `seed`; updated now, or spread over `days_ago`. -> their
    /// event ids
    pub fn change(
        &self,
        count: usize,
        seed: u64,
        days_ago: Option<DaysAgo>,
    ) -> Result<Vec<String>, SandboxError> {
        change::change(&mut self.world_mut(), count, seed, days_ago)
    }

    /// Adds new meetings, updated now or spread over `days_ago`. -> their event ids
    pub fn add(
        &self,
        count: usize,
        days_ago: Option<DaysAgo>,
    ) -> Result<Vec<String>, SandboxError> {
        change::add(&mut self.world_mut(), count, days_ago)
    }

    pub fn faults(&self) -> Shares {
        self.shared.faults.shares()
    }

    pub fn set_faults(&self, shares: Shares) {
        self.shared.faults.set_shares(shares);
    }

    /// Orders a fault for the next requests that it fits; -> the order's number.
    pub fn order(&self, fault: OrderedFault) -> u64 {
        self.shared.faults.order(fault)
    }

    /// The same, for the next `times` requests whose path holds `path`.
    pub fn fail_next(
        &self,
        kind: Kind,
        times: u64,
        path: Option<String>,
        retry_after: Option<u64>,
    ) -> u64 {
        self.order(OrderedFault {
            kind,
            times,
            path,
            event_id: None,
            retry_after,
        })
    }

    /// Forgets one order; -> how many requests met it.
    pub fn forget_order(&self, id: u64) -> Option<u64> {
        self.shared.faults.forget_order(id)
    }

    /// -> how many requests met an order so far.
    pub fn order_met(&self, id: u64) -> Option<u64> {
        self.shared.faults.order_met(id)
    }

    /// Forgets ordered faults that no request has met yet.
    pub fn forget_orders(&self) {
        self.shared.faults.forget_orders();
    }

    pub fn set_latency(&self, latency: Duration) {
        self.shared
            .latency_micros
            .store(micros(latency), Ordering::Relaxed);
    }

    pub fn set_slow(&self, slow: Duration) {
        self.shared
            .slow_micros
            .store(micros(slow), Ordering::Relaxed);
    }

    /// Sets the hourly limit, and starts a new hour.
    pub fn set_rate_limit(&self, limit: u64) {
        self.shared.rate_limit.store(limit, Ordering::Relaxed);
        *self
            .shared
            .window
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Window::default();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
