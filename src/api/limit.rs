//! The hourly limit, from both sides: our own count, and what the API's headers say is left.
//!
//! A short wait is waited out; a long one is an error at once, so that a run defers what is left
//! instead of hanging for an hour.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ApiError;
use super::breaker::unix_now;

/// The longest wait for a request's turn.
const PATIENCE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// Tokio's clock, so that tests can turn it.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

type Local = RateLimiter<NotKeyed, InMemoryState, TokioClock, StateInformationMiddleware>;

/// What the API last said is left.
#[derive(Debug, Clone, Copy)]
struct Report {
    left: u32,
    /// The number of the last request sent when it came: answers to those are no newer than it.
    as_of: u64,
    at: Instant,
}

#[derive(Debug)]
struct State {
    in_flight: u32,
    /// Requests sent so far.
    sent: u64,
    /// When the hour that is being counted began.
    since: Option<Instant>,
    local: (u32, Instant),
    report: Option<Report>,
    /// The quota is used up until then.
    blocked_until: Option<Instant>,
    /// The API asked everyone to hold for a moment.
    paused_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Limiter {
    limit: u32,
    local: Local,
    state: Mutex<State>,
    freed: Notify,
}

/// A request that may be sent; in flight until dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    limiter: Arc<Limiter>,
    number: u64,
}

enum Step {
    Go(u64),
    /// Ask again after that; counts against the patience.
    Wait(Duration),
    /// As the API asked; does not count.
    Hold(Duration),
    /// As many are in flight as the API has left for us: ask again when one is back.
    Queue,
}

impl Limiter {
    /// `limit`: requests an hour, at least 1.
    pub(super) fn new(limit: u32) -> Self {
        let quota = Quota::per_hour(NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN));
        Self {
            limit,
            local: RateLimiter::direct_with_clock(quota, TokioClock).with_middleware(),
            state: Mutex::new(State {
                in_flight: 0,
                sent: 0,
                since: None,
                local: (limit, Instant::now()),
                report: None,
                blocked_until: None,
                paused_until: None,
            }),
            freed: Notify::new(),
        }
    }

    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Ticket, ApiError> {
        let mut waited = Duration::ZERO;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            match self.step() {
                Step::Go(number) => {
                    return Ok(Ticket {
                        limiter: Arc::clone(self),
                        number,
                    });
                }
                Step::Wait(wait) if waited + wait > PATIENCE => return Err(limited(wait)),
                Step::Wait(wait) => {
                    tokio::time::sleep(wait).await;
                    waited += wait;
                }
                Step::Hold(wait) => tokio::time::sleep(wait).await,
                Step::Queue => freed.await,
            }
        }
    }

    fn step(&self) -> Step {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(until) = state.blocked_until {
            if until > now {
                return Step::Wait(until - now);
            }
            state.blocked_until = None;
            state.report = None;
            state.since = None;
        }
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            return Step::Hold(until - now);
        }
        state.report = state.report.filter(|r| now - r.at < HOUR);
        if state.in_flight > 0 && state.report.is_some_and(|r| state.in_flight >= r.left) {
            return Step::Queue;
        }
        match self.local.check() {
            Ok(snapshot) => {
                state.local = (snapshot.remaining_burst_capacity(), now);
                state.in_flight += 1;
                state.sent += 1;
                if state.since.is_none_or(|since| now - since >= HOUR) {
                    state.since = Some(now);
                }
                Step::Go(state.sent)
            }
            Err(not_until) => {
                state.local = (0, now);
                // A millisecond more: the wait is rounded down somewhere on its way.
                let wait = not_until.wait_time_from(now.into_std());
                Step::Wait(wait + Duration::from_millis(1))
            }
        }
    }

    /// The quota is used up for that long.
    pub(super) fn block(&self, wait: Duration) -> ApiError {
        let wait = wait.min(HOUR * 24);
        self.lock().blocked_until = Some(Instant::now() + wait);
        limited(wait)
    }

    /// The quota is used up, and the API does not say for how long: until the hour is over.
    pub(super) fn used_up(&self) -> ApiError {
        let wait = self.lock().rest_of_hour(Instant::now());
        self.block(wait)
    }

    /// Everyone holds for a moment.
    pub(super) fn pause(&self, wait: Duration) {
        let mut state = self.lock();
        let until = Instant::now() + wait;
        state.paused_until = Some(state.paused_until.map_or(until, |u| u.max(until)));
    }

    /// How many requests are left, and (Unix seconds) when the hour is over.
    pub(super) fn left(&self) -> (u32, f64) {
        let now = Instant::now();
        let state = self.lock();
        let blocked = state.blocked_until.filter(|until| *until > now);
        let (left, at) = state.local;
        let refilled = u128::from(self.limit) * (now - at).as_millis() / HOUR.as_millis();
        let mut left = left.saturating_add(u32::try_from(refilled).unwrap_or(u32::MAX));
        left = left.min(self.limit);
        if let Some(report) = state.report.filter(|r| now - r.at < HOUR) {
            left = left.min(report.left);
        }
        let over = match (blocked, state.since) {
            (Some(until), _) => until - now,
            (None, Some(since)) => HOUR.saturating_sub(now - since),
            (None, None) => Duration::ZERO,
        };
        (
            if blocked.is_some() { 0 } else { left },
            unix_now() + over.as_secs_f64(),
        )
    }

    fn report(&self, number: u64, left: u32) {
        let now = Instant::now();
        let mut state = self.lock();
        // Answers overtake each other: of those that were under way together, the lowest holds.
        let left = match state.report {
            Some(report) if number <= report.as_of => left.min(report.left),
            _ => left,
        };
        state.report = Some(Report {
            left,
            as_of: state.sent,
            at: now,
        });
        if left == 0 && state.blocked_until.is_none() {
            state.blocked_until = Some(now + state.rest_of_hour(now));
        }
    }

    /// A panic elsewhere leaves plain counters behind: they are still sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn rest_of_hour(&self, now: Instant) -> Duration {
        let rest = self
            .since
            .map_or(HOUR, |since| HOUR.saturating_sub(now - since));
        if rest.is_zero() { HOUR } else { rest }
    }
}

