// Virtual time beneath unmodified asio::steady_timer and asio::system_timer.
//
// This header must be seen by every translation unit of a binary before Asio's timers are (the build injects
// it with -include): it specialises the service that those timers stand on. A timer whose execution context
// carries the `virtual_time` service waits on that service's heap, as does one whose context is a guest there, made in
// a trial by the code under test; any other timer waits on Asio's real service.
//
// A wait until time_point::max() is parked: it never fires and is not a timer. Equal deadlines are handed out
// together; who fires first is decided by whoever drives the clock. A cancelled wait that was still
// pending never reports success (VCS-10).
#pragma once

#include <assay/harness/sim/asio_internals.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/wait_traits.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/choice/reused_vector.hpp>
#include <assay/harness/sim/detached.hpp>
#include <assay/harness/sim/same_build.hpp>

namespace assay {

/// Identifies the operation that a handler belongs to; 0 is the subject itself.
using task_id = std::uint32_t;

class guest_context;
class virtual_time;

namespace detail {

using nanoseconds = std::chrono::nanoseconds;

/// a + b, clamped to what nanoseconds can hold: the far ends of a clock are reached by expiries of "never" and
/// by advancing "for ever".
constexpr nanoseconds saturated_sum(nanoseconds a, nanoseconds b) noexcept {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a.count(), b.count(), &sum)) return nanoseconds(sum);
  return b.count() < 0 ? nanoseconds::min() : nanoseconds::max();
}
/// a - b, clamped likewise.
constexpr nanoseconds saturated_difference(nanoseconds a, nanoseconds b) noexcept {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a.count(), b.count(), &difference)) return nanoseconds(difference);
  return b.count() < 0 ? nanoseconds::max() : nanoseconds::min();
}

/// Something that can run once: a posted function or a wait that has ended. Intrusive, so that scheduling
/// costs no allocation of its own.
struct ready_op {
  using function = void (*)(ready_op*, bool invoke);  // invoke == false: destroy without running
  function run = nullptr;
  task_id task = 0;
  std::uint32_t chain = 0;
};

struct wait_canceller;

/// One pending wait of a timer.
struct timer_op : ready_op {
  nanoseconds due{};            // on the timer's own clock
  nanoseconds since{};          // when it was armed, on the monotonic clock
  timer_op* earlier = nullptr;  // the waits with the same deadline, in the order of arming
  timer_op* later = nullptr;
  timer_op* next = nullptr;   // the other waits of the same timer
  timer_op** link = nullptr;  // what points at this one; null once it is no longer pending
  wait_canceller* canceller = nullptr;
  virtual_time* service = nullptr;
  const void* frame = nullptr;  // perhaps: what the handler resumes. Never looked into
  std::uint32_t place = 0;      // its bucket, or its place among the parked
  bool wall = false;            // waits on the wall clock
  bool parked = false;          // waits for ever
  bool aborted = false;         // was cancelled
  std::uint8_t guest = 0;       // the number of the context that it is of; 0: the driver's own
};

/// Why a wait ended that was pending.
enum class wait_end {
  cancelled,  ///< somebody cancelled the timer, or set it anew
  requested,  ///< cancellation of the operation was requested
  destroyed,  ///< the timer went
};

/// Is told what becomes of waits, and who makes whom ready, for the story of a trial: see trial_settings::explained. An
/// address stands for a timer as long as that lives.
class wait_listener {
 public:
  virtual ~wait_listener() = default;
  virtual void armed(const timer_op& wait, const void* timer) = 0;
  virtual void ended(const timer_op& wait, wait_end how) = 0;
  /// A timer was cancelled on which nobody waits.
  virtual void cancelled_in_vain(const void* timer) = 0;
  virtual void due_together(std::span<timer_op* const> waits) = 0;
  virtual void fired(const timer_op& wait) = 0;
  virtual void moved(const void* from, const void* to) = 0;
  virtual void gone(const void* timer) = 0;
  /// A handler of `task` was made ready by whoever has the turn.
  virtual void made_ready(task_id task) = 0;
};

