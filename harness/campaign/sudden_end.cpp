#include <assay/harness/campaign/sudden_end.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <assay/harness/campaign/quiet_output.hpp>
#include <assay/harness/campaign/system.hpp>
#include <assay/harness/choice/token.hpp>

// Present in a build with a sanitizer only: called when it ends the process, which no signal tells of.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the runtime's
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace assay {

namespace {

constexpr std::uint64_t told_max = 20;  // events of the story

// A tick is a signal that gdb passes on without a word, and that hardly anybody uses. Ticks are counted, and no time is measured:
// so a process that was stopped, or a machine that slept, has not hung.
constexpr int tick_signal = SIGVTALRM;
constexpr std::uint32_t ticks_of_limit = 10;
constexpr std::uint32_t limits_of_trial = 4;

// A handler of signals may not ask for memory, so what it says is put together here.
class fixed_text {
 public:
  fixed_text& operator<<(std::string_view text) noexcept {
    const std::size_t count = std::min(text.size(), text_.size() - size_);
    std::memcpy(text_.data() + size_, text.data(), count);
    size_ += count;
    return *this;
  }
  fixed_text& operator<<(std::uint64_t number) noexcept {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
  }
  fixed_text& operator<<(std::chrono::nanoseconds time) noexcept {
    duration_text text;
    return *this << format_duration(time, text);
  }
  fixed_text& pad(std::size_t width) noexcept {
    while (size_ < width) *this << " ";
    return *this;
  }
  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 512> text_;
  std::size_t size_ = 0;
};

void say(std::string_view text) noexcept { (void)write_all(quiet_output::error_output(), text); }

// A token is as long as its schedule, so it goes out in pieces.
struct token_out {
  std::array<char, 512> piece;
  std::size_t size = 0;
  static void put(void* self, char c) noexcept {
    auto* const out = static_cast<token_out*>(self);
    out->piece[out->size++] = c;
    if (out->size == out->piece.size()) out->flush();
  }
  void flush() noexcept { say({piece.data(), std::exchange(size, 0)}); }
};

// Beyond the end of the thread's own stack there is no room for a handler.
alignas(16) std::array<char, std::size_t{64} * 1024> other_stack;

std::atomic<sudden_end_guard*> current = nullptr;

}  // namespace

struct sudden_end_guard::handler {
  static void on_signal(int number, siginfo_t* info, void* /*context*/) {
    const int error = errno;
    sudden_end_guard* const guard = current.load();
    if (guard != nullptr) {
      fixed_text what;
      what << "SIG" << ::sigabbrev_np(number) << " (" << ::sigdescr_np(number)
           << ")";  // both know our signals
      tell(*guard, what << " ends the process");
      const auto place = std::find(signals.begin(), signals.end(), number);
      ::sigaction(number, &guard->before_[static_cast<std::size_t>(place - signals.begin())], nullptr);
    } else {
      ::signal(number, SIG_DFL);  // it came to another thread while the guard went
    }
    // A fault comes again by itself, with all that a sanitizer or a core file wants to know of it.
    const bool faulted = info->si_code > 0;
    if (!faulted) ::raise(number);  // is held back until this handler has returned
    keep_counters();
    errno = error;
  }

  static void on_death() {
    fixed_text what;
    what << "A sanitizer ends the process";
    if (sudden_end_guard* const guard = current.load(); guard != nullptr) tell(*guard, what);
  }

  static void on_tick(int /*number*/) {
    const int error = errno;
    if (sudden_end_guard* const guard = current.load(); guard != nullptr) count_tick(*guard);
    errno = error;
  }

  static void count_tick(sudden_end_guard& guard) noexcept {
    const shared_mirror& mirror = guard.mirror_;
    const bool runs = mirror.where() != shared_mirror::stage::none;
    const bool same_trial = runs && std::exchange(guard.trials_, mirror.trials()) == mirror.trials();
    const bool same_turn = same_trial && std::exchange(guard.events_, mirror.events()) == mirror.events();
    guard.ticks_of_trial_ = same_trial ? guard.ticks_of_trial_ + 1 : 0;
    guard.ticks_of_turn_ = same_turn ? guard.ticks_of_turn_ + 1 : 0;
    const auto limit = static_cast<std::uint64_t>(guard.hang_after_.count());
    fixed_text what;
    if (guard.ticks_of_turn_ >= ticks_of_limit) {
      what << "hang: no turn has ended for " << limit << " s of real time";
    } else if (guard.ticks_of_trial_ >= ticks_of_limit * limits_of_trial) {
      what << "hang: the trial has not ended for " << limit * limits_of_trial << " s of real time";
    } else {
      return;
    }
    guard.mirror_.note_hang();
    tell(guard, what);
    if (!guard.token_head_.empty())
      say("A test that may take longer is given --assay_hang_after=SECONDS, or 0 for no limit. A wait that "
          "blocks the thread until a "
          "time (wait_for, wait_until) does not end: the clocks of a trial stand still in a turn.\n");
    std::abort();
  }

  // Once: after a signal a sanitizer may have its own say.
  static void tell(sudden_end_guard& guard, fixed_text& what) noexcept {
    static std::atomic<bool> told = false;
    const shared_mirror& mirror = guard.mirror_;
    if (mirror.where() == shared_mirror::stage::none || ::getpid() != guard.process_ || told.exchange(true))
      return;
    if (mirror.where() == shared_mirror::stage::running) {
      what << ". It is the turn of '" << mirror.current_task() << "', at " << mirror.elapsed();
    } else {
      what << ". The trial is over, and what is left of it is being destroyed";
    }
    guard.mirror_.note_end(what.view());
    if (guard.token_head_.empty()) return;
    quiet_output::speak();
    say_all(guard, what.view());
  }

  static void say_all(const sudden_end_guard& guard, std::string_view what) noexcept {
    const shared_mirror& mirror = guard.mirror_;
    say("\n");
    say(guard.test_);
    say(": ");
    say(what);
    say(".\nThe last events of the trial:\n");
    tell_events(mirror);
    say("To see it again:\n  --gtest_filter=");
    say(guard.test_);
    say(" --assay_replay=");
    token_out out;
    write_token(guard.token_head_, mirror.made(), &token_out::put, &out);
    out.flush();
    say("\n");
  }

  // As a story has them.
  static void tell_events(const shared_mirror& mirror) noexcept {
    constexpr std::uint64_t all = shared_mirror::events_max;
    std::uint64_t count = 0;
    mirror.visit_last(all, [&count](const shared_mirror::told_event& one) {
      if (one.kind != event_kind::turn) ++count;
    });
    mirror.visit_last(all, [&count](const shared_mirror::told_event& one) {
      if (one.kind == event_kind::turn || count-- > told_max) return;
      fixed_text line;
      std::uint64_t below = 10;
      for (std::size_t width = 1; width < 5; ++width, below *= 10) {
        if (one.number < below) line << " ";
      }
      line << one.number << "  ";
      const std::size_t begin = line.size();
      line << one.at;
      line.pad(begin + 8) << to_string(one.kind);
      line.pad(begin + 17) << one.text << "\n";
      say(line.view());
    });
  }
};

sudden_end_guard::sudden_end_guard(shared_mirror& mirror, std::chrono::seconds hang_after, std::string test,
                                   std::string token_head)
    : mirror_(mirror),
      hang_after_(hang_after),
      test_(std::move(test)),
      token_head_(std::move(token_head)),
      process_(::getpid()) {
  if (hang_after_ > std::chrono::seconds::zero()) begin_ticking();  // may be refused, so it comes first
  stack_t before{};
  ::sigaltstack(nullptr, &before);
  if ((before.ss_flags & SS_DISABLE) != 0) {  // else it is a sanitizer's
    stack_t own{};
    own.ss_sp = other_stack.data();
    own.ss_size = other_stack.size();
    owns_stack_ = ::sigaltstack(&own, nullptr) == 0;
  }
  outer_ = current.exchange(this);
  struct sigaction action{};
  action.sa_sigaction = &handler::on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigfillset(&action.sa_mask);
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &action, &before_[i]);
  if (outer_ != nullptr) before_ = outer_->before_;  // or a signal would come back for ever
  if (&__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&handler::on_death);
}

