#include <assay/harness/trial/engine.hpp>

#include <sys/single_threaded.h>
#include <sys/stat.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <optional>

#include <assay/harness/sim/asio_internals.hpp>

namespace assay {

std::string_view to_string(tier where) noexcept { return where == tier::sim ? "sim" : "io_context"; }

namespace {

namespace asio = boost::asio;

bool has_reactor(const asio::execution_context& context) {
  return asio::has_service<detail::asio_internals::reactor>(const_cast<asio::execution_context&>(context));
}
constexpr const char* reactor_started =
    "Asio's real reactor was started on the trial's context (a socket, a signal_set, a descriptor, or a "
    "timer "
    "that was compiled without the harness's header)";

constexpr const char* thread_started =
    "a thread was started, and threads cannot be simulated (a std::thread, or one of Asio's own: a resolver "
    "has one); pass an "
    "executor in, or put a mock behind the interface";

// Linux: a directory's link count is 2 and one per entry. One call, no listing; none while the C library knows of one
// thread only, since a trial may take less time than a few system calls.
long thread_count() noexcept {
  if (__libc_single_threaded != 0) return 1;
  struct stat status{};
  return ::stat("/proc/self/task", &status) == 0 ? static_cast<long>(status.st_nlink) - 2 : 0;
}

class sim_engine final : public engine {
 public:
  explicit sim_engine(choice_stream& choices) : context_(choices), threads_before_(thread_count()) {}

  asio::any_io_executor executor(task_id task) override { return context_.get_executor(task); }
  asio::io_context* stock() noexcept override { return nullptr; }
  virtual_time& time() noexcept override { return context_.time(); }
  task_id add_task() override { return context_.add_task(); }
  void set_last_task(task_id task) noexcept override { context_.set_last_task(task); }
  void count_allocations(allocation_counter* counter) noexcept override {
    context_.count_allocations(counter);
  }
  void set_turns_per_instant_max(std::uint64_t turns) noexcept override {
    context_.set_turns_per_instant_max(turns);
  }
  void note_progress() noexcept override { context_.note_progress(); }
  bool run_turn() override { return context_.run_turn(); }
  bool release_due() override { return context_.release_due(); }
  void move_clock(std::chrono::nanoseconds instant) noexcept override { context_.move_clock(instant); }
  void make_ready(detail::ready_op* op) override { context_.make_ready(op); }
  void run_inside(task_id task, const std::function<void()>& function) override {
    context_.run_inside(task, function);
  }
  void run_outside(const std::function<void()>& function) override { context_.run_outside(function); }
  bool knows_tasks() const noexcept override { return true; }
  task_state task(task_id id) const noexcept override { return context_.task(id); }
  task_id current_task() const noexcept override { return context_.current_task(); }
  void visit_ready(const std::function<void(task_id)>& visitor) const override {
    context_.visit_ready([&](const detail::ready_op& op) { visitor(op.task); });
  }
  std::vector<task_id> recent_turns() const override { return context_.recent_turns(); }
  std::uint64_t order_class() const noexcept override { return context_.order_class(); }
  std::uint32_t chains() const noexcept override { return context_.time().chains(); }
  void touch(std::uint64_t key) override { context_.touch(key); }
  void touches_everything() noexcept override { context_.touches_everything(); }
  std::int64_t outstanding_work() override { return context_.outstanding_work(); }
  std::string escaped() const override {
    if (context_.escaped()) return "a handler came from another thread";
    if (has_reactor(context_)) return reactor_started;
    if (thread_count() > threads_before_) return thread_started;
    return {};
  }
  void abandon() noexcept override { context_.abandon(); }

 private:
  sim_context context_;
  long threads_before_;
};

class stock_engine final : public engine {
 public:
  explicit stock_engine(choice_stream& choices)
      : choices_(choices),
        time_(asio::make_service<virtual_time>(context_)),
        guard_(context_.get_executor()),
        threads_before_(thread_count()) {
    time_.drive(this, &stock_engine::give, true);
  }
  ~stock_engine() override { abandon(); }

