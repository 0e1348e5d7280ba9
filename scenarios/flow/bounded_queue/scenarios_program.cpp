// Random programs on a bounded queue, in rounds: several callers use a queue at once, it is closed perhaps, emptied, and
// filled once more; then comes another. A caller makes one call, or two in a row without a break.
//
// Some programs let every step settle: then a model without concurrency says what comes of it. Where the queue is not
// fair, the model takes over who of several was served. Others do several steps in one turn, and cancel, time out and
// close beside each other: for them what holds whatever the order is checked whenever they settle.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/history.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>
#include <assay/scenarios/flow/bounded_queue/order.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::bounded_queue;
using std::chrono::nanoseconds;

enum class call : std::uint8_t { push, pop, join, done, close, close_now };

struct planned {
  call what{};
  int id = 0;  // of the item that is pushed
  std::optional<nanoseconds> patience = {};
};

// Who makes calls, one after another: one operation of the trial.
struct caller {
  std::vector<planned> calls = {};
  std::optional<operation<void>> op = {};
  std::size_t at = 0;  // the call that it is in
  nanoseconds deadline = nanoseconds::max();
  std::vector<int> pushed = {};
  std::vector<int> got = {};

  bool pending() const { return op->pending(); }
  bool is_in(call what) const { return at < calls.size() && calls[at].what == what; }
  bool waits_in(call what) const { return pending() && is_in(what); }
};
using callers = std::map<std::size_t, caller>;
constexpr std::size_t callers_max = 12;  // at a time

// What a queue does when nothing happens at the same time.
class queue_model {
 public:
  struct end {
    outcome_kind how = outcome_kind::pending;
    std::vector<int> got = {};
  };
  // A queue that is not fair may serve any of those who wait: the one that it was seen to serve.
  queue_model(std::size_t capacity, bool fair, bool closes_late, const callers& seen)
      : capacity_(capacity), fair_(fair), closes_late_(closes_late), seen_(&seen) {}

  bool closed() const { return closed_; }
  bool empty() const { return buffer_.empty() && pushers_.empty(); }
  bool has_parked_pushers() const { return !pushers_.empty(); }
  std::size_t size() const { return buffer_.size(); }
  std::size_t unfinished() const { return unfinished_; }
  bool takes_at_once() const { return !closed_ && (has_room() || !poppers_.empty()); }
  bool ends_at_once(call what) const {
    if (what == call::push) return closed_ || takes_at_once();
    if (what == call::pop) return closed_ || !empty();
    return what != call::join || unfinished_ == 0;
  }
  end of(std::size_t op) const { return ends_.contains(op) ? ends_.at(op) : end(); }

  // All calls of a caller but the last end at once.
  void make(std::size_t op, const std::vector<planned>& calls) {
    for (const planned& one : calls) {
      ends_[op].how = outcome_kind::pending;
      make(op, one);
      if (ends_[op].how != outcome_kind::value) return;
    }
  }
  void leave(std::size_t op, outcome_kind how) {
    if (ends_[op].how != outcome_kind::pending) return;
    ends_[op].how = how;
    std::erase_if(pushers_, [op](const auto& one) { return one.first == op; });
    std::erase(poppers_, op);
    std::erase(joiners_, op);
  }
  void forget(std::size_t op) { ends_.erase(op); }
  // Joiners that may have ended since the last `settled`, when nothing was unfinished before a parked pusher was let in.
  bool may_have_joined(std::size_t op) const {
    return std::find(may_have_joined_.begin(), may_have_joined_.end(), op) != may_have_joined_.end();
  }

  void settled() { may_have_joined_.clear(); }

  void put(int id) {
    buffer_.push_back(id);
    ++unfinished_;
    flow();
  }
  // The oldest item; 0 if there is none.
  int take() {
    if (buffer_.empty() && !pushers_.empty()) admit();
    return remove_head();
  }
  int drop() {
    if (buffer_.empty()) return 0;
    --unfinished_;
    if (unfinished_ == 0) may_have_joined_ = joiners_;
    return remove_head();
  }
  void hand_back(int id) {
    buffer_.push_front(id);
    flow();
  }
  void done() {
    if (unfinished_ > 0) --unfinished_;
    flow();
  }
  void close() {
    closed_ = true;
    if (!closes_late_) end_pushers();
    end_all(poppers_, outcome_kind::closed);
  }
  std::vector<int> close_now() {
    close();
    end_pushers();
    std::vector<int> removed(buffer_.begin(), buffer_.end());
    buffer_.clear();
    unfinished_ -= removed.size();
    flow();
    return removed;
  }

 private:
  bool has_room() const { return buffer_.size() < capacity_; }

  void make(std::size_t op, const planned& one) {
    switch (one.what) {
      case call::push:
        if (closed_) return leave(op, outcome_kind::closed);
        pushers_.emplace_back(op, one.id);
        return flow();
      case call::pop:
        poppers_.push_back(op);
        flow();
        if (closed_) leave(op, outcome_kind::closed);  // if it got nothing
        return;
      case call::join:
        joiners_.push_back(op);
        return flow();
      case call::done:
        done();
        break;
      case call::close:
        close();
        break;
      case call::close_now:
        close_now();
        break;
    }
    ends_[op].how = outcome_kind::value;
  }

