// The trace: what happened in a trial, in order, as data; with a hash that is equal across processes and
// compilers. It holds names, numbers and virtual times: no addresses, no columns, no function names.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

enum class event_kind : std::uint8_t {
  turn,     ///< a handler ran; `task` is whose
  choice,   ///< something other than the first was chosen
  time,     ///< the clock moved
  start,    ///< an operation was started
  finish,   ///< an operation ended; the text is its outcome
  cancel,   ///< cancellation was requested
  fault,    ///< a dependency call was made to fail
  item,     ///< an item moved
  mark,     ///< a mark of the scenario or of a mock
  check,    ///< an expectation held
  failure,  ///< an expectation failed, or an oracle spoke
};
std::string_view to_string(event_kind kind) noexcept;

struct event {
  std::chrono::nanoseconds at{};
  std::uint32_t task = 0;
  event_kind kind{};
  std::string text;
};

class trace {
 public:
  void record(std::chrono::nanoseconds at, std::uint32_t task, event_kind kind, std::string text);
  const std::vector<event>& events() const noexcept { return events_; }
  /// FNV-1a over every field of every event.
  std::uint64_t hash() const noexcept { return hash_; }

 private:
  std::vector<event> events_;
  std::uint64_t hash_ = 14695981039346656037ULL;
};

/// A duration as people read it: "0", "10ms", "1.5s".
std::string format_duration(std::chrono::nanoseconds duration);
/// 16 hexadecimal digits.
std::string format_hash(std::uint64_t hash);

}  // namespace assay
