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
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::bounded_queue;
using std::chrono::nanoseconds;

// What a fair queue does when nothing happens at the same time.
class queue_model {
 public:
  struct end {
    outcome_kind how = outcome_kind::pending;
    int got = 0;
  };
  explicit queue_model(std::size_t capacity) : capacity_(capacity) {}

  void push(std::size_t op, int id) {
    if (closed_) {
      ends_[op] = {outcome_kind::closed};
    } else {
      pushers_.emplace_back(op, id);
      admit();
    }
  }
  void pop(std::size_t op) {
    if (!buffer_.empty()) {
      ends_[op] = {outcome_kind::value, drop_oldest()};
    } else if (closed_) {
      ends_[op] = {outcome_kind::closed};
    } else {
      poppers_.push_back(op);
    }
  }
  void leave(std::size_t op, outcome_kind how) {
    if (!ends_.try_emplace(op, end{how}).second) return;
    std::erase_if(pushers_, [op](const auto& one) { return one.first == op; });
    std::erase(poppers_, op);
  }
  void hand_back(int id) {
    buffer_.push_front(id);
    serve();
  }
  int drop_oldest() {
    const int id = buffer_.empty() ? 0 : buffer_.front();
    if (!buffer_.empty()) buffer_.pop_front();
    admit();
    return id;
  }
  void close() {
    closed_ = true;
    for (const auto& [op, id] : pushers_) ends_[op] = {outcome_kind::closed};
    for (const std::size_t op : poppers_) ends_[op] = {outcome_kind::closed};
    pushers_.clear();
    poppers_.clear();
  }
  std::size_t close_now() {
    close();
    return std::exchange(buffer_, {}).size();
  }
  bool full() const { return buffer_.size() >= capacity_; }
  bool closed() const { return closed_; }
  std::size_t size() const { return buffer_.size(); }
  end of(std::size_t op) const { return ends_.contains(op) ? ends_.at(op) : end(); }

 private:
  // Lets parked pushers in while there is room, and items out while somebody waits for them.
  void admit() {
    while (!pushers_.empty() && (!full() || !poppers_.empty())) {
      buffer_.push_back(pushers_.front().second);
      ends_[pushers_.front().first] = {outcome_kind::value};
      pushers_.pop_front();
      serve();
    }
  }
  void serve() {
    while (!buffer_.empty() && !poppers_.empty()) {
      ends_[poppers_.front()] = {outcome_kind::value, buffer_.front()};
      poppers_.pop_front();
      buffer_.pop_front();
    }
  }

  std::size_t capacity_;
  std::deque<int> buffer_;
  std::deque<std::pair<std::size_t, int>> pushers_;
  std::deque<std::size_t> poppers_;
  std::map<std::size_t, end> ends_;
  bool closed_ = false;
};

// One program being run.
struct run {
  trial& t;
  bounded_queue& queue;
  std::size_t capacity;
  bool settled;  // after every step, so that the model is exact
  bool fair;
  bool closes_late;  // pushers that are parked at close stay
  queue_model model{capacity};
  std::map<std::size_t, operation<void>> pushes = {};
  std::map<std::size_t, operation<item>> pops = {};
  std::map<std::size_t, nanoseconds> deadlines = {};
  std::vector<item> in_hand = {};
  std::size_t next_op = 1;
  int next_id = 1;
  std::size_t handed_back = 0;
  nanoseconds pause = 0ns;  // that the latest step asks for
  bool settles = settled;   // after the latest step

  bool is_exact() const { return settled && fair; }
};

nanoseconds patience_of(const program_step& step) { return 5ms * (1 + step.a % 4); }

template <bool Timed>
void start_push(run& r, const program_step& step) {
  const std::size_t op = r.next_op++;
  const int id = r.next_id++;
  const nanoseconds patience = patience_of(step);
  auto work = Timed ? r.queue.push_for(r.t.item(id), patience) : r.queue.push(r.t.item(id));
  r.pushes.emplace(op, r.t.start("push " + std::to_string(id), std::move(work)));
  if (Timed) r.deadlines[op] = r.t.now() + patience;
  r.model.push(op, id);
}

template <bool Timed>
void start_pop(run& r, const program_step& step) {
  const std::size_t op = r.next_op++;
  const nanoseconds patience = patience_of(step);
  auto work = Timed ? r.queue.pop_for(patience) : r.queue.pop();
  r.pops.emplace(op, r.t.start("pop " + std::to_string(op), std::move(work)));
  if (Timed) r.deadlines[op] = r.t.now() + patience;
  r.model.pop(op);
}

