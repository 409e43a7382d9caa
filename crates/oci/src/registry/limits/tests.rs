//! How the number of requests grows and shrinks, and what a pause does.

use super::*;
use futures_util::{FutureExt, poll};
use std::pin::pin;

/// Every permit that is to be had at once.
fn fill(limits: &Arc<Limits>, lane: Lane) -> Vec<Permit> {
    std::iter::from_fn(|| limits.admit(lane).now_or_never()).collect()
}

#[tokio::test]
async fn small_requests_pass_large_bodies() {
    let limits = Limits::new(16, 16, None);
    let bodies = fill(&limits, Lane::Down);
    assert_eq!(bodies.len(), 14);
    let small = fill(&limits, Lane::Small);
    let uploads = fill(&limits, Lane::Up);
    assert_eq!((uploads.len(), small.len()), (1, 2));
    drop(bodies);
    // Room is left for bodies and one more upload.
    assert_eq!(fill(&limits, Lane::Small).len(), 10);
}

#[tokio::test]
async fn nothing_is_kept_for_long_for_a_lane_that_is_not_used() {
    let limits = Limits::new(10, 10, None);
    let bodies = fill(&limits, Lane::Down);
    assert_eq!(bodies.len(), 9);
    limits.lock().used[Lane::Small as usize] = Instant::now().checked_sub(KEPT);
    assert_eq!(fill(&limits, Lane::Down).len(), 1);
    assert_eq!(fill(&limits, Lane::Small).len(), 1);
}

#[tokio::test]
async fn who_waits_gets_what_is_kept_no_longer_though_nothing_ends() {
    let limits = Limits::new(10, 10, None);
    let bodies = fill(&limits, Lane::Up);
    assert_eq!(bodies.len(), 9);
    let last = tokio::time::timeout(20 * KEPT, limits.admit(Lane::Up)).await;
    assert!(last.is_ok(), "it waits for what nobody uses");
    assert_eq!(limits.lock().total(), 10);
    drop((bodies, last));
}

#[tokio::test]
async fn one_connection_still_lets_a_registry_copy_within_itself() {
    let limits = Limits::new(1, 1, None);
    let down = fill(&limits, Lane::Down);
    let up = fill(&limits, Lane::Up);
    assert_eq!((down.len(), up.len()), (1, 1));
}

#[tokio::test]
async fn grows_under_demand_and_halves_once_a_round() {
    let limits = Limits::new(32, 32, None);
    let held = fill(&limits, Lane::Small);
    let mut waiting = pin!(limits.admit(Lane::Small));
    assert!(poll!(&mut waiting).is_pending());
    held[0].good();
    let _next = waiting.await;
    assert_eq!(limits.lock().limit, START + 1);
    assert_eq!(held.iter().filter(|permit| permit.overloaded()).count(), 1);
    assert_eq!(limits.lock().limit, START / 2);
}

#[tokio::test]
async fn grows_further_where_the_line_takes_the_time() {
    for (answer, trouble, most) in [(40, false, 40), (1, false, 32), (40, true, 32)] {
        let limits = Limits::new(32, 40, None);
        limits.answered(Duration::from_millis(answer));
        let held = fill(&limits, Lane::Small);
        if trouble {
            held[0].overloaded();
        }
        let mut waiting = pin!(limits.admit(Lane::Down));
        let _ = poll!(&mut waiting);
        let mut others: Vec<_> = (0..3000).map(|_| Box::pin(limits.admit(Lane::Small))).collect();
        for other in &mut others {
            let _ = poll!(other.as_mut());
        }
        for _ in 0..3000 {
            held[1].good();
        }
        assert_eq!(limits.lock().limit, most, "{answer} ms, trouble: {trouble}");
    }
}

#[tokio::test]
async fn a_pause_holds_everybody() {
    let limits = Limits::new(8, 8, None);
    assert!(limits.pause(Duration::from_millis(80)));
    assert!(!limits.pause(Duration::from_millis(70)));
    let before = Instant::now();
    let _permit = limits.admit(Lane::Small).await;
    assert!(before.elapsed() >= Duration::from_millis(80));
}

#[test]
fn those_who_waited_do_not_return_together() {
    let until = Instant::now();
    for (pause, spread) in [(1_600, 200), (60_000, 5_000), (3_600_000, 5_000)] {
        let mut tenths = [0; 10];
        for _ in 0..5_000 {
            let after = release(until, Duration::from_millis(pause)) - until;
            assert!(after < Duration::from_millis(spread), "{after:?} after {pause} ms");
            tenths[(after.as_micros() as u64 / (spread * 100)) as usize] += 1;
        }
        // Five hundred each, were chance not chance.
        assert!(tenths.iter().all(|count| (350..650).contains(count)), "{tenths:?}");
    }
}

#[tokio::test]
async fn after_a_pause_requests_come_one_by_one_and_none_early() {
    let limits = Limits::new(64, 64, None);
    let (before, pause) = (Instant::now(), Duration::from_millis(800));
    limits.pause(pause);
    let release = |_| async {
        drop(limits.admit(Lane::Small).await);
        before.elapsed()
    };
    let released = futures_util::future::join_all((0..400).map(release)).await;
    let (first, last) = (released.iter().min().unwrap(), released.iter().max().unwrap());
    assert!(*first >= pause, "{first:?}");
    // The spread is 100 ms; a slow machine only makes it longer.
    assert!(*last >= pause + Duration::from_millis(80), "{last:?}");
}

#[tokio::test]
async fn after_trouble_the_number_grows_by_one_for_each_round_that_went_well() {
    let limits = Limits::new(40, 40, None);
    let held = fill(&limits, Lane::Small);
    held[0].overloaded();
    let start = limits.lock().limit;
    assert_eq!(start, START / 2);
    let mut waiting: Vec<_> = (0..200).map(|_| Box::pin(limits.admit(Lane::Small))).collect();
    for waiter in &mut waiting {
        let _ = poll!(waiter.as_mut());
    }
    for round in 1..=4 {
        let limit = limits.lock().limit;
        for _ in 0..limit {
            held[1].good();
        }
        assert_eq!(limits.lock().limit, start + round);
    }
    // What was sent before the first sign of trouble says nothing new; what came after does.
    held[2].overloaded();
    assert_eq!(limits.lock().limit, start + 4);
    drop(held);
    let next = fill(&limits, Lane::Down);
    next[0].overloaded();
    assert_eq!(limits.lock().limit, START / 2 / 2 + 2);
    for _ in 0..10 {
        let round = {
            let mut state = limits.lock();
            state.under_way[Lane::Small as usize] += 1;
            state.round
        };
        Permit { limits: limits.clone(), lane: Lane::Small, round }.overloaded();
    }
    assert_eq!(limits.lock().limit, 1, "one request is always tried");
}

#[tokio::test]
async fn requests_a_second_are_bounded() {
    let limits = Limits::new(8, 8, Some(100.0));
    let before = Instant::now();
    for _ in 0..5 {
        limits.admit(Lane::Small).await;
    }
    assert!(before.elapsed() >= Duration::from_millis(40));
}
