// Bounded queues that are wrong in one known way each.
//
// Not expressible behind the contract: BQ-m3 (join before any producer ran) is a mistake of the queue's user, not of
// the queue; BQ-m9 (reset leaves a stale value) needs a reset, which the contract does not have.
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/bounded_queue/alternative.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using contract::bounded_queue;
using contract::bounded_queue_config;

const std::vector<std::string> all_features = {
    "try",     "timed",       "hand_back", "close",      "close_now", "join",         "requeue",
    "removal", "reject_zero", "move_only", "statistics", "lifetime",  "strict_entry", "posted_wakeups"};

std::vector<std::string> with(std::vector<std::string> features, const char* more) {
  features.emplace_back(more);
  return features;
}

struct mutation {
  const char* name;
  const char* defect;
  std::vector<expected_failure> must_fail;
  std::vector<std::string> may_fail;
  bool queue_defects::* flag;
  bool fair = false;
  const char* claims = nullptr;  // a feature besides
};

void add(const mutation& one) {
  queue_defects wrong;
  wrong.*one.flag = true;
  wrong.fair = one.fair;
  std::vector<std::string> features = one.fair ? with(all_features, "fair") : all_features;
  if (one.claims != nullptr) features = with(std::move(features), one.claims);
  catalogue::instance().add(std::make_unique<subject<bounded_queue>>(
      one.name, subject_kind::mutant,
      subject_traits{.features = std::move(features),
                     .defect = one.defect,
                     .must_fail = one.must_fail,
                     .may_fail = one.may_fail},
      [wrong](environment& env, const bounded_queue_config& config) {
        return std::make_unique<alternative_queue>(env.executor(), config, wrong);
      }));
}