  // Lets parked pushers in while there is room, and items out while somebody waits for them.
  void flow() {
    while (true) {
      if (!buffer_.empty() && !poppers_.empty()) {
        serve();
      } else if (!pushers_.empty() && (has_room() || !poppers_.empty())) {
        admit();
      } else {
        break;
      }
    }
    if (unfinished_ == 0) end_all(joiners_, outcome_kind::value);
  }
  void serve() {
    const int id = buffer_.front();
    buffer_.pop_front();
    const auto got_it = [this, id](std::size_t op) { return was_seen(op, id, &caller::got); };
    const auto seen = fair_ ? poppers_.end() : std::find_if(poppers_.begin(), poppers_.end(), got_it);
    const auto chosen = seen == poppers_.end() ? poppers_.begin() : seen;
    end& of_chosen = ends_[*chosen];
    of_chosen.how = outcome_kind::value;
    of_chosen.got.push_back(id);
    poppers_.erase(chosen);
  }
  void admit() {
    const auto went_in = [this](const auto& one) { return was_seen(one.first, one.second, &caller::pushed); };
    const auto seen = fair_ ? pushers_.end() : std::find_if(pushers_.begin(), pushers_.end(), went_in);
    const auto chosen = seen == pushers_.end() ? pushers_.begin() : seen;
    ends_[chosen->first].how = outcome_kind::value;
    buffer_.push_back(chosen->second);
    ++unfinished_;
    pushers_.erase(chosen);
  }
  bool was_seen(std::size_t op, int id, std::vector<int> caller::* which) const {
    const auto found = seen_->find(op);
    if (found == seen_->end()) return false;
    const std::vector<int>& all = found->second.*which;
    return std::find(all.begin(), all.end(), id) != all.end();
  }
  int remove_head() {
    if (buffer_.empty()) return 0;
    const int id = buffer_.front();
    buffer_.pop_front();
    flow();
    return id;
  }
  void end_pushers() {
    for (const auto& [op, id] : pushers_) ends_[op].how = outcome_kind::closed;
    pushers_.clear();
  }
  void end_all(std::deque<std::size_t>& who, outcome_kind how) {
    for (const std::size_t op : who) ends_[op].how = how;
    who.clear();
  }

  std::size_t capacity_;
  bool fair_;
  bool closes_late_;
  const callers* seen_;
  std::deque<int> buffer_;
  std::deque<std::pair<std::size_t, int>> pushers_;
  std::deque<std::size_t> poppers_;
  std::deque<std::size_t> joiners_;
  std::deque<std::size_t> may_have_joined_;
  std::map<std::size_t, end> ends_;
  std::size_t unfinished_ = 0;
  bool closed_ = false;
};

// What has happened since the program settled last.
struct interval {
  bool count_fell = false;             // items were done with, or removed
  bool given_back = false;             // items were put back to the head, or may have been
  bool dropped = false;                // some item, and which one is not known
  bool told_closed = false;            // a pop was
  bool closed = false;                 // by close
  bool emptied = false;                // by close_now
  std::size_t unfinished = 0;          // when it began
  std::vector<std::size_t> left = {};  // of the items that left: when their pushes began
  std::vector<int> gone = {};          // items that left, or were removed
};

// One queue being used.
struct round_state {
  std::size_t capacity = 1;
  bounded_queue* queue = nullptr;
  callers all = {};
  std::optional<queue_model> model = {};
  std::vector<item> in_hand = {};
  bool closed = false;
  bool closed_by_close = false;  // and not, or not only, by close_now
  bool pushed_late = false;      // somebody pushed on the closed queue
  // Items, counted.
  std::size_t committed = 0;
  std::size_t taken = 0;
  std::vector<int> handed_back = {};
  std::size_t removed = 0;
  std::size_t finished = 0;
  std::size_t beyond = 0;  // of those inside: may be there beyond the capacity
  // Of items that were pushed, and are inside still: in which interval that was.
  std::map<int, std::pair<std::size_t, std::size_t>> inside = {};  // began, committed
  interval latest = {};
  history<queue_order> seen = {};

  std::size_t unfinished() const { return committed - removed - finished; }
  std::size_t expected_size() const { return committed + handed_back.size() - taken - removed; }
};

struct run {
  trial& t;
  bool settled;  // after every step, so that the model is exact
  bool fair;
  bool closes_late;
  bool joins;
  bool statistics;
  round_state now = {};
  std::size_t next_op = 1;
  int next_id = 1;
  std::size_t intervals = 0;
  bool asks_to_settle = false;
  bool dirty = false;  // settled programs: a try_push was made in this turn
};

// ---- calls

nanoseconds later(nanoseconds now, nanoseconds delay) {
  return delay > nanoseconds::max() - now ? nanoseconds::max() : now + delay;
}

