// What stands between a caller and work that it runs within limits: the one place where a deadline, the caller's requests
// and the wish to stop become one request to the work. Scopes with a deadline (deadline_scope.hpp) and shields
// (cancellation.hpp) are made of it.
//
// The work knows one signal. Who emits it is written down, apart from each other: the deadline, the owner, the caller. So
// the outcome is told from what was asked, not from what the work says: "cancelled" is all that it can say.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/exception_group.hpp>

namespace assay::reference::detail {

/// Shared by whoever runs the work, its timer, and requests under way: those may come when the work has ended.
///
/// Scope: one thread or strand, that of the executor.
class limit : public std::enable_shared_from_this<limit> {
 public:
  explicit limit(const boost::asio::any_io_executor& executor) : executor_(executor), timer_(executor) {}

  const boost::asio::any_io_executor& executor() const noexcept { return executor_; }
  boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }

  time_point deadline() const noexcept { return deadline_; }
  bool expired() const noexcept { return expired_; }
  bool stopped() const noexcept { return stopped_; }
  bool ended() const noexcept { return phase_ == phase::ended; }

  /// From here on the deadline is this; what was set before does nothing, though its handler may be queued (TMO-13). No
  /// deadline arms no timer (TMO-12), and nothing is armed before it is entered.
  void set_deadline(time_point deadline) {
    deadline_ = deadline;
    if (phase_ == phase::not_entered || ended()) return;
    const std::uint64_t change = ++changes_;
    timer_.cancel();
    if (deadline == no_deadline) return;
    timer_.expires_at(deadline);
    timer_.async_wait([self = shared_from_this(), change](boost::system::error_code) {
      if (change == self->changes_) self->expire();
    });
  }

  /// Whoever will run the work has come; from here on the deadline counts.
  void enter() {
    phase_ = phase::entered;
    set_deadline(deadline_);
  }

  /// Called once, before the work is asked to stop, when the deadline passes. It must not throw.
  void on_expiry(std::function<void()> call) noexcept { on_expiry_ = std::move(call); }

  /// The deadline has passed.
  void expire() {
    if (ended()) return;
    expired_ = true;
    if (const auto call = std::exchange(on_expiry_, nullptr)) call();
    ask(boost::asio::cancellation_type::terminal);
  }

  /// Who owns it wants the work to stop.
  void stop() {
    if (ended()) return;
    stopped_ = true;
    ask(boost::asio::cancellation_type::terminal);
  }

  /// Keeps the caller's requests away from the work, until it is lifted.
  void shield() noexcept { shielded_ = true; }
  void lift_shield() {
    if (!std::exchange(shielded_, false) || ended()) return;
    if (requested_ != boost::asio::cancellation_type::none) ask(requested_);
  }

  /// The caller has been asked for something.
  void request(boost::asio::cancellation_type type) {
    if (ended()) return;
    requested_ |= type;
    if (!shielded_) ask(type);
  }

  /// The work is about to begin; refused by throwing the cancelled outcome if it has been asked to stop already. What is
  /// shielded is cleanup, which begins all the same, and is asked at its first suspension. Before the work's first turn no
  /// request is emitted, since co_spawn would let it escape from the event loop.
  void begin() {
    if (asked_ && !shielded_) throw_cancelled();
    phase_ = phase::begun;
    if (!asked_) return;
    boost::asio::post(executor_,
                      [self = shared_from_this()] { self->ask(boost::asio::cancellation_type::terminal); });
  }

  /// The work has ended: nothing that comes later reaches anybody (TMO-11, X-32).
  void end() noexcept {
    if (ended()) return;
    phase_ = phase::ended;
    ++changes_;
    timer_.cancel();
  }

  /// Whether what the run ended with was the deadline's own word.
  bool tells_expiry() const noexcept { return tells_expiry_; }

  /// Throws what the end of cancelled work means: the caller's request comes before the deadline (TMO-3), and that before
  /// the owner's wish (TMO-15). Returns if nobody asked: then the work has given up by itself.
  void throw_cause() {
    if (!shielded_ && requested_ != boost::asio::cancellation_type::none) throw_cancelled();
    tells_expiry_ = expired_;
    if (expired_) throw timed_out();
    if (stopped_) throw reference::stopped();
  }

 private:
  enum class phase { not_entered, entered, begun, ended };

  // What is emitted from outside of the executor Asio posts, and may then look for a signal that is gone: so it is emitted
  // from inside, by somebody who keeps it alive.
  void ask(boost::asio::cancellation_type type) {
    asked_ = true;
    if (phase_ != phase::begun) return;  // see begin
    boost::asio::dispatch(executor_, [self = shared_from_this(), type] {
      if (!self->ended()) self->signal_.emit(type);
    });
  }

  const boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  boost::asio::cancellation_signal signal_;
  time_point deadline_ = no_deadline;
  std::uint64_t changes_ = 0;  // of the deadline: a handler of an old one knows that it is old
  boost::asio::cancellation_type requested_ = boost::asio::cancellation_type::none;  // by the caller
  std::function<void()> on_expiry_;
  phase phase_ = phase::not_entered;
  bool shielded_ = false;
  bool asked_ = false;
  bool expired_ = false;
  bool stopped_ = false;
  bool tells_expiry_ = false;
};

/// Enters a limit, and ends it, for as long as it lives.
class inside_limit {
 public:
  explicit inside_limit(limit& bounds) : bounds_(bounds) {
    try {
      bounds.enter();
    } catch (...) {
      bounds.end();
      throw;
    }
  }
  inside_limit(const inside_limit&) = delete;
  inside_limit& operator=(const inside_limit&) = delete;
  ~inside_limit() { bounds_.end(); }

 private:
  limit& bounds_;
};

/// Hears the caller's requests, until it is told to stop (TMO-18). Where the frame of the caller goes with its context, the
/// slot may have gone before. `state` is the caller's own.
class caller_requests {
 public:
  caller_requests(const boost::asio::cancellation_state& state, const std::shared_ptr<limit>& bounds)
      : slot_(state.slot()) {
    if (slot_.is_connected()) slot_.emplace<ear>(bounds);
  }
  caller_requests(const caller_requests&) = delete;
  caller_requests& operator=(const caller_requests&) = delete;
  void stop() {
    if (slot_.is_connected()) slot_.clear();
  }

 private:
  class ear {
   public:
    explicit ear(std::shared_ptr<limit> bounds) noexcept : bounds_(std::move(bounds)) {}
    void operator()(boost::asio::cancellation_type type) {
      const std::shared_ptr<limit> bounds = bounds_;  // the caller may go on in here, and this with it
      bounds->request(type);
    }

   private:
    std::shared_ptr<limit> bounds_;
  };

  boost::asio::cancellation_slot slot_;
};

}  // namespace assay::reference::detail
