// The plug check of worker_pool.
#include <chrono>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::trial;
using assay::contract::worker_pool;
using assay::contract::worker_pool_request;

constexpr int failing = 2;
constexpr int parent = 3;
constexpr int child = 4;
constexpr int endless = 5;

boost::asio::awaitable<void> execute(trial& t, assay::plug& plug, worker_pool& pool, int id) {
  plug.came_back("execute", id);
  if (id == failing) t.raise("job 2");
  if (id == endless) co_await assay::sleep_for(1h);
  if (id == parent) co_await plug.tries("submit_from_job", pool.submit_from_job(parent, t.item(child)));
}

void connect(trial& t, assay::plug& plug, worker_pool& pool) {
  worker_pool::callbacks outside;
  outside.run = [&t, &plug, &pool](int id) { return execute(t, plug, pool, id); };
  pool.connect(std::move(outside));
}

// Hands a job in, and waits for how it ends where that is told; of one that was refused nobody may ask.
boost::asio::awaitable<void> try_job(trial& t, assay::plug& plug, worker_pool& pool, bool told, int id,
                                     worker_pool_request how) {
  const auto submit = co_await plug.ends("submit", pool.submit(t.item(id), how));
  co_await t.pass(20ms);
  if (told && submit.done()) co_await plug.ends("outcome", pool.outcome(id));
}

ASSAY_PLUG_CHECK(worker_pool) {
  assay::plug plug(t);
  const bool told = make.claims("handles");
  const worker_pool_request plain;
  auto pool = make({.workers = 1});
  connect(t, plug, *pool);
  co_await try_job(t, plug, *pool, told, 1, plain);
  if (told) co_await try_job(t, plug, *pool, told, failing, plain);
  if (make.claims("nested_submit")) {
    co_await try_job(t, plug, *pool, told, parent, plain);
    plug.call("drains_nested", [&] { (void)pool->drains_nested(); });
  }
  if (make.claims("job_timeout")) {
    worker_pool_request limited;
    limited.timeout_ns = 10'000'000;
    co_await try_job(t, plug, *pool, told, endless, limited);
  }
  if (make.claims("scaling")) plug.call("scale_to", [&] { pool->scale_to(2); });
  if (make.claims("priorities")) {
    worker_pool_request urgent;
    urgent.priority = 1;
    co_await try_job(t, plug, *pool, told, 6, urgent);
  }
  co_await plug.ends("drain", pool->drain(), 10ms);
  co_await plug.ends("submit", pool->submit(t.item(7)));
  if (make.claims("restartable")) {
    plug.call("start", [&] { pool->start(); });
    co_await t.settle();
    co_await plug.ends("drain", pool->drain(), 10ms);
  }
  if (make.claims("stop_now")) {
    auto stopped = make({.workers = 1});
    connect(t, plug, *stopped);
    co_await plug.ends("submit", stopped->submit(t.item(8)));
    auto unstarted = co_await plug.ends("stop_now", stopped->stop_now(), 10ms);
    for (const item& one : unstarted.value()) plug.came_back("stop_now", one.id());
    co_await plug.ends("submit", stopped->submit(t.item(9)));
  }
  if (make.claims("drain_deadline")) {
    auto drained = make({.workers = 1});
    connect(t, plug, *drained);
    co_await plug.ends("submit", drained->submit(t.item(10)));
    auto report = co_await plug.ends("drain_for", drained->drain_for(10ms), 20ms);
    for (const item& one : report.value().returned) plug.came_back("drain_for", one.id());
  }
}

}  // namespace
