//! Broken connections, outages, and many requests at once.

use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Barrier;

use super::*;
use crate::api::{BreakerSettings, BreakerState, DEMO_KEY};

#[tokio::test]
async fn a_cut_connection_is_tried_again_and_counts_for_the_breaker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v3", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            // What is left unread would turn the end into a reset.
            while stream.try_read(&mut asked).is_err() {
                stream.readable().await.unwrap();
            }
            let _ = stream.try_write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        }
    });
    let first_backoff = Duration::from_millis(1);
    let settings = ClientSettings {
        base_url,
        first_backoff,
        ..ClientSettings::default()
    };
    let client = Client::new(settings).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert!(matches!(error, ApiError::Transport { .. }), "{error}");
    assert!(error.to_string().contains("broke off"), "{error}");
    assert_eq!(
        (
            client.requests(),
            client.breaker_stats().unwrap().failure_count
        ),
        (3, 1)
    );
}

#[tokio::test]
async fn silence_is_a_time_out() {
    let server = Server::start(|_, _| std::future::pending::<Answer<Body>>()).await;
    let read_timeout = Duration::from_millis(50);
    let settings = ClientSettings {
        read_timeout,
        retry_attempts: 1,
        ..server.settings()
    };
    let error = ask(&Client::new(settings).unwrap()).await.unwrap_err();
    assert!(
        matches!(error, ApiError::Timeout { seconds, .. } if seconds < 0.06),
        "{error}"
    );
    let request_timeout = Duration::from_millis(70);
    let settings = ClientSettings {
        request_timeout,
        retry_attempts: 1,
        ..server.settings()
    };
    let error = ask(&Client::new(settings).unwrap()).await.unwrap_err();
    assert!(matches!(error, ApiError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_said_plainly() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v3", listener.local_addr().unwrap());
    drop(listener);
    let settings = ClientSettings {
        base_url,
        retry_attempts: 1,
        ..ClientSettings::default()
    };
    let error = ask(&Client::new(settings).unwrap())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot connect to 127.0.0.1") && error.contains("refused"),
        "{error}"
    );
}

#[tokio::test]
async fn the_breaker_opens_recovers_and_can_be_switched_off() {
    let healthy = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let healthy = Arc::clone(&healthy);
        move |_, _| {
            let status = if healthy.load(Ordering::Relaxed) {
                200
            } else {
                503
            };
            async move { reply(status, &[], "{}") }
        }
    })
    .await;
    let breaker = Some(BreakerSettings {
        threshold: 2,
        timeout: Duration::from_millis(200),
    });
    let settings = ClientSettings {
        breaker,
        retry_attempts: 2,
        ..server.settings()
    };
    let client = Client::new(settings).unwrap();
    for _ in 0..2 {
        assert!(matches!(
            ask(&client).await,
            Err(ApiError::Status { status: 503, .. })
        ));
    }
    assert!(matches!(
        ask(&client).await,
        Err(ApiError::CircuitOpen { failures: 2, .. })
    ));
    assert_eq!(server.seen().len(), 4);
    healthy.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(210)).await;
    for answer in join_all((0..16).map(|_| ask(&client))).await {
        answer.unwrap();
    }
    let stats = client.breaker_stats().unwrap();
    assert_eq!((stats.state, stats.times_opened), (BreakerState::Closed, 1));

    healthy.store(false, Ordering::Relaxed);
    let settings = ClientSettings {
        breaker: None,
        retry_attempts: 1,
        ..server.settings()
    };
    let client = Client::new(settings).unwrap();
    for _ in 0..8 {
        assert!(matches!(ask(&client).await, Err(ApiError::Status { .. })));
    }
    assert!(client.breaker_stats().is_none());
}

#[tokio::test]
async fn a_500_never_opens_the_breaker() {
    let server = Server::script(&[(500, &[], "")]).await;
    let client = Client::new(ClientSettings {
        retry_attempts: 1,
        ..server.settings()
    })
    .unwrap();
    for _ in 0..10 {
        assert!(matches!(
            ask(&client).await,
            Err(ApiError::Status { status: 500, .. })
        ));
    }
    assert_eq!(client.breaker_stats().unwrap().state, BreakerState::Closed);
}

#[tokio::test]
async fn sixteen_are_in_flight_and_no_more() {
    // Nobody is answered until sixteen are there; a seventeenth would be counted.
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let together = Arc::new(Barrier::new(16));
    let server = Server::start({
        let most = Arc::clone(&most);
        move |_, _| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            let together = Arc::clone(&together);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                together.wait().await;
                now.fetch_sub(1, Ordering::SeqCst);
                ok()
            }
        }
    })
    .await;
    let client = server.client();
    for answer in join_all((0..64).map(|_| ask(&client))).await {
        answer.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 16);
    let peers: HashSet<_> = server.seen().iter().map(|s| s.peer).collect();
    assert!(
        peers.len() <= 16,
        "{} connections for 64 requests",
        peers.len()
    );
}

#[tokio::test]
async fn connections_are_used_again_also_after_errors() {
    let server = Server::script(&[(500, &[], "{}"), (404, &[], "{}"), (200, &[], "{}")]).await;
    let client = server.client();
    for _ in 0..5 {
        let _ = ask(&client).await;
    }
    let peers: HashSet<_> = server.seen().iter().map(|s| s.peer).collect();
    assert_eq!(peers.len(), 1);
}

#[tokio::test]
async fn what_is_dropped_frees_its_place() {
    let server = Server::start(|n, _| async move {
        if n < 4 {
            std::future::pending::<()>().await;
        }
        ok()
    })
    .await;
    let settings = ClientSettings {
        max_concurrency: 4,
        ..server.settings()
    };
    let client = Client::new(settings).unwrap();
    let hanging = join_all((0..4).map(|_| ask(&client)));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), hanging)
            .await
            .is_err()
    );
    ask(&client).await.unwrap();
}

#[tokio::test]
async fn the_breaker_is_waited_out_once_a_run() {
    let client = Client::new(ClientSettings {
        api_key: Secret::new(DEMO_KEY),
        ..ClientSettings::default()
    })
    .unwrap();
    assert!(client.wait_out_breaker() && !client.wait_out_breaker());
    client.begin_run();
    assert!(client.wait_out_breaker() && !client.wait_out_breaker());
}

#[test]
fn the_client_goes_between_threads() {
    fn sent<T: Send>(_: T) {}
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let client = Client::new(ClientSettings::default()).unwrap();
    shared(&client);
    sent(client.get_json("x", &[]));
}
