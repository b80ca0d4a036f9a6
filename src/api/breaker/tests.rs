use super::*;

fn breaker(threshold: u32) -> Arc<Breaker> {
    let timeout = Duration::from_secs(60);
    Arc::new(Breaker::new(BreakerSettings { threshold, timeout }))
}

async fn one(breaker: &Arc<Breaker>, outcome: Outcome<'_>) {
    breaker.enter().await.unwrap().finish(outcome);
}

#[tokio::test(start_paused = true)]
async fn opens_after_failures_in_a_row_and_closes_when_a_probe_succeeds() {
    let b = breaker(3);
    for outcome in [
        Outcome::Bad,
        Outcome::Bad,
        Outcome::Good,
        Outcome::Bad,
        Outcome::Bad,
    ] {
        one(&b, outcome).await;
    }
    assert_eq!(b.state(), BreakerState::Closed);
    one(&b, Outcome::Bad).await;
    assert_eq!(b.state(), BreakerState::Open);
    let stats = b.stats();
    assert_eq!(
        (
            stats.failure_count,
            stats.times_opened,
            stats.total_failures
        ),
        (3, 1, 5)
    );
    assert!(stats.last_state_change.is_some());
    assert!((stats.recovery_time_remaining - 60.0).abs() < 1.0);
    let error = b.enter().await.unwrap_err();
    assert!(
        matches!(error, ApiError::CircuitOpen { failures: 3, .. }),
        "{error}"
    );

    tokio::time::advance(Duration::from_secs(61)).await;
    let probe = b.enter().await.unwrap();
    assert_eq!(b.state(), BreakerState::HalfOpen);
    probe.finish(Outcome::Good);
    assert_eq!(b.state(), BreakerState::Closed);
    let stats = b.stats();
    assert_eq!(
        (stats.failure_count, stats.success_count, stats.total_calls),
        (0, 1, 7)
    );
    assert!(
        (stats.failure_rate_pct - 71.43).abs() < 0.001,
        "{}",
        stats.failure_rate_pct
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_opens_it_again() {
    let b = breaker(1);
    one(&b, Outcome::Bad).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    one(&b, Outcome::Bad).await;
    assert_eq!((b.state(), b.stats().times_opened), (BreakerState::Open, 2));
    assert!(b.enter().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_500_counts_as_neither() {
    let b = breaker(2);
    for outcome in [
        Outcome::Bad,
        Outcome::Neutral,
        Outcome::Neutral,
        Outcome::Neutral,
    ] {
        one(&b, outcome).await;
    }
    assert_eq!(
        (b.state(), b.stats().failure_count),
        (BreakerState::Closed, 1)
    );
    one(&b, Outcome::Bad).await;
    assert_eq!(b.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn others_wait_for_the_probe_also_when_it_is_cancelled() {
    let b = breaker(1);
    one(&b, Outcome::Bad).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    let probe = b.enter().await.unwrap();
    let waiting: Vec<_> = (0..15)
        .map(|_| {
            let b = Arc::clone(&b);
            tokio::spawn(async move { one(&b, Outcome::Good).await })
        })
        .collect();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(waiting.iter().all(|t| !t.is_finished()));
    drop(probe);
    for task in waiting {
        task.await.unwrap();
    }
    assert_eq!(
        (b.state(), b.stats().total_successes),
        (BreakerState::Closed, 15)
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_it_opened_does_not_change_it() {
    let b = breaker(2);
    let mut sent = Vec::new();
    for _ in 0..16 {
        sent.push(b.enter().await.unwrap());
    }
    let late = sent.split_off(2);
    for pass in sent {
        pass.finish(Outcome::Bad);
    }
    tokio::time::advance(Duration::from_secs(59)).await;
    for (i, pass) in late.into_iter().enumerate() {
        pass.finish(if i % 2 == 0 {
            Outcome::Bad
        } else {
            Outcome::Good
        });
    }
    let stats = b.stats();
    assert_eq!((stats.state, stats.times_opened), (BreakerState::Open, 1));
    tokio::time::advance(Duration::from_secs(2)).await;
    one(&b, Outcome::Good).await;
    assert_eq!(b.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_reset_by_hand_closes_it() {
    let b = breaker(1);
    one(&b, Outcome::Bad).await;
    b.reset();
    assert_eq!(
        (b.state(), b.stats().failure_count),
        (BreakerState::Closed, 0)
    );
    one(&b, Outcome::Good).await;
}

#[tokio::test(start_paused = true)]
async fn a_500_that_repeats_for_one_event_never_opens_it() {
    let b = breaker(2);
    for _ in 0..50 {
        one(&b, Outcome::Broken("committee-meeting/119/house/7")).await;
    }
    assert_eq!(
        (b.state(), b.stats().failure_count),
        (BreakerState::Closed, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn broken_events_among_others_that_answer_are_no_outage() {
    let b = breaker(2);
    for number in 0..50 {
        one(
            &b,
            Outcome::Broken(&format!("committee-meeting/119/house/{number}")),
        )
        .await;
        if number % 7 == 6 {
            one(&b, Outcome::Good).await;
        }
    }
    assert_eq!(b.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn different_events_that_all_answer_500_are_an_outage() {
    let b = breaker(2);
    // All under way together, as a run has them.
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.push(b.enter().await.unwrap());
    }
    for (number, pass) in sent.into_iter().enumerate() {
        assert_eq!(b.state(), BreakerState::Closed);
        pass.finish(Outcome::Broken(&format!(
            "committee-meeting/119/house/{number}"
        )));
    }
    assert_eq!(
        (b.state(), b.stats().failure_count),
        (BreakerState::Open, 8)
    );
    tokio::time::advance(Duration::from_secs(61)).await;
    one(&b, Outcome::Broken("committee-meeting/119/house/9")).await;
    assert_eq!((b.state(), b.stats().times_opened), (BreakerState::Open, 2));
    tokio::time::advance(Duration::from_secs(61)).await;
    one(&b, Outcome::Good).await;
    assert_eq!(b.state(), BreakerState::Closed);
    one(&b, Outcome::Broken("committee-meeting/119/house/9")).await;
    assert_eq!(b.state(), BreakerState::Closed);
}