sudden_end_guard::sudden_end_guard(shared_mirror& mirror, std::chrono::seconds hang_after)
    : sudden_end_guard(mirror, hang_after, {}, {}) {}

// To this thread, which is the one that hangs: a debugger, or a core file, then sees where.
void sudden_end_guard::begin_ticking() {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = tick_signal;
  event._sigev_un._tid = ::gettid();
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) refuse("timer_create");
  ticks_ = true;
  struct sigaction action{};
  action.sa_handler = &handler::on_tick;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigaction(tick_signal, &action, &before_tick_);
  const std::chrono::nanoseconds interval = std::chrono::nanoseconds(hang_after_) / ticks_of_limit;
  itimerspec every{};
  every.it_interval.tv_sec = interval.count() / 1'000'000'000;
  every.it_interval.tv_nsec = interval.count() % 1'000'000'000;
  every.it_value = every.it_interval;
  ::timer_settime(timer_, 0, &every, nullptr);
}

sudden_end_guard::~sudden_end_guard() {
  if (ticks_) {
    ::timer_delete(timer_);
    // One that has come already must not meet the default, which ends the process.
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    ::sigaction(tick_signal, &ignored, nullptr);
    ::sigaction(tick_signal, &before_tick_, nullptr);
  }
  for (std::size_t i = 0; i < signals.size() && outer_ == nullptr; ++i) {
    struct sigaction now{};
    // Who has come in between stays.
    if (::sigaction(signals[i], nullptr, &now) == 0 && now.sa_sigaction == &handler::on_signal)
      ::sigaction(signals[i], &before_[i], nullptr);
  }
  current = outer_;
  if (!owns_stack_) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
}

}  // namespace assay