struct mutations {
  mutations() {
    using q = queue_defects;
    const std::vector<mutation> all = {
        {"drops_what_a_cancelled_pop_holds",
         "BQ-m1: an item that was assigned to a pop goes with it when it is cancelled",
         {{"BQ-7", "the head is still the head"}},
         {"BQ-8", "BQ-11", "BQ-4", "X-4"},
         &q::drops_what_a_cancelled_pop_holds,
         true},
        {"hands_back_to_the_tail",
         "BQ-m5: what is handed back goes to the tail",
         {{"BQ-9", "the item that was handed back is the first again"}},
         {"BQ-7"},
         &q::hands_back_to_the_tail,
         true},
        {"hand_back_needs_room",
         "BQ-m4: an item can be handed back only while there is room",
         {{"BQ-9", "the scenario ended with rejected"}},
         {},
         &q::hand_back_needs_room},
        {"keeps_the_item_of_a_cancelled_push",
         "a cancelled push leaves its item in the queue",
         {{"BQ-1", "more items are buffered than the capacity allows"}},
         {"BQ-4", "BQ-6", "X-2"},
         &q::keeps_the_item_of_a_cancelled_push,
         true},
        {"counts_a_cancelled_popper",
         "BQ-m8: after a cancelled pop the queue refuses an item although it has room",
         {{"BQ-7", "after a cancelled pop the queue is as it was"}},
         {"BQ-4", "BQ-8", "BQ-11", "X-7"},
         &q::counts_a_cancelled_popper,
         true},
        {"counts_a_cancelled_pusher",
         "a push that is cancelled while it waits costs one behind it the slot, in a queue for several items",
         {{"BQ-6", "those that wait beside a cancelled push get the slots"}},
         {"BQ-4", "X-2", "X-3", "X-4", "X-7"},
         &q::counts_a_cancelled_pusher,
         true},
        {"drops_what_fills_it",
         "an item that fills a queue for several is dropped",
         {{"BQ-1", "as many pushes commit as there is room for"}},
         {"BQ-2", "BQ-4", "BQ-6", "BQ-11", "BQ-12", "BQ-13", "BQ-14", "BQ-16", "BQ-18", "BQ-19"},
         &q::drops_what_fills_it},
        {"grants_die_with_the_cancelled",
         "BQ-m12: what a cancelled pop hands back is not passed on to the next one parked",
         {{"BQ-4", "a pop is not pending beside an item"}, {"X-4", "the next one in line gets what it held"}},
         {"BQ-9"},
         &q::grants_die_with_the_cancelled,
         true},
        {"buffers_beside_a_parked_popper",
         "a push does not look whether somebody waits for an item",
         {{"BQ-4", ""}},
         {"BQ-3", "BQ-7", "BQ-8", "BQ-19", "BQ-1", "X-12", "X-3", "X-4", "BQ-11"},
         &q::buffers_beside_a_parked_popper},
        {"lets_try_pop_overtake",
         "M-X13: an item meant for a parked popper can be taken by anybody who comes first",
         {{"BQ-3", "try_pop does not overtake a parked popper"}},
         {"BQ-1", "BQ-4", "BQ-7", "BQ-8", "BQ-19", "X-12", "BQ-11", "X-3", "X-4"},
         &q::lets_try_pop_overtake,
         true},
        {"serves_the_last_parked_first",
         "who parked last is served first, although it claims to be fair",
         {{"BQ-3", "who parked first is served first"}, {"BQ-2", "parked pushers commit in park order"}},
         {"BQ-6", "BQ-7"},
         &q::serves_the_last_parked_first,
         true},
        {"takes_the_newest_first",
         "items leave last in, first out",
         {{"BQ-2", "items leave in the order in which they came"}},
         {"BQ-7", "BQ-9", "BQ-11", "BQ-6", "BQ-16", "BQ-12", "BQ-13", "BQ-18"},
         &q::takes_the_newest_first,
         true},
        {"admits_every_parked_pusher",
         "BQ-m11: one free place lets every parked pusher in",
         {{"BQ-1", "more items are buffered than the capacity allows"}},
         {"BQ-4", "BQ-19"},
         &q::admits_every_parked_pusher},
        {"gives_a_place_away_too_early",
         "a parked pusher is let in a turn before the item leaves whose place it gets",
         {{"BQ-1", "more items are buffered than the capacity allows"}},
         {},
         &q::gives_a_place_away_too_early,
         true},
        {"races_the_deadline",
         "M-X3: a pop whose deadline has passed drops the item that it was served",
         {{"BQ-8", "a timed pop that timed out took nothing"}, {"X-3", ""}},
         {},
         &q::races_the_deadline},
        {"times_out_early",
         "a deadline fires after half of the time",
         {{"BQ-8", "does not end early"}, {"X-23", ""}},
         {"X-3"},
         &q::times_out_early},
        {"ignores_a_deadline_that_has_passed",
         "a deadline that has passed already counts as none",
         {{"X-25", "a deadline that has passed ends the wait at this instant"},
          {"X-23", "is due when its deadline is reached"}},
         {},
         &q::ignores_a_deadline_that_has_passed},
        {"deadlines_overflow",
         "a deadline is the time and the patience added up, wherever that comes to",
         {{"X-23", "never fires before its deadline"}},
         {},
         &q::deadlines_overflow},
        {"puts_what_timed_out",
         "a timed push that timed out has put its item all the same",
         {{"BQ-1", "more items are buffered than the capacity allows"}},
         {"BQ-8", "X-23"},
         &q::puts_what_timed_out},
        {"treats_zero_as_one",
         "capacity 0 is silently 1, although it claims to meet",
         {{"BQ-1", "more items are buffered than the capacity allows"}},
         {"BQ-5"},
         &q::treats_zero_as_one,
         false,
         "rendezvous"},
        {"accepts_negative",
         "a negative capacity is silently 1",
         {{"BQ-5", "a negative capacity is rejected"}},
         {},
         &q::accepts_negative},
        {"close_leaves_pushers",
         "BQ-m6: close leaves parked pushers parked",
         {{"BQ-10", "parked pushers are woken with closed"}},
         {},
         &q::close_leaves_pushers},
        {"close_leaves_poppers",
         "close leaves parked poppers parked",
         {{"BQ-11", "poppers parked at close are woken with closed"}},
         {},
         &q::close_leaves_poppers},
        {"close_discards",
         "BQ-m7: close discards what is buffered",
         {{"BQ-11", "a buffered item is delivered after close"}},
         {"BQ-10", "BQ-13"},
         &q::close_discards},
        {"accepts_after_close",
         "a push after close is accepted",
         {{"BQ-10", "a push after close fails as closed"}},
         {},
         &q::accepts_after_close},
        {"second_close_discards",
         "a second close discards what is buffered",
         {{"BQ-13", "a second close changes nothing"}},
         {},
         &q::second_close_discards},
        {"close_now_keeps_quiet",
         "close_now drops what it removed instead of returning it",
         {{"BQ-12", "the removed items are returned, in order"}},
         {"BQ-16"},
         &q::close_now_keeps_quiet},
        {"close_now_leaves_waiters",
         "close_now leaves everybody parked",
         {{"BQ-12", "are woken with closed"}},
         {},
         &q::close_now_leaves_waiters},
        {"join_ignores_what_is_in_hand",
         "join ends when the buffer is empty",
         {{"BQ-14", "one of two items done keeps join parked"}},
         {"BQ-15", "BQ-16"},
         &q::join_ignores_what_is_in_hand},
        {"accepts_done_without_work",
         "one done too many goes unnoticed",
         {{"BQ-15", "one done too many is detected"}},
         {},
         &q::accepts_done_without_work},
        {"requeue_counts_again",
         "RWK-m3: a requeued item counts as one more",
         {{"BQ-15", "requeue left the count as it was"}},
         {},
         &q::requeue_counts_again},
        {"removed_items_still_count",
         "what close_now removed keeps join parked",
         {{"BQ-16", "what close_now removed no longer counts"}},
         {},
         &q::removed_items_still_count},
        {"dropped_items_still_count",
         "BQ-m10: evicted items are never counted done",
         {{"BQ-16", "what was dropped no longer counts"}},
         {},
         &q::dropped_items_still_count},
        {"join_waits_for_a_first_item",
         "join on a queue that was never used waits",
         {{"BQ-17", "join on a queue that was never used completes at once"}},
         {},
         &q::join_waits_for_a_first_item},
        {"forgets_the_peak",
         "the peak is never recorded",
         {{"BQ-19", "more items are buffered than the statistics ever saw"}},
         {},
         &q::forgets_the_peak},
        {"looking_resets_the_peak",
         "asking for the statistics resets the peak",
         {{"BQ-19", "more items are buffered than the statistics ever saw"}},
         {},
         &q::looking_resets_the_peak},
        {"looking_raises_the_peak",
         "asking for the statistics counts as an item more",
         {{"X-28", "looking changes nothing"}},
         {"BQ-19"},
         &q::looking_raises_the_peak},
        {"leaks_what_is_left",
         "items that are left when the queue goes are never destroyed",
         {{"BQ-18", "nothing outlives the queue"}},
         {},
         &q::leaks_what_is_left},
        {"begins_although_cancelled",
         "a call that is entered in a cancelled scope has its effect",
         {{"X-6", "reports cancelled"}},
         {},
         &q::begins_although_cancelled},
    };
    for (const mutation& one : all) add(one);
  }
};

