// Histories that some order of their calls explains, histories that none does, and a search by brute force beside ours.
#include <assay/harness/trial/history.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using kind = explanation::kind;

// A queue of two places. Who pops, and is cancelled with an item in hand, puts it back.
struct small_queue {
  struct call {
    char verb = '+';  // + pushes, - pops, ? looks whether it is empty
    int id = 0;
  };
  std::deque<int> items = {};
  std::map<std::size_t, int> in_hand = {};
  auto operator<=>(const small_queue&) const = default;

  static unsigned steps(const call& what, call_end how) {
    return what.verb == '-' && how == call_end::without ? 2 : 1;
  }
  static std::string_view clause(const call& what) { return what.verb == '-' ? "BQ-2" : "BQ-1"; }
  static std::string text(const call& what) { return what.verb + std::to_string(what.id); }
  bool step(std::size_t who, const call& what, unsigned nth) {
    if (nth == 1) {
      items.push_front(in_hand.at(who));
      in_hand.erase(who);
      return true;
    }
    if (what.verb == '?') return items.empty();
    if (what.verb == '+') {
      items.push_back(what.id);
      return items.size() <= 2;
    }
    if (items.empty() || (what.id != 0 && items.front() != what.id)) return false;
    if (what.id == 0) in_hand[who] = items.front();
    items.pop_front();
    return true;
  }
};
using queue_history = history<small_queue>;

kind verdict(const queue_history& calls) { return calls.explain({}).what; }

TEST(history, an_empty_one_is_explained) {
  const queue_history calls;
  EXPECT_EQ(verdict(calls), kind::found);
}

TEST(history, calls_that_do_not_overlap_have_one_order) {
  queue_history calls;
  calls.note({'+', 1});
  calls.note({'+', 2});
  calls.note({'-', 1});
  EXPECT_EQ(verdict(calls), kind::found);
  calls.note({'-', 3});
  const explanation last = calls.explain({});
  EXPECT_EQ(last.what, kind::none);
  EXPECT_EQ(last.unexplained, "-3");
  EXPECT_EQ(last.clause, "BQ-2");
}

TEST(history, the_second_of_two_pushes_does_not_come_out_first) {
  queue_history calls;
  calls.note({'+', 1});
  calls.note({'+', 2});
  calls.note({'-', 2});
  EXPECT_EQ(verdict(calls), kind::none);
}

TEST(history, pushes_that_overlap_may_come_out_in_either_order) {
  for (const int first : {1, 2}) {
    queue_history calls;
    auto one = calls.begin({'+', 1});
    auto two = calls.begin({'+', 2});
    one.done();
    two.done();
    calls.note({'-', first});
    calls.note({'-', 3 - first});
    EXPECT_EQ(verdict(calls), kind::found) << first;
  }
}

TEST(history, a_call_that_waits_takes_effect_when_it_can) {
  queue_history calls;
  auto pop = calls.begin({'-'});
  calls.note({'+', 1});
  pop.what().id = 1;
  pop.done();
  EXPECT_EQ(verdict(calls), kind::found);
}

TEST(history, an_effect_does_not_come_before_its_call) {
  queue_history calls;
  calls.note({'-', 1});
  calls.note({'+', 1});
  EXPECT_EQ(verdict(calls), kind::none);
}

TEST(history, a_pending_call_perhaps_took_effect) {
  queue_history calls;
  const auto pending = calls.begin({'+', 1});
  calls.note({'?'});
  EXPECT_EQ(verdict(calls), kind::found);
  calls.note({'-', 1});
  calls.note({'?'});
  EXPECT_EQ(verdict(calls), kind::found);
  calls.note({'-', 1});  // but not twice
  EXPECT_EQ(verdict(calls), kind::none);
}

TEST(history, a_cancelled_call_took_no_effect) {
  queue_history calls;
  calls.note({'+', 1});
  {
    const auto cancelled = calls.begin({'-'});
  }
  EXPECT_EQ(verdict(calls), kind::found);
  calls.note({'?'});
  EXPECT_EQ(verdict(calls), kind::none);
}

