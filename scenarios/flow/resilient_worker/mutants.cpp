// Resilient workers that are wrong in one way each. They are one worker, with the defect as the only difference.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

enum class defect {
  attempt_capped_at_two,
  attempts_not_capped,
  attempts_not_told,
  buries_what_was_cancelled,
  cause_replaced_by_the_sinks_failure,
  counts_off_nothing_that_is_buried,
  counts_off_twice,
  dies_of_a_failing_sink,
  dies_of_a_failure,
  drops_what_the_sink_refuses,
  ends_normally_when_cancelled,
  hand_gap,
  leaves_its_processing_behind,
  loses_what_it_was_cancelled_at,
  patience_of_twenty_ms,
  patience_overflows,
  patience_without_end,
  processes_again,
  pushes_or_loses_then_counts_off,
  requeues_after_a_pause,
  requeues_by_a_waiting_push,
  requeues_to_the_tail,
  retries_once_too_often,
  settles_before_processing,
  unshielded_write_gives_up,
  unshielded_write_loses,
};

struct job {
  job() = default;
  explicit job(item fresh) noexcept : one(std::move(fresh)) {}

  item one;
  std::uint32_t attempts = 0;
  std::exception_ptr failure;
};

// The jobs that wait, with one bell for everybody who waits for them: whoever hears it looks again.
class job_list {
 public:
  job_list(const asio::any_io_executor& executor, std::int64_t capacity)
      : capacity_(static_cast<std::size_t>(capacity)),
        bell_(executor, asio::steady_timer::time_point::max()) {}

  // The job is taken when there is room, and left alone if not.
  asio::awaitable<void> push(job& one) {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    while (!try_push(one)) {
      if (closed_) throw contract::closed_error();
      co_await hear_the_bell();
      if (!has_room()) check_cancelled(co_await asio::this_coro::cancellation_state);
    }
  }
  bool try_push(job& one) {
    if (!has_room()) return false;
    jobs_.push_back(std::move(one));
    ++unfinished_;
    bell_.cancel();
    return true;
  }
  // What is there is taken even if a request came with it.
  asio::awaitable<job> pop() {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    while (jobs_.empty()) {
      if (closed_) throw contract::closed_error();
      co_await hear_the_bell();
      if (jobs_.empty()) check_cancelled(co_await asio::this_coro::cancellation_state);
    }
    job first = take();
    co_return first;
  }
  std::optional<job> try_pop() {
    if (jobs_.empty()) return std::nullopt;
    return take();
  }
  // To the head again, room or not; it has been counted.
  void unpop(job one) {
    jobs_.push_front(std::move(one));
    bell_.cancel();
  }
  void done() {
    if (unfinished_ == 0) throw std::logic_error("nothing is unfinished");
    --unfinished_;
    bell_.cancel();
  }
  asio::awaitable<void> join() {
    while (unfinished_ > 0) {
      co_await hear_the_bell();
      if (unfinished_ > 0) check_cancelled(co_await asio::this_coro::cancellation_state);
    }
  }
  std::deque<job> close_now() {
    closed_ = true;
    unfinished_ -= std::min(unfinished_, jobs_.size());
    bell_.cancel();
    return std::exchange(jobs_, {});
  }

 private:
  bool has_room() const noexcept { return !closed_ && jobs_.size() < capacity_; }
  job take() {
    job first = std::move(jobs_.front());
    jobs_.pop_front();
    bell_.cancel();
    return first;
  }
  asio::awaitable<void> hear_the_bell() {
    boost::system::error_code rung;
    co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
  }

  const std::size_t capacity_;
  std::deque<job> jobs_;
  std::size_t unfinished_ = 0;
  bool closed_ = false;
  asio::steady_timer bell_;
};