/// The pending waits by (deadline, order of arming). Programs arm many waits for few deadlines: waits with one deadline
/// stand in a bucket, in the order of arming, and a 4-ary heap holds the buckets.
class timer_queue {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return size_; }
  nanoseconds earliest() const noexcept { return heap_.front().due; }
  void push(timer_op* op);
  void erase(timer_op* op) noexcept;
  /// Takes all that is due at `now` out, in order, and appends it to `due`.
  void take_until(nanoseconds now, reused_vector<timer_op*>& due);
  /// Of many pending waits few are in a cache, nor is what they wake. A driver that calls this once a turn has them brought
  /// there, a wait of the next deadline at a time, while it does something else.
  void look_ahead() noexcept {
    if (ahead_ == nullptr) [[likely]]
      return;
    // A frame of the usual size, what is around the timer, and what was allocated just before the wait: guesses, which cost
    // little when they are wrong.
    fetch(ahead_->frame, 0, 8);
    fetch(ahead_->link, -2, 4);
    fetch(ahead_, -3, 0);
    ahead_ = --ahead_left_ == 0 ? nullptr : ahead_->earlier;
    fetch(ahead_, 0, 3);
  }
  /// Calls `visitor` for each, in no particular order, until it says false.
  template <class Visitor>
  void visit(Visitor&& visitor) const {
    for (std::size_t i = heap_.size(); i > 0; --i) {
      for (timer_op* op = buckets_[heap_[i - 1].bucket].last; op != nullptr; op = op->earlier) {
        if (!visitor(op)) return;
      }
    }
  }
  /// Calls `visitor` for every deadline, in no particular order; one may come twice.
  template <class Visitor>
  void visit_deadlines(Visitor&& visitor) const {
    for (const entry& one : heap_) visitor(one.due);
  }

 private:
  struct bucket {
    nanoseconds due;
    std::uint64_t sequence;  // the order of making buckets; 0 in one that is free
    timer_op* first;
    timer_op* last;
    std::uint32_t size;  // how many wait in it
  };
  struct entry {
    nanoseconds due;
    std::uint32_t bucket;
  };
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  // Two buckets may have one deadline, since `newest_` forgets. Then all of the older one was armed first.
  bool before(const entry& a, const entry& b) const noexcept {
    if (a.due != b.due) return a.due < b.due;
    return buckets_[a.bucket].sequence < buckets_[b.bucket].sequence;
  }
  std::uint32_t& newest(nanoseconds due) noexcept {
    return newest_[(static_cast<std::uint64_t>(due.count()) * 0x9e3779b97f4a7c15ULL) >> shift_];
  }
  std::uint32_t bucket_for(nanoseconds due);
  static void take(timer_op* op, timer_op*& into) noexcept {
    __builtin_prefetch(static_cast<void*>(op->link), 1);  // the timer, which lies elsewhere
    into = op;
  }
  // Cache lines around an address, from the `from`-th to before the `to`-th.
  static void fetch(const void* address, int from, int to) noexcept {
    const auto base = reinterpret_cast<std::uintptr_t>(address);
    for (int line = from; line < to; ++line) {
      const std::uintptr_t at = base + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(line) * 64);
      __builtin_prefetch(reinterpret_cast<const void*>(at), 1);
    }
  }
  void remember_more();
  void drop(std::uint32_t at) noexcept;
  void put(std::size_t place, const entry& one) noexcept {
    heap_[place] = one;
    places_[one.bucket] = static_cast<std::uint32_t>(place);
  }
  void up(std::size_t at) noexcept;
  void down(std::size_t at) noexcept;

  reused_vector<entry> heap_;
  reused_vector<bucket> buckets_;
  reused_vector<std::uint32_t>
      places_;  // of each bucket in the heap; of a free one the next free one. Dense, for the heap
  std::uint32_t free_ = none;
  std::uint64_t sequence_ = 0;
  std::size_t size_ = 0;
  static constexpr std::size_t many = 2048;       // fewer have their place in a cache
  static constexpr std::uint32_t ahead_max = 64;  // more would drive each other out
  timer_op* ahead_ = nullptr;                     // the next to be looked at, a pending one
  std::uint32_t ahead_left_ = 0;
  // A deadline's newest bucket, if that was the last one to be made among the deadlines with its hash.
  reused_vector<std::uint32_t> newest_;
  unsigned shift_ = 64;
};

}  // namespace detail

/// The service that carries virtual time on an execution context. Whoever drives the context owns the clock.
class virtual_time : public boost::asio::execution_context::service {
 public:
  using key_type = virtual_time;
  static inline boost::asio::execution_context::id id;
  using nanoseconds = std::chrono::nanoseconds;

