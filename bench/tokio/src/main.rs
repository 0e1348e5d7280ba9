// The shapes of bench/waiting.cpp on tokio's current-thread runtime. Prints a line for each round: shape, and how many a second.
use std::future::Future;
use std::rc::Rc;
use std::time::Instant;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::task::{spawn_local, yield_now, JoinHandle, LocalSet};

fn measure<F: Future<Output = ()>>(shape: &str, count: u64, work: impl Fn() -> F) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let start = Instant::now();
    LocalSet::new().block_on(&runtime, work());
    println!("{} {}", shape, count as f64 / start.elapsed().as_secs_f64());
}

async fn join(all: Vec<JoinHandle<()>>) {
    for one in all {
        one.await.unwrap();
    }
}

async fn lock() {
    let mutex = Rc::new(Mutex::new(()));
    let task = |mutex: Rc<Mutex<()>>| async move {
        for _ in 0..10_000 {
            let _guard = mutex.lock().await;
            yield_now().await;
        }
    };
    join((0..100).map(|_| spawn_local(task(mutex.clone()))).collect()).await
}

async fn acquire() {
    let permits = Rc::new(Semaphore::new(8));
    let task = |permits: Rc<Semaphore>| async move {
        for _ in 0..1_000 {
            let _permit = permits.acquire().await.unwrap();
            yield_now().await;
        }
    };
    join((0..1_000).map(|_| spawn_local(task(permits.clone()))).collect()).await
}

async fn wake_each_other(mine: Rc<Notify>, other: Rc<Notify>) {
    for _ in 0..500_000 {
        other.notify_one();
        mine.notified().await;
    }
}

async fn set() {
    let first = Rc::new(Notify::new());
    let second = Rc::new(Notify::new());
    let one = spawn_local(wake_each_other(first.clone(), second.clone()));
    let other = spawn_local(wake_each_other(second, first));
    join(vec![one, other]).await
}

fn main() {
    let rounds = std::env::args().nth(1).map_or(1, |word| word.parse().expect("a number of rounds"));
    for _ in 0..rounds {
        measure("lock", 1_000_000, lock);
        measure("acquire", 1_000_000, acquire);
        measure("set", 1_000_000, set);
    }
}
