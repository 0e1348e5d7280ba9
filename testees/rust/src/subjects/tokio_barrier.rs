//! tokio's `Barrier`.
use std::future::Future;
use std::sync::Arc;

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use tokio::sync::Barrier;

pub const OFFER: Offer = Offer {
    name: "tokio_barrier",
    contract: "barrier",
    features: &["timed"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::Barrier: new (\"will block n-1 tasks which call Barrier::wait and then \
            wake up all tasks at once when the nth task calls wait\"), wait (\"Barriers are re-usable after all tasks have \
            rendezvoused once\"); timed is time::timeout",
    make,
};

struct Adapter {
    env: Env,
    barrier: Arc<Barrier>,
}

fn make(env: &Env, config: &Args) -> Made {
    let parties = usize::try_from(config.int("parties")?)
        .map_err(|_| Outcome::Rejected("a negative number of parties".into()))?;
    Ok(Box::new(Adapter { env: env.clone(), barrier: Arc::new(Barrier::new(parties)) }))
}

/// Of the parties one is told that it is the leader; numbers there are none.
fn wait(barrier: Arc<Barrier>) -> impl Future<Output = Outcome> {
    async move { Outcome::value(u64::from(!barrier.wait().await.is_leader())) }
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let waiting = wait(self.barrier.clone());
        Ok(match method {
            "wait" => Answer::later(waiting),
            "wait_for" => {
                let limited = self.env.timeout(args.duration("patience")?, waiting);
                Answer::later(async move { limited.await.unwrap_or(Outcome::TimedOut) })
            }
            _ => Answer::unknown(method),
        })
    }
}