void note_commit(run& r, int id, std::size_t began) {
  ++r.now.committed;
  if (r.now.latest.dropped) return;                  // it may be this one
  const std::vector<int>& gone = r.now.latest.gone;  // before its pusher had a turn
  if (std::find(gone.begin(), gone.end(), id) == gone.end()) r.now.inside[id] = {began, r.intervals};
}

void note_gone(run& r, int id) {
  r.now.latest.gone.push_back(id);
  r.now.inside.erase(id);
}

void note_taken(run& r, item got) {
  ++r.now.taken;
  if (const auto found = r.now.inside.find(got.id()); found != r.now.inside.end()) {
    r.now.latest.left.push_back(found->second.first);
  }
  note_gone(r, got.id());
  r.now.in_hand.push_back(std::move(got));
}

void close(run& r) {
  try {
    r.now.queue->close();
  } catch (const contract::rejected_error& refusal) {
    r.t.expect(false, "BQ-13: a queue may be closed again", refusal.what());
  }
  r.now.closed = r.now.closed_by_close = r.now.latest.closed = true;
}

std::vector<int> close_now(run& r) {
  auto seen = r.now.seen.begin({queue_order::verb::close_now});
  const std::vector<item> removed = r.now.queue->close_now();
  r.now.closed = r.now.latest.count_fell = r.now.latest.emptied = true;
  r.now.removed += removed.size();
  std::vector<int> ids;
  for (const item& one : removed) {
    ids.push_back(one.id());
    note_gone(r, one.id());
  }
  seen.what().removed = ids;
  seen.done();
  return ids;
}

void say_done(run& r) {
  if (r.now.in_hand.empty()) return;
  r.now.in_hand.pop_back();
  auto seen = r.now.seen.begin({queue_order::verb::done});
  r.now.queue->done();
  seen.done();
  ++r.now.finished;
  r.now.latest.count_fell = true;
}

asio::awaitable<void> make_push(run& r, caller& me, const planned& one) {
  const std::size_t began = r.intervals;
  item offered = r.t.item(one.id);
  if (r.now.closed) r.now.pushed_late = true;
  auto seen = r.now.seen.begin({queue_order::verb::push, one.id});
  if (one.patience) {
    co_await r.now.queue->push_for(std::move(offered), *one.patience);
  } else {
    co_await r.now.queue->push(std::move(offered));
  }
  seen.done();
  me.pushed.push_back(one.id);
  note_commit(r, one.id, began);
}

asio::awaitable<void> make_pop(run& r, caller& me, const planned& one) {
  item got;
  auto seen = r.now.seen.begin({queue_order::verb::pop});
  if (one.patience) {
    got = co_await r.now.queue->pop_for(*one.patience);
  } else {
    got = co_await r.now.queue->pop();
  }
  seen.what().id = got.id();
  seen.done();
  me.got.push_back(got.id());
  note_taken(r, std::move(got));
}

asio::awaitable<void> make_join(run& r) {
  auto seen = r.now.seen.begin({queue_order::verb::join});
  co_await r.now.queue->join();
  seen.done();
}

asio::awaitable<void> make_calls(run& r, caller& me) {
  for (; me.at < me.calls.size(); ++me.at) {
    const planned& one = me.calls[me.at];
    me.deadline = one.patience ? later(r.t.now(), *one.patience) : nanoseconds::max();
    switch (one.what) {
      case call::push:
        co_await make_push(r, me, one);
        break;
      case call::pop:
        co_await make_pop(r, me, one);
        break;
      case call::join:
        co_await make_join(r);
        break;
      case call::done:
        say_done(r);
        break;
      case call::close:
        close(r);
        break;
      case call::close_now:
        close_now(r);
        break;
    }
  }
}

// ---- what is checked whenever a program settles

// Of one caller that has ended.
void check_end(run& r, const caller& one) {
  const outcome how = one.op->what();
  const auto who = [&one] { return "'" + one.op->name() + "' "; };
  const bool pops = one.is_in(call::pop);
  switch (how.kind) {
    case outcome_kind::value:
      break;
    case outcome_kind::closed:
      r.t.expect(r.now.closed, pops ? "BQ-11: a pop says closed only once the queue is closed"
                                    : "BQ-10: a push says closed only once the queue is closed");
      break;
    case outcome_kind::cancelled:
      if (one.op->state()->cancels() == 0)
        r.t.expect(false, "X-2: " + who() + "is not affected by another's request");
      break;
    case outcome_kind::timed_out:
      if (one.deadline > r.t.now()) r.t.expect(false, "X-23: " + who() + "waits until its deadline");
      break;
    default:
      r.t.expect(false, who() + "ends with an outcome of the contract", to_string(how));
  }
  if (how.kind == outcome_kind::value || !pops) return;
  // It may have put back what it held.
  ++r.now.beyond;
  if (how.kind == outcome_kind::closed) r.now.latest.told_closed = true;
  if (how.kind != outcome_kind::closed) r.now.latest.given_back = true;
}

