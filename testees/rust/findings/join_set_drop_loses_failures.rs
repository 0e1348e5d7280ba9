//! A failure of a task in a `JoinSet` that nobody has joined yet is lost when the set is dropped: whoever is cancelled
//! between the failure and the next `join_next` ends as cancelled, and no hook is told.
//!
//! Documented: a `JoinSet` hands out what its tasks return, to `join_next` and to nobody else (tokio 1.24.2,
//! task::JoinSet). Clauses X-18, TG-3, X-15: a failure and a cancellation at one instant.
use std::time::Duration;

use tokio::task::{yield_now, JoinSet};
use tokio::time::timeout;

async fn group() -> Result<(), &'static str> {
    let mut set = JoinSet::new();
    set.spawn(async {
        println!("the child fails");
        Err("the child's failure")
    });
    yield_now().await; // any await but that of join_next: the child runs meanwhile
    yield_now().await;
    while let Some(joined) = set.join_next().await {
        joined.unwrap()?;
    }
    Ok(())
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        println!("left alone: {:?}", timeout(Duration::from_secs(1), group()).await);
        let run = tokio::spawn(group());
        yield_now().await;
        yield_now().await;
        run.abort();
        println!("cancelled:  {:?}", run.await.map_err(|error| error.is_cancelled()));
    });
}