  /// The instant at which a fresh service stands, on the monotonic and on the wall clock. Not zero, so that a
  /// subtraction that assumes a late clock is seen. The wall clock starts on 2001-09-09T01:46:40Z.
  static constexpr nanoseconds epoch = std::chrono::hours(1);
  static constexpr nanoseconds wall_epoch = std::chrono::seconds(1'000'000'000);

  explicit virtual_time(boost::asio::execution_context& context);
  ~virtual_time() override;

  /// Where waits that have ended go: called with `driver` and the operation, which the driver then owns.
  using sink = void (*)(void* driver, detail::ready_op* op);
  /// A driver that `drops_waits` itself when the context goes keeps the service from doing so.
  void drive(void* driver, sink give, bool drops_waits) noexcept {
    driver_ = driver;
    give_ = give;
    driver_drops_waits_ = drops_waits;
  }

  /// Says whether what is dispatched to an executor now runs inline, in the current turn of the driver: then a wait that
  /// has ended calls its handler without going through the executor.
  using inline_test = bool (*)(void* driver, const boost::asio::any_io_executor& executor) noexcept;
  void call_inline_if(inline_test test) noexcept { runs_inline_ = test; }
  bool runs_inline(const boost::asio::any_io_executor& executor) const noexcept {
    return runs_inline_ != nullptr && runs_inline_(driver_, executor);
  }

  /// A context whose timers wait here, and whose waits go to itself when they have ended. The number is 0 if there are
  /// too many.
  static constexpr std::size_t guests_max = 255;
  std::uint8_t add_guest(guest_context& guest);
  /// The context is shut down: its waits are dropped without being run.
  void remove_guest(std::uint8_t number) noexcept;
  /// What a driver does with a wait of a guest that it has taken out.
  void give_to_guest(detail::timer_op* op) noexcept;
  /// When the first wait of a guest is due, on the monotonic clock; nanoseconds::max() if none is. O(n).
  nanoseconds earliest_of_guest(std::uint8_t number) const noexcept;
  /// Takes the waits of a guest out that are due now and fell due first, in the order of arming.
  void take_due_of_guest(std::uint8_t number, detail::reused_vector<detail::timer_op*>& due);

  nanoseconds now() const noexcept { return now_; }
  nanoseconds wall_now() const noexcept { return detail::saturated_sum(now_, wall_offset_); }

  /// Moves the monotonic clock; never backwards. Fires nothing by itself. A clock that goes on beyond a deadline is that
  /// of a late loop: what fell due meanwhile is due together.
  void set_now(nanoseconds instant) noexcept {
    if (instant <= now_) return;
    if (earliest() < instant) late_ = true;
    now_ = instant;
  }
  /// Steps the wall clock alone, in either direction (VCS-11).
  void step_wall(nanoseconds by) noexcept {
    wall_offset_ = detail::saturated_sum(wall_offset_, by);
    stepped_at_ = now_;
  }

  /// The earliest pending deadline on the monotonic clock, or nanoseconds::max() when there is none. O(1).
  nanoseconds earliest() const noexcept {
    nanoseconds result = nanoseconds::max();
    if (!steady_.empty()) result = steady_.earliest();
    // What lies beyond the end of the monotonic clock never comes.
    if (!wall_.empty()) {
      result = std::min(result, detail::saturated_difference(wall_.earliest(), wall_offset_));
    }
    return result;
  }

  /// Fills `into` with the next distinct deadlines behind `after` and before `end`, on the monotonic clock, in order; says
  /// how many there are, at most as many as there is room for.
  std::size_t next_deadlines(nanoseconds after, nanoseconds end, std::span<nanoseconds> into) const noexcept;

  /// Takes all waits that are due now out, in the order in which they fell due, and appends them to `due`. From then on
  /// none of them can be cancelled, as on an io_context, whose reactor collects all that is due at once. Unless the loop
  /// was late all fell due now: those on the monotonic clock first, in order of (deadline, arming).
  void take_due(detail::reused_vector<detail::timer_op*>& due);
  /// How many of `due`, as take_due has left it, fell due at the same instant as the one at `first`, from that one on: who
  /// of these is first is open, while what fell due later comes later.
  std::size_t tied(const detail::reused_vector<detail::timer_op*>& due, std::size_t first) const noexcept {
    std::size_t end = due.size();
    if (was_late_) [[unlikely]] {
      end = first + 1;
      while (end < due.size() && fell_due(*due[end]) == fell_due(*due[first])) ++end;
    }
    return end - first;
  }

  /// For a driver to call before a turn.
  void look_ahead() noexcept { steady_.look_ahead(); }

  /// Waits with a finite deadline, and parked ones.
  std::size_t timers() const noexcept { return steady_.size() + wall_.size(); }
  std::size_t parked() const noexcept { return parked_.size(); }

  /// Calls `visitor(const detail::timer_op&)` for every pending wait, in no particular order.
  template <class Visitor>
  void visit_waits(Visitor&& visitor) const {
    for (const detail::timer_queue* queue : {&steady_, &wall_}) {
      queue->visit([&visitor](const detail::timer_op* op) {
        visitor(*op);
        return true;
      });
    }
    for (const detail::timer_op* op : parked_) visitor(*op);
  }

  /// Drops every wait of every task but `spared` without running it, so that a trial can be taken apart with
  /// the scenario, who owns the subject, last.
  static constexpr task_id nobody = std::numeric_limits<task_id>::max();
  void abandon_waits(task_id spared) noexcept;

  /// Tells `listener` from now on, which must outlive this; null: nobody.
  void tell(detail::wait_listener* listener) noexcept { listener_ = listener; }
  detail::wait_listener* listener() const noexcept { return listener_; }

  /// The task whose turn it is; what it arms or posts is its own. Set by the driver.
  void set_current_task(task_id task) noexcept { current_task_ = task; }
  task_id current_task() const noexcept { return current_task_; }

  /// Handlers form chains: the first that a turn posts or arms continues the turn's chain, every further one begins a
  /// new chain, as does what is made between turns. (Decomposition into chains online: Ozkan, Majumdar, Niksic,
  /// Tabaei Befrouei, Weissenbacher, "Randomized testing of distributed systems with probabilistic guarantees",
  /// OOPSLA 2018.)
  void begin_turn(const detail::ready_op& op) noexcept {
    current_task_ = op.task;
    current_chain_ = op.chain;
    chain_to_continue_ = op.chain;
  }
  void end_turn() noexcept { current_chain_ = chain_to_continue_ = 0; }
  std::uint32_t next_chain() {
    const std::uint32_t continued = std::exchange(chain_to_continue_, 0);
    return continued != 0 ? continued : begin_chain();
  }
  /// Chains begun so far; their numbers count from 1.
  std::uint32_t chains() const noexcept { return static_cast<std::uint32_t>(pasts_.size() - 1); }

  /// The hash of what happened before a chain's last turn, in the sense of Lamport: its own earlier turns, the turns
  /// that made it and woke it, and what touched the same things. [0] is what happens between turns.
  std::uint64_t& past(std::uint32_t chain) noexcept { return pasts_[chain]; }
  std::uint64_t& current_past() noexcept { return pasts_[current_chain_]; }

  // What follows is for the timer services below.
  /// If it throws, the wait is not armed, and still the caller's.
  void arm(detail::timer_op* op, detail::timer_op*& list);
  void cancel(detail::timer_op* op, detail::wait_end how) noexcept;

 private:
  void begin_work_of_guest(const detail::timer_op* op) noexcept;
  nanoseconds due_of(const detail::timer_op& op) const noexcept {
    return op.wall ? detail::saturated_difference(op.due, wall_offset_) : op.due;
  }
  void shutdown() override;
  std::uint32_t begin_chain();

  // The instant from which on it could have fired: its deadline, unless that had passed when it was armed, or the wall
  // clock was stepped beyond it.
  nanoseconds fell_due(const detail::timer_op& op) const noexcept {
    if (!op.wall) return std::max(op.due, op.since);
    return std::max({detail::saturated_difference(op.due, wall_offset_), op.since, stepped_at_});
  }
  void in_order_of_time(detail::reused_vector<detail::timer_op*>& due, std::size_t from) const;

  void forget(detail::timer_op* op) noexcept;
  static void unlink(detail::timer_op* op) noexcept;
  template <class Which>
  detail::timer_op* find_wait(const Which& which) const noexcept {
    detail::timer_op* found = nullptr;
    for (std::size_t i = parked_.size(); i > 0 && found == nullptr; --i) {
      if (which(*parked_[i - 1])) found = parked_[i - 1];
    }
    for (const detail::timer_queue* queue : {&steady_, &wall_}) {
      if (found != nullptr) break;
      queue->visit([&found, &which](detail::timer_op* op) {
        if (which(*op)) found = op;
        return found == nullptr;
      });
    }
    return found;
  }
  // One at a time: what goes with a handler may end other waits.
  template <class Which>
  void drop_waits(const Which& which) noexcept {
    while (detail::timer_op* const op = find_wait(which)) {
      forget(op);
      op->run(op, false);
    }
  }

  void* driver_ = nullptr;
  sink give_ = nullptr;
  detail::wait_listener* listener_ = nullptr;
  inline_test runs_inline_ = nullptr;
  bool driver_drops_waits_ = false;
  nanoseconds now_ = epoch;
  nanoseconds wall_offset_ = wall_epoch - epoch;
  nanoseconds stepped_at_ = nanoseconds::min();  // when the wall clock was stepped last
  bool late_ = false;      // the clock has gone beyond a deadline since the last take_due
  bool was_late_ = false;  // it had before that
  detail::timer_queue steady_;
  detail::timer_queue wall_;
  detail::reused_vector<detail::timer_op*> parked_;
  detail::reused_vector<guest_context*> guests_;  // by their numbers, from 1; null where one has gone
  task_id current_task_ = 0;
  std::uint32_t current_chain_ = 0;
  std::uint32_t chain_to_continue_ = 0;
  detail::reused_vector<std::uint64_t> pasts_;
};

namespace detail {

// What a timer service asks about the context that it is of; see guest_context.
guest_context* find_guest(boost::asio::execution_context& context);  // null unless it is a guest
virtual_time& time_of(const guest_context& guest) noexcept;
std::uint8_t number_of(const guest_context& guest) noexcept;
bool is_driven(const guest_context& guest) noexcept;

/// What a cancellation slot calls. It and the wait know each other, so that a signal emitted after the wait
/// ended, and a wait that ends after its slot was reused, both meet nothing.
struct wait_canceller {
  wait_canceller(virtual_time& time, timer_op* pending) noexcept : service(&time), op(pending) {
    op->canceller = this;
  }
  wait_canceller(const wait_canceller&) = delete;
  wait_canceller& operator=(const wait_canceller&) = delete;
  ~wait_canceller() {
    if (op != nullptr) op->canceller = nullptr;
  }
  void operator()(boost::asio::cancellation_type_t type) noexcept {
    using boost::asio::cancellation_type;
    constexpr auto honoured =
        cancellation_type::terminal | cancellation_type::partial | cancellation_type::total;
    if (op != nullptr && (type & honoured) != cancellation_type::none)
      service->cancel(op, wait_end::requested);
  }
  virtual_time* service;
  timer_op* op;
};

/// True if a handler brings its own executor whatever it is offered: a type that would come back if it did not.
struct no_executor {
  explicit no_executor(const auto& /*executor*/) noexcept {}
};
template <class Handler>
inline constexpr bool has_executor =
    !std::is_same_v<boost::asio::associated_executor_t<Handler, no_executor>, no_executor>;

/// A wait with its handler.
template <class Handler, class IoExecutor>
struct wait_op final : timer_op {
  using allocator = typename std::allocator_traits<boost::asio::associated_allocator_t<
      Handler, asio_internals::default_allocator>>::template rebind_alloc<wait_op>;
  // Kept only if it is used: there may be many waits.
  using kept_executor = std::conditional_t<has_executor<Handler>, no_executor, IoExecutor>;