std::size_t count_waiting(const run& r, call what) {
  const auto waits = [what](const auto& one) { return one.second.waits_in(what); };
  return static_cast<std::size_t>(std::count_if(r.now.all.begin(), r.now.all.end(), waits));
}

// The clause that keeps somebody from joining who should not wait.
std::string clause_of_join(const run& r) {
  if (r.now.removed > 0) return "BQ-16";
  return r.now.committed == 0 ? "BQ-17" : "BQ-14";
}

bool has_anybody_joined(const run& r) {
  return std::any_of(r.now.all.begin(), r.now.all.end(), [](const auto& one) {
    return one.second.calls.back().what == call::join && one.second.op->done();
  });
}

void check_joiners(run& r) {
  const interval& latest = r.now.latest;
  const std::size_t left = r.now.unfinished();
  const bool all_done = left == 0;
  if (all_done && count_waiting(r, call::join) > 0)
    r.t.expect(false, clause_of_join(r) + ": join completes when every item is done");
  if (latest.unfinished == 0 || latest.count_fell) return;
  r.t.expect(!has_anybody_joined(r), "BQ-14: items that are not done keep join parked");
}

// Items that were pushed one after the other leave in that order.
void check_order(run& r) {
  const interval& latest = r.now.latest;
  if (latest.given_back || latest.left.empty() || r.now.inside.empty()) return;
  const std::size_t began = *std::max_element(latest.left.begin(), latest.left.end());
  const auto came_before = [began](const auto& one) { return one.second.second < began; };
  const bool overtook = std::any_of(r.now.inside.begin(), r.now.inside.end(), came_before);
  r.t.expect(!overtook, "BQ-2: no item overtakes one that was pushed before it");
}

void check_statistics(run& r) {
  const contract::bounded_queue_statistics said = r.now.queue->statistics();
  r.t.expect_eq(said.parked_pushers, count_waiting(r, call::push), "BQ-19: parked pushers are counted");
  r.t.expect_eq(said.parked_poppers, count_waiting(r, call::pop), "BQ-19: parked poppers are counted");
}

// What holds at every settled point, whatever happened before.
void check_settled(run& r) {
  for (const auto& [op, one] : r.now.all) {
    if (!one.pending()) check_end(r, one);
    if (one.pending() && one.deadline <= r.t.now())
      r.t.expect(false, "X-23: '" + one.op->name() + "' ends at its deadline");
  }
  const std::size_t size = r.now.queue->size();
  const std::size_t capacity = r.now.capacity;
  r.t.expect(size <= capacity + r.now.beyond, "BQ-1: buffered items stay within the capacity");
  r.now.beyond = std::min(r.now.beyond, size > capacity ? size - capacity : 0);
  const bool pop_waits = count_waiting(r, call::pop) > 0;
  const bool push_waits = count_waiting(r, call::push) > 0;
  r.t.expect(!pop_waits || size == 0, "BQ-4: no pop is pending beside an item");
  if (!r.now.closed || r.closes_late) {  // else it is for the close that nobody is parked
    r.t.expect(!push_waits || !pop_waits, "BQ-4: no push is pending beside a pop");
    r.t.expect(!push_waits || size >= capacity, "BQ-4: no push is pending beside a free place");
  }
  if (r.now.closed) {
    const bool by_close = r.now.closed_by_close;
    const char* const pushers = by_close || r.now.pushed_late ? "BQ-10: close leaves no pusher parked"
                                                              : "BQ-12: close_now leaves no pusher parked";
    r.t.expect(!push_waits || (r.closes_late && by_close), pushers);
    const char* const poppers =
        by_close ? "BQ-11: close leaves no popper parked" : "BQ-12: close_now leaves no popper parked";
    r.t.expect(!pop_waits, poppers);
    const interval& latest = r.now.latest;
    const bool was_inside = size > 0 && !latest.given_back && !r.now.pushed_late && !r.closes_late;
    r.t.expect(!latest.told_closed || !was_inside, "BQ-11: no pop says closed beside an item");
  }
  const std::size_t expected = r.now.expected_size();
  if (capacity == 0 && r.now.handed_back.empty())
    r.t.expect_eq(expected, 0U, "BQ-5: a rendezvous push ends when its item is taken");
  const char* const clause = r.now.latest.closed ? "BQ-11" : r.now.latest.emptied ? "BQ-12" : "X-3";
  if (size != expected)
    r.t.expect_eq(size, expected, std::string(clause) + ": the queue holds what was pushed and not taken");
  check_order(r);
  if (r.joins) check_joiners(r);
  if (r.statistics) check_statistics(r);
}

// The clause that is broken where another item came than this one, the oldest.
std::string clause_of_order(const run& r, int oldest) {
  const std::vector<int>& all = r.now.handed_back;
  return std::find(all.begin(), all.end(), oldest) != all.end() ? "BQ-9" : "BQ-2";
}
std::string clause_of_order(const run& r, const std::vector<int>& got, const std::vector<int>& expected) {
  const auto differs = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end()).first;
  return clause_of_order(r, differs == expected.end() ? 0 : *differs);
}