impl Ticket {
    /// `X-RateLimit-Remaining` of this request's answer.
    pub(super) fn report(&self, left: u32) {
        self.limiter.report(self.number, left);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        {
            let mut state = self.limiter.lock();
            state.in_flight = state.in_flight.saturating_sub(1);
        }
        self.limiter.freed.notify_waiters();
    }
}

fn limited(wait: Duration) -> ApiError {
    ApiError::RateLimited {
        minutes: wait.as_secs().div_ceil(60).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(limit: u32) -> Arc<Limiter> {
        Arc::new(Limiter::new(limit))
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_hour_may_be_spent_at_once_and_then_it_says_so() {
        let l = limiter(30);
        for _ in 0..30 {
            l.acquire().await.unwrap();
        }
        assert_eq!(l.left().0, 0);
        let error = l.acquire().await.unwrap_err();
        assert!(
            matches!(error, ApiError::RateLimited { minutes: 2..=3 }),
            "{error}"
        );
        tokio::time::advance(HOUR).await;
        assert_eq!(l.left().0, 30);
        l.acquire().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_waited_out() {
        let l = limiter(3600);
        let started = Instant::now();
        for _ in 0..3605 {
            l.acquire().await.unwrap();
        }
        let took = started.elapsed().as_secs();
        assert!((4..=6).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_left_by_the_header_is_an_error_until_the_hour_is_over() {
        let l = limiter(5000);
        let ticket = l.acquire().await.unwrap();
        tokio::time::advance(Duration::from_secs(600)).await;
        ticket.report(0);
        drop(ticket);
        let error = l.acquire().await.unwrap_err();
        assert!(
            matches!(error, ApiError::RateLimited { minutes: 50 }),
            "{error}"
        );
        let (left, reset) = l.left();
        assert_eq!(left, 0);
        assert!((reset - unix_now() - 3000.0).abs() < 5.0);
        tokio::time::advance(Duration::from_secs(3001)).await;
        l.acquire().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_the_header_leaves() {
        let l = limiter(5000);
        let first = l.acquire().await.unwrap();
        first.report(2);
        drop(first);
        let a = l.acquire().await.unwrap();
        let b = l.acquire().await.unwrap();
        let third = {
            let l = Arc::clone(&l);
            tokio::spawn(async move { l.acquire().await })
        };
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        b.report(0);
        // Overtaken by the answer above: it does not open the gate again.
        a.report(1);
        drop((a, b));
        assert!(matches!(
            third.await.unwrap(),
            Err(ApiError::RateLimited { .. })
        ));
        assert_eq!(l.left().0, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_answer_may_say_that_more_is_left() {
        let l = limiter(5000);
        let first = l.acquire().await.unwrap();
        first.report(5);
        drop(first);
        assert_eq!(l.left().0, 5);
        let second = l.acquire().await.unwrap();
        second.report(4000);
        assert_eq!(l.left().0, 4000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everyone_however_long() {
        let l = limiter(5000);
        l.pause(Duration::from_secs(100));
        let started = Instant::now();
        l.acquire().await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(100));
    }
}
