// A choice mirror in memory that a worker process shares with its parent: whatever ends the worker, the parent knows
// the choices that led there, and can tell a hang from slow work.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/system.hpp>
#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

class shared_mirror final : public choice_mirror {
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

  // The parent's side; exact once the worker has ended.
  /// Trials begun since the memory was made: as long as it grows, the worker is alive.
  std::uint64_t trials() const noexcept;
  std::vector<choice> choices() const;
  trial_settings settings() const noexcept;
  std::string phase() const;
  bool working() const noexcept;

 private:
  struct record_block;
  void map(int memory);
  descriptor own_;
  record_block* block_ = nullptr;
};

}  // namespace assay
