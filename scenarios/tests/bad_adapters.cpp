// A queue and a pool behind the standard's contracts, and adapters of them with one mistake each: what a plug check finds.
// Some defects here are the library's own, and a plug check leaves them to the clauses.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/suite.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace {

namespace asio = boost::asio;
using assay::environment;
using assay::item;
using assay::contract::bounded_queue;
using assay::contract::bounded_queue_config;
using assay::contract::worker_pool;
using assay::contract::worker_pool_config;
using assay::contract::worker_pool_request;

enum class defect {
  none,
  // mistakes of an adapter
  untranslated,  // the library's exception comes out as it is
  other_code,    // a system_error that is not the one of cancellation
  aggregated,    // untranslated, within an aggregate
  plainly,       // untranslated, out of a call that is no operation
  lost_id,
  other_id,
  unanswered,  // a feature is claimed, and its members are not overridden
  // mistakes of a library
  loses,
  newest_first,
  hangs,
};

[[noreturn]] void throw_untranslated(defect wrong) {
  if (wrong == defect::other_code)
    throw boost::system::system_error(asio::experimental::error::channel_closed);
  if (wrong == defect::aggregated) {
    std::vector<assay::contract::aggregate_error::member> all;
    all.push_back({"one", std::make_exception_ptr(std::length_error("no room"))});
    throw assay::contract::aggregate_error(std::move(all));
  }
  throw std::out_of_range("vector");
}

bool is_untranslated(defect wrong) noexcept {
  return wrong == defect::untranslated || wrong == defect::other_code || wrong == defect::aggregated;
}

// Whoever cannot go on waits for the next change, and looks again.
class changes {
 public:
  explicit changes(const asio::any_io_executor& executor)
      : timer_(executor, asio::steady_timer::time_point::max()) {}
  asio::awaitable<void> next() {
    boost::system::error_code woken;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  void tell() { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

class queue final : public bounded_queue {
 public:
  queue(environment& env, const bounded_queue_config& config, defect wrong)
      : env_(env),
        room_(static_cast<std::size_t>(config.capacity)),
        wrong_(wrong),
        changed_(std::make_shared<changes>(env.executor())) {}
  std::size_t size() const override { return items_.size(); }
  void close() override {
    if (wrong_ == defect::plainly) throw_untranslated(defect::untranslated);
    closed_ = true;
    changed_->tell();
  }

 protected:
  awaitable<void> do_push(item one) override {
    while (!closed_ && items_.size() >= room_) co_await changed_->next();
    if (closed_) refuse();
    if (wrong_ == defect::loses) co_return;
    if (wrong_ == defect::newest_first) {
      items_.push_front(std::move(one));
    } else {
      items_.push_back(std::move(one));
    }
    changed_->tell();
  }
  awaitable<item> do_pop() override {
    while (!closed_ && (items_.empty() || wrong_ == defect::hangs)) co_await changed_->next();
    if (items_.empty()) refuse();
    item one = std::move(items_.front());
    items_.pop_front();
    changed_->tell();
    if (wrong_ == defect::lost_id) one = item();
    if (wrong_ == defect::other_id) one = env_.owner().item(4711);
    co_return one;
  }

 private:
  [[noreturn]] void refuse() const {
    if (is_untranslated(wrong_)) throw_untranslated(wrong_);
    throw assay::contract::closed_error();
  }

  environment& env_;
  std::size_t room_;
  defect wrong_;
  std::deque<item> items_;
  bool closed_ = false;
  std::shared_ptr<changes> changed_;
};

class pool final : public worker_pool {
 public:
  pool(environment& env, const worker_pool_config& config, defect wrong)
      : env_(env), workers_(config.workers), wrong_(wrong), changed_(env.executor()) {}
  awaitable<void> drain() override {
    draining_ = true;
    while (running_ > 0 || !jobs_.empty()) co_await changed_.next();
  }

 protected:
  awaitable<void> do_submit(item job, worker_pool_request) override {
    if (draining_) {
      if (is_untranslated(wrong_)) throw_untranslated(wrong_);
      throw assay::contract::closed_error();
    }
    if (wrong_ == defect::loses) co_return;
    if (wrong_ == defect::newest_first) {
      jobs_.push_front(std::move(job));
    } else {
      jobs_.push_back(std::move(job));
    }
    begin();
  }

 private:
  void begin() {
    while (running_ < workers_ && !jobs_.empty() && wrong_ != defect::hangs) {
      ++running_;
      asio::co_spawn(env_.executor(), work(), asio::detached);
    }
  }
  awaitable<void> work() {
    item job = std::move(jobs_.front());
    jobs_.pop_front();
    if (wrong_ == defect::lost_id) job = item();
    if (wrong_ == defect::other_id) job = env_.owner().item(4711);
    std::exception_ptr failure;
    try {
      co_await execute(std::move(job));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) env_.report_unhandled(failure);
    --running_;
    begin();
    changed_.tell();
  }

  environment& env_;
  std::int64_t workers_;
  defect wrong_;
  std::deque<item> jobs_;
  std::int64_t running_ = 0;
  bool draining_ = false;
  changes changed_;
};

void add(assay::suite& suite, const std::string& name, defect wrong) {
  assay::subject_traits of_queue;
  of_queue.features = {"close"};
  assay::subject_traits of_pool;
  if (wrong == defect::unanswered) {
    of_queue.features = {"close", "timed"};
    of_pool.features = {"handles"};
  }
  suite.add<bounded_queue>(
      name, std::move(of_queue),
      [wrong](environment& env, const bounded_queue_config& config) -> std::unique_ptr<bounded_queue> {
        if (config.capacity <= 0) throw assay::contract::rejected_error("a queue needs room");
        return std::make_unique<queue>(env, config, wrong);
      });
  if (wrong == defect::plainly) return;  // of a pool without features everything is an operation
  suite.add<worker_pool>(name, std::move(of_pool),
                         [wrong](environment& env, const worker_pool_config& config) {
                           return std::make_unique<pool>(env, config, wrong);
                         });
}

}  // namespace

int main(int argc, char** argv) {
  assay::suite suite;
  add(suite, "right", defect::none);
  add(suite, "untranslated", defect::untranslated);
  add(suite, "other_code", defect::other_code);
  add(suite, "aggregated", defect::aggregated);
  add(suite, "plainly", defect::plainly);
  add(suite, "lost_id", defect::lost_id);
  add(suite, "other_id", defect::other_id);
  add(suite, "unanswered", defect::unanswered);
  add(suite, "loses", defect::loses);
  add(suite, "newest_first", defect::newest_first);
  add(suite, "hangs", defect::hangs);
  return suite.run(argc, argv);
}
