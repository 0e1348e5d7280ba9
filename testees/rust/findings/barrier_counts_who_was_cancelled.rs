//! A `Barrier::wait` that is cancelled goes on counting as an arrival: then fewer tasks pass than it takes.
//!
//! Later documentation says so ("this method is not cancel safe"); that of 1.24.2 says nothing. Known:
//! <https://github.com/tokio-rs/tokio/issues/6493>. Clause BAR-3.
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::time::timeout;

const SOON: Duration = Duration::from_millis(1);

fn main() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let barrier = Barrier::new(2);
        assert!(timeout(SOON, barrier.wait()).await.is_err(), "the first of two waits");
        println!("the second, alone: {:?}", timeout(SOON, barrier.wait()).await);
    });
}
