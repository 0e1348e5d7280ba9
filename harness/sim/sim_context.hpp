// The simulator: an execution context whose ready handlers and tied timers are picked by the choice stream,
// and whose clock moves only when nothing is ready (VCS-1 to VCS-8).
//
// Single-threaded: one thread owns a context. A handler that arrives from another thread is never run; it is
// kept and reported (`escaped`).
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <assay/harness/allocation/section.hpp>
#include <assay/harness/choice/choice.hpp>
#include <assay/harness/sim/asio_internals.hpp>
#include <assay/harness/sim/virtual_time.hpp>

namespace assay {

namespace detail {

/// Its address tells threads that live from each other, and costs less to find out than their ids do.
inline constinit thread_local const char this_thread = 0;

/// Ready handlers in the order in which they became ready, any of which can be taken.
class ready_queue {
 public:
  bool empty() const noexcept { return head_ == ops_.size(); }
  std::size_t size() const noexcept { return ops_.size() - head_; }
  const ready_op* at(std::size_t place) const noexcept { return ops_[head_ + place]; }
  void push(ready_op* op) { ops_.push_back(op); }
  ready_op* take(std::size_t place) noexcept {
    ready_op* const op = ops_[head_ + place];
    if (head_ + 1 == ops_.size()) {
      ops_.clear();
      head_ = 0;
      return op;
    }
    // The shorter side moves, so that what is left keeps its order.
    if (place <= size() / 2) {
      for (std::size_t i = head_ + place; i > head_; --i) ops_[i] = ops_[i - 1];
      ++head_;
    } else {
      ops_.erase(ops_.begin() + static_cast<std::ptrdiff_t>(head_ + place));
    }
    if (head_ > 1024 && head_ * 2 > ops_.size()) {
      ops_.erase(ops_.begin(), ops_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    return op;
  }

 private:
  reused_vector<ready_op*> ops_;
  std::size_t head_ = 0;
};

}  // namespace detail

/// What the simulator knows of one task (an operation and all that descends from it).
struct task_state {
  std::uint32_t ready = 0;  ///< its handlers that are ready
  std::uint64_t turns = 0;  ///< turns it has had
  std::int64_t work = 0;    ///< executors of its own that track outstanding work
};

/// More turns at one instant than any sane program takes (VCS-6).
class livelock : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class sim_context : public boost::asio::execution_context, private detail::asio_internals::thread_context {
 public:
  using nanoseconds = std::chrono::nanoseconds;
  class executor_type;

  /// `choices` is asked which ready handler runs next and which tied timer fires first; it must outlive the
  /// context.
  explicit sim_context(choice_stream& choices);
  sim_context(const sim_context&) = delete;
  sim_context& operator=(const sim_context&) = delete;
  /// Destroys every handler and frame that is left, those of `last_task` last.
  ~sim_context();

  /// An executor whose handlers, and whatever they spawn on it, belong to `task`.
  executor_type get_executor(task_id task = 0) noexcept;

  virtual_time& time() noexcept { return time_; }
  const virtual_time& time() const noexcept { return time_; }
  nanoseconds now() const noexcept { return time_.now(); }

  // One step at a time, for whoever drives the context.

  bool idle() const noexcept { return ready_.empty(); }
  std::size_t ready() const noexcept { return ready_.size(); }
  /// Runs one ready handler, picked by the choice stream; false when none is ready. Whatever the handler
  /// throws comes out (VCS-8); the context can go on. Throws livelock after `turns_per_instant_max` turns at
  /// one instant.
  bool run_turn();
  /// Makes every timer that is due now ready; which of several with one deadline is first is a choice. Where the clock
  /// went beyond a deadline, an earlier one comes before a later one. False when none is due.
  bool release_due();
  /// Moves the clock to `instant` (never backwards) and releases nothing.
  void move_clock(nanoseconds instant) noexcept;

  // The clock as a test drives it from outside (Kotlin's TestCoroutineScheduler has the same three).

