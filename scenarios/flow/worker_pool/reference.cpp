#include <assay/scenarios/flow/worker_pool/reference.hpp>

#include <stdexcept>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;

// The reference's own words for the contract's outcomes.
[[noreturn]] void rethrow_translated(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::closed&) {
    throw contract::closed_error();
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::job_cancelled& error) {
    throw contract::rejected_error(error.what());
  } catch (const std::logic_error& error) {
    throw contract::rejected_error(error.what());
  }
}

std::exception_ptr translated(const std::exception_ptr& failure) {
  try {
    rethrow_translated(failure);
  } catch (...) {
    return std::current_exception();
  }
}

reference::worker_pool_options options_of(environment& env, const contract::worker_pool_config& config) {
  reference::worker_pool_options options;
  options.workers = static_cast<std::size_t>(config.workers);
  options.queue_capacity = static_cast<std::size_t>(config.queue_capacity);
  options.started = config.started;
  options.unhandled = [&env](const reference::task_failure& failure) {
    const detail::harness_section section;  // the hook must not throw
    env.report_unhandled(translated(failure.error));
  };
  return options;
}

}  // namespace

std::vector<std::string> reference_pool_features() {
  return {"stop_now",    "drain_deadline", "handles", "nested_submit", "bounded", "fair",
          "restartable", "job_timeout",    "scaling", "priorities",    "lifetime"};
}

reference_pool::reference_pool(environment& env, const contract::worker_pool_config& config)
    : env_(env),
      watch_(env.executor()),
      pool_(std::make_shared<reference::worker_pool>(env.executor(), options_of(env, config))) {}

reference_pool::~reference_pool() {
  *alive_ = false;
  const bool in_use = pool_->running() + pool_->queued() + pool_->parked_submitters() > 0;
  if (!in_use || watch_.shutting_down()) return;
  // A scenario that failed half way has left jobs behind; the pool outlives them.
  (void)pool_->stop_now();
  env_.owner().keep(pool_);
}

boost::asio::awaitable<void> reference_pool::run_job(std::shared_ptr<item> job) {
  item mine = std::move(*job);
  items_.erase(std::to_string(mine.id()));
  co_await execute(std::move(mine));
}

boost::asio::awaitable<std::exception_ptr> reference_pool::end_of(std::shared_ptr<item> job) {
  const std::shared_ptr<const bool> alive = alive_;
  std::exception_ptr failure;
  try {
    co_await reference_pool::run_job(std::move(job));
  } catch (...) {
    failure = std::current_exception();
  }
  if (*alive) co_return failure;
  if (failure) std::rethrow_exception(failure);
  contract::throw_cancelled();
}

reference::job_options reference_pool::options_for(int id, const contract::worker_pool_request& how) const {
  reference::job_options options;
  options.name = std::to_string(id);
  options.priority = static_cast<int>(how.priority);
  if (how.timeout_ns != 0) options.timeout = nanoseconds(how.timeout_ns);
  return options;
}

boost::asio::awaitable<void> reference_pool::work_for(item job) {
  const int id = job.id();
  auto shared = std::make_shared<item>(std::move(job));
  items_.emplace(std::to_string(id), shared);
  return run_job(std::move(shared));
}

boost::asio::awaitable<void> reference_pool::do_submit(item job, contract::worker_pool_request how) {
  const int id = job.id();
  auto work = work_for(std::move(job));
  reference::job_options options = options_for(id, how);
  std::exception_ptr failure;
  try {
    std::optional<reference::job_handle>& place =
        handles_[id];  // before: once it is accepted nothing may fail
    reference::job_handle handle = co_await pool_->submit(work, std::move(options));
    place = std::move(handle);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  forget(id);
  handles_.erase(id);
  rethrow_translated(failure);
}

boost::asio::awaitable<void> reference_pool::outcome(int id) {
  std::exception_ptr failure;
  try {
    co_await handles_.at(id).value().wait();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_translated(failure);
}

void reference_pool::start() {
  try {
    pool_->start();
  } catch (const std::logic_error& error) {
    throw contract::rejected_error(error.what());
  }
}

std::vector<item> reference_pool::items_of(const std::vector<reference::unstarted_job>& unstarted) {
  std::vector<item> items;
  for (const reference::unstarted_job& job : unstarted) {
    const auto found = items_.find(job.options.name);
    items.push_back(std::move(*found->second));
    items_.erase(found);
  }
  return items;
}

boost::asio::awaitable<std::vector<item>> reference_pool::do_stop_now() {
  const std::vector<reference::unstarted_job> unstarted = pool_->stop_now();
  std::vector<item> items = items_of(unstarted);
  // What was taken out is returned whatever requests come meanwhile.
  co_await reference::shield(pool_->drain());
  co_return items;
}

boost::asio::awaitable<contract::worker_pool_report> reference_pool::do_drain_for(nanoseconds patience) {
  const reference::drain_report stopped = co_await pool_->drain_until(reference::deadline_after(patience));
  contract::worker_pool_report report;
  report.cancelled = stopped.cancelled;
  report.unstarted = stopped.unstarted.size();
  report.returned = items_of(stopped.unstarted);
  co_return report;
}

namespace {

const detail::registrar registered(std::make_unique<subject<contract::worker_pool>>(
    "reference", subject_kind::reference, subject_traits{.features = reference_pool_features()},
    [](environment& env, const contract::worker_pool_config& config) {
      return std::make_unique<reference_pool>(env, config);
    }));

}  // namespace

}  // namespace assay
