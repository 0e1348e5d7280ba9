// The execution contexts that the code under test makes in a trial (`io_context`): the trial drives them beside its own, a
// handler at a time. Which of them goes on next, they or a handler of the trial's own executors, is a choice; within one of them
// handlers run first in, first out.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/sim/guest_context.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

class trial::guest_house final : public guest_context::host {
 public:
  explicit guest_house(trial& owner) noexcept : owner_(owner) {}
  guest_house(const guest_house&) = delete;
  guest_house& operator=(const guest_house&) = delete;
  ~guest_house();

  /// The context has just been made, in the current turn.
  void adopt(boost::asio::execution_context& context);
  /// Puts a turn of every context that has something to run among the ready handlers.
  void offer();
  /// The same where the engine's own loop decides what is next: runs a handler; false when none is ready.
  bool run_one();
  /// What has escaped from one of them, or an empty string.
  std::string escaped() const;
  /// Blames what is left in those that are there when the trial is over.
  void check_left_over();
  /// From now on nobody drives them. False if there are none.
  bool leave() noexcept;

 private:
  struct turn;
  struct guest {
    guest_context* context = nullptr;
    std::string name;
    turn* offered = nullptr;
    std::uint32_t chain = 0;
    bool was_ready() const { return context->has_ready() && !context->stopped(); }
  };

  void pass_until(const guest_context& context, std::chrono::nanoseconds instant) override;
  void wait_for_ever(const guest_context& context) override;
  std::size_t pick_wait(std::size_t among) override;
  void guest_goes(guest_context& context) noexcept override;
  const std::string& name_of(const guest_context& context) const;
  std::string reactor_of(const guest& one) const;

  trial& owner_;
  std::vector<std::unique_ptr<guest>> guests_;
  std::string escaped_;  // from one that has gone
};

}  // namespace assay
