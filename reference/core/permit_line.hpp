// Permits that are given out to coroutines first come, first served, any number at a time: what semaphores,
// limiters and mutexes are made of.
//
//     permit_line line(8);                                     // 8 permits
//     co_await line.acquire({.count = 3});                     // waits in line until 3 are free
//     line.give_back(3);                                       // whoever is in front, and fits, has them now
//
// Promises
// - One commit point: giving back grants, and who was granted something reports it, whatever else happened in
//   the same turn. No permit is ever under way between two coroutines, so none gets lost.
// - Who is in front is served first, also if those behind want less (SEM-2). `take` overtakes nobody.
// - Who leaves the line makes way within the same instant: permits that were too few for him go to the next
//   (SEM-4).
// - Nobody continues inside the call that served him.
// - Parking does not allocate a node. Every call is O(1) for each waiter that it serves or sends away, and
//   joining the line is O(less urgent waiters).
//
// Scope: one thread or strand. Whoever has permits knows it himself: the line counts them, and keeps no list.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/parked_waiter.hpp>

namespace assay::reference {

/// Why a request was refused. Nothing has happened then.
enum class refusal {
  too_large,  ///< more permits than the limit, which no wait would bring
  full,       ///< nothing is free, and as many wait as may
  dismissed,  ///< whoever waits was sent away
};

struct refused : error {
  explicit refused(refusal reason) : error("refused: " + std::string(text(reason))), why(reason) {}
  refusal why;

 private:
  static const char* text(refusal reason) noexcept {
    switch (reason) {
      case refusal::too_large:
        return "larger than the limit";
      case refusal::full:
        return "full";
      case refusal::dismissed:
        return "sent away";
    }
    return "";
  }
};

/// The number of waiters where there is no bound.
inline constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

/// What somebody wants from a line of permits.
struct permit_request {
  std::size_t count = 1;      ///< at least 1
  std::int64_t priority = 0;  ///< the larger, the more urgent; equals are served in the order of their coming
  time_point deadline = no_deadline;
  const void* who = nullptr;  ///< see permit_line::latest
};

class permit_line {
 public:
  explicit permit_line(std::size_t limit, std::size_t waiting_max = no_bound) noexcept
      : limit_(limit), waiting_max_(waiting_max) {}
  permit_line(const permit_line&) = delete;
  permit_line& operator=(const permit_line&) = delete;

  /// Who is parked is let go.
  ~permit_line() {
    for (claim* one = waiting_.first(); one; one = waiting_.next(*one)) one->line = nullptr;
  }

  /// Somebody is parked, and not merely because the execution context is going away.
  bool abandoned() const noexcept { return waiting_.abandoned(); }

  std::size_t limit() const noexcept { return limit_; }
  std::size_t in_use() const noexcept { return in_use_; }
  /// Permits that nobody has. Not beside an `in_use` that a lowered limit has not reached yet.
  std::size_t available() const noexcept { return limit_ > in_use_ ? limit_ - in_use_ : 0; }
  std::size_t waiting() const noexcept { return waiting_.size(); }
  bool is_closed() const noexcept { return closed_; }
  /// Who was served last, from the moment on in which that was decided. It is compared, never used.
  const void* latest() const noexcept { return latest_; }

  /// Takes permits if that needs no waiting and overtakes nobody who is at least as urgent. Does not throw:
  /// of a closed line, nothing can be taken.
  [[nodiscard]] bool take(const permit_request& wanted) noexcept {
    if (closed_ || !fits(wanted.count)) return false;
    if (!waiting_.empty() && waiting_.front().wanted.priority >= wanted.priority) return false;
    grant(wanted);
    return true;
  }