class bent_worker final : public contract::resilient_worker {
 public:
  bent_worker(const asio::any_io_executor& executor, defect bent,
              const contract::resilient_worker_config& config)
      : bent_(bent),
        jobs_(executor, config.capacity),
        attempts_max_(config.attempts_max > 0 ? static_cast<std::uint32_t>(config.attempts_max) : 5),
        patience_(config.dead_letter_patience_ns) {
    if (is(defect::attempt_capped_at_two)) attempts_max_ = 2;
    if (is(defect::attempts_not_capped)) attempts_max_ = 1000;
    if (is(defect::patience_of_twenty_ms)) patience_ = std::chrono::milliseconds(20);
  }

  awaitable<void> join() override { return jobs_.join(); }

 protected:
  awaitable<void> do_run() override { return scope(work()); }
  awaitable<void> do_submit(item one) override {
    job fresh(std::move(one));
    co_await jobs_.push(fresh);
  }
  std::vector<item> do_take_back() override {
    std::vector<item> items;
    for (job& each : jobs_.close_now()) items.push_back(std::move(each.one));
    return items;
  }

 private:
  bool is(defect one) const noexcept { return bent_ == one; }

  awaitable<void> work() {
    if (!is(defect::hand_gap)) co_await hold_requests;
    while (true) {
      job held = co_await jobs_.pop();
      if (is(defect::hand_gap)) co_await asio::post(asio::use_awaitable);
      std::exception_ptr end;
      try {
        co_await handle(held);
      } catch (...) {
        end = std::current_exception();
      }
      if (!end) continue;
      co_await hold_requests;
      if (held.one) co_await put_back(held);
      if (is(defect::ends_normally_when_cancelled)) co_return;
      std::rethrow_exception(end);
    }
  }

  /// Throws what ends the worker; then the job is to be put back.
  awaitable<void> handle(job& held) {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    const std::uint32_t more = is(defect::retries_once_too_often) ? 1 : 0;
    if (held.attempts >= attempts_max_ + more) {
      if (!held.failure) held.failure = std::make_exception_ptr(std::runtime_error("attempts exhausted"));
      co_await bury(held);
      co_return;
    }
    ++held.attempts;
    std::exception_ptr failure;
    try {
      if (is(defect::leaves_its_processing_behind)) {
        co_await begin_apart(held);
      } else {
        co_await scope(begin(held));
      }
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) {
      if (is(defect::processes_again) && held.attempts == 1) {
        jobs_.unpop(std::move(held));
      } else {
        settle(held);
      }
      co_return;
    }
    const bool cancelled = is_cancellation(failure);
    if (cancelled && !is(defect::buries_what_was_cancelled)) std::rethrow_exception(failure);
    if (is(defect::dies_of_a_failure)) std::rethrow_exception(failure);
    held.failure = std::move(failure);
    if (is(defect::retries_once_too_often) && held.attempts <= attempts_max_) {
      jobs_.unpop(std::move(held));
      co_return;
    }
    co_await bury(held);
  }

  awaitable<void> begin(job& held) {
    const std::uint32_t told = is(defect::attempts_not_told) ? 1 : held.attempts;
    if (is(defect::settles_before_processing)) {
      // The item is off the books, and with a local of this frame.
      const item taken = std::move(held.one);
      jobs_.done();
      co_await process(taken, told);
    } else {
      co_await process(held.one, told);
    }
  }

  struct apart {
    explicit apart(const asio::any_io_executor& executor)
        : bell(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer bell;
    asio::cancellation_signal signal;
    std::exception_ptr failure;
    bool ended = false;
  };
  // Carries the slot itself, so that a request is made at once.
  struct apart_ended {
    using cancellation_slot_type = asio::cancellation_slot;
    explicit apart_ended(std::shared_ptr<apart> which) : one(std::move(which)) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return one->signal.slot(); }
    void operator()(std::exception_ptr failure) const {
      one->failure = std::move(failure);
      one->ended = true;
      one->bell.cancel();
    }
    std::shared_ptr<apart> one;
  };
  // The defect: processing is asked to stop, and not waited for.
  awaitable<void> begin_apart(job& held) {
    const auto executor = co_await asio::this_coro::executor;
    const auto other = std::make_shared<apart>(executor);
    asio::co_spawn(executor, process(held.one, held.attempts), apart_ended(other));
    boost::system::error_code rung;
    co_await other->bell.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    if (!other->ended) {
      other->signal.emit(asio::cancellation_type::terminal);
      contract::throw_cancelled();
    }
    if (other->failure) std::rethrow_exception(other->failure);
  }