const mutations registered;

// ---- wrong in ways that need code of their own

// BQ-m2: the form of asyncio.Queue. Who is woken looks again, and if somebody was faster goes to the back.
class looping_queue final : public bounded_queue {
 public:
  looping_queue(asio::any_io_executor executor, const bounded_queue_config& config, bool passes_on)
      : executor_(std::move(executor)),
        capacity_(static_cast<std::size_t>(config.capacity)),
        passes_on_(passes_on) {}
  std::size_t size() const override { return buffer_.size(); }

 protected:
  awaitable<void> do_push(item one) override {
    while (buffer_.size() >= capacity_)
      co_await wait_in(pushers_, [this] { return buffer_.size() < capacity_; });
    buffer_.push_back(std::move(one));
    wake_one(poppers_);
  }
  awaitable<item> do_pop() override {
    while (buffer_.empty()) co_await wait_in(poppers_, [this] { return !buffer_.empty(); });
    item one = take();
    co_return one;
  }
  bool do_try_push(item& one) override {
    if (buffer_.size() >= capacity_) return false;
    buffer_.push_back(std::move(one));
    wake_one(poppers_);
    return true;
  }
  item do_try_pop() override { return buffer_.empty() ? item() : take(); }

 private:
  struct waiter {
    explicit waiter(const asio::any_io_executor& executor)
        : timer(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;
    bool woken = false;
  };
  using waiters = std::deque<waiter*>;