// By how many more calls of this kind have ended with a value than the model says.
std::ptrdiff_t count_more(const run& r, call what) {
  std::ptrdiff_t more = 0;
  for (const auto& [op, one] : r.now.all) {
    const call last = one.calls[std::min(one.at, one.calls.size() - 1)].what;
    if (last != what) continue;
    if (one.op->done()) ++more;
    if (r.now.model->of(op).how == outcome_kind::value) --more;
  }
  return more;
}

// The clause that a caller breaks which has not ended as the model says.
const char* clause_of(const run& r, const caller& one, outcome_kind expected) {
  const call what = one.calls[std::min(one.at, one.calls.size() - 1)].what;
  const bool pushes = what == call::push;
  if (what == call::join) return "BQ-14";
  switch (expected) {
    case outcome_kind::closed:
      return pushes ? "BQ-10" : "BQ-11";
    case outcome_kind::cancelled:
      return pushes ? "BQ-6" : "BQ-7";
    case outcome_kind::timed_out:
      return "BQ-8";
    default:
      break;
  }
  // As many as should, and others than should: somebody was passed over.
  const std::ptrdiff_t more = count_more(r, what);
  if (more == 0) return pushes ? "BQ-2" : "BQ-3";
  return more > 0 && pushes ? "BQ-1" : "BQ-4";
}

void compare(run& r) {
  for (const auto& [op, one] : r.now.all) {
    const outcome_kind seen = one.op->what().kind;
    if (seen == outcome_kind::value && r.now.model->may_have_joined(op)) r.now.model->leave(op, seen);
    const queue_model::end expected = r.now.model->of(op);
    if (seen != expected.how) {
      const std::string text = clause_of(r, one, expected.how) + (": '" + one.op->name() + "'");
      r.t.expect_eq(to_string(seen), to_string(expected.how), text);
    } else if (one.got != expected.got) {
      r.t.expect_eq(one.got, expected.got,
                    clause_of_order(r, one.got, expected.got) + ": what '" + one.op->name() + "' got");
    }
  }
}

// The model knows no time: who was pending at its deadline has timed out.
void expire(run& r) {
  for (const auto& [op, one] : r.now.all) {
    if (one.deadline <= r.t.now()) r.now.model->leave(op, outcome_kind::timed_out);
  }
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  check_settled(r);
  if (r.settled) {
    expire(r);
    compare(r);
    r.now.model->settled();
  }
  std::erase_if(r.now.all, [&r](const auto& one) {
    const bool ended = !one.second.pending();
    if (ended) r.now.model->forget(one.first);
    return ended;
  });
  ++r.intervals;
  r.now.latest = {};
  r.now.latest.unfinished = r.now.unfinished();
  r.dirty = false;
}

// ---- steps

// What the model of an unfair queue asks for is known when the program has settled.
asio::awaitable<void> before_model(run& r) {
  if (!r.fair) co_await r.t.settle();
}

// In a settled program a caller goes on after its first call only where the rest has one outcome.
void shorten(const run& r, std::vector<planned>& calls) {
  if (calls.size() < 2 || !r.settled) return;
  const call first = calls[0].what;
  const call second = calls[1].what;
  const bool waits = !r.now.model->ends_at_once(first);
  const bool one_outcome =
      r.fair ? first == call::push || second != call::close || !r.now.model->has_parked_pushers()
      : first == call::push ? second != call::pop
                            : second == call::done;
  if (waits || !one_outcome || second == call::close_now) calls.resize(1);
}

std::string name_of(const std::vector<planned>& calls, std::size_t op) {
  std::string name;
  for (const planned& one : calls) {
    name += name.empty() ? "" : ", ";
    if (one.what == call::push) name += "push " + std::to_string(one.id);
    if (one.what == call::pop) name += "pop";
    if (one.what == call::join) name += "join";
    if (one.what == call::done) name += "done";
    if (one.what == call::close) name += "close";
    if (one.what == call::close_now) name += "close_now";
    if (one.patience) name += " for " + format_duration(*one.patience);
  }
  return name + " (" + std::to_string(op) + ")";
}

// Who has waited longest goes when there are too many: so a program that is repeated goes on.
asio::awaitable<void> make_room(run& r) {
  if (r.now.all.size() < callers_max) co_return;
  co_await settle_and_check(r);
  if (r.now.all.size() < callers_max) co_return;
  const auto oldest = r.now.all.begin();
  oldest->second.op->cancel();
  r.now.model->leave(oldest->first, outcome_kind::cancelled);
  co_await settle_and_check(r);
}

asio::awaitable<void> begin(run& r, const program_step& step, std::vector<planned> calls) {
  co_await make_room(r);
  shorten(r, calls);
  for (planned& one : calls) {
    if (one.what == call::push) one.id = r.next_id++;
  }
  const std::size_t op = r.next_op++;
  caller& me = r.now.all[op];
  me.calls = std::move(calls);
  auto work = make_calls(r, me);
  me.op.emplace(r.t.start(name_of(me.calls, op), std::move(work)));
  if (!r.settled) {
    // GEN-4: cancels are placed by the choice stream too, around one operation.
    if (step.b == 1) r.t.victim(*me.op);
    co_return;
  }
  co_await r.t.settle();
  // What needs no waiting may be refused all the same if its deadline has passed.
  const bool has_passed = me.calls[0].patience && *me.calls[0].patience <= 0ns;
  if (has_passed && me.op->timed_out()) {
    r.now.model->leave(op, outcome_kind::timed_out);
  } else {
    r.now.model->make(op, me.calls);
  }
}

