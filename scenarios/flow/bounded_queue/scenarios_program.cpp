// Random programs on a bounded queue, compared with a model that has no concurrency: three lists and a flag.
//
// When a program settles after every step, the model of a fair queue says exactly which operation has ended, and how.
// Otherwise what holds whatever the order is checked: capacity, no idle meeting, and that no item is lost or doubled.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 8,  // capacity 1 to 4, settled after every step or not
    .verbs = {"push", "pop", "cancel", "settle", "try_push", "try_pop", "push_for", "pop_for", "advance",
              "hand_back", "done", "requeue", "drop_oldest", "close", "close_now"},
    .a_values = 8,
    .b_values = 2,
    .steps_max = 30,
};

namespace asio = boost::asio;
using contract::bounded_queue;
enum class verb {
  push,
  pop,
  cancel,
  settle,
  try_push,
  try_pop,
  push_for,
  pop_for,
  advance,
  hand_back,
  done,
  requeue,
  drop_oldest,
  close,
  close_now
};

const char* feature_of(verb what) {
  switch (what) {
    case verb::try_push:
    case verb::try_pop:
      return "try";
    case verb::push_for:
    case verb::pop_for:
      return "timed";
    case verb::hand_back:
      return "hand_back";
    case verb::done:
      return "join";
    case verb::requeue:
      return "requeue";
    case verb::drop_oldest:
      return "removal";
    case verb::close:
      return "close";
    case verb::close_now:
      return "close_now";
    case verb::push:
    case verb::pop:
    case verb::cancel:
    case verb::settle:
    case verb::advance:
      break;
  }
  return nullptr;
}

// What a fair queue does when nothing happens at the same time.
class queue_model {
 public:
  explicit queue_model(std::size_t capacity) : capacity_(capacity) {}

  void push(std::size_t op, int id) {
    if (closed_) {
      ended_[op] = outcome_kind::closed;
    } else if (!poppers_.empty()) {
      serve(id);
      ended_[op] = outcome_kind::value;
    } else if (buffer_.size() < capacity_) {
      buffer_.push_back(id);
      ended_[op] = outcome_kind::value;
    } else {
      pushers_.emplace_back(op, id);
    }
  }
  void pop(std::size_t op) {
    if (!buffer_.empty()) {
      got_[op] = buffer_.front();
      buffer_.pop_front();
      ended_[op] = outcome_kind::value;
      admit();
    } else if (closed_) {
      ended_[op] = outcome_kind::closed;
    } else {
      poppers_.push_back(op);
    }
  }
  void leave(std::size_t op, outcome_kind how) {
    if (ended_.contains(op)) return;
    ended_[op] = how;
    std::erase_if(pushers_, [op](const auto& one) { return one.first == op; });
    std::erase(poppers_, op);
  }
  void hand_back(int id) {
    if (!poppers_.empty()) {
      serve(id);
    } else {
      buffer_.push_front(id);
    }
  }
  int drop_oldest() {
    if (buffer_.empty()) return 0;
    const int id = buffer_.front();
    buffer_.pop_front();
    admit();
    return id;
  }
  void close() {
    closed_ = true;
    for (const auto& [op, id] : pushers_) ended_[op] = outcome_kind::closed;
    for (const std::size_t op : poppers_) ended_[op] = outcome_kind::closed;
    pushers_.clear();
    poppers_.clear();
  }
  std::size_t close_now() {
    close();
    const std::size_t removed = buffer_.size();
    buffer_.clear();
    return removed;
  }
  bool full() const { return buffer_.size() >= capacity_; }
  bool closed() const { return closed_; }
  std::size_t size() const { return buffer_.size(); }
  outcome_kind of(std::size_t op) const {
    const auto found = ended_.find(op);
    return found == ended_.end() ? outcome_kind::pending : found->second;
  }
  int got(std::size_t op) const {
    const auto found = got_.find(op);
    return found == got_.end() ? 0 : found->second;
  }