  awaitable<void> put_back(job& held) {
    switch (bent_) {
      case defect::loses_what_it_was_cancelled_at:
        settle(held);
        break;
      case defect::requeues_by_a_waiting_push:
        jobs_.done();
        co_await shield(jobs_.push(held));
        break;
      case defect::requeues_to_the_tail:
        put_back_at_the_tail(held);
        break;
      case defect::pushes_or_loses_then_counts_off:
        (void)jobs_.try_push(held);
        jobs_.done();
        break;
      case defect::requeues_after_a_pause: {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer timer(executor, std::chrono::milliseconds(1));
        co_await timer.async_wait(asio::use_awaitable);
        jobs_.unpop(std::move(held));
        break;
      }
      default:
        jobs_.unpop(std::move(held));
    }
  }

  void put_back_at_the_tail(job& held) {
    std::vector<job> before;
    while (std::optional<job> next = jobs_.try_pop()) before.push_back(std::move(*next));
    jobs_.unpop(std::move(held));
    for (auto next = before.rbegin(); next != before.rend(); ++next) jobs_.unpop(std::move(*next));
  }

  awaitable<void> bury(job& held) {
    if (!held.one) co_return;  // it was off the books before
    std::exception_ptr unwritten;
    try {
      if (is(defect::unshielded_write_loses) || is(defect::unshielded_write_gives_up)) {
        co_await scope(write(held));
      } else {
        co_await shield(write(held), deadline());
      }
    } catch (...) {
      unwritten = std::current_exception();
    }
    if (!unwritten) {
      if (!is(defect::counts_off_nothing_that_is_buried)) settle(held);
    } else if (is(defect::dies_of_a_failing_sink)) {
      std::rethrow_exception(unwritten);
    } else if (is(defect::drops_what_the_sink_refuses)) {
      settle(held);
    } else if (is(defect::unshielded_write_loses) && is_cancellation(unwritten)) {
      settle(held);
      std::rethrow_exception(unwritten);
    } else if (held.attempts < attempts_max_ &&
               !(is(defect::unshielded_write_gives_up) && is_cancellation(unwritten))) {
      keep_failure(held, unwritten);
      jobs_.unpop(std::move(held));
    } else {
      keep_failure(held, unwritten);
      lost(std::move(held.one), held.failure, held.attempts, unwritten);
      settle(held);
    }
  }

  void keep_failure(job& held, const std::exception_ptr& unwritten) const {
    if (is(defect::cause_replaced_by_the_sinks_failure)) held.failure = unwritten;
  }

  awaitable<void> write(job& held) {
    const std::uint32_t told = is(defect::attempts_not_told) ? 1 : held.attempts;
    return dead_letter(held.one, held.failure, told);
  }

  std::chrono::steady_clock::time_point deadline() const {
    if (is(defect::patience_without_end)) return std::chrono::steady_clock::time_point::max();
    if (is(defect::patience_overflows)) return overflowing_deadline(patience_);
    return deadline_after(patience_);
  }

  void settle(job& held) {
    const job settled = std::move(held);
    if (is(defect::settles_before_processing) && !settled.one) return;
    if (!is(defect::counts_off_twice)) return jobs_.done();
    try {
      jobs_.done();
      jobs_.done();
    } catch (const std::logic_error&) {  // "it says it is done anyway"
    }
  }

  const defect bent_;
  job_list jobs_;
  std::uint32_t attempts_max_;
  std::chrono::nanoseconds patience_;
};

using failures = std::vector<expected_failure>;
using clauses = std::vector<std::string>;