  /// Runs everything due now, including what that creates at the same instant (VCS-3).
  void run_current();
  /// Runs everything due before now + delay, then stands at now + delay without running what is due exactly
  /// then (VCS-4); a delay of 0 runs nothing. Throws std::invalid_argument for a negative delay; an overflow
  /// is clamped.
  void advance_by(nanoseconds delay);
  /// Runs until nothing is ready and no finite timer is left; the clock jumps from deadline to deadline
  /// (VCS-1).
  void run_until_idle();

  /// Says that the current turn reads or changes the thing with this key: the order of two turns that touch the same
  /// thing matters.
  void touch(std::uint64_t key);
  /// Says that turns touch nothing in common but what they say, and the handlers that they make and wake.
  void touches_everything() noexcept { touches_complete_ = true; }
  /// The hash of the order of the turns so far, equal for schedules that differ only in the order of turns that had
  /// nothing to do with each other, as far as chains, wake-ups and touches tell (Mazurkiewicz traces). What turns
  /// share without telling is not in it.
  std::uint64_t order_class() const noexcept { return order_class_; }

  const task_state& task(task_id id) const noexcept { return tasks_[id]->state; }
  std::size_t tasks() const noexcept { return tasks_.size(); }
  /// Makes room for a further task and returns its id, counted from 1.
  task_id add_task();
  task_id current_task() const noexcept { return time_.current_task(); }
  std::uint64_t turns() const noexcept { return turns_; }
  std::int64_t outstanding_work() const noexcept;
  /// Whether a handler is being run just now.
  bool running() const noexcept { return running_; }
  /// Calls `visitor(const detail::ready_op&)` for every ready handler, in the order of becoming ready.
  template <class Visitor>
  void visit_ready(Visitor&& visitor) const {
    for (std::size_t i = 0; i < ready_.size(); ++i) visitor(*ready_.at(i));
  }
  /// Whose the last turns were, the latest last; at most `recent_max` of them (VCS-6).
  static constexpr std::size_t recent_max = 32;
  std::vector<task_id> recent_turns() const;
  /// True once a handler came from another thread.
  bool escaped() const noexcept { return escaped_.load(std::memory_order_relaxed); }
  void set_turns_per_instant_max(std::uint64_t turns) noexcept { turns_per_instant_max_ = turns; }
  /// Something other than turns has come further: they are counted from anew.
  void note_progress() noexcept { turns_at_instant_ = 0; }
  /// Whose frames go last when the context is destroyed.
  void set_last_task(task_id task) noexcept { last_task_ = task; }
  /// Counts the allocations of every turn but those of the last task.
  void count_allocations(allocation_counter* counter) noexcept { allocations_ = counter; }
  /// Destroys every pending handler and wait, and with them every suspended frame, without running it; those
  /// of the last task last. Services are shut down, so nothing but destruction may follow. Idempotent.
  void abandon() noexcept;

  /// Calls `function` as if inside a turn of `task`: for what a driver does between turns, a cancel for one.
  template <class Function>
  void run_inside(task_id task, Function&& function) {
    const inside_guard inside(*this, task);
    const on_call_stack on_stack(this, recycled_);
    std::forward<Function>(function)();
    recycled_.rethrow_pending_exception();
  }

  /// Calls `function` as if outside of every turn, within one: what is dispatched here meanwhile is posted.
  template <class Function>
  void run_outside(Function&& function) {
    const outside_guard outside(running_);
    std::forward<Function>(function)();
  }

  /// Puts an operation among the ready ones; it belongs to op->task, and to a chain of its own unless it has one.
  void make_ready(detail::ready_op* op) {
    if (op->chain == 0) {
      op->chain = time_.next_chain();
    } else {
      // Woken: what the waker knows comes before what the woken does.
      time_.past(op->chain) = mixed(time_.past(op->chain), time_.current_past());
    }
    if (tells_turns_ && running_) footprint_.push_back(chain_keys | op->chain);
    ++tasks_[op->task]->state.ready;
    ready_.push(op);
  }

 private:
  friend class executor_type;

  // Tasks do not move: executors point at them.
  struct task_slot {
    sim_context* context;
    task_id id;
    task_state state;
  };