  wait_op(Handler&& handler, const IoExecutor& executor) : handler_(std::move(handler)), executor_(executor) {
    run = &wait_op::finish;
    // Handlers that resume a coroutine begin with its address; of others this is nonsense.
    if constexpr (sizeof(Handler) >= sizeof frame)
      std::memcpy(&frame, static_cast<const void*>(&handler_), sizeof frame);
  }

  static wait_op* make(Handler& handler, const IoExecutor& executor) {
    allocator memory(boost::asio::get_associated_allocator(handler, asio_internals::default_allocator()));
    wait_op* const op = memory.allocate(1);
    return new (op) wait_op(std::move(handler), executor);
  }

  static void finish(ready_op* base, bool invoke) {
    auto* const self = static_cast<wait_op*>(base);
    Handler handler(std::move(self->handler_));
    const kept_executor executor(std::move(self->executor_));
    const virtual_time& time = *self->service;
    boost::system::error_code result;
    if (self->aborted) result = boost::asio::error::operation_aborted;
    allocator memory(boost::asio::get_associated_allocator(handler, asio_internals::default_allocator()));
    self->~wait_op();
    memory.deallocate(self, 1);
    if (!invoke) return;
    if constexpr (has_executor<Handler>) {
      complete(time, boost::asio::get_associated_executor(handler), handler, result);
    } else {
      complete(time, boost::asio::get_associated_executor(handler, executor), handler, result);
    }
  }

