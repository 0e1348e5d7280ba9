// A forked child that does one thing and hands back its result as text: for trials that may crash, and for work that is
// to be done on several processors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>

#include <assay/harness/campaign/system.hpp>

namespace assay {

class child_process {
 public:
  /// How a child ended.
  struct end {
    std::string text;  ///< what its work returned, as far as it came
    int status = 0;    ///< as waitpid tells it
    /// It ended by itself, with a result.
    bool whole() const noexcept { return status == 0 && !text.empty(); }
  };

  /// Forks a child that runs `work`, which must return some text, as fork_child does. Throws std::system_error if the machine
  /// refuses one.
  explicit child_process(const std::function<std::string()>& work);
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  /// Kills and reaps a child that nobody has waited for.
  ~child_process();

  /// Readable (or hung up) once the child's work is done or the child has ended.
  int reads() const noexcept { return reads_.get(); }
  /// Reads what the child hands back, until it has ended. To be called once. Throws std::system_error if that cannot be read.
  end wait();

 private:
  void give_up() noexcept;

  pid_t process_ = -1;
  descriptor reads_;
};

/// Runs `work(i)` for every i below `count`, each in a child of its own, at most `processes` (at least one) at a time,
/// and hands what each came to to `done`, in the order in which they end. Once `stop`, which is asked whenever a child or
/// a signal has come, says so, the children still at work are killed. The process must be single-threaded. What `done`
/// throws comes out, and no child is left behind. Throws std::system_error as child_process does.
void run_in_children(std::size_t count, unsigned processes,
                     const std::function<std::string(std::size_t)>& work,
                     const std::function<void(std::size_t, const child_process::end&)>& done,
                     const std::function<bool()>& stop);

}  // namespace assay
