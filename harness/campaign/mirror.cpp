#include <assay/harness/campaign/mirror.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include <assay/harness/campaign/utf8.hpp>

namespace assay {

namespace {

// More choices than any trial makes that is not broken; the memory is given only as it is written to.
constexpr std::uint32_t choices_max = 1U << 20U;
constexpr std::size_t phase_length_max = 63;
constexpr std::size_t end_length_max = 255;
constexpr std::size_t text_length_max = 231;  // of an event
constexpr std::size_t name_length_max = 59;   // of a task
constexpr std::uint32_t names_max = 1024;

// As much of the text as there is room for; where it is cut, the end says so.
template <std::size_t Size>
std::uint32_t keep(char (&into)[Size], std::string_view text) noexcept {
  constexpr std::string_view cut = "...";
  const std::size_t length = std::min(text.size(), Size);
  std::memcpy(into, text.data(), length);
  if (text.size() > Size) std::memcpy(into + Size - cut.size(), cut.data(), cut.size());
  return static_cast<std::uint32_t>(length);
}

template <std::size_t Size>
struct kept_text {
  std::uint32_t length;
  char text[Size];
  void set(std::string_view given) noexcept { length = keep(text, given); }
  std::string_view get() const noexcept { return {text, std::min<std::size_t>(length, Size)}; }
};

struct kept_event {
  std::int64_t at;
  std::uint32_t task;
  std::uint32_t kind;
  kept_text<text_length_max> text;
};

}  // namespace

// Written by one process and read by another, so all of it is lock-free or plain bytes.
struct shared_mirror::record_block {
  std::atomic<std::uint64_t> trials;
  std::atomic<std::uint32_t> count;
  std::atomic<std::uint32_t> where;
  std::atomic<std::uint32_t> sweep;
  std::atomic<std::uint32_t> working;
  char phase[phase_length_max + 1];
  choice made[choices_max];
  std::atomic<stage> trial_stage;
  std::atomic<std::uint64_t> events;
  std::atomic<std::uint32_t> names;  // of tasks that were started
  std::atomic<std::uint32_t> hung;
  kept_text<end_length_max> end;
  kept_text<name_length_max> name[names_max];
  kept_event told[events_max];  // the n-th at n modulo the size
};

shared_mirror::shared_mirror() : own_(::memfd_create("assay-choices", MFD_CLOEXEC)) {
  if (own_.get() < 0) refuse("memfd_create");
  if (::ftruncate(own_.get(), sizeof(record_block)) != 0) refuse("ftruncate");
  map(own_.get());
}

shared_mirror::shared_mirror(int of_another) { map(of_another); }

void shared_mirror::map(int memory) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  void* const mapped = ::mmap(nullptr, sizeof(record_block), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (mapped == MAP_FAILED) refuse("mmap");
  block_ = static_cast<record_block*>(mapped);  // fresh shared memory is all zeros, which is a valid block
}

shared_mirror::~shared_mirror() { ::munmap(block_, sizeof(record_block)); }

void shared_mirror::record(const choice& made) noexcept {
  const std::uint32_t count = block_->count.load(std::memory_order_relaxed);
  if (count == choices_max) return;
  block_->made[count] = made;
  block_->count.store(count + 1, std::memory_order_release);
}

void shared_mirror::trial_begins(const trial_settings& settings) noexcept {
  block_->count.store(0, std::memory_order_relaxed);
  block_->where.store(settings.where == tier::sim ? 0 : 1, std::memory_order_relaxed);
  block_->sweep.store(settings.sweep ? 1 : 0, std::memory_order_relaxed);
  block_->trials.fetch_add(1, std::memory_order_release);
}

void shared_mirror::phase_begins(std::string_view phase) noexcept {
  const std::size_t length = std::min(phase.size(), phase_length_max);
  std::memcpy(block_->phase, phase.data(), length);
  block_->phase[length] = '\0';
}

void shared_mirror::work_begins() noexcept { block_->working.store(1, std::memory_order_release); }
void shared_mirror::work_ends() noexcept { block_->working.store(0, std::memory_order_release); }
bool shared_mirror::working() const noexcept { return block_->working.load(std::memory_order_acquire) != 0; }

void shared_mirror::begins(const virtual_time& clock) noexcept {
  clock_ = &clock;
  block_->events.store(0, std::memory_order_relaxed);
  block_->names.store(0, std::memory_order_relaxed);
  block_->trial_stage.store(stage::running, std::memory_order_release);
}

void shared_mirror::record(std::chrono::nanoseconds at, std::uint32_t task, event_kind kind,
                           std::string_view text) noexcept {
  const std::uint64_t count = block_->events.load(std::memory_order_relaxed);
  kept_event& into = block_->told[count % events_max];
  into.at = at.count();
  into.task = task;
  into.kind = static_cast<std::uint32_t>(kind);
  into.text.set(text);
  if (kind == event_kind::start) {
    const std::uint32_t names = block_->names.load(std::memory_order_relaxed);
    if (names < names_max) block_->name[names].set(text);
    block_->names.store(names + 1, std::memory_order_release);
  }
  block_->events.store(count + 1, std::memory_order_release);
}

void shared_mirror::ran() noexcept { block_->trial_stage.store(stage::going, std::memory_order_release); }
void shared_mirror::ends() noexcept { block_->trial_stage.store(stage::none, std::memory_order_release); }

shared_mirror::stage shared_mirror::where() const noexcept {
  return block_->trial_stage.load(std::memory_order_acquire);
}

std::string_view shared_mirror::current_task() const noexcept {
  // Named as task_names does it: the subject, the scenario, and who was started, in that order.
  const task_id task = clock_->current_task();
  if (task == trial::subject_task) return "the subject";
  if (task == trial::scenario_task) return "scenario";
  const std::uint32_t started = task - trial::scenario_task - 1;
  const std::uint32_t names = std::min(block_->names.load(std::memory_order_acquire), names_max);
  return started < names ? block_->name[started].get() : "a later task";
}

std::chrono::nanoseconds shared_mirror::elapsed() const noexcept {
  return clock_->now() - virtual_time::epoch;
}

std::uint64_t shared_mirror::events() const noexcept {
  return block_->events.load(std::memory_order_acquire);
}

shared_mirror::told_event shared_mirror::event_at(std::uint64_t number) const noexcept {
  const kept_event& one = block_->told[number % events_max];
  return {number + 1, std::chrono::nanoseconds(one.at), one.task, static_cast<event_kind>(one.kind),
          one.text.get()};
}

void shared_mirror::note_end(std::string_view how) noexcept { block_->end.set(how); }
void shared_mirror::note_hang() noexcept { block_->hung.store(1, std::memory_order_release); }
bool shared_mirror::hung() const noexcept { return block_->hung.load(std::memory_order_acquire) != 0; }
std::string shared_mirror::end() const { return valid_utf8(block_->end.get()); }

trace shared_mirror::last_events() const {
  trace all;
  visit_last(events_max, [&all](const told_event& one) {
    if (one.number > 1 && all.size() == 0) {
      all.record(one.at, one.task, event_kind::mark,
                 "the " + std::to_string(one.number - 1) + " events before are not kept");
    }
    all.record(one.at, one.task, one.kind, valid_utf8(one.text));
  });
  return all;
}

std::uint64_t shared_mirror::trials() const noexcept {
  return block_->trials.load(std::memory_order_acquire);
}

std::span<const choice> shared_mirror::made() const noexcept {
  return {block_->made, std::min(block_->count.load(std::memory_order_acquire), choices_max)};
}

std::vector<choice> shared_mirror::choices() const { return {made().begin(), made().end()}; }

trial_settings shared_mirror::settings() const noexcept {
  return {block_->where.load() == 0 ? tier::sim : tier::io_context, block_->sweep.load() != 0};
}

std::string shared_mirror::phase() const {
  return std::string(block_->phase, ::strnlen(block_->phase, phase_length_max));
}

}  // namespace assay