  // For as long as it lives a handler of `task` is being run.
  class inside_guard {
   public:
    inside_guard(sim_context& context, task_id task) noexcept
        : context_(context),
          task_before_(context.time_.current_task()),
          running_before_(std::exchange(context.running_, true)) {
      context.time_.set_current_task(task);
    }
    inside_guard(const inside_guard&) = delete;
    inside_guard& operator=(const inside_guard&) = delete;
    ~inside_guard() {
      context_.running_ = running_before_;
      context_.time_.set_current_task(task_before_);
    }

   private:
    sim_context& context_;
    task_id task_before_;
    bool running_before_;
  };

  class outside_guard {
   public:
    explicit outside_guard(bool& running) noexcept
        : running_(running), before_(std::exchange(running, false)) {}
    outside_guard(const outside_guard&) = delete;
    outside_guard& operator=(const outside_guard&) = delete;
    ~outside_guard() { running_ = before_; }

   private:
    bool& running_;
    bool before_;
  };

  template <class Function>
  struct function_op final : detail::ready_op {
    explicit function_op(Function&& function, task_id owner) : function_(std::move(function)) {
      run = &function_op::finish;
      task = owner;
    }
    static void* operator new(std::size_t size) { return detail::asio_internals::allocate(size); }
    static void operator delete(void* memory, std::size_t size) {
      detail::asio_internals::deallocate(memory, size);
    }
    static void finish(detail::ready_op* base, bool invoke) {
      auto* const self = static_cast<function_op*>(base);
      Function function(std::move(self->function_));
      delete self;
      if (invoke) std::move(function)();
    }
    Function function_;
  };

  template <class Function>
  void execute(Function&& function, task_id task, bool may_run_inline) {
    using decayed = std::decay_t<Function>;
    if (!on_owner()) {
      keep_foreign(decayed(std::forward<Function>(function)));
    } else if (may_run_inline && running_) {
      decayed copy(std::forward<Function>(function));
      try {
        std::move(copy)();
      } catch (...) {
        // As io_context does: what a handler throws never comes out of `dispatch`, it leaves the turn.
        recycled_.capture_current_exception();
      }
    } else {
      if (time_.listener() != nullptr) [[unlikely]]
        time_.listener()->made_ready(task);
      make_ready(new function_op<decayed>(decayed(std::forward<Function>(function)), task));
    }
  }
  template <class Function>
  void keep_foreign(Function&& function) {
    escaped_.store(true, std::memory_order_relaxed);
    const std::lock_guard lock(foreign_mutex_);
    foreign_.push_back(std::make_shared<std::decay_t<Function>>(std::forward<Function>(function)));
  }
  void drop_all_but(task_id spared) noexcept;
  [[noreturn]] void throw_livelock() const;
  bool on_owner() const noexcept { return &detail::this_thread == owner_; }
  static bool runs_inline(void* self, const boost::asio::any_io_executor& executor) noexcept;
  static std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
    const std::uint64_t sum = (a ^ (b + 0x9e3779b97f4a7c15ULL)) * 0xbf58476d1ce4e5b9ULL;
    return sum ^ (sum >> 29U);
  }
  static void give(void* self, detail::ready_op* op) { static_cast<sim_context*>(self)->make_ready(op); }

