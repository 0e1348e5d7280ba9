#include <assay/scenarios/assembly/service/alternative.hpp>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace asio = boost::asio;
using enum service_defect;

struct list_service::submitter {
  explicit submitter(const asio::any_io_executor& executor)
      : timer(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;
  item offered;
  bool accepted = false;
};

struct list_service::task {
  std::string name;
  item one;
  asio::cancellation_signal signal;
  bool begun = false;
  bool ended = false;
};

// Carries the slot itself, so that a request is made at once instead of posted.
struct list_service::completion {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return mine->signal.slot(); }
  void operator()(const std::exception_ptr& failure) const { owner->ended(*mine, failure); }
  list_service* owner;
  std::shared_ptr<task> mine;
};

list_service::list_service(const asio::any_io_executor& executor, const contract::service_config& config,
                           service_defect wrong)
    : executor_(executor), config_(config), wrong_(wrong), bell_(executor) {}

void list_service::tell(std::string_view what) const {
  if (outside().event) outside().event(what);
}

// ---- submitters

asio::awaitable<void> list_service::do_submit(item one) {
  submitter self(executor_);
  self.offered = std::move(one);
  if (!closed_) submitters_.push_back(&self);
  admit();
  if (!closed_ && !self.accepted) co_await failure_of(self.timer.async_wait(asio::use_awaitable));
  std::erase(submitters_, &self);
  if (self.accepted) co_return;
  const bool keeps = closed_ ? is(accepts_while_it_drains) && !stopped_ : is(says_yes_to_a_cancelled_submit);
  if (keeps) {
    late_.push_back(std::move(self.offered));
    co_return;
  }
  if (closed_) throw contract::closed_error();
  contract::throw_cancelled();
}

bool list_service::has_room() const noexcept {
  return is(has_no_bound) || waiting_.size() < static_cast<std::size_t>(config_.queue_capacity);
}

// Lets items in and to work, as long as there is room for either.
void list_service::admit() {
  while (serving_) {
    if (running_ < static_cast<std::size_t>(config_.workers) && !waiting_.empty()) {
      auto mine = std::make_shared<task>();
      mine->name = "item " + std::to_string(waiting_.front().id());
      mine->one = std::move(waiting_.front());
      waiting_.pop_front();
      tasks_.push_back(mine);
      ++running_;
      asio::co_spawn(executor_, work(mine), completion{this, mine});
    } else if (!closed_ && !submitters_.empty() && has_room()) {
      submitter& last = *submitters_.back();
      submitters_.pop_back();
      waiting_.push_back(std::move(last.offered));
      last.accepted = true;
      last.timer.cancel();
    } else {
      return;
    }
  }
}

void list_service::release_submitters() {
  closed_ = true;
  for (submitter* const one : submitters_) one->timer.cancel();
}

// ---- work

asio::awaitable<void> list_service::work(std::shared_ptr<task> mine) {
  // A request that comes before the first turn would leave co_spawn by throwing.
  co_await asio::post(asio::use_awaitable);
  if (forced_) contract::throw_cancelled();
  mine->begun = true;
  co_await work_on(mine->one);
}

void list_service::ended(task& mine, const std::exception_ptr& failure) {
  --running_;
  mine.ended = true;
  const bool cancelled = describe(failure).kind == outcome_kind::cancelled;
  if (failure && cancelled && !is(drops_what_a_stopped_worker_holds))
    unfinished_.push_back(std::move(mine.one));
  if (failure && !cancelled) give_up(mine.one);
  const item gone = std::move(mine.one);
  admit();
  bell_.cancel();
}

std::vector<item> list_service::do_take_back() {
  std::vector<item> rest = std::move(unfinished_);
  unfinished_.clear();
  std::move(waiting_.begin(), waiting_.end(), std::back_inserter(rest));
  waiting_.clear();
  if (is(forgets_what_is_queued)) rest.clear();
  return rest;
}

// ---- the life

void list_service::request_stop() {
  if (is(ignores_an_early_stop) && !ready_) return;
  stop_ = true;
  if (!begun_ && !is(an_early_stop_releases_nobody)) release_submitters();
  bell_.cancel();
}

asio::awaitable<bool> list_service::asked() const {
  const auto requests = co_await asio::this_coro::cancellation_state;
  co_return stop_ || requests.cancelled() != asio::cancellation_type::none;
}

