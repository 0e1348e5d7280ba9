//! `async_lock::Semaphore`. A permit that outlives a call is an owned guard, which is dropped to release it. The crate's
//! mutex measures by the real clock for how long somebody has waited, so that no trial of it would be repeatable.
use std::sync::{Arc, Mutex};

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use async_lock::{Semaphore, SemaphoreGuardArc};
use serde_json::json;

pub const OFFER: Offer = Offer {
    name: "async_lock_semaphore",
    contract: "semaphore",
    features: &["try", "timed", "guarded", "zero_limit"],
    cites: "async-lock 2.6.0, docs.rs/async-lock/2.6.0: Semaphore (\"A counter for limiting the number of concurrent \
            operations\"), new, acquire_arc (\"Waits for an owned permit for a concurrent operation\"), try_acquire_arc; \
            SemaphoreGuardArc: releases the permit when dropped; timed is tokio's time::timeout",
    make,
};

struct Adapter {
    env: Env,
    semaphore: Arc<Semaphore>,
    /// What `acquire` has taken, until `release`.
    kept: Arc<Mutex<Vec<SemaphoreGuardArc>>>,
}

fn make(env: &Env, config: &Args) -> Made {
    let limit = usize::try_from(config.int("limit")?)
        .map_err(|_| Fault::from(Outcome::Rejected("a negative limit".into())))?;
    Ok(Box::new(Adapter {
        env: env.clone(),
        semaphore: Arc::new(Semaphore::new(limit)),
        kept: Arc::default(),
    }))
}

async fn acquire(semaphore: Arc<Semaphore>, kept: Arc<Mutex<Vec<SemaphoreGuardArc>>>) -> Outcome {
    let permit = semaphore.acquire_arc().await;
    kept.lock().unwrap().push(permit);
    Outcome::done()
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let semaphore = self.semaphore.clone();
        let env = self.env.clone();
        let kept = self.kept.clone();
        Ok(match method {
            "acquire" => Answer::later(acquire(semaphore, kept)),
            "acquire_for" => {
                let limited = self.env.timeout(args.duration("patience")?, acquire(semaphore, kept));
                Answer::later(async move { limited.await.unwrap_or(Outcome::TimedOut) })
            }
            "try_acquire" => {
                let taken = semaphore.try_acquire_arc();
                let is_taken = taken.is_some();
                kept.lock().unwrap().extend(taken);
                Answer::value(is_taken)
            }
            "release" => {
                let permit = kept.lock().unwrap().pop();
                drop(permit);
                Answer::done()
            }
            "run" => {
                let work = args.int("work")?;
                Answer::later(async move {
                    let _permit = semaphore.acquire_arc().await;
                    env.callback("step", json!({ "step": work })).await
                })
            }
            _ => Answer::unknown(method),
        })
    }
}