 private:
  template <class Target>
  static void complete(const virtual_time& time, const Target& target, Handler& handler,
                       const boost::system::error_code& result) {
    if constexpr (std::is_same_v<Target, boost::asio::any_io_executor>) {
      if (time.runs_inline(target)) {
        Handler mine(std::move(handler));
        try {
          std::move(mine)(result);
        } catch (...) {
          // What a handler throws never comes out of `dispatch`, it leaves the turn.
          asio_internals::keep_current_exception();
        }
        return;
      }
    }
    boost::asio::dispatch(target,
                          [handler = std::move(handler), result]() mutable { std::move(handler)(result); });
  }

  Handler handler_;
  [[no_unique_address]] kept_executor executor_;
};

/// The timer service of one clock: virtual where the context carries `virtual_time` or is a guest of one, Asio's own
/// elsewhere.
template <class Clock>
class timer_service_core {
  using traits = asio_internals::clock_traits<Clock>;
  using real_service = asio_internals::real_timer_service<Clock>;
  using error_code = boost::system::error_code;
  static constexpr bool on_wall_clock = !Clock::is_steady;

 public:
  using time_type = typename traits::time_type;
  using duration_type = typename traits::duration_type;

  struct implementation_type {
    implementation_type() noexcept {}
    implementation_type(const implementation_type&) = delete;
    implementation_type& operator=(const implementation_type&) = delete;
    ~implementation_type() {}
    time_type expiry{};
    timer_op* waits = nullptr;
    union {
      typename real_service::implementation_type real;
    };
  };