TEST(history, a_cancelled_call_may_have_held_something_for_a_time) {
  queue_history calls;
  calls.note({'+', 1});
  calls.note({'+', 2});
  {
    const auto cancelled = calls.begin({'-'});
    calls.note({'-', 2});  // 1 is in the other one's hands
  }
  calls.note({'-', 1});
  EXPECT_EQ(verdict(calls), kind::found);
}

TEST(history, what_was_held_for_a_time_is_back_when_the_call_has_ended) {
  queue_history calls;
  calls.note({'+', 1});
  calls.note({'+', 2});
  {
    const auto cancelled = calls.begin({'-'});
  }
  calls.note({'-', 2});
  EXPECT_EQ(verdict(calls), kind::none);
}

TEST(history, a_bound_is_part_of_the_model) {
  queue_history calls;
  calls.note({'+', 1});
  calls.note({'+', 2});
  auto waits = calls.begin({'+', 3});
  calls.note({'-', 1});
  waits.done();
  EXPECT_EQ(verdict(calls), kind::found);
  calls.note({'+', 4});
  EXPECT_EQ(verdict(calls), kind::none);
}

TEST(history, says_which_call_nothing_explains_and_what_was_beside_it) {
  queue_history calls;
  calls.note({'+', 1});
  const auto pending = calls.begin({'+', 2});
  const auto ended = calls.begin({'+', 3});
  calls.note({'-', 9});
  const explanation why = calls.explain({});
  EXPECT_EQ(why.what, kind::none);
  EXPECT_THAT(why.unexplained,
              AllOf(HasSubstr("-9"), HasSubstr("+2"), HasSubstr("+3"), Not(HasSubstr("+1"))));
}

TEST(history, what_comes_after_too_many_calls_is_not_looked_at) {
  queue_history calls;
  auto last_one = calls.begin({'-'});
  for (std::size_t i = 1; i < queue_history::calls_max; ++i) calls.note({'?'});
  EXPECT_EQ(verdict(calls), kind::found);
  calls.note({'-', 1});
  last_one.done();
  EXPECT_EQ(verdict(calls), kind::found);
}