constexpr nanoseconds patiences[] = {5ms, 10ms, 15ms, 20ms, 0ns, -5ms, 1ns, nanoseconds::max()};

template <call... Calls>
asio::awaitable<void> begin_one(run& r, const program_step& step) {
  std::vector<planned> calls;
  (calls.push_back({.what = Calls}), ...);
  co_await begin(r, step, std::move(calls));
}

// Three of them at once, sometimes.
template <call What, bool Timed = false>
asio::awaitable<void> begin_some(run& r, const program_step& step) {
  const int count = step.b == 3 ? 3 : 1;
  for (int i = 0; i < count; ++i) {
    std::vector<planned> calls(1);
    calls[0].what = What;
    if (Timed) calls[0].patience = patiences[(step.a + static_cast<std::size_t>(i)) % std::size(patiences)];
    co_await begin(r, step, std::move(calls));
  }
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.now.all.empty()) co_return;
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto chosen =
        std::next(r.now.all.begin(), static_cast<std::ptrdiff_t>((step.a + i) % r.now.all.size()));
    chosen->second.op->cancel();
    if (r.settled) r.now.model->leave(chosen->first, outcome_kind::cancelled);
  }
}

asio::awaitable<void> try_push(run& r, const program_step&) {
  const int id = r.next_id++;
  item one = r.t.item(id);
  const bool was_closed = r.now.closed;
  if (was_closed) r.now.pushed_late = true;
  bool taken = false;
  bool closed = false;
  {
    auto seen = r.now.seen.begin({queue_order::verb::push, id});
    try {
      taken = r.now.queue->try_push(one);
    } catch (const contract::closed_error&) {
      closed = true;
    }
    if (taken) seen.done();
  }
  if (taken) note_commit(r, id, r.intervals);
  r.t.expect_eq(closed, was_closed, "BQ-10: try_push says closed exactly after close");
  if (!r.settled) co_return;
  co_await before_model(r);
  const bool possible = r.now.model->takes_at_once();
  // Who has been served, and has had no turn yet, may still take up a place.
  r.t.expect(!taken || possible || was_closed, "BQ-1: try_push puts nothing where there is no room");
  r.t.expect(taken || !possible || r.dirty, "BQ-4: try_push succeeds if there is room");
  if (taken) r.now.model->put(id);
  r.dirty = r.fair;
}

asio::awaitable<void> try_pop(run& r, const program_step&) {
  item got;
  bool closed = false;
  auto seen = r.now.seen.begin({queue_order::verb::pop});
  try {
    got = r.now.queue->try_pop();
  } catch (const contract::closed_error&) {
    closed = true;
  }
  const int id = got.id();
  seen.what().id = id;
  if (got) seen.done();
  if (got) note_taken(r, std::move(got));
  r.t.expect(!closed || r.now.closed, "BQ-11: try_pop says closed only after close");
  if (!r.settled) co_return;
  co_await before_model(r);
  const bool at_the_end = r.now.model->closed() && r.now.model->empty();
  r.t.expect_eq(closed, at_the_end, "BQ-11: try_pop says closed exactly if the queue is closed and empty");
  if (id == 0 && r.dirty) co_return;  // it may be for somebody else
  const int oldest = r.now.model->take();
  if (id != oldest) r.t.expect_eq(id, oldest, clause_of_order(r, oldest) + ": try_pop takes the oldest item");
}

template <void (bounded_queue::*GiveBack)(item)>
asio::awaitable<void> give_back(run& r, const program_step&) {
  if (r.now.in_hand.empty()) co_return;
  item one = std::move(r.now.in_hand.back());
  r.now.in_hand.pop_back();
  const int id = one.id();
  r.now.handed_back.push_back(id);
  ++r.now.beyond;
  r.now.latest.given_back = true;
  bool refused = false;
  auto seen = r.now.seen.begin({queue_order::verb::hand_back, id});
  try {
    (r.now.queue->*GiveBack)(std::move(one));
    seen.done();
  } catch (const contract::rejected_error&) {
    refused = true;
  }
  r.t.expect(!refused, "BQ-9: what is handed back is never refused");
  if (!r.settled) co_return;
  co_await before_model(r);
  r.now.model->hand_back(id);
}

asio::awaitable<void> done(run& r, const program_step&) {
  if (!r.now.in_hand.empty()) {
    say_done(r);
    r.now.model->done();
    co_return;
  }
  if (!r.settled || r.now.unfinished() > 0) co_return;
  bool rejected = false;
  try {
    r.now.queue->done();
  } catch (const contract::rejected_error&) {
    rejected = true;
  }
  r.t.expect(rejected, "BQ-15: one done too many is detected");
}

