#include <assay/harness/sim/guest_context.hpp>

#include <algorithm>

namespace assay {

struct guest_context::ended_wait final : operation {
  explicit ended_wait(detail::ready_op* ended) : operation(&ended_wait::finish), op(ended) {}
  static void finish(void* owner, operation* base, const boost::system::error_code&, std::size_t) {
    auto* const self = static_cast<ended_wait*>(base);
    detail::ready_op* const ended = self->op;
    delete self;
    ended->run(ended, owner != nullptr);
  }
  detail::ready_op* op;
};

guest_context::guest_context(boost::asio::execution_context& context, virtual_time& time, host& driver)
    : driven_scheduler(context),
      context_(context),
      time_(time),
      host_(&driver),
      number_(time.add_guest(*this)) {}

void guest_context::give(detail::ready_op* op) { push(new ended_wait(op)); }

void guest_context::leave() noexcept {
  if (host_ != nullptr) host_->guest_goes(*this);
  host_ = nullptr;
  if (number_ != 0) time_.remove_guest(number_);
  number_ = 0;
}

void guest_context::wait(long microseconds) {
  if (host_ == nullptr) return;
  const nanoseconds limit = microseconds < 0
                                ? nanoseconds::max()
                                : detail::saturated_sum(time_.now(), std::chrono::microseconds(microseconds));
  const nanoseconds first = time_.earliest_of_guest(number_);
  if (first == nanoseconds::max() && limit == nanoseconds::max()) {
    host_->wait_for_ever(*this);
    return;
  }
  if (std::min(first, limit) > time_.now()) host_->pass_until(*this, std::min(first, limit));
  detail::reused_vector<detail::timer_op*> due;
  time_.take_due_of_guest(number_, due);
  while (!due.empty()) {
    const auto chosen =
        due.begin() + static_cast<std::ptrdiff_t>(due.size() == 1 ? 0 : host_->pick_wait(due.size()));
    give(*chosen);
    due.erase(chosen);
  }
}

guest_context* guest_place::find(boost::asio::execution_context& context) {
  return boost::asio::has_service<guest_place>(context)
             ? boost::asio::use_service<guest_place>(context).guest_.get()
             : nullptr;
}

guest_context& guest_place::make(virtual_time& time, guest_context::host& driver) {
  guest_ = std::make_unique<guest_context>(context(), time, driver);
  return *guest_;
}

void guest_place::shutdown() {
  if (guest_ != nullptr) guest_->leave();
}

namespace detail {

guest_context* find_guest(boost::asio::execution_context& context) { return guest_place::find(context); }
virtual_time& time_of(const guest_context& guest) noexcept { return guest.time(); }
std::uint8_t number_of(const guest_context& guest) noexcept { return guest.number(); }
bool is_driven(const guest_context& guest) noexcept { return guest.has_host(); }

}  // namespace detail

// ---- of virtual_time, what only guests need

std::uint8_t virtual_time::add_guest(guest_context& guest) {
  std::size_t number = 1;
  while (number <= guests_.size() && guests_[number - 1] != nullptr) ++number;
  if (number > guests_max) return 0;
  if (number > guests_.size()) guests_.push_back(nullptr);
  guests_[number - 1] = &guest;
  return static_cast<std::uint8_t>(number);
}

void virtual_time::remove_guest(std::uint8_t number) noexcept {
  drop_waits([number](const detail::timer_op& op) { return op.guest == number; });
  guests_[number - 1] = nullptr;
}

void virtual_time::give_to_guest(detail::timer_op* op) noexcept { guests_[op->guest - 1U]->give(op); }

void virtual_time::begin_work_of_guest(const detail::timer_op* op) noexcept {
  guests_[op->guest - 1U]->take_work();
}

std::chrono::nanoseconds virtual_time::earliest_of_guest(std::uint8_t number) const noexcept {
  nanoseconds earliest = nanoseconds::max();
  for (const detail::timer_queue* queue : {&steady_, &wall_}) {
    queue->visit([&](const detail::timer_op* op) {
      if (op->guest == number) earliest = std::min(earliest, due_of(*op));
      return true;
    });
  }
  return earliest;
}

void virtual_time::take_due_of_guest(std::uint8_t number, detail::reused_vector<detail::timer_op*>& due) {
  const nanoseconds first = earliest_of_guest(number);
  if (first > now_) return;
  for (const detail::timer_queue* queue : {&steady_, &wall_}) {
    const std::size_t before = due.size();
    queue->visit([&](detail::timer_op* op) {
      if (op->guest == number && due_of(*op) == first) due.push_back(op);
      return true;
    });
    std::reverse(due.begin() + static_cast<std::ptrdiff_t>(before),
                 due.end());  // each deadline's latest came first
  }
  for (detail::timer_op* const op : due) forget(op);
}

}  // namespace assay
