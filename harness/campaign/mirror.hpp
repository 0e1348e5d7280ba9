// A mirror of choices and events in memory that a process shares with its parent: whatever ends the process, the parent knows
// the choices that led there, and the last events, and can tell a hang from slow work. The process itself finds them there
// where it has no other memory that it can trust, in a handler of signals.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/system.hpp>
#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

class shared_mirror final : public choice_mirror, public event_mirror {
 public:
  /// New shared memory. Throws std::system_error if the machine refuses it.
  shared_mirror();
  /// What another process made; it stays the caller's to close. Throws std::system_error.
  explicit shared_mirror(int of_another);
  shared_mirror(const shared_mirror&) = delete;
  shared_mirror& operator=(const shared_mirror&) = delete;
  ~shared_mirror() override;

  int shared() const noexcept { return own_.get(); }

  // The worker's side.
  void record(const choice& made) noexcept override;
  void trial_begins(const trial_settings& settings) noexcept;
  void phase_begins(std::string_view phase) noexcept;
  /// Before and after what is asked of the worker: what ends the process in between is in it, what ends it outside is not.
  void work_begins() noexcept;
  void work_ends() noexcept;
  void begins(const virtual_time& clock) noexcept override;
  void record(std::chrono::nanoseconds at, std::uint32_t task, event_kind kind,
              std::string_view text) noexcept override;
  void ran() noexcept override;
  void ends() noexcept override;

  // The same, and besides async-signal-safe: for a handler of signals.
  /// Where the trial is, in this process.
  enum class stage : std::uint32_t { none, running, going };
  stage where() const noexcept;
  /// Whose turn it is, or was last, and the trial's time; of a trial that is running.
  std::string_view current_task() const noexcept;
  std::chrono::nanoseconds elapsed() const noexcept;
  /// Events of the trial so far: as long as they grow, its turns end.
  std::uint64_t events() const noexcept;
  struct told_event {
    std::uint64_t number = 0;  ///< counted from 1
    std::chrono::nanoseconds at{};
    std::uint32_t task = 0;
    event_kind kind{};
    std::string_view text;  ///< a long one is cut
  };
  /// Calls `visitor(const told_event&)` for the last events, at most as many as these, the oldest first.
  template <class Visitor>
  void visit_last(std::uint64_t count, Visitor&& visitor) const {
    const std::uint64_t end = events();
    for (std::uint64_t i = end - std::min({end, count, events_max}); i < end; ++i) visitor(event_at(i));
  }
  static constexpr std::uint64_t events_max = std::uint64_t{1} << 14U;
  std::span<const choice> made() const noexcept;
  /// Says, in a sentence, how the process is being ended.
  void note_end(std::string_view how) noexcept;
  /// Says that it is being ended because it hangs.
  void note_hang() noexcept;

  // The parent's side; exact once the worker has ended.
  /// Trials begun since the memory was made: as long as it grows, the worker is alive.
  std::uint64_t trials() const noexcept;
  std::vector<choice> choices() const;
  /// The last events as a trace; where the first ones are gone, it says so.
  trace last_events() const;
  /// What the process has said of its end; empty if it had no time to.
  std::string end() const;
  bool hung() const noexcept;
  trial_settings settings() const noexcept;
  std::string phase() const;
  bool working() const noexcept;

 private:
  struct record_block;
  void map(int memory);
  told_event event_at(std::uint64_t number) const noexcept;
  descriptor own_;
  record_block* block_ = nullptr;
  const virtual_time* clock_ = nullptr;  // of the trial that runs in this process
};

}  // namespace assay