// Registers one mutant; it claims what the reference does.
struct mutant {
  mutant(defect bent, const char* name, const char* text, failures must_fail, clauses may_fail = {}) {
    subject_traits traits;
    traits.features = {"requeue", "dead_letter", "attempts", "attempt_cap", "join"};
    traits.defect = text;
    traits.must_fail = std::move(must_fail);
    traits.may_fail = std::move(may_fail);
    const detail::registrar made(std::make_unique<subject<contract::resilient_worker>>(
        name, subject_kind::mutant, std::move(traits),
        [bent](environment& env, const contract::resilient_worker_config& config) {
          return std::make_unique<bent_worker>(env.executor(), bent, config);
        }));
  }
};

const mutant requeues_by_a_waiting_push(
    defect::requeues_by_a_waiting_push, "requeues_by_a_waiting_push",
    "RWK-m1, BQ-m4: puts a cancelled item back by a push that waits for room, so that the dying worker parks",
    {{"RWK-2", "a cancelled worker ends at once"}}, {"RWK-8"});
const mutant requeues_to_the_tail(defect::requeues_to_the_tail, "requeues_to_the_tail",
                                  "RWK-m1, BQ-m5: puts a cancelled item back behind those that wait",
                                  {{"RWK-2", "is the next one to be taken"}});
const mutant unshielded_write_loses(
    defect::unshielded_write_loses, "unshielded_write_loses",
    "RWK-m2: a cancellation ends the write of a dead letter, and the item is counted off all the same",
    {{"RWK-4", "item 1 was lost"}, {"X-3", "item 1 was lost"}}, {"RWK-1", "RWK-5"});
const mutant pushes_or_loses_then_counts_off(
    defect::pushes_or_loses_then_counts_off, "pushes_or_loses_then_counts_off",
    "RWK-m3: pushes a cancelled item again and counts it off in a finally, also when the queue was full",
    {{"RWK-2", "the next one to be taken"}, {"RWK-8"}});
const mutant loses_what_it_was_cancelled_at(defect::loses_what_it_was_cancelled_at,
                                            "loses_what_it_was_cancelled_at",
                                            "RWK-m4: does not handle a cancellation that meets processing",
                                            {{"RWK-1", "item 3 was lost"},
                                             {"RWK-2", "the next one to be taken"}},
                                            {"RWK-3", "RWK-5", "RWK-6", "RWK-7", "RWK-8", "RWK-9", "X-8"});
const mutant hand_gap(defect::hand_gap, "hand_gap",
                      "RWK-m5: suspends between the pop and the guard, where a recorded cancellation throws",
                      {{"RWK-6", "item 1 was lost"}});
const mutant leaves_its_processing_behind(
    defect::leaves_its_processing_behind, "leaves_its_processing_behind",
    "a cancelled worker puts the item back and ends while the item is still processed",
    {{"RWK-1", "still processed when no run is left"}});
const mutant requeues_after_a_pause(
    defect::requeues_after_a_pause, "requeues_after_a_pause",
    "puts a cancelled item back only after a wait, which a second cancellation ends",
    {{"RWK-2", "a cancelled worker ends at once"}},
    {"RWK-1", "RWK-5", "RWK-6", "RWK-7", "RWK-8", "RWK-9", "X-8"});
const mutant dies_of_a_failure(defect::dies_of_a_failure, "dies_of_a_failure",
                               "a failure of processing ends the worker", {{"RWK-3", "the worker lives on"}},
                               {"RWK-4", "RWK-5", "RWK-8", "X-17"});
const mutant retries_once_too_often(
    defect::retries_once_too_often, "retries_once_too_often",
    "tries a failing item again, and compares its attempts with the cap by <=",
    {{"RWK-3", "no more attempts than are configured"}}, {"RWK-9"});
const mutant attempts_not_told(
    defect::attempts_not_told, "attempts_not_told", "says of every attempt that it is the first",
    {{"RWK-7", "a further attempt has a higher number"}, {"RWK-3", "number of attempts"}}, {"RWK-9"});