  // Ends when it is woken; a cancelled waiter that was woken wakes the next one, as asyncio does, unless that is what
  // is wrong.
  template <class Still>
  awaitable<void> wait_in(waiters& where, Still still_possible) {
    waiter self(executor_);
    where.push_back(&self);
    boost::system::error_code ended;
    co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    std::erase(where, &self);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() == asio::cancellation_type::none) co_return;
    if (self.woken && passes_on_ && still_possible()) wake_one(where);
    contract::throw_cancelled();
  }
  static void wake_one(waiters& parked) {
    if (parked.empty()) return;
    waiter& first = *parked.front();
    parked.pop_front();
    first.woken = true;
    first.timer.cancel();
  }
  item take() {
    item one = std::move(buffer_.front());
    buffer_.pop_front();
    wake_one(pushers_);
    return one;
  }

  asio::any_io_executor executor_;
  std::size_t capacity_;
  bool passes_on_;
  std::deque<item> buffer_;
  waiters pushers_;
  waiters poppers_;
};

template <bool PassesOn>
std::unique_ptr<bounded_queue> make_looping(environment& env, const bounded_queue_config& config) {
  return std::make_unique<looping_queue>(env.executor(), config, PassesOn);
}

const detail::registrar woken_goes_to_the_back(std::make_unique<subject<bounded_queue>>(
    "woken_pusher_goes_to_the_back", subject_kind::mutant,
    subject_traits{.features = {"fair", "try"},
                   .defect = "BQ-m2: a pusher that was woken and finds the queue full again goes to the back",
                   .must_fail = {{"BQ-2", "a newcomer does not take the place of a parked pusher"}},
                   .may_fail = {"BQ-3", "BQ-6", "BQ-7"}},
    make_looping<true>));

const detail::registrar wake_up_is_lost(std::make_unique<subject<bounded_queue>>(
    "wake_up_of_a_cancelled_waiter_is_lost", subject_kind::mutant,
    subject_traits{.features = {"try"},
                   .defect = "M-X4: a waiter that was woken and cancelled does not wake the next one",
                   .must_fail = {{"X-4", "the next one in line gets what it held"}, {"BQ-4", ""}},
                   .may_fail = {"BQ-6", "BQ-7", "X-2"}},
    make_looping<false>));

// M-X12: resumes who waits inside the call that woke it.
class inline_queue final : public bounded_queue {
 public:
  explicit inline_queue(const bounded_queue_config& config)
      : capacity_(static_cast<std::size_t>(config.capacity)) {}
  std::size_t size() const override { return buffer_.size(); }

 protected:
  awaitable<void> do_push(item one) override {
    if (!do_try_push(one)) throw contract::rejected_error("full");
    co_return;
  }
  awaitable<item> do_pop() override {
    if (buffer_.empty()) {
      auto initiation = [this](auto handler) {
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        resume_ = [kept] { std::move (*kept)(); };
      };
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation),
                                                                           asio::use_awaitable);
    }
    item one = std::move(buffer_.front());
    buffer_.pop_front();
    co_return one;
  }
  bool do_try_push(item& one) override {
    if (buffer_.size() >= capacity_) return false;
    buffer_.push_back(std::move(one));
    if (const auto resume = std::exchange(resume_, nullptr)) resume();
    return true;
  }
  item do_try_pop() override {
    if (buffer_.empty()) return {};
    item one = std::move(buffer_.front());
    buffer_.pop_front();
    return one;
  }

 private:
  std::size_t capacity_;
  std::deque<item> buffer_;
  std::function<void()> resume_;
};

const detail::registrar resumes_inline(std::make_unique<subject<bounded_queue>>(
    "resumes_inside_the_push", subject_kind::mutant,
    subject_traits{.features = {"try", "posted_wakeups"},
                   .defect = "M-X12: the popper's continuation runs inside the push that woke it",
                   .must_fail = {{"X-12", "no continuation runs inside the call that woke it"}},
                   .may_fail = {"BQ-1", "BQ-2", "BQ-4", "BQ-6", "BQ-7", "X-2", "X-3", "X-4", "X-7"}},
    [](environment&, const bounded_queue_config& config) { return std::make_unique<inline_queue>(config); }));

// Says that it notices when somebody is still parked, and does not.
const detail::registrar unchecked(std::make_unique<subject<bounded_queue>>(
    "destruction_is_not_checked", subject_kind::mutant,
    subject_traits{.features = with(all_features, "checked_destruction"),
                   .defect = "a queue with a parked popper is destroyed and nobody notices",
                   .must_fail = {{"X-20", ""}}},
    [](environment& env, const bounded_queue_config& config) {
      return std::make_unique<alternative_queue>(env.executor(), config, queue_defects{});
    }));

}  // namespace
}  // namespace assay