void cancel_one(run& r, const program_step& step) {
  if (r.next_op == 1) return;
  const std::size_t op = 1 + step.a % (r.next_op - 1);
  const auto push = r.pushes.find(op);
  const auto pop = r.pops.find(op);
  if (push != r.pushes.end()) push->second.cancel();
  if (pop != r.pops.end()) pop->second.cancel();
  r.model.leave(op, outcome_kind::cancelled);
}

void try_push(run& r, const program_step&) {
  const int id = r.next_id++;
  item one = r.t.item(id);
  bool taken = false;
  bool closed = false;
  try {
    taken = r.queue.try_push(one);
  } catch (const contract::closed_error&) {
    closed = true;
  }
  if (!r.is_exact()) return;
  const bool possible = !r.model.closed() && !r.model.full();
  r.t.expect_eq(closed, r.model.closed(), "BQ-10: try_push says closed exactly after close");
  r.t.expect_eq(taken, possible, "BQ-4: try_push succeeds exactly if there is room");
  if (taken) r.model.push(r.next_op++, id);
}

void try_pop(run& r, const program_step&) {
  item got;
  try {
    got = r.queue.try_pop();
  } catch (const contract::closed_error&) {
    got = item();
  }
  const int id = got.id();
  if (got) r.in_hand.push_back(std::move(got));
  if (!r.is_exact() || r.model.size() == 0) return;
  r.t.expect_eq(id, r.model.drop_oldest(), "BQ-2: try_pop takes the head");
  ++r.next_op;
}

template <void (bounded_queue::*GiveBack)(item)>
void give_back(run& r, const program_step&) {
  if (r.in_hand.empty()) return;
  item one = std::move(r.in_hand.back());
  r.in_hand.pop_back();
  const int id = one.id();
  ++r.handed_back;
  (r.queue.*GiveBack)(std::move(one));
  r.model.hand_back(id);
}

void say_done(run& r, const program_step&) {
  if (r.in_hand.empty()) return;
  r.in_hand.pop_back();
  r.queue.done();
}

void drop_oldest(run& r, const program_step&) {
  const bool dropped = r.queue.drop_oldest();
  const int id = r.model.drop_oldest();
  if (r.is_exact()) r.t.expect_eq(dropped, id != 0, "BQ-16: what is buffered can be dropped");
}

void close(run& r, const program_step&) {
  r.queue.close();
  r.model.close();
}

void close_now(run& r, const program_step&) {
  const std::vector<item> removed = r.queue.close_now();
  const std::size_t expected = r.model.close_now();
  if (r.is_exact()) r.t.expect_eq(removed.size(), expected, "BQ-12: close_now returns what was buffered");
}

struct verb {
  const char* name;
  const char* feature;  // null: everybody has it
  void (*act)(run&, const program_step&);
};
const verb verbs[] = {
    {"push", nullptr, start_push<false>},
    {"pop", nullptr, start_pop<false>},
    {"cancel", nullptr, cancel_one},
    {"settle", nullptr, [](run& r, const program_step&) { r.settles = true; }},
    {"try_push", "try", try_push},
    {"try_pop", "try", try_pop},
    {"push_for", "timed", start_push<true>},
    {"pop_for", "timed", start_pop<true>},
    {"advance", nullptr, [](run& r, const program_step& step) { r.pause = patience_of(step); }},
    {"hand_back", "hand_back", give_back<&bounded_queue::hand_back>},
    {"done", "join", say_done},
    {"requeue", "requeue", give_back<&bounded_queue::requeue>},
    {"drop_oldest", "removal", drop_oldest},
    {"close", "close", close},
    {"close_now", "close_now", close_now},
};

grammar make_rules() {
  // Shapes: capacity 1 to 4, settled after every step or not.
  grammar rules{.shapes = 8, .verbs = {}, .a_values = 8, .b_values = 2, .steps_max = 30};
  for (const verb& one : verbs) rules.verbs.emplace_back(one.name, one.feature == nullptr ? "" : one.feature);
  return rules;
}
const grammar rules = make_rules();

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
  if (!r.is_exact()) return;
  const auto compare_end = [&r](std::size_t op, const auto& one) {
    const std::string_view expected = to_string(r.model.of(op).how);
    r.t.expect_eq(to_string(one.what().kind), expected, "the model: '" + one.name() + "'");
  };
  for (const auto& [op, push] : r.pushes) compare_end(op, push);
  for (const auto& [op, pop] : r.pops) {
    compare_end(op, pop);
    if (pop.done() && pop.value())
      r.t.expect_eq(pop.value().id(), r.model.of(op).got, "the model: what '" + pop.name() + "' got");
  }
  r.t.expect_eq(r.queue.size(), r.model.size(), "the model: buffered items");
}

