// What a trial runs on: the simulator (tier `sim`, explored) or a stock io_context under virtual time (tier
// `io_context`: Asio's own handler order, timers still ours).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/sim/sim_context.hpp>
#include <assay/harness/trial/tier.hpp>

namespace assay {

class engine {
 public:
  virtual ~engine() = default;
  /// The executor whose handlers belong to `task`, where the tier can tell tasks apart.
  virtual boost::asio::any_io_executor executor(task_id task) = 0;
  /// The stock io_context, or null on tier `sim`.
  virtual boost::asio::io_context* stock() noexcept = 0;
  virtual virtual_time& time() noexcept = 0;
  virtual task_id add_task() = 0;
  virtual void set_last_task(task_id task) noexcept = 0;
  /// Counts the allocations of every turn but those of the last task, where the tier can tell tasks apart.
  virtual void count_allocations(allocation_counter* counter) noexcept = 0;
  virtual void set_turns_per_instant_max(std::uint64_t turns) noexcept = 0;
  /// What turns at one instant are counted from anew.
  virtual void note_progress() noexcept = 0;
  /// Runs one ready handler; false when none is ready. What the handler throws comes out.
  virtual bool run_turn() = 0;
  /// Makes the timers that are due now ready, see sim_context; false when none is due.
  virtual bool release_due() = 0;
  virtual void move_clock(std::chrono::nanoseconds instant) noexcept = 0;
  /// Queues an operation; it belongs to op->task.
  virtual void make_ready(detail::ready_op* op) = 0;
  /// Calls `function` as if inside a turn of `task`.
  virtual void run_inside(task_id task, const std::function<void()>& function) = 0;
  /// Calls `function` in a turn as if outside of every turn: for a handler of another context.
  virtual void run_outside(const std::function<void()>& function) = 0;
  /// Whether every handler can be told apart by task. Where not, the current task is known as far as starts
  /// and waits tell; a handler that was posted is the subject's.
  virtual bool knows_tasks() const noexcept = 0;
  /// Calls `visitor` for the task of every ready handler, where the tier can tell tasks apart.
  virtual void visit_ready(const std::function<void(task_id)>& visitor) const = 0;
  /// Whose the last turns were, the latest last, where the tier can tell.
  virtual std::vector<task_id> recent_turns() const = 0;
  virtual task_state task(task_id id) const noexcept = 0;
  virtual task_id current_task() const noexcept = 0;
  /// The order of turns so far and the chains they form, where the tier can tell; see sim_context.
  virtual std::uint64_t order_class() const noexcept = 0;
  virtual std::uint32_t chains() const noexcept = 0;
  virtual void touch(std::uint64_t key) = 0;
  virtual void touches_everything() noexcept = 0;
  /// Executors that track outstanding work, all tasks together; where the tier cannot count, 1 if there is
  /// any.
  virtual std::int64_t outstanding_work() = 0;
  /// What escaped the scheduler (a reactor, a thread), or an empty string.
  virtual std::string escaped() const = 0;
  /// Destroys all that is pending without running it. Nothing but destruction may follow.
  virtual void abandon() noexcept = 0;
};

std::unique_ptr<engine> make_engine(tier where, choice_stream& choices);

}  // namespace assay