  /// Takes permits, and waits in line for them.
  ///
  /// Outcomes: they are the caller's; or thrown is `refused`, `closed`, `broken`, `timed_out`, or the
  /// cancelled outcome, and nothing was taken.
  /// Cancellation: terminal, partial and total. Refused at once in a cancelled scope.
  [[nodiscard]] boost::asio::awaitable<void> acquire(permit_request wanted) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (closed_) fail(broken_ ? claim::fate::broken : claim::fate::closed);
    if (is_too_large(wanted.count)) throw refused(refusal::too_large);
    if (take(wanted)) co_return;
    if (waiting_.size() >= waiting_max_) throw refused(refusal::full);
    claim self(co_await boost::asio::this_coro::executor, wanted, *this);
    co_await park(waiting_, self, who_makes_way(wanted.priority));
    const park_result result = self.result();
    if (result != park_result::woken) {
      if (self.line) self.line->serve();  // SEM-4: the next may want less
      if (result == park_result::cancelled) throw_cancelled();
      throw timed_out();
    }
    if (self.decided != claim::fate::granted) fail(self.decided);
  }

  /// Permits come back, at most as many as are in use, and everybody in front who fits now is served
  /// (SEM-13).
  void give_back(std::size_t count) noexcept {
    in_use_ -= std::min(count, in_use_);
    serve();
  }

  /// Another limit. What is in use stays in use; below the new limit nothing is given out until enough has
  /// come back. Who waits for more than a lowered limit is refused, so that he does not stop those behind
  /// him; who waits for one permit stays, even if there is none. O(waiters) if the limit is lowered.
  void set_limit(std::size_t limit) noexcept {
    const bool lowered = limit < limit_;
    limit_ = limit;
    if (lowered) {
      for (claim *one = waiting_.first(), *next = nullptr; one; one = next) {
        next = waiting_.next(*one);
        if (is_too_large(one->wanted.count)) one->decide(claim::fate::too_large);
      }
    }
    serve();
  }

  /// For ever: whoever waits, and whoever comes, is told `closed`. Permits still come back.
  void close() noexcept {
    closed_ = true;
    send_away(claim::fate::closed);
  }

  /// As close, and what they are told is `broken`.
  void break_off() noexcept {
    closed_ = broken_ = true;
    send_away(claim::fate::broken);
  }

  /// Whoever waits now is refused, once. Who has permits keeps them.
  void dismiss() noexcept { send_away(claim::fate::dismissed); }

 private:
  struct claim : waiter {
    enum class fate { granted, closed, too_large, dismissed, broken };
    claim(const boost::asio::any_io_executor& executor, const permit_request& request, permit_line& owner)
        : waiter(executor, request.deadline), wanted(request), line(&owner) {}
    void decide(fate how) noexcept {
      decided = how;
      wake();
    }

    permit_request wanted;
    permit_line* line;  // null when that is gone
    fate decided{};
  };

  /// What a claim ends with that was sent away.
  [[noreturn]] static void fail(claim::fate how) {
    switch (how) {
      case claim::fate::too_large:
        throw refused(refusal::too_large);
      case claim::fate::dismissed:
        throw refused(refusal::dismissed);
      case claim::fate::broken:
        throw broken();
      case claim::fate::granted:
      case claim::fate::closed:
        break;
    }
    throw closed();
  }

  void grant(const permit_request& wanted) noexcept {
    in_use_ += wanted.count;
    latest_ = wanted.who;
  }

  bool fits(std::size_t count) const noexcept { return count <= available(); }
  // A request for one is never too large: with a limit of 0 it waits for the limit to be raised (SEM-14).
  bool is_too_large(std::size_t count) const noexcept { return count > 1 && count > limit_; }

  // The first who is less urgent, if there is one.
  waiter* who_makes_way(std::int64_t priority) const noexcept {
    claim* found = nullptr;
    for (claim* one = waiting_.last(); one && one->wanted.priority < priority; one = waiting_.previous(*one))
      found = one;
    return found;
  }

  // The front never fits beside permits that are free: whoever changes one of the two calls this.
  void serve() noexcept {
    while (!waiting_.empty() && fits(waiting_.front().wanted.count)) {
      grant(waiting_.front().wanted);
      waiting_.front().decide(claim::fate::granted);
    }
  }

  void send_away(claim::fate how) noexcept {
    while (!waiting_.empty()) waiting_.front().decide(how);
  }

  std::size_t limit_;
  const std::size_t waiting_max_;
  std::size_t in_use_ = 0;
  bool closed_ = false;
  bool broken_ = false;
  const void* latest_ = nullptr;
  waiter_list<claim> waiting_;
};

}  // namespace assay::reference