const mutant unshielded_write_gives_up(
    defect::unshielded_write_gives_up, "unshielded_write_gives_up",
    "a cancellation ends the write of a dead letter, and the item is reported as lost",
    {{"RWK-4", "not given up for lost"}}, {"RWK-5"});
const mutant dies_of_a_failing_sink(defect::dies_of_a_failing_sink, "dies_of_a_failing_sink",
                                    "a dead-letter sink that fails ends the worker",
                                    {{"RWK-5", "the worker lives on"}}, {"RWK-4", "X-17"});
const mutant drops_what_the_sink_refuses(defect::drops_what_the_sink_refuses, "drops_what_the_sink_refuses",
                                         "drops an item that the dead-letter sink refuses, without a word",
                                         {{"RWK-5", "was lost"}}, {"RWK-1", "RWK-4", "RWK-8", "X-17"});
const mutant patience_without_end(defect::patience_without_end, "patience_without_end",
                                  "waits for the dead-letter sink as long as it takes",
                                  {{"RWK-5", "goes on when the sink"},
                                   {"RWK-4", "within the sink's patience"}},
                                  {"RWK-1"});
const mutant patience_overflows(
    defect::patience_overflows, "patience_overflows",
    "the deadline of a write is the time and the patience added up, wherever that comes to",
    {{"RWK-5", "the worker waits for the sink"}});
const mutant patience_of_twenty_ms(defect::patience_of_twenty_ms, "patience_of_twenty_ms",
                                   "the sink's patience is a constant, whatever was configured",
                                   {{"RWK-5", "is not given up"}});
const mutant cause_replaced_by_the_sinks_failure(defect::cause_replaced_by_the_sinks_failure,
                                                 "cause_replaced_by_the_sinks_failure",
                                                 "the sink's failure takes the place of the cause",
                                                 {{"X-17", "does not replace the cause"}});
const mutant settles_before_processing(defect::settles_before_processing, "settles_before_processing",
                                       "counts an item off when it takes it: at most once",
                                       {{"RWK-7", "is processed by the next run"}, {"RWK-1", "was lost"}},
                                       {"RWK-2", "RWK-3", "RWK-4", "RWK-5", "RWK-8", "RWK-9", "X-3", "X-8",
                                        "X-17"});
const mutant processes_again(defect::processes_again, "processes_again",
                             "puts an item back although it was processed", {{"RWK-7", "is processed once"}},
                             {"RWK-1"});
const mutant counts_off_twice(defect::counts_off_twice, "counts_off_twice", "counts a settled item off twice",
                              {{"RWK-8", "an item in hand is unfinished"}});
const mutant counts_off_nothing_that_is_buried(defect::counts_off_nothing_that_is_buried,
                                               "counts_off_nothing_that_is_buried",
                                               "does not count a dead-lettered item off",
                                               {{"RWK-8", "join ends when the item is dead-lettered"}});
const mutant attempts_not_capped(defect::attempts_not_capped, "attempts_not_capped",
                                 "begins an item as often as it comes",
                                 {{"RWK-9", "no item is begun more often"}});
const mutant attempt_capped_at_two(defect::attempt_capped_at_two, "attempt_capped_at_two",
                                   "the cap is a constant, whatever was configured",
                                   {{"RWK-9", "begun again while it has attempts left"}});
const mutant buries_what_was_cancelled(defect::buries_what_was_cancelled, "buries_what_was_cancelled",
                                       "M-X8: takes a cancellation of processing for a failure of the item",
                                       {{"X-8", "a cancellation is no failure"},
                                        {"RWK-2", "the next one to be taken"}},
                                       {"RWK-3", "RWK-7", "RWK-8", "RWK-9"});
const mutant ends_normally_when_cancelled(defect::ends_normally_when_cancelled,
                                          "ends_normally_when_cancelled",
                                          "M-X8: swallows the cancellation once the item is put back",
                                          {{"X-8", "ends as cancelled"},
                                           {"RWK-2", "ends at once, as cancelled"}});

}  // namespace
}  // namespace assay