asio::awaitable<void> drop_oldest(run& r, const program_step&) {
  // Which item it is, is not said: the order is known where the model follows.
  auto seen = r.now.seen.begin({queue_order::verb::drop});
  const bool dropped = r.now.queue->drop_oldest();
  if (dropped) {
    seen.done();
    ++r.now.removed;
    r.now.latest.count_fell = true;
  }
  if (!r.settled) {
    r.now.latest.dropped = true;
    r.now.inside.clear();
    co_return;
  }
  co_await before_model(r);
  const int id = r.now.model->drop();
  r.now.inside.erase(id);
  r.t.expect_eq(dropped, id != 0, "BQ-16: what is buffered can be dropped");
}

asio::awaitable<void> close_it(run& r, const program_step&) {
  close(r);
  if (r.settled) r.now.model->close();
  r.dirty = false;  // who was served before must have had a turn before anything else is called
  co_return;
}

asio::awaitable<void> close_it_now(run& r, const program_step&) {
  const std::vector<int> removed = close_now(r);
  if (!r.settled) co_return;
  const std::vector<int> expected = r.now.model->close_now();
  r.t.expect_eq(removed, expected, "BQ-12: close_now returns what was buffered, in order");
}

asio::awaitable<void> advance(run& r, const program_step& step) {
  co_await r.t.advance(5ms * (1 + step.a % 4));
}

struct verb {
  const char* name;
  const char* feature;  // empty: everybody has it
  asio::awaitable<void> (*act)(run&, const program_step&);
  bool may_share_a_turn = false;  // with a try_push before it, in a settled program
  bool ends_the_round = false;
};
const verb verbs[] = {
    {"push", "", begin_some<call::push>, true},
    {"pop", "", begin_some<call::pop>, true},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"try_push", "try", try_push, true},
    {"try_pop", "try", try_pop, true},
    {"push_for", "timed", begin_some<call::push, true>, true},
    {"pop_for", "timed", begin_some<call::pop, true>, true},
    {"advance", "", advance},
    {"hand_back", "hand_back", give_back<&bounded_queue::hand_back>},
    {"done", "join", done},
    {"requeue", "requeue", give_back<&bounded_queue::requeue>},
    {"drop_oldest", "removal", drop_oldest},
    {"close", "close", close_it, true, true},
    {"close_now", "close_now", close_it_now, false, true},
    {"join", "join", begin_some<call::join>},
    {"push_push", "", begin_one<call::push, call::push>},
    {"push_pop", "", begin_one<call::push, call::pop>},
    {"pop_push", "", begin_one<call::pop, call::push>},
    {"pop_pop", "", begin_one<call::pop, call::pop>},
    {"pop_done", "join", begin_one<call::pop, call::done>},
    {"push_join", "join", begin_one<call::push, call::join>},
    {"push_close", "close", begin_one<call::push, call::close>, false, true},
    {"pop_close", "close", begin_one<call::pop, call::close>, false, true},
    {"push_close_now", "close_now", begin_one<call::push, call::close_now>, false, true},
    {"another_round", "", begin_another_round<run>, false, true},
};