  asio::any_io_executor executor(task_id) override { return context_.get_executor(); }
  asio::io_context* stock() noexcept override { return &context_; }
  virtual_time& time() noexcept override { return time_; }
  task_id add_task() override { return ++tasks_; }
  void set_last_task(task_id task) noexcept override { last_task_ = task; }
  void count_allocations(allocation_counter*) noexcept override {}
  void set_turns_per_instant_max(std::uint64_t turns) noexcept override { turns_per_instant_max_ = turns; }
  void note_progress() noexcept override { turns_at_instant_ = 0; }
  bool run_turn() override {
    time_.set_current_task(0);
    if (turns_at_instant_ >= turns_per_instant_max_) {
      throw livelock("more than " + std::to_string(turns_per_instant_max_) +
                     " turns at one instant without progress");  // VCS-6
    }
    ++turns_at_instant_;  // before, since what the handler throws comes out
    const bool ran = context_.poll_one() > 0;
    if (!ran) --turns_at_instant_;
    return ran;
  }
  bool release_due() override {
    detail::reused_vector<detail::timer_op*> due;
    time_.take_due(due);
    if (due.empty()) return false;
    std::size_t first = 0;
    while (first < due.size()) {
      const std::size_t end = first + time_.tied(due, first);
      detail::wait_listener* const listener = time_.listener();
      if (listener != nullptr && end - first > 1)
        listener->due_together(std::span<detail::timer_op* const>(due).subspan(first, end - first));
      for (; first < end; ++first) {
        const std::size_t chosen = first + choices_.pick(choice_kind::timer, end - first);
        detail::timer_op* const op = due[chosen];
        for (std::size_t i = chosen; i > first; --i) due[i] = due[i - 1];
        if (listener != nullptr) listener->fired(*op);
        if (op->guest == 0) {
          make_ready(op);
        } else {
          time_.give_to_guest(op);
        }
      }
    }
    return true;
  }
  void move_clock(std::chrono::nanoseconds instant) noexcept override {
    if (instant > time_.now()) turns_at_instant_ = 0;
    time_.set_now(instant);
  }
  void make_ready(detail::ready_op* op) override { asio::post(context_, posted(time_, op)); }
  void run_inside(task_id, const std::function<void()>& function) override {
    detail::asio_internals::inside_stock_context inside(context_);
    function();
    inside.rethrow_what_was_kept();
  }
  void run_outside(const std::function<void()>& function) override { function(); }
  bool knows_tasks() const noexcept override { return false; }
  task_state task(task_id) const noexcept override { return {}; }
  task_id current_task() const noexcept override { return time_.current_task(); }
  void visit_ready(const std::function<void(task_id)>&) const override {}
  std::vector<task_id> recent_turns() const override { return {}; }
  std::uint64_t order_class() const noexcept override { return 0; }
  std::uint32_t chains() const noexcept override { return 0; }
  void touch(std::uint64_t) override {}
  void touches_everything() noexcept override {}
  std::int64_t outstanding_work() override {
    // An io_context that has run out of work stops: so let go of ours and look.
    guard_.reset();
    const bool none = context_.stopped();
    if (none) context_.restart();
    guard_.emplace(context_.get_executor());
    return none ? 0 : 1;
  }
  std::string escaped() const override {
    if (has_reactor(context_)) return reactor_started;
    return thread_count() > threads_before_ ? thread_started : std::string();
  }
  void abandon() noexcept override {
    // Services first, the ready handlers among them: see sim_context::abandon.
    context_.shut_down();
    time_.abandon_waits(last_task_);
    time_.abandon_waits(virtual_time::nobody);
    context_.shut_down();  // again, for what those made ready
  }

 private:
  struct stock_context : asio::io_context {
    stock_context() : asio::io_context(1) {}
    void shut_down() { shutdown(); }
  };

  // Owns the operation until it runs; dropping it unrun destroys it.
  class posted {
   public:
    posted(virtual_time& time, detail::ready_op* op) noexcept : time_(time), op_(op) {}
    posted(posted&& other) noexcept : time_(other.time_), op_(std::exchange(other.op_, nullptr)) {}
    posted(const posted&) = delete;
    posted& operator=(const posted&) = delete;
    posted& operator=(posted&&) = delete;
    ~posted() {
      if (op_ != nullptr) op_->run(op_, false);
    }
    void operator()() {
      detail::ready_op* const op = std::exchange(op_, nullptr);
      time_.set_current_task(op->task);
      op->run(op, true);
    }

   private:
    virtual_time& time_;
    detail::ready_op* op_;
  };
  static void give(void* self, detail::ready_op* op) { static_cast<stock_engine*>(self)->make_ready(op); }

  choice_stream& choices_;
  stock_context context_;
  virtual_time& time_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard_;
  long threads_before_;
  std::uint64_t turns_at_instant_ = 0;
  std::uint64_t turns_per_instant_max_ = 100'000;
  task_id tasks_ = 0;
  task_id last_task_ = virtual_time::nobody;
};

}  // namespace

std::unique_ptr<engine> make_engine(tier where, choice_stream& choices) {
  if (where == tier::io_context) return std::make_unique<stock_engine>(choices);
  return std::make_unique<sim_engine>(choices);
}

}  // namespace assay
