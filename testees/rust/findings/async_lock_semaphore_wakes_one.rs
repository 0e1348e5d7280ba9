//! async-lock 2.6.0: of two permits of a `Semaphore` that come back before the first waiter runs, one wakes nobody, and who
//! waits for it goes on waiting beside a permit that is free. Each release notifies one listener, and `Event::notify(1)`
//! does nothing while one that was notified has not run yet. Known: https://github.com/smol-rs/async-lock/issues/18.
//! Clause SEM-1.
//!
//!     $ cargo run --example async_lock_semaphore_wakes_one
//!     2 permits came back: 1 of 2 who wait was served, and try_acquire finds one free: true
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use async_lock::Semaphore;

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn wait(semaphore: Arc<Semaphore>, served: Arc<AtomicUsize>) {
    let _permit = semaphore.acquire_arc().await;
    served.fetch_add(1, Ordering::Relaxed);
    std::future::pending::<()>().await;
}

async fn release_two() {
    let semaphore = Arc::new(Semaphore::new(2));
    let served = Arc::new(AtomicUsize::new(0));
    let permits = (semaphore.acquire_arc().await, semaphore.acquire_arc().await);
    for _ in 0..2 {
        tokio::spawn(wait(semaphore.clone(), served.clone()));
    }
    settle().await;
    drop(permits);
    settle().await;
    println!(
        "2 permits came back: {} of 2 who wait was served, and try_acquire finds one free: {}",
        served.load(Ordering::Relaxed),
        semaphore.try_acquire().is_some()
    );
}

fn main() {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(release_two());
}