template <class Operations, class Predicate>
std::size_t count(const Operations& all, Predicate is) {
  const auto of_second = [&is](const auto& one) { return is(one.second); };
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), of_second));
}

// What holds at every settled point, whatever happened before.
void check_settled(run& r) {
  const std::size_t size = r.queue.size();
  // A queue may hand back by itself what a cancelled pop was about to take.
  const auto was_cancelled = [](const auto& one) { return one.state()->cancels() > 0; };
  const std::size_t most = r.capacity + r.handed_back + count(r.pops, was_cancelled);
  r.t.expect(size <= most, "BQ-1: buffered items stay within the capacity");
  const auto is_pending = [](const auto& one) { return one.pending(); };
  const bool pop_waits = count(r.pops, is_pending) > 0;
  const bool push_waits = count(r.pushes, is_pending) > 0;
  r.t.expect(!pop_waits || size == 0, "BQ-4: no pop is pending beside an item");
  r.t.expect(!push_waits || size >= r.capacity, "BQ-4: no push is pending beside a free place");
  const bool leaves_nobody = !pop_waits && (!push_waits || r.closes_late);
  r.t.expect(!r.model.closed() || leaves_nobody, "BQ-10, BQ-11: close leaves nobody parked");
}

// GEN-4: cancels are placed by the choice stream too, around one operation. The model could not follow, so only in
// programs that are not compared with it.
void choose_victim(run& r, const program_step& step) {
  if (r.settled || step.b == 0) return;
  const std::size_t op = r.next_op - 1;
  if (const auto pop = r.pops.find(op); pop != r.pops.end()) r.t.victim(pop->second);
  if (const auto push = r.pushes.find(op); push != r.pushes.end()) r.t.victim(push->second);
}

asio::awaitable<void> run_steps(run& r, const program& steps) {
  for (const program_step& step : steps.steps) {
    const verb& what = verbs[step.verb];
    what.act(r, step);
    if (const nanoseconds pause = std::exchange(r.pause, 0ns); pause > 0ns) co_await r.t.advance(pause);
    choose_victim(r, step);
    if (!std::exchange(r.settles, r.settled)) continue;
    co_await r.t.settle();
    expire(r);
    compare(r);
    check_settled(r);
    collect(r);
  }
}

template <class Operations>
void check_ended(trial& t, const Operations& all) {
  for (const auto& [op, one] : all) {
    const outcome how = one.what();
    const std::string who = "'" + one.name() + "'";
    t.expect(how.kind != outcome_kind::pending, who + " ends when it is cancelled");
    const bool plain = one.pending() || one.done() || one.cancelled() || one.closed() || one.timed_out();
    t.expect(plain, who + " ends with an outcome of the contract", to_string(how));
  }
}

// GEN-3: everything is cancelled and drained, and then nothing may be missing.
asio::awaitable<void> finish(run& r) {
  co_await r.t.settle();
  check_settled(r);
  for (auto& [op, push] : r.pushes) push.cancel();
  for (auto& [op, pop] : r.pops) pop.cancel();
  co_await r.t.settle();
  check_ended(r.t, r.pushes);
  check_ended(r.t, r.pops);
  collect(r);
  while (r.queue.size() > 0) {
    auto rest = co_await r.t.begin("pop the rest", r.queue.pop());
    r.t.expect(rest.done(), "BQ-4: what is buffered can be popped");
    co_await r.t.cancel(rest);
    if (!rest.done()) co_return;
  }
  r.t.expect(r.t.items().balanced(), "no item is lost or doubled", r.t.items().summary());
}

}  // namespace

ASSAY_PROGRAM(bounded_queue, "X-3", rules, .asks = {"fair", "close_completes_parked"},
              .must_see = {"takes_the_newest_first", "hands_back_to_the_tail", "counts_a_cancelled_popper",
                           "keeps_the_item_of_a_cancelled_push"}) {
  const std::size_t capacity = 1 + steps.shape % 4U;
  auto queue = make({.capacity = static_cast<std::int64_t>(capacity)});
  run r{.t = t,
        .queue = *queue,
        .capacity = capacity,
        .settled = steps.shape >= 4,
        .fair = make.claims("fair"),
        .closes_late = make.claims("close_completes_parked")};
  co_await run_steps(r, steps);
  co_await finish(r);
}

}  // namespace assay