 private:
  void serve(int id) {
    ended_[poppers_.front()] = outcome_kind::value;
    got_[poppers_.front()] = id;
    poppers_.pop_front();
  }
  void admit() {
    if (pushers_.empty() || full()) return;
    buffer_.push_back(pushers_.front().second);
    ended_[pushers_.front().first] = outcome_kind::value;
    pushers_.pop_front();
  }

  std::size_t capacity_;
  std::deque<int> buffer_;
  std::deque<std::pair<std::size_t, int>> pushers_;
  std::deque<std::size_t> poppers_;
  std::map<std::size_t, outcome_kind> ended_;
  std::map<std::size_t, int> got_;
  bool closed_ = false;
};

// One program being run.
struct run {
  trial& t;
  bounded_queue& queue;
  queue_model model;
  bool settled;  // after every step, so that the model is exact
  bool fair;
  std::map<std::size_t, operation<void>> pushes;
  std::map<std::size_t, operation<item>> pops;
  std::map<std::size_t, std::chrono::nanoseconds> deadlines;
  std::vector<item> in_hand;
  std::size_t next_op = 1;
  int next_id = 1;
  std::size_t handed_back = 0;
  std::size_t capacity = 1;
  bool closed = false;
};

void start_push(run& r, std::optional<std::chrono::nanoseconds> patience) {
  const std::size_t op = r.next_op++;
  const int id = r.next_id++;
  const std::string name = "push " + std::to_string(id);
  if (patience) {
    r.pushes.emplace(op, r.t.start(name, r.queue.push_for(r.t.item(id), *patience)));
    r.deadlines[op] = r.t.now() + *patience;
  } else {
    r.pushes.emplace(op, r.t.start(name, r.queue.push(r.t.item(id))));
  }
  r.model.push(op, id);
}

void start_pop(run& r, std::optional<std::chrono::nanoseconds> patience) {
  const std::size_t op = r.next_op++;
  const std::string name = "pop " + std::to_string(op);
  if (patience) {
    r.pops.emplace(op, r.t.start(name, r.queue.pop_for(*patience)));
    r.deadlines[op] = r.t.now() + *patience;
  } else {
    r.pops.emplace(op, r.t.start(name, r.queue.pop()));
  }
  r.model.pop(op);
}

void cancel_one(run& r, std::uint8_t which) {
  const std::size_t op = r.next_op > 1 ? 1 + which % (r.next_op - 1) : 0;
  const auto push = r.pushes.find(op);
  const auto pop = r.pops.find(op);
  if (push != r.pushes.end()) push->second.cancel();
  if (pop != r.pops.end()) pop->second.cancel();
  if (op != 0) r.model.leave(op, outcome_kind::cancelled);
}

void try_push(run& r) {
  const int id = r.next_id++;
  item one = r.t.item(id);
  bool taken = false;
  bool closed = false;
  try {
    taken = r.queue.try_push(one);
  } catch (const contract::closed_error&) {
    closed = true;
  }
  if (!r.settled || !r.fair) return;
  const bool possible = !r.model.closed() && !r.model.full();
  r.t.expect_eq(closed, r.model.closed(), "BQ-10: try_push says closed exactly after close");
  r.t.expect_eq(taken, possible, "BQ-4: try_push succeeds exactly if there is room");
  if (taken) r.model.push(r.next_op++, id);
}

void try_pop(run& r) {
  item got;
  try {
    got = r.queue.try_pop();
  } catch (const contract::closed_error&) {
    got = item();
  }
  const int id = got.id();
  if (got) r.in_hand.push_back(std::move(got));
  if (!r.settled || !r.fair || r.model.size() == 0) return;
  const std::size_t op = r.next_op++;
  r.model.pop(op);
  r.t.expect_eq(id, r.model.got(op), "BQ-2: try_pop takes the head");
}