asio::awaitable<void> list_service::wait_for_change(clock::time_point deadline) {
  boost::system::error_code rung;
  bell_.expires_at(deadline);
  co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
}

asio::awaitable<contract::service_report> list_service::run() {
  begun_ = true;
  co_await hold_requests;  // a request is a stop
  co_await open_both();
  co_await serve_until_asked();
  if (ready_) {
    ready_ = is(ready_a_turn_too_long);
    if (ready_) asio::post(executor_, [this] { ready_ = false; });
    tell("not ready");
    tell("stop accepting");
  }
  release_submitters();
  co_await shield(drain());
  if (running_ > 0) co_await shield(force());
  serving_ = false;
  tell("background stopped");
  co_await shield(close_all());
  stopped_ = true;
  tell("stopped");
  co_return report_;
}

asio::awaitable<void> list_service::open_both() {
  const bool early = co_await asked();
  if (early) co_return;
  co_await shield(outside().open_store());
  store_open_ = true;
  const bool between = co_await asked();
  if (between) co_return;
  co_await shield(outside().open_sink());
  sink_open_ = true;
}

asio::awaitable<void> list_service::serve_until_asked() {
  if (!sink_open_) co_return;
  bool over = co_await asked();
  if (over) co_return;
  ready_ = true;
  serving_ = true;
  admit();
  while (!over) {
    co_await wait_for_change(clock::time_point::max());
    over = co_await asked();
  }
}

asio::awaitable<void> list_service::drain() {
  const std::chrono::nanoseconds budget(config_.drain_ns);
  const auto deadline = is(drain_overflows) ? overflowing_deadline(budget) : deadline_after(budget);
  while (running_ > 0 && clock::now() < deadline) co_await wait_for_change(deadline);
  tell("drain end");
}

asio::awaitable<void> list_service::force() {
  tell("force cancel");
  forced_ = true;
  serving_ = false;
  std::vector<std::shared_ptr<task>> stopped;
  for (const auto& one : tasks_) {
    if (!one->ended) stopped.push_back(one);
  }
  for (const auto& one : stopped) {
    if (one->begun) one->signal.emit(asio::cancellation_type::terminal);
  }
  std::chrono::nanoseconds budget(config_.force_ns);
  if (is(waits_for_the_deaf)) budget = std::chrono::hours(1);
  if (is(abandons_at_once)) budget = std::chrono::nanoseconds::zero();
  const auto deadline = deadline_after(budget);
  while (running_ > 0 && clock::now() < deadline) co_await wait_for_change(deadline);
  for (const auto& one : stopped) (one->ended ? report_.cancelled : report_.survivors).push_back(one->name);
  if (is(does_not_name_the_deaf)) report_.survivors.clear();
}

asio::awaitable<void> list_service::close_all() {
  const auto deadline = deadline_after(std::chrono::nanoseconds(config_.cleanup_ns));
  const bool store_first = is(closes_in_order_of_opening);
  if (store_open_ && store_first) co_await close_one("store", outside().close_store(), deadline);
  if (sink_open_) co_await close_one("sink", outside().close_sink(), deadline);
  if (store_open_ && !store_first) co_await close_one("store", outside().close_store(), deadline);
}

asio::awaitable<void> list_service::close_one(const char* name, awaitable<void> closing,
                                              clock::time_point deadline) {
  const std::exception_ptr failure = co_await failure_of(shield(std::move(closing), deadline));
  if (!failure) co_return;
  if (is(reports_the_first_failure_only) && !report_.failures.empty()) co_return;
  outcome::member told{name, describe(failure)};
  report_.failures.insert(report_.failures.begin(), std::move(told));
}

namespace {

const implements<list_service> registered("list_service", subject_kind::alternative,
                                          {.features = {"dead_letter"}});

// The smallest service that there is works on one item at a time, whatever it is allowed.
class least_service final : public list_service {
 public:
  least_service(const asio::any_io_executor& executor, contract::service_config config)
      : list_service(executor, one_at_a_time(config)) {}

 private:
  static contract::service_config one_at_a_time(contract::service_config config) {
    config.workers = 1;
    return config;
  }
};

const implements<least_service> least("least", subject_kind::alternative, {});

}  // namespace

}  // namespace assay
