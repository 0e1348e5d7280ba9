//! A task of a `JoinSet` that is aborted, by `abort_all` or because the set was dropped, does not go on: what it would
//! have done to clean up, and the failure that would have come of that, never happen. And dropping the set waits for
//! nobody: the tasks' state lives until the runtime comes to them.
//!
//! Documented: "When the JoinSet is dropped, all tasks in the JoinSet are immediately aborted" (tokio 1.24.2,
//! task::JoinSet), and a future that is dropped is what cancellation is in Rust. Clauses TG-1, TG-3, TG-5, TG-9, X-15,
//! a child that takes time to stop, or fails while it stops.
use std::time::Duration;

use tokio::task::{yield_now, JoinSet};
use tokio::time::sleep;

struct State(&'static str);

impl Drop for State {
    fn drop(&mut self) {
        println!("  the state of {} is gone", self.0);
    }
}

async fn works_and_cleans_up(name: &'static str) -> Result<(), &'static str> {
    let _state = State(name);
    sleep(Duration::from_secs(3600)).await;
    println!("  {name} cleans up");
    sleep(Duration::from_secs(2)).await;
    Err("the cleanup has failed")
}

async fn aborted() {
    println!("abort_all:");
    let mut set = JoinSet::new();
    set.spawn(works_and_cleans_up("a"));
    yield_now().await;
    set.abort_all();
    while let Some(joined) = set.join_next().await {
        println!("  joined: {:?}", joined.map_err(|error| error.is_cancelled()));
    }
}

async fn dropped() {
    println!("drop:");
    let mut set = JoinSet::new();
    set.spawn(works_and_cleans_up("b"));
    yield_now().await;
    drop(set);
    println!("  the set is gone");
    yield_now().await;
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        aborted().await;
        dropped().await;
    });
}
