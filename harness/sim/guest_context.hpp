// The execution contexts that the code under test makes in a trial, as whoever drives the trial sees them.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <assay/harness/sim/virtual_time.hpp>

namespace assay {

/// Makes an execution context that the code under test has made in a trial (an `io_context`) the trial's guest. Its timers wait
/// in the trial's time; its handlers, and its waits that have ended, are in its own queue, first in, first out, and whoever
/// drives the trial runs them one at a time. Where the code itself calls `run`, that runs them, and waits in virtual time.
class guest_context final : public detail::asio_internals::driven_scheduler {
 public:
  using nanoseconds = std::chrono::nanoseconds;

  /// Who drives the trial.
  class host {
   public:
    /// The code itself runs `guest`, in a turn, and nothing else goes on until `instant`.
    virtual void pass_until(const guest_context& guest, nanoseconds instant) = 0;
    /// The same, and nothing can happen there any more. Throws.
    virtual void wait_for_ever(const guest_context& guest) = 0;
    /// Which of so many waits of a guest that are due at once is first.
    virtual std::size_t pick_wait(std::size_t among) = 0;
    /// The context is being destroyed.
    virtual void guest_goes(guest_context& guest) noexcept = 0;

   protected:
    ~host() = default;
  };

  guest_context(boost::asio::execution_context& context, virtual_time& time, host& driver);

  boost::asio::execution_context& context() const noexcept { return context_; }
  virtual_time& time() const noexcept { return time_; }
  /// 0 if there were too many guests: then it is none.
  std::uint8_t number() const noexcept { return number_; }
  /// The trial is over, and the context has outlived it.
  void leave_host() noexcept { host_ = nullptr; }
  bool has_host() const noexcept { return host_ != nullptr; }

  void take_work() noexcept { begin_work(); }
  /// A wait has ended: among the handlers that are ready.
  void give(detail::ready_op* op);
  /// The context is being shut down.
  void leave() noexcept;

 private:
  struct ended_wait;
  void wait(long microseconds) override;

  boost::asio::execution_context& context_;
  virtual_time& time_;
  host* host_;
  std::uint8_t number_;
};

/// The service of a guest's context that keeps it.
class guest_place final : public boost::asio::execution_context::service {
 public:
  using key_type = guest_place;
  static inline boost::asio::execution_context::id id;
  explicit guest_place(boost::asio::execution_context& context) : service(context) {}

  /// Null unless the context is a guest.
  static guest_context* find(boost::asio::execution_context& context);
  guest_context& make(virtual_time& time, guest_context::host& driver);

 private:
  void shutdown() override;
  std::unique_ptr<guest_context> guest_;
};

}  // namespace assay
