// The trace: what happened in a trial, in order, as data; with a hash that is equal across processes and
// compilers. It holds names, numbers and virtual times: no addresses, no columns, no function names.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
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

class virtual_time;

/// A place outside the trial that is told of events as they happen, so that a crash or a hang still has a story. See
/// harness/campaign/mirror.hpp.
class event_mirror {
 public:
  virtual ~event_mirror() = default;
  /// A trial begins; its clock lives until `ends`.
  virtual void begins(const virtual_time& clock) noexcept = 0;
  virtual void record(std::chrono::nanoseconds at, std::uint32_t task, event_kind kind,
                      std::string_view text) noexcept = 0;
  /// Its verdict is out, and what is left of it is destroyed.
  virtual void ran() noexcept = 0;
  virtual void ends() noexcept = 0;
};

/// What explains a trial and is no part of it: it has no number, and neither hashes nor differences know of it.
struct trace_note {
  std::size_t before = 0;  ///< how many events had come
  std::chrono::nanoseconds at{};
  std::string kind;  ///< one word
  std::string text;
};

class trace {
 public:
  void record(std::chrono::nanoseconds at, std::uint32_t task, event_kind kind, std::string text) {
    entries_.push_back({at, task, kind, !text.empty()});
    if (!text.empty()) texts_.push_back(std::move(text));
  }
  void annotate(trace_note note) { notes_.push_back(std::move(note)); }
  std::vector<event> events() const;
  /// In the order in which they came; only the trace of a trial that is explained has any (trial_settings::explained).
  const std::vector<trace_note>& notes() const noexcept { return notes_; }
  std::size_t size() const noexcept { return entries_.size(); }
  /// FNV-1a over every field of every event.
  std::uint64_t hash() const noexcept;

 private:
  // Most events are turns, which have no text, and there may be millions: so texts are apart, and the hash is made when
  // somebody asks for it.
  struct entry {
    std::chrono::nanoseconds at;
    std::uint32_t task;
    event_kind kind;
    bool has_text;
  };
  template <class Visitor>
  void visit(Visitor&& visitor) const {
    auto text = texts_.begin();
    const std::string nothing;
    for (const entry& one : entries_) visitor(one, one.has_text ? *text++ : nothing);
  }
  std::vector<entry> entries_;
  std::vector<std::string> texts_;
  std::vector<trace_note> notes_;
};

/// A duration as people read it: "0", "10ms", "1.5s".
std::string format_duration(std::chrono::nanoseconds duration);
/// The same without memory of its own.
using duration_text = std::array<char, 32>;
std::string_view format_duration(std::chrono::nanoseconds duration, duration_text& into) noexcept;
/// 16 hexadecimal digits.
std::string format_hash(std::uint64_t hash);

}  // namespace assay
