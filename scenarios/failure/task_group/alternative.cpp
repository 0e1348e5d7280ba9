// Task groups that are made differently from the reference's and conform as well.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/failure/task_group/independent_group.hpp>

namespace assay {
namespace {

// Makes use of what the core profile leaves open: a single failure is thrown as it is; of several only the last
// is thrown, the hook is told of the others; a child that comes while the group is stopping is taken, and ends
// at once.
class easy_going : public independent_core {
 public:
  using independent_core::independent_core;

 protected:
  bool takes_children() const override { return running_ && !closed_; }
  std::exception_ptr outcome(bool requested) override {
    if (failures_.empty()) return requested ? cancelled() : nullptr;
    const std::exception_ptr told = failures_.back().failure;
    failures_.pop_back();
    for (const auto& one : failures_) env_.report_unhandled(one.failure);
    return told;
  }
};

// Takes its time: a child begins some turns after it was started, and its end is heard of some turns later; of
// several failures the last stands first.
class unhurried : public independent_core {
 public:
  using independent_core::independent_core;

 protected:
  work adopt(work run) override {
    return [run = std::move(run)] { return slowly(run); };
  }
  void wake() override {
    boost::asio::post(executor_, [core = shared_from_this()] { hear_of_it(core); });
  }
  std::exception_ptr outcome(bool requested) override {
    if (failures_.size() == 1 && !is_exit_request(failures_.front().failure))
      return failures_.front().failure;
    std::reverse(failures_.begin(), failures_.end());
    return independent_core::outcome(requested);
  }

 private:
  static boost::asio::awaitable<void> slowly(work run) {
    for (int i = 0; i < 3; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
    co_await run();
  }
  static void hear_of_it(const std::shared_ptr<independent_core>& core) {
    const auto self = std::static_pointer_cast<unhurried>(core);
    boost::asio::post(self->executor_, [self] { self->alarm_.cancel(); });
  }
};

// Has no `cleanup`: it waits for children that end as soon as they are asked to stop, and drops the others. What
// those fail with later goes to the hook.
class impatient : public independent_core {
 public:
  using independent_core::independent_core;

 protected:
  work adopt(work run) override {
    return [core = shared_from_this(), run = std::move(run)] { return watched(core, run); };
  }
  bool may_end() const override { return dropped_ || members_.empty(); }
  void stop() override {
    if (stopping_) return;
    independent_core::stop();
    patience_ = std::make_shared<boost::asio::steady_timer>(executor_, std::chrono::nanoseconds(1));
    patience_->async_wait([core = shared_from_this(), timer = patience_](boost::system::error_code) {
      std::static_pointer_cast<impatient>(core)->drop();
    });
  }

 private:
  void drop() {
    dropped_ = running_;
    wake();
  }
  static boost::asio::awaitable<void> watched(std::shared_ptr<independent_core> core, work run) {
    std::exception_ptr failure;
    try {
      co_await run();
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    const auto self = std::static_pointer_cast<impatient>(core);
    if (self->dropped_ && !is_cancellation(failure)) {
      self->env_.report_unhandled(failure);
      co_return;
    }
    std::rethrow_exception(failure);
  }

  std::shared_ptr<boost::asio::steady_timer> patience_;
  bool dropped_ = false;
};

const detail::registrar alternative(std::make_unique<subject<contract::task_group>>(
    "alternative", subject_kind::alternative,
    subject_traits{.features = {"cleanup", "dynamic_spawn", "nested_spawn", "close", "late_refusal",
                                "body_failure", "own_cancellation", "always_aggregate", "ordered_failures",
                                "fatal_class", "collect", "lifetime"}},
    [](environment& env, const contract::task_group_config& config) {
      return std::make_unique<independent_group<independent_core>>(env, config);
    }));

const detail::registrar alternative_core(std::make_unique<subject<contract::task_group>>(
    "alternative_easy_going", subject_kind::alternative,
    subject_traits{.features = {"cleanup", "dynamic_spawn", "nested_spawn", "body_failure",
                                "own_cancellation", "collect"}},
    [](environment& env, const contract::task_group_config& config) {
      return std::make_unique<independent_group<easy_going>>(env, config);
    }));

const detail::registrar alternative_unhurried(std::make_unique<subject<contract::task_group>>(
    "alternative_unhurried", subject_kind::alternative,
    subject_traits{.features = {"cleanup", "dynamic_spawn", "nested_spawn", "close", "late_refusal",
                                "body_failure", "own_cancellation", "fatal_class", "collect", "lifetime"}},
    [](environment& env, const contract::task_group_config& config) {
      return std::make_unique<independent_group<unhurried>>(env, config);
    }));

const detail::registrar alternative_impatient(std::make_unique<subject<contract::task_group>>(
    "alternative_impatient", subject_kind::alternative,
    subject_traits{.features = {"dynamic_spawn", "nested_spawn", "close", "late_refusal", "body_failure",
                                "own_cancellation", "always_aggregate", "ordered_failures", "fatal_class",
                                "collect"}},
    [](environment& env, const contract::task_group_config& config) {
      return std::make_unique<independent_group<impatient>>(env, config);
    }));

}  // namespace
}  // namespace assay
