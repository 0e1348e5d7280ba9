// Signals as a program is given them: the real ones are Asio's, the simulated ones are raised by a scenario.
//
// Both count: a signal that is raised while nobody waits is delivered to the next who does, so that a program
// can tell the second from the first.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstddef>
#include <deque>
#include <initializer_list>
#include <memory>

namespace assay {

class signal_source {
 public:
  virtual ~signal_source() = default;
  /// The number of the next signal, waiting for one. Cancellation: total, no signal is lost.
  [[nodiscard]] virtual boost::asio::awaitable<int> next() = 0;
};

/// The signals of the process, through asio::signal_set. Not for the simulator: it starts Asio's reactor,
/// which a trial reports as an escape.
class process_signals final : public signal_source {
 public:
  process_signals(const boost::asio::any_io_executor& executor, std::initializer_list<int> numbers);
  [[nodiscard]] boost::asio::awaitable<int> next() override;

 private:
  boost::asio::signal_set set_;
};

/// Signals that a scenario raises. A wait in flight shares the state, so this may go first; such a wait then
/// never ends by itself.
class simulated_signals final : public signal_source {
 public:
  simulated_signals();

  /// Raises a signal: it goes to whoever has waited longest, who goes on in a later turn, else it is
  /// kept.
  void raise(int number);
  /// Raised, and not yet asked for.
  [[nodiscard]] std::size_t pending() const noexcept;
  [[nodiscard]] boost::asio::awaitable<int> next() override;

 private:
  struct state;
  static boost::asio::awaitable<int> wait(std::shared_ptr<state> shared);
  std::shared_ptr<state> state_;
};

}  // namespace assay