TEST(history, gives_up_rather_than_run_for_ever) {
  queue_history calls;
  std::vector<queue_history::entry> open;
  for (int i = 1; i <= 12; ++i) open.push_back(calls.begin({'+', i}));
  for (int i = 1; i <= 12; ++i) open.push_back(calls.begin({'-'}));
  calls.note({'-', 13});
  EXPECT_EQ(calls.explain({}, 1'000).what, kind::undecided);
}

// ---- drawn ones

struct drawn_call {
  small_queue::call what;
  call_end how;
  std::size_t begin;
  std::size_t end;  // not of a pending one
};

// Callers who push and pop at once: what was done in some order, seen from outside.
std::vector<drawn_call> draw_history(std::mt19937& random, std::size_t count, std::size_t callers) {
  const auto pick = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  std::vector<drawn_call> calls;
  std::vector<std::optional<std::size_t>> busy(callers);
  std::vector<bool> took_effect;
  std::deque<int> items;
  std::size_t now = 0;
  while (calls.size() < count) {
    std::optional<std::size_t>& at = busy[pick(callers)];
    ++now;
    if (!at) {
      at = calls.size();
      calls.push_back({{"+-?"[pick(3)], 0}, call_end::pending, now, 0});
      if (calls.back().what.verb == '+') calls.back().what.id = static_cast<int>(calls.size());
      took_effect.push_back(false);
      continue;
    }
    drawn_call& one = calls[*at];
    if (took_effect[*at]) {
      one.how = call_end::value;
      one.end = now;
      at.reset();
    } else if (pick(8) == 0) {
      one.how = call_end::without;
      one.end = now;
      at.reset();
    } else if (one.what.verb == '+' && items.size() < 2) {
      items.push_back(one.what.id);
      took_effect[*at] = true;
    } else if (one.what.verb == '-' && !items.empty()) {
      one.what.id = items.front();
      items.pop_front();
      took_effect[*at] = true;
    } else if (one.what.verb == '?' && items.empty()) {
      took_effect[*at] = true;
    }
  }
  // What a pending pop got is not known.
  for (drawn_call& one : calls) {
    if (one.how != call_end::value && one.what.verb == '-') one.what.id = 0;
  }
  return calls;
}

struct told_history {
  queue_history all = {};
  std::vector<queue_history::entry> pending = {};
};

told_history told(const std::vector<drawn_call>& calls) {
  told_history result;
  std::map<std::size_t, std::pair<std::size_t, bool>> events;  // by time: whose, and whether it is the end
  for (std::size_t i = 0; i < calls.size(); ++i) {
    events[calls[i].begin] = {i, false};
    if (calls[i].how != call_end::pending) events[calls[i].end] = {i, true};
  }
  std::map<std::size_t, queue_history::entry> open;
  for (const auto& [time, event] : events) {
    const auto [who, is_end] = event;
    if (!is_end) open.emplace(who, result.all.begin(calls[who].what));
    if (is_end && calls[who].how == call_end::value) open.at(who).done();
    if (is_end) open.erase(who);
  }
  for (auto& [who, one] : open) result.pending.push_back(std::move(one));
  return result;
}

// Every order of every choice of calls that took effect: those that hold nothing for a time.
bool is_explained_by_brute_force(const std::vector<drawn_call>& calls) {
  std::vector<std::size_t> order(calls.size());
  std::iota(order.begin(), order.end(), 0U);
  do {
    for (unsigned took = 0; took < (1U << calls.size()); ++took) {
      bool fits = true;
      small_queue state;
      for (std::size_t i = 0; i < order.size() && fits; ++i) {
        const drawn_call& one = calls[order[i]];
        const bool takes = (took >> order[i] & 1U) != 0;
        if (one.how == call_end::value && !takes) fits = false;
        if (one.how == call_end::without && takes) fits = false;
        for (std::size_t j = i + 1; j < order.size(); ++j) {
          const drawn_call& later = calls[order[j]];
          if (later.how != call_end::pending && later.end < one.begin) fits = false;
        }
        if (fits && takes) fits = state.step(order[i], one.what, 0);
      }
      if (fits) return true;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(history, agrees_with_a_search_by_brute_force) {
  std::mt19937 random(1);
  std::size_t explained = 0;
  std::size_t unexplained = 0;
  for (int i = 0; i < 1'500; ++i) {
    std::vector<drawn_call> calls = draw_history(random, 5, 3);
    // What a cancelled pop may do is more than brute force knows.
    for (drawn_call& one : calls) {
      if (one.how == call_end::without) one.what = {'+', 99};
    }
    // Half of them are bent: a call came to something else, or ended before another began.
    if (i % 2 == 1) {
      drawn_call& bent = calls[static_cast<std::size_t>(i / 2) % calls.size()];
      if (bent.what.verb == '-') {
        bent.what.id = 1 + i % 4;
      } else {
        bent.what.verb = bent.what.verb == '?' ? '-' : '?';
        bent.what.id = bent.what.verb == '-' ? 1 : 0;
      }
    }
    const bool expected = is_explained_by_brute_force(calls);
    ++(expected ? explained : unexplained);
    EXPECT_EQ(verdict(told(calls).all) == kind::found, expected) << i;
  }
  EXPECT_GT(explained, 500U);
  EXPECT_GT(unexplained, 100U);
}

TEST(history, decides_on_a_hundred_calls) {
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    const std::vector<drawn_call> calls = draw_history(random, 100, 8);
    EXPECT_EQ(verdict(told(calls).all), kind::found) << i;
  }
}

TEST(history, finds_what_one_wrong_call_of_a_hundred_came_to) {
  std::mt19937 random(3);
  int undecided = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<drawn_call> calls = draw_history(random, 100, 4);
    const auto pops = [](const drawn_call& one) {
      return one.what.verb == '-' && one.how == call_end::value;
    };
    const auto last = std::find_if(calls.rbegin(), calls.rend(), pops);
    last->what.id = 1'000;
    const kind seen = verdict(told(calls).all);
    if (seen == kind::undecided) ++undecided;
    EXPECT_NE(seen, kind::found) << i;
  }
  EXPECT_EQ(undecided, 0);
}

}  // namespace
}  // namespace assay::test
