// The clocks as a program is given them, and a stand-in whose wall clock can be wrong.
//
// Code under test need not take a clock: within a trial std::chrono's own follow virtual time. This is for
// programs that compare two clocks, their own and a server's, say.
#pragma once

#include <chrono>

namespace assay {

class clock_source {
 public:
  virtual ~clock_source() = default;
  [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const = 0;
  [[nodiscard]] virtual std::chrono::system_clock::time_point wall_now() const = 0;
};

/// std::chrono's clocks; virtual ones within a trial.
class standard_clock final : public clock_source {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::now();
  }
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const override {
    return std::chrono::system_clock::now();
  }
};

/// Monotonic time as everybody's; a wall clock of its own, which can be stepped in both directions or
/// stand still.
class mock_clock final : public clock_source {
 public:
  using system_clock = std::chrono::system_clock;

  [[nodiscard]] std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::now();
  }
  [[nodiscard]] system_clock::time_point wall_now() const override {
    return (stopped_ ? stopped_at_ : system_clock::now()) + offset_;
  }

  void step(std::chrono::nanoseconds by) noexcept {
    offset_ += std::chrono::duration_cast<system_clock::duration>(by);
  }
  void stop() {
    stopped_at_ = stopped_ ? stopped_at_ : system_clock::now();
    stopped_ = true;
  }
  void go_on() {
    if (stopped_) offset_ -= system_clock::now() - stopped_at_;
    stopped_ = false;
  }

 private:
  system_clock::duration offset_{};
  system_clock::time_point stopped_at_;
  bool stopped_ = false;
};

}  // namespace assay