void give_back(run& r, bool requeue) {
  if (r.in_hand.empty()) return;
  item one = std::move(r.in_hand.back());
  r.in_hand.pop_back();
  const int id = one.id();
  ++r.handed_back;
  if (requeue) {
    r.queue.requeue(std::move(one));
  } else {
    r.queue.hand_back(std::move(one));
  }
  r.model.hand_back(id);
}

void say_done(run& r) {
  if (r.in_hand.empty()) return;
  r.in_hand.pop_back();
  r.queue.done();
}

void drop_oldest(run& r) {
  const bool dropped = r.queue.drop_oldest();
  const int id = r.model.drop_oldest();
  if (r.settled && r.fair) r.t.expect_eq(dropped, id != 0, "BQ-16: what is buffered can be dropped");
}

void close_now(run& r) {
  const std::vector<item> removed = r.queue.close_now();
  const std::size_t expected = r.model.close_now();
  r.closed = true;
  if (r.settled && r.fair)
    r.t.expect_eq(removed.size(), expected, "BQ-12: close_now returns what was buffered");
}

// What is popped goes into hand, so that it can be handed back or marked done.
void collect(run& r) {
  for (auto& [op, pop] : r.pops) {
    if (pop.done() && pop.value()) r.in_hand.push_back(std::move(pop.value()));
  }
}

// The model knows no time: who was pending at its deadline has timed out.
void expire(run& r) {
  for (const auto& [op, deadline] : r.deadlines) {
    if (deadline <= r.t.now()) r.model.leave(op, outcome_kind::timed_out);
  }
}

void compare(run& r) {
  if (!r.settled || !r.fair) return;
  for (const auto& [op, push] : r.pushes) {
    r.t.expect_eq(to_string(push.what().kind), to_string(r.model.of(op)), "the model: '" + push.name() + "'");
  }
  for (const auto& [op, pop] : r.pops) {
    r.t.expect_eq(to_string(pop.what().kind), to_string(r.model.of(op)), "the model: '" + pop.name() + "'");
    if (pop.done() && pop.value()) {
      r.t.expect_eq(pop.value().id(), r.model.got(op), "the model: what '" + pop.name() + "' got");
    }
  }
  r.t.expect_eq(r.queue.size(), r.model.size(), "the model: buffered items");
}

// What holds at every settled point, whatever happened before.
void check_settled(run& r) {
  const std::size_t size = r.queue.size();
  // A queue may hand back by itself what a cancelled pop was about to take.
  const auto was_cancelled = [](const auto& one) { return one.second.state()->cancels() > 0; };
  const auto may_hand_back =
      static_cast<std::size_t>(std::count_if(r.pops.begin(), r.pops.end(), was_cancelled));
  r.t.expect(size <= r.capacity + r.handed_back + may_hand_back,
             "BQ-1: buffered items stay within the capacity");
  const auto pending = [](const auto& one) { return one.second.pending(); };
  const bool pop_waits = std::any_of(r.pops.begin(), r.pops.end(), pending);
  const bool push_waits = std::any_of(r.pushes.begin(), r.pushes.end(), pending);
  r.t.expect(!pop_waits || size == 0, "BQ-4: no pop is pending beside an item");
  r.t.expect(!push_waits || size >= r.capacity, "BQ-4: no push is pending beside a free place");
  r.t.expect(!r.closed || (!pop_waits && !push_waits), "BQ-10, BQ-11: close leaves nobody parked");
}

// GEN-4: cancels are placed by the choice stream too, around one operation. The model could not follow, so only in
// programs that are not compared with it.
void choose_victim(run& r, const program_step& step) {
  if (r.settled || step.b == 0) return;
  const std::size_t op = r.next_op - 1;
  if (const auto pop = r.pops.find(op); pop != r.pops.end()) r.t.victim(pop->second);
  if (const auto push = r.pushes.find(op); push != r.pushes.end()) r.t.victim(push->second);
}