  explicit timer_service_core(boost::asio::execution_context& context)
      : guest_(find_guest(context)),
        virtual_(guest_ != nullptr ? &time_of(*guest_)
                 : boost::asio::has_service<virtual_time>(context)
                     ? &boost::asio::use_service<virtual_time>(context)
                     : nullptr),
        real_(virtual_ != nullptr ? nullptr : &boost::asio::use_service<real_service>(context)) {}

  void construct(implementation_type& impl) {
    if (real_ == nullptr) return;
    new (&impl.real) typename real_service::implementation_type();
    real_->construct(impl.real);
  }
  void destroy(implementation_type& impl) {
    if (real_ != nullptr) {
      real_->destroy(impl.real);
      std::destroy_at(&impl.real);
    } else {
      cancel_waits(impl, all_waits, wait_end::destroyed);
      if (virtual_->listener() != nullptr) [[unlikely]]
        virtual_->listener()->gone(&impl.waits);
    }
  }
  void move_construct(implementation_type& impl, implementation_type& other) {
    if (real_ != nullptr) {
      new (&impl.real) typename real_service::implementation_type();
      real_->move_construct(impl.real, other.real);
      return;
    }
    impl.expiry = std::exchange(other.expiry, time_type());
    impl.waits = std::exchange(other.waits, nullptr);
    if (impl.waits != nullptr) impl.waits->link = &impl.waits;
    if (virtual_->listener() != nullptr) [[unlikely]]
      virtual_->listener()->moved(&other.waits, &impl.waits);
  }
  void move_assign(implementation_type& impl, timer_service_core& other_service, implementation_type& other) {
    destroy(impl);
    // The object that owns `impl` goes over to the other service; what it holds must be that service's.
    other_service.move_construct(impl, other);
  }
  void converting_move_construct(implementation_type& impl, timer_service_core&, implementation_type& other) {
    move_construct(impl, other);
  }
  void converting_move_assign(implementation_type& impl, timer_service_core& other_service,
                              implementation_type& other) {
    move_assign(impl, other_service, other);
  }

