//! `tokio::sync::Semaphore`. Permits that outlive a call are forgotten, and given back by `add_permits`.
use std::sync::Arc;

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;
use tokio::sync::Semaphore;

pub const OFFER: Offer = Offer {
    name: "tokio_semaphore",
    contract: "semaphore",
    features: &["weighted", "fair", "try", "timed", "guarded", "zero_limit", "closable", "value"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: sync::Semaphore (\"This Semaphore is fair, which means that permits are given \
            out in the order they were requested. This fairness is also applied when acquire_many gets involved\"), new (\"the \
            initial number of permits\"), acquire_many, try_acquire_many, add_permits, available_permits, close (\"prevents the \
            semaphore from issuing new permits and notifies all pending waiters\"); SemaphorePermit: dropped permits are \
            returned, forget; timed is time::timeout",
    make,
};

struct Adapter {
    env: Env,
    semaphore: Arc<Semaphore>,
}

fn make(env: &Env, config: &Args) -> Made {
    let limit = usize::try_from(config.int("limit")?)
        .map_err(|_| Fault::from(Outcome::Rejected("a negative limit".into())))?;
    Ok(Box::new(Adapter { env: env.clone(), semaphore: Arc::new(Semaphore::new(limit)) }))
}

async fn acquire(semaphore: Arc<Semaphore>, count: u32) -> Outcome {
    match semaphore.acquire_many(count).await {
        Ok(permit) => {
            permit.forget();
            Outcome::done()
        }
        Err(_) => Outcome::Closed,
    }
}

async fn run(semaphore: Arc<Semaphore>, env: Env, work: i64) -> Outcome {
    match semaphore.acquire().await {
        Ok(_permit) => env.callback("step", json!({ "step": work })).await,
        Err(_) => Outcome::Closed,
    }
}

impl Subject for Adapter {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        let semaphore = self.semaphore.clone();
        let count = || -> Result<u32, Fault> { Ok(u32::try_from(args.int("count")?).expect("a count")) };
        Ok(match method {
            "acquire" => Answer::later(acquire(semaphore, count()?)),
            "acquire_for" => {
                let limited = self.env.timeout(args.duration("patience")?, acquire(semaphore, count()?));
                Answer::later(async move { limited.await.unwrap_or(Outcome::TimedOut) })
            }
            "try_acquire" => {
                let taken = semaphore.try_acquire_many(count()?);
                let is_taken = taken.is_ok();
                if let Ok(permit) = taken {
                    permit.forget();
                }
                Answer::value(is_taken)
            }
            "release" => {
                semaphore.add_permits(count()? as usize);
                Answer::done()
            }
            "run" => Answer::later(run(semaphore, self.env.clone(), args.int("work")?)),
            "close" => {
                semaphore.close();
                Answer::done()
            }
            "available" => Answer::value(semaphore.available_permits()),
            _ => Answer::unknown(method),
        })
    }
}
