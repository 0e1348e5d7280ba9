//! `tokio::sync::Mutex`. A lock that outlives a call is an owned guard, which is dropped to unlock.
use std::sync::Arc;

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub const OFFER: Offer = Offer {
    name: "tokio_mutex",
    contract: "mutex",
    features: &["fair", "timed", "manual", "try"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::Mutex (\"operates on a guaranteed FIFO basis. This means that the order \
            in which tasks call the lock method is the exact order in which they will acquire the lock\"), lock, lock_owned \
            (Cancel safety: \"cancelling a call to lock makes you lose your place in the queue\"), try_lock_owned, \
            OwnedMutexGuard: dropping it unlocks; timed is time::timeout",
    make,
};

struct Adapter {
    env: Env,
    mutex: Arc<Mutex<()>>,
    /// What `lock` has locked, until `unlock`.
    kept: Arc<std::sync::Mutex<Option<OwnedMutexGuard<()>>>>,
}

fn make(env: &Env, _config: &Args) -> Made {
    Ok(Box::new(Adapter { env: env.clone(), mutex: Arc::default(), kept: Arc::default() }))
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let mutex = self.mutex.clone();
        let env = self.env.clone();
        let kept = self.kept.clone();
        Ok(match method {
            "run" => {
                let work = args.int("work")?;
                Answer::later(async move {
                    let _guard = mutex.lock().await;
                    env.callback("step", json!({ "step": work })).await
                })
            }
            "run_for" => {
                let work = args.int("work")?;
                let locking = self.env.timeout(args.duration("patience")?, mutex.lock_owned());
                Answer::later(async move {
                    match locking.await {
                        Ok(_guard) => env.callback("step", json!({ "step": work })).await,
                        Err(_) => Outcome::TimedOut,
                    }
                })
            }
            "lock" => Answer::later(async move {
                let guard = mutex.lock_owned().await;
                *kept.lock().unwrap() = Some(guard);
                Outcome::done()
            }),
            "try_lock" => match mutex.try_lock_owned() {
                Ok(guard) => {
                    *kept.lock().unwrap() = Some(guard);
                    Answer::value(true)
                }
                Err(_) => Answer::value(false),
            },
            "unlock" => {
                *kept.lock().unwrap() = None;
                Answer::done()
            }
            _ => Answer::unknown(method),
        })
    }
}