// Shapes: capacity 1 to 4, or 0; settled after every step or not.
const grammar rules = {.shapes = 10,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

void begin_round(run& r, bounded_queue& queue, std::size_t capacity) {
  r.now = {};
  r.now.capacity = capacity;
  r.now.queue = &queue;
  r.now.model.emplace(capacity, r.fair, r.closes_late, r.now.all);
}

// Pops the rest, in the model's order if it is known.
asio::awaitable<bool> drain(run& r, bool in_order) {
  while (r.now.queue->size() > 0) {
    auto rest = co_await r.t.begin("pop the rest", r.now.queue->pop());
    const bool got = r.t.expect(rest.done(), "BQ-4: what is buffered can be popped");
    if (!got) {
      co_await r.t.cancel(rest);
      co_return false;
    }
    const int id = rest.value().id();
    const int oldest = in_order ? r.now.model->take() : id;
    if (id != oldest)
      r.t.expect_eq(id, oldest, clause_of_order(r, oldest) + ": what is left comes out in order");
    note_taken(r, std::move(rest.value()));
  }
  co_return true;
}

// Everything that was taken is done: then joiners may go, and not before.
asio::awaitable<void> finish_work(run& r) {
  if (!r.joins) {
    r.now.in_hand.clear();
    co_return;
  }
  while (!r.now.in_hand.empty()) {
    say_done(r);
    co_await r.t.settle();
    const bool too_early = r.now.unfinished() > 0 && has_anybody_joined(r);
    r.t.expect(!too_early, "BQ-14: items that are not done keep join parked");
  }
  const std::string clause = clause_of_join(r);
  r.t.expect(count_waiting(r, call::join) == 0, clause + ": join completes when every item is done");
  auto late = co_await r.t.begin("join at the end", r.now.queue->join());
  r.t.expect(late.done(), clause + ": join completes at once if every item is done");
  co_await r.t.cancel(late);
  std::erase_if(r.now.all,
                [](const auto& one) { return one.second.op->what().kind != outcome_kind::pending; });
}

// As many items go in as at first, and no more.
asio::awaitable<void> fill_again(run& r) {
  if (r.now.closed || r.now.capacity == 0) co_return;
  std::vector<operation<void>> pushes;
  for (std::size_t i = 0; i <= r.now.capacity; ++i) {
    const std::string name = "fill with " + std::to_string(r.next_id);
    pushes.push_back(r.t.start(name, r.now.queue->push(r.t.item(r.next_id))));
    ++r.next_id;
    co_await r.t.settle();
  }
  const auto went_in = [](const operation<void>& one) { return one.done(); };
  const auto first_out = std::find_if_not(pushes.begin(), pushes.end(), went_in);
  const auto count = static_cast<std::size_t>(first_out - pushes.begin());
  r.now.committed += count;
  r.t.expect(count >= r.now.capacity, "BQ-4: a queue that was emptied has room for as many as at first");
  r.t.expect(count <= r.now.capacity, "BQ-1: and for no more");
  pushes.back().cancel();
  co_await r.t.settle();
  r.t.expect(pushes.back().ended(), "BQ-6: a push ends when it is cancelled");
}

// GEN-3: everything is cancelled and drained, and then nothing may be missing. False if the queue cannot be used any more.
asio::awaitable<bool> finish_round(run& r) {
  co_await settle_and_check(r);
  expect_explained(r.t, r.now.seen, queue_order{.capacity = r.now.capacity}, "queue");
  for (const auto& [op, one] : r.now.all) {
    if (!one.is_in(call::join)) one.op->cancel();
    if (!one.is_in(call::join)) r.now.model->leave(op, outcome_kind::cancelled);
  }
  co_await r.t.settle();
  bool all_ended = true;
  for (const auto& [op, one] : r.now.all) {
    if (one.is_in(call::join) && one.pending()) continue;
    const char* const clause = one.is_in(call::push) ? "BQ-6: '" : "BQ-7: '";
    all_ended =
        r.t.expect(!one.pending(), clause + one.op->name() + "' ends when it is cancelled") && all_ended;
  }
  co_await settle_and_check(r);
  const bool drained = co_await drain(r, r.settled);
  co_await finish_work(r);
  if (drained) co_await fill_again(r);
  const bool drained_again = co_await drain(r, false);
  co_await finish_work(r);
  for (const auto& [op, one] : r.now.all) one.op->cancel();
  co_await r.t.settle();
  for (const auto& [op, one] : r.now.all) {
    const outcome how = one.op->what();
    all_ended = how.kind != outcome_kind::pending && all_ended;
  }
  co_return all_ended&& drained&& drained_again;
}

asio::awaitable<void> do_step(run& r, const program_step& step) {
  const verb& what = verbs[step.verb];
  if (r.dirty && !what.may_share_a_turn) co_await settle_and_check(r);
  co_await what.act(r, step);
  const bool goes_on = r.settled ? r.dirty && step.b == 1 : !r.asks_to_settle;
  r.asks_to_settle = false;
  if (!goes_on) co_await settle_and_check(r);
}

}  // namespace

ASSAY_PROGRAM(bounded_queue, "X-3", rules,
              .asks = {"fair", "close_completes_parked", "join", "statistics", "rendezvous"},
              .must_see = {"takes_the_newest_first", "hands_back_to_the_tail", "counts_a_cancelled_popper",
                           "keeps_the_item_of_a_cancelled_push"}) {
  const auto state = std::make_shared<run>(run{.t = t,
                                               .settled = steps.shape >= 5,
                                               .fair = make.claims("fair"),
                                               .closes_late = make.claims("close_completes_parked"),
                                               .joins = make.claims("join"),
                                               .statistics = make.claims("statistics")});
  t.keep(state);  // what has not ended when the program breaks off may use it
  run& r = *state;
  std::size_t capacity = (1 + steps.shape) % 5;
  if (capacity == 0 && !make.claims("rendezvous")) capacity = 1;
  auto queue = make({.capacity = static_cast<std::int64_t>(capacity)});
  begin_round(r, *queue, capacity);
  bool goes_on = true;
  // What is repeated many times is done with one queue: it may wear out.
  const bool wears = rules.repeats[steps.repeats] > 1;
  for (const program_step& step : steps.steps) {
    if (wears && verbs[step.verb].ends_the_round) continue;
    const bool is_last = verbs[step.verb].act == &begin_another_round<run> || (r.now.closed && step.b == 0);
    if (is_last) {
      goes_on = co_await finish_round(r);
      if (!goes_on) break;
      queue.reset();
      queue = make({.capacity = static_cast<std::int64_t>(capacity)});
      begin_round(r, *queue, capacity);
    }
    co_await do_step(r, step);
  }
  if (goes_on) co_await finish_round(r);
  t.expect(t.items().balanced(), "no item is lost or doubled", t.items().summary());
}

}  // namespace assay