asio::awaitable<void> do_step(run& r, const program_step& step) {
  const std::chrono::nanoseconds patience = std::chrono::milliseconds(5 * (1 + step.a % 4));
  switch (static_cast<verb>(step.verb)) {
    case verb::push:
      start_push(r, std::nullopt);
      break;
    case verb::pop:
      start_pop(r, std::nullopt);
      break;
    case verb::push_for:
      start_push(r, patience);
      break;
    case verb::pop_for:
      start_pop(r, patience);
      break;
    case verb::cancel:
      cancel_one(r, step.a);
      break;
    case verb::settle:
      co_await r.t.settle();
      break;
    case verb::advance:
      co_await r.t.advance(patience);
      break;
    case verb::try_push:
      try_push(r);
      break;
    case verb::try_pop:
      try_pop(r);
      break;
    case verb::hand_back:
      give_back(r, false);
      break;
    case verb::requeue:
      give_back(r, true);
      break;
    case verb::done:
      say_done(r);
      break;
    case verb::drop_oldest:
      drop_oldest(r);
      break;
    case verb::close:
      r.queue.close();
      r.model.close();
      r.closed = true;
      break;
    case verb::close_now:
      close_now(r);
      break;
  }
}

asio::awaitable<void> run_steps(run& r, const program& steps, const maker<bounded_queue>& make) {
  for (const program_step& step : steps.steps) {
    const char* const feature = feature_of(static_cast<verb>(step.verb));
    if (feature != nullptr && !make.claims(feature)) continue;
    co_await do_step(r, step);
    choose_victim(r, step);
    if (!r.settled && static_cast<verb>(step.verb) != verb::settle) continue;
    co_await r.t.settle();
    expire(r);
    compare(r);
    check_settled(r);
    collect(r);
  }
}

void check_ended(trial& t, const std::string& name, const outcome& what) {
  t.expect(what.kind != outcome_kind::pending, "'" + name + "' ends when it is cancelled");
  const bool plain = what.kind == outcome_kind::value || what.kind == outcome_kind::cancelled ||
                     what.kind == outcome_kind::closed || what.kind == outcome_kind::timed_out ||
                     what.kind == outcome_kind::pending;
  t.expect(plain, "'" + name + "' ends with an outcome of the contract", to_string(what));
}

// GEN-3: everything is cancelled and drained, and then nothing may be missing.
asio::awaitable<void> finish(run& r) {
  co_await r.t.settle();
  check_settled(r);
  for (auto& [op, push] : r.pushes) push.cancel();
  for (auto& [op, pop] : r.pops) pop.cancel();
  co_await r.t.settle();
  for (const auto& [op, push] : r.pushes) check_ended(r.t, push.name(), push.what());
  for (const auto& [op, pop] : r.pops) check_ended(r.t, pop.name(), pop.what());
  collect(r);
  while (r.queue.size() > 0) {
    auto rest = r.t.start("pop the rest", r.queue.pop());
    co_await r.t.settle();
    r.t.expect(rest.done(), "BQ-4: what is buffered can be popped");
    rest.cancel();
    co_await r.t.settle();
    if (!rest.done()) co_return;
  }
  r.t.expect(r.t.items().balanced(), "no item is lost or doubled", r.t.items().summary());
}

}  // namespace

ASSAY_PROGRAM(bounded_queue, "X-3", rules,
              .must_see = {"takes_the_newest_first", "hands_back_to_the_tail", "counts_a_cancelled_popper",
                           "keeps_the_item_of_a_cancelled_push"}) {
  const std::size_t capacity = 1 + steps.shape % 4U;
  auto queue = make({.capacity = static_cast<std::int64_t>(capacity)});
  run r{
      t,        *queue, queue_model(capacity), steps.shape >= 4, make.claims("fair"), {}, {}, {}, {}, 1, 1, 0,
      capacity, false};
  co_await run_steps(r, steps, make);
  co_await finish(r);
}

}  // namespace assay