  std::size_t cancel(implementation_type& impl, error_code& ec) {
    ec = error_code();
    return real_ != nullptr ? real_->cancel(impl.real, ec) : cancel_said(impl, all_waits);
  }
  std::size_t cancel_one(implementation_type& impl, error_code& ec) {
    ec = error_code();
    return real_ != nullptr ? real_->cancel_one(impl.real, ec) : cancel_said(impl, 1);
  }
  time_type expiry(const implementation_type& impl) const {
    return real_ != nullptr ? real_->expiry(impl.real) : impl.expiry;
  }
  time_type expires_at(const implementation_type& impl) const { return expiry(impl); }
  duration_type expires_from_now(const implementation_type& impl) const {
    return traits::subtract(expiry(impl), now());
  }
  std::size_t expires_at(implementation_type& impl, const time_type& expiry, error_code& ec) {
    if (real_ != nullptr) return real_->expires_at(impl.real, expiry, ec);
    ec = error_code();
    const std::size_t cancelled = cancel_waits(impl, all_waits, wait_end::cancelled);
    impl.expiry = expiry;
    return cancelled;
  }
  std::size_t expires_after(implementation_type& impl, const duration_type& delay, error_code& ec) {
    // Asio's own addition, which saturates: expires_after(duration::max()) is "never", not the past.
    return expires_at(impl, traits::add(now(), delay), ec);
  }
  std::size_t expires_from_now(implementation_type& impl, const duration_type& delay, error_code& ec) {
    return expires_after(impl, delay, ec);
  }
  /// A blocking wait cannot be simulated: under virtual time it fails with operation_not_supported.
  void wait(implementation_type& impl, error_code& ec) {
    if (real_ != nullptr) return real_->wait(impl.real, ec);
    ec = impl.expiry <= now() ? error_code() : error_code(boost::asio::error::operation_not_supported);
  }

  template <class Handler, class IoExecutor>
  void async_wait(implementation_type& impl, Handler& handler, const IoExecutor& executor) {
    if (real_ != nullptr) {
      asio_internals::refuse(
          "a timer waits in real time, since its execution context was made before the trial began; make the "
          "context in the test",
          true);
      return real_->async_wait(impl.real, handler, executor);
    }
    if (guest_ != nullptr && !is_driven(*guest_)) [[unlikely]]
      asio_internals::refuse(
          "a timer waits in an io_context that an earlier trial has left; make one in every test", true);
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    timer_op* const op = wait_op<Handler, IoExecutor>::make(handler, executor);
    op->wall = on_wall_clock;
    op->parked = impl.expiry == (time_type::max)();
    op->due = std::chrono::duration_cast<nanoseconds>(impl.expiry.time_since_epoch());
    op->service = virtual_;
    // As in Asio's own service, the wait goes with its handler if there is no memory for the slot, or for its place among
    // the others.
    struct dropping {
      ~dropping() {
        if (made == nullptr) return;
        if (made->canceller != nullptr) made->canceller->op = nullptr;
        made->run(made, false);
      }
      timer_op* made;
    } guard{op};
    if (guest_ != nullptr) [[unlikely]] {
      op->guest = number_of(*guest_);
      if (op->guest == 0) return;  // it is being destroyed
    }
    if (slot.is_connected()) slot.template emplace<wait_canceller>(*virtual_, op);
    virtual_->arm(op, impl.waits);
    guard.made = nullptr;
  }

 private:
  static constexpr std::size_t all_waits = std::numeric_limits<std::size_t>::max();

  time_type now() const {
    if (virtual_ == nullptr) return traits::now();
    const nanoseconds instant = on_wall_clock ? virtual_->wall_now() : virtual_->now();
    return time_type(std::chrono::duration_cast<duration_type>(instant));
  }
  std::size_t cancel_said(implementation_type& impl, std::size_t limit) {
    if (impl.waits == nullptr && virtual_->listener() != nullptr) [[unlikely]]
      virtual_->listener()->cancelled_in_vain(&impl.waits);
    return cancel_waits(impl, limit, wait_end::cancelled);
  }
  std::size_t cancel_waits(implementation_type& impl, std::size_t limit, wait_end how) {
    std::size_t cancelled = 0;
    // Oldest first, as Asio does.
    while (impl.waits != nullptr && cancelled < limit) {
      timer_op* oldest = impl.waits;
      while (oldest->next != nullptr) oldest = oldest->next;
      virtual_->cancel(oldest, how);
      ++cancelled;
    }
    return cancelled;
  }

  guest_context* guest_;
  virtual_time* virtual_;
  real_service* real_;
};

}  // namespace detail

}  // namespace assay
