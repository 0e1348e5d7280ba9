//! The adapters, a file for each library's type. A new one gets a file and a line here.
use assay_testee::{Args, Fault, Offer, Outcome};

mod async_channel;
mod async_lock;
mod flume;
mod gather;
mod tokio_barrier;
mod tokio_broadcast;
mod tokio_event;
mod tokio_join_set;
mod tokio_mpsc;
mod tokio_mutex;
mod tokio_semaphore;
mod tokio_timeout;
mod tokio_watch;

pub fn all() -> Vec<Offer> {
    vec![
        async_channel::OFFER,
        flume::OFFER,
        tokio_mpsc::OFFER,
        tokio_join_set::OFFER,
        tokio_broadcast::OFFER,
        tokio_watch::OFFER,
        tokio_event::OFFER,
        tokio_semaphore::OFFER,
        tokio_barrier::OFFER,
        tokio_mutex::OFFER,
        async_lock::OFFER,
        tokio_timeout::OFFER,
        gather::JOIN_SET,
        gather::JOIN_ALL,
    ]
}

/// A queue's capacity as Rust takes it: the type `usize` is what rejects a negative one.
fn capacity(config: &Args) -> Result<usize, Fault> {
    usize::try_from(config.int("capacity")?)
        .map_err(|_| Outcome::Rejected("a negative capacity".into()).into())
}
