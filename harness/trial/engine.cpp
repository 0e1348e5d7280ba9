#include "harness/trial/engine.hpp"

#include <sys/stat.h>

#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <vector>

namespace assay {

std::string_view to_string(tier where) noexcept { return where == tier::sim ? "sim" : "io_context"; }

namespace {

namespace asio = boost::asio;

// Linux: a directory's link count is 2 and one per entry. One call, no listing.
long thread_count() noexcept {
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
  bool run_turn() override { return context_.run_turn(); }
  bool release_due() override { return context_.release_due(); }
  void move_clock(std::chrono::nanoseconds instant) noexcept override { context_.move_clock(instant); }
  void make_ready(detail::ready_op* op) override { context_.make_ready(op); }
  void run_inside(task_id task, const std::function<void()>& function) override {
    context_.run_inside(task, function);
  }
  bool knows_tasks() const noexcept override { return true; }
  task_state task(task_id id) const noexcept override { return context_.task(id); }
  task_id current_task() const noexcept override { return context_.current_task(); }
  std::int64_t outstanding_work() const noexcept override { return context_.outstanding_work(); }
  std::string escaped() const override {
    if (context_.escaped()) return "a handler came from another thread";
    auto& context = const_cast<sim_context&>(context_);
    if (asio::has_service<asio::detail::epoll_reactor>(context)) {
      return "Asio's real reactor was started on the simulator's context (a socket, a signal_set, a "
             "descriptor, "
             "or a timer that was compiled without the harness's header)";
    }
    if (thread_count() > threads_before_) return "a thread was started";
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
        context_(1),
        time_(asio::make_service<virtual_time>(context_)),
        guard_(context_.get_executor()),
        threads_before_(thread_count()) {
    time_.drive(this, &stock_engine::give, false);
  }

  asio::any_io_executor executor(task_id) override { return context_.get_executor(); }
  asio::io_context* stock() noexcept override { return &context_; }
  virtual_time& time() noexcept override { return time_; }
  task_id add_task() override { return ++tasks_; }
  void set_last_task(task_id) noexcept override {}
  bool run_turn() override { return context_.poll_one() > 0; }
  bool release_due() override {
    std::vector<detail::timer_op*> due;
    while (detail::timer_op* const op = time_.take_due()) due.push_back(op);
    for (std::size_t left = due.size(); left > 0; --left) {
      const std::uint32_t chosen = choices_.pick(choice_kind::timer, left);
      detail::timer_op* const op = due[chosen];
      due.erase(due.begin() + chosen);
      make_ready(op);
      if (left == 1) return true;
    }
    return false;
  }
  void move_clock(std::chrono::nanoseconds instant) noexcept override { time_.set_now(instant); }
  void make_ready(detail::ready_op* op) override { asio::post(context_, posted(op)); }
  void run_inside(task_id, const std::function<void()>& function) override { function(); }
  bool knows_tasks() const noexcept override { return false; }
  task_state task(task_id) const noexcept override { return {}; }
  task_id current_task() const noexcept override { return 0; }
  std::int64_t outstanding_work() const noexcept override { return 0; }
  std::string escaped() const override {
    return thread_count() > threads_before_ ? "a thread was started" : std::string();
  }
  // A stock context drops everything when it goes, in its own order.
  void abandon() noexcept override {}

 private:
  // Owns the operation until it runs; dropping it unrun destroys it.
  class posted {
   public:
    explicit posted(detail::ready_op* op) noexcept : op_(op) {}
    posted(posted&& other) noexcept : op_(std::exchange(other.op_, nullptr)) {}
    posted(const posted&) = delete;
    posted& operator=(const posted&) = delete;
    posted& operator=(posted&&) = delete;
    ~posted() {
      if (op_ != nullptr) op_->run(op_, false);
    }
    void operator()() {
      detail::ready_op* const op = std::exchange(op_, nullptr);
      op->run(op, true);
    }

   private:
    detail::ready_op* op_;
  };
  static void give(void* self, detail::ready_op* op) { static_cast<stock_engine*>(self)->make_ready(op); }

  choice_stream& choices_;
  asio::io_context context_;
  virtual_time& time_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  long threads_before_;
  task_id tasks_ = 0;
};

}  // namespace

std::unique_ptr<engine> make_engine(tier where, choice_stream& choices) {
  if (where == tier::io_context) return std::make_unique<stock_engine>(choices);
  return std::make_unique<sim_engine>(choices);
}

}  // namespace assay