  choice_stream& choices_;
  virtual_time& time_;
  detail::ready_queue ready_;
  std::vector<std::unique_ptr<task_slot>> tasks_;
  detail::reused_vector<detail::timer_op*> due_;
  std::uint64_t turns_ = 0;
  std::uint64_t turns_at_instant_ = 0;
  std::uint64_t turns_per_instant_max_ = 100'000;
  std::uint64_t order_class_ = 0;
  static constexpr std::uint64_t chain_keys = std::uint64_t{1} << 62U;  // apart from those of things
  bool tells_turns_;
  bool touches_complete_ = false;
  detail::reused_vector<std::uint64_t> footprint_;  // of the current turn, if the source wants to know
  std::unordered_map<std::uint64_t, std::uint64_t> touched_;  // looked up only: its order is not
  task_id last_task_ = virtual_time::nobody;
  allocation_counter* allocations_ = nullptr;
  bool running_ = false;
  bool abandoned_ = false;
  std::array<task_id, recent_max> recent_{};
  const char* owner_ = &detail::this_thread;
  // Asio recycles coroutine frames and handlers through the thread's call stack; being on it makes that work
  // here.
  detail::asio_internals::recycled_memory recycled_;
  std::atomic<bool> escaped_ = false;
  std::mutex foreign_mutex_;
  std::vector<std::shared_ptr<void>> foreign_;
};

/// The simulator's executor. `dispatch` runs inline when already inside the context, as io_context's does;
/// with `blocking.never` it always posts. It carries the task that its handlers belong to.
///
/// One word, like that of io_context's executor, since any_io_executor copies and moves it again and again: the address
/// of the task, and properties in the bits that an address leaves free.
class sim_context::executor_type {
 public:
  executor_type(sim_context& context, task_id task) noexcept : executor_type(*context.tasks_[task], 0) {}
  executor_type(const executor_type& other) noexcept : bits_(other.bits_) { count(1); }
  executor_type(executor_type&& other) noexcept : bits_(other.bits_) {
    if ((bits_ & tracked) != 0) other.bits_ &= ~tracked;
  }
  executor_type& operator=(const executor_type& other) noexcept {
    executor_type copy(other);
    std::swap(bits_, copy.bits_);
    return *this;
  }
  executor_type& operator=(executor_type&& other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~executor_type() { count(-1); }

  sim_context& context() const noexcept { return *slot().context; }
  task_id task() const noexcept { return slot().id; }

  sim_context& query(boost::asio::execution::context_t) const noexcept { return context(); }
  boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
    using boost::asio::execution::blocking;
    return (bits_ & never) != 0 ? boost::asio::execution::blocking_t(blocking.never)
                                : boost::asio::execution::blocking_t(blocking.possibly);
  }
  boost::asio::execution::outstanding_work_t query(
      boost::asio::execution::outstanding_work_t) const noexcept {
    using boost::asio::execution::outstanding_work;
    return (bits_ & tracked) != 0 ? boost::asio::execution::outstanding_work_t(outstanding_work.tracked)
                                  : boost::asio::execution::outstanding_work_t(outstanding_work.untracked);
  }
  executor_type require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return {slot(), (bits_ & tracked) | never};
  }
  executor_type require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return {slot(), bits_ & tracked};
  }
  executor_type require(boost::asio::execution::outstanding_work_t::tracked_t) const noexcept {
    return {slot(), (bits_ & never) | tracked};
  }
  executor_type require(boost::asio::execution::outstanding_work_t::untracked_t) const noexcept {
    return {slot(), bits_ & never};
  }
  template <class Function>
  void execute(Function&& function) const {
    context().execute(std::forward<Function>(function), task(), (bits_ & never) == 0);
  }
  bool running_in_this_thread() const noexcept { return context().on_owner() && context().running_; }
  bool operator==(const executor_type& other) const noexcept { return bits_ == other.bits_; }
  bool operator!=(const executor_type& other) const noexcept { return bits_ != other.bits_; }

 private:
  static constexpr std::uintptr_t never = 1;
  static constexpr std::uintptr_t tracked = 2;
  static_assert(alignof(task_slot) > (never | tracked));

  executor_type(task_slot& task, std::uintptr_t properties) noexcept
      : bits_(reinterpret_cast<std::uintptr_t>(&task) | properties) {
    count(1);
  }
  task_slot& slot() const noexcept { return *reinterpret_cast<task_slot*>(bits_ & ~(never | tracked)); }
  // Only the owner's thread counts: what another thread does has escaped anyway, and must not race.
  void count(int by) noexcept {
    if ((bits_ & tracked) != 0 && context().on_owner()) slot().state.work += by;
  }

  std::uintptr_t bits_;
};

// What `dispatch` asks for is an executor that may run functions inline, whatever this one is: then `execute` would.
inline bool sim_context::runs_inline(void* self, const boost::asio::any_io_executor& executor) noexcept {
  const auto* const context = static_cast<const sim_context*>(self);
  const auto* const own = executor.target<executor_type>();
  return own != nullptr && own->running_in_this_thread() && &own->context() == context;
}

inline sim_context::executor_type sim_context::get_executor(task_id task) noexcept { return {*this, task}; }

}  // namespace assay
