// What a story says beside what happened: who waits on which timer since when, who wakes whom, what wakes nobody, and what every
// task does at the moment of a failure. Made for one trial, the shrunk one that a person reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <assay/harness/sim/virtual_time.hpp>
#include <assay/harness/trial/named.hpp>

namespace assay {

/// Notes go to `note`, with one word that says what they are. Timers are numbered in the order of their first use, so that the
/// same trial is told in the same words in any process.
class explainer final : public detail::wait_listener, public detail::coroutine_names {
 public:
  struct surroundings {
    std::function<void(std::string_view kind, std::string text)> note;
    std::function<std::string(task_id)> name_of;
    std::function<bool()> in_turn;  ///< whether a handler is being run
  };
  /// Listens from now on, to this time.
  explainer(virtual_time& time, surroundings around);
  explainer(const explainer&) = delete;
  explainer& operator=(const explainer&) = delete;
  ~explainer() override;

  /// What a task waits on, and who woke it last: "on timer 1 since 0, due at 10ms; last woken by 'producer' at 5ms".
  std::string details_of(task_id task) const;

  void armed(const detail::timer_op& wait, const void* timer) override;
  void ended(const detail::timer_op& wait, detail::wait_end how) override;
  void cancelled_in_vain(const void* timer) override;
  void due_together(std::span<detail::timer_op* const> waits) override;
  void fired(const detail::timer_op& wait) override;
  void moved(const void* from, const void* to) override;
  void gone(const void* timer) override;
  void made_ready(task_id task) override;

  void begin(const void* thread, const std::string& name) override;
  void end(const void* thread) noexcept override;

 private:
  struct known_wait {
    std::uint64_t number = 0;  // in the order of arming
    std::uint32_t timer = 0;
    task_id task = 0;
    std::string who;
    std::chrono::nanoseconds since{};
    std::string until;
  };
  struct wake {
    std::string by;
    std::chrono::nanoseconds at{};
  };
  std::chrono::nanoseconds elapsed() const noexcept { return time_.now() - virtual_time::epoch; }
  std::string name_of_turn() const;
  std::string name_of_wait(const detail::timer_op& wait) const;
  std::string due_in_words(const detail::timer_op& wait) const;
  std::uint32_t number_of(const void* timer);
  std::optional<known_wait> take(const detail::timer_op& wait);

  virtual_time& time_;
  surroundings around_;
  std::unordered_map<const void*, std::uint32_t> timers_;  // looked up only
  std::uint32_t timers_made_ = 0;
  std::unordered_map<const detail::timer_op*, known_wait> waits_;
  std::uint64_t waits_made_ = 0;
  std::map<task_id, wake> wakes_;
  std::unordered_map<const void*, std::vector<std::string>> names_;
};

}  // namespace assay
