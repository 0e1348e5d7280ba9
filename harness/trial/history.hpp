// Histories: calls that overlap, what each of them came to, and whether the calls of a model without concurrency, made
// one after the other in some order, come to the same (linearizability). This is for what is seen only from outside: the
// calls of a random program, a subject in another process, threads.
//
// A call takes effect at one point between its beginning and its end, or at several, one after the other: a wait on a
// condition unlocks, and locks again. A call that ended without a value (it was cancelled, or timed out) took effect
// never, or took its effect back: who was handed something, and was cancelled before it could leave with it, has put it
// back. A call that is pending perhaps took effect.
//
// Method: the search of Wing and Gong (Testing and verifying concurrent objects, 1993), which orders calls only when one
// of them ends (Lowe, Testing for linearizability, 2017) and goes on from no configuration twice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

/// How a call of a history has ended, when it is looked at.
enum class call_end : std::uint8_t {
  pending,  ///< not yet: it took some of its steps, or none
  value,    ///< it took all of its steps
  without,  ///< without a value: it took none of its steps, or all of them
};

/// What came of the search for an order.
struct explanation {
  enum class kind : std::uint8_t { found, none, undecided };
  kind what = kind::found;
  /// With `none`: the first call that no order explains, and what it may have overlapped with.
  std::string unexplained;
  std::string_view clause;
};

/// The calls that were made on one object. `Model` says what they do, one after the other:
///
///   struct call {...};                                    // what was called, and what it came to
///   static unsigned steps(const call&, call_end);         // how many points it takes effect at
///   bool step(std::size_t who, const call&, unsigned nth);  // takes the nth; false if it cannot be taken here
///   static std::string text(const call&);
///   std::string_view clause(const call&) const;             // what is broken where the call is not explained
///   auto operator<=>(const Model&) const = default;
///
/// `who` is the number of the call, for what it has in hand between two of its steps. What a call came to is only known
/// if it ended with a value.
template <class Model>
class history {
  struct record;

 public:
  using call = typename Model::call;

  /// More calls are not looked at: what came before the first of these is a history as well.
  static constexpr std::size_t calls_max = 128;

  /// A call that is under way. It has ended when this is gone: without a value, unless it says `done`.
  class entry {
   public:
    entry(entry&& other) noexcept = default;
    entry& operator=(entry&&) = delete;
    ~entry() {
      if (of_) of_->end(who_, call_end::without);
    }
    /// For what the call has come to.
    call& what() { return of_->calls[who_].what; }
    /// The call has ended with a value.
    void done() {
      of_->end(who_, call_end::value);
      of_.reset();
    }

   private:
    friend history;
    entry(std::shared_ptr<record> of, std::size_t who) : of_(std::move(of)), who_(who) {}
    std::shared_ptr<record> of_;
    std::size_t who_;
  };

  /// A call begins.
  [[nodiscard]] entry begin(call what) {
    record& all = *record_;
    all.is_full = all.is_full || all.calls.size() == calls_max;
    if (!all.is_full) all.events.push_back({all.calls.size(), false});
    all.calls.push_back({std::move(what), call_end::pending});
    return entry(record_, all.calls.size() - 1);
  }
  /// A call that ended at once, with a value.
  void note(call what) { begin(std::move(what)).done(); }

  /// Looks for an order that explains the calls, from this state of the model. Gives up after so many configurations.
  /// The time is linear where few calls overlap, and exponential in how many do.
  explanation explain(const Model& initial, std::size_t configurations_max = 20'000) const;

 private:
  struct one_call {
    call what;
    call_end how;
  };
  struct event {
    std::size_t who;
    bool is_end;
  };
  struct record {
    std::vector<one_call> calls;
    std::vector<event> events;
    bool is_full = false;
    void end(std::size_t who, call_end how) {
      if (is_full) return;
      calls[who].how = how;
      events.push_back({who, true});
    }
  };

  // How far an order has come: the events that it has passed, and the steps of the calls that are under way there.
  struct configuration {
    std::size_t event;
    std::vector<std::pair<std::size_t, unsigned>> open;
    Model state;
    auto operator<=>(const configuration&) const = default;
  };
  unsigned steps_of(std::size_t who) const {
    return Model::steps(record_->calls[who].what, record_->calls[who].how);
  }
  bool may_end(std::size_t who, unsigned taken) const {
    return taken == steps_of(who) || (taken == 0 && record_->calls[who].how != call_end::value);
  }
  void pass_events(configuration& here) const;
  std::vector<configuration> next_of(const configuration& here) const;
  std::string unexplained(const configuration& here) const;

  std::shared_ptr<record> record_ = std::make_shared<record>();
};

// Goes on to the first call that cannot end as it did, unless somebody takes a step.
template <class Model>
void history<Model>::pass_events(configuration& here) const {
  for (; here.event < record_->events.size(); ++here.event) {
    const event& next = record_->events[here.event];
    if (!next.is_end) {
      here.open.emplace_back(next.who, 0U);
      continue;
    }
    const auto found = std::find_if(here.open.begin(), here.open.end(),
                                    [&](const auto& one) { return one.first == next.who; });
    if (!may_end(found->first, found->second)) return;
    here.open.erase(found);
  }
}

// Whoever takes a step: first the one that is to end, then the others, who began first.
template <class Model>
std::vector<typename history<Model>::configuration> history<Model>::next_of(const configuration& here) const {
  std::vector<configuration> all;
  const std::size_t ending = record_->events[here.event].who;
  for (std::size_t i = 0; i < here.open.size(); ++i) {
    const auto [who, taken] = here.open[i];
    if (taken >= steps_of(who)) continue;
    configuration next = here;
    if (!next.state.step(who, record_->calls[who].what, taken)) continue;
    ++next.open[i].second;
    pass_events(next);
    all.insert(who == ending ? all.begin() : all.end(), std::move(next));
  }
  return all;
}

template <class Model>
std::string history<Model>::unexplained(const configuration& here) const {
  const std::size_t ending = record_->events[here.event].who;
  std::string others;
  for (const auto& [who, taken] : here.open) {
    if (who == ending) continue;
    others += (others.empty() ? "" : ", ") + Model::text(record_->calls[who].what);
    if (record_->calls[who].how != call_end::value) others += " (without a value)";
  }
  return Model::text(record_->calls[ending].what) + (others.empty() ? "" : ", beside " + others);
}

template <class Model>
explanation history<Model>::explain(const Model& initial, std::size_t configurations_max) const {
  std::set<configuration> seen;
  configuration furthest{0, {}, initial};
  pass_events(furthest);
  std::vector<configuration> untried = {furthest};
  while (!untried.empty()) {
    configuration here = std::move(untried.back());
    untried.pop_back();
    if (here.event == record_->events.size()) return {};
    if (here.event > furthest.event) furthest = here;
    if (seen.size() == configurations_max) return {explanation::kind::undecided, {}, {}};
    const auto [place, is_new] = seen.insert(std::move(here));
    if (!is_new) continue;
    std::vector<configuration> next = next_of(*place);
    untried.insert(untried.end(), std::make_move_iterator(next.rbegin()),
                   std::make_move_iterator(next.rend()));
  }
  const call& ending = record_->calls[record_->events[furthest.event].who].what;
  return {explanation::kind::none, unexplained(furthest), furthest.state.clause(ending)};
}

}  // namespace assay
