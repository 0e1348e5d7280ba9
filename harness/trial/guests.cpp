#include <assay/harness/trial/guests.hpp>

#include <algorithm>
#include <exception>

#include <assay/harness/trial/engine.hpp>

namespace assay {

// A handler of a guest, whichever is its first by then.
struct trial::guest_house::turn final : detail::ready_op {
  turn(trial& t, guest& g) noexcept : owner(t), of(&g) {
    run = &turn::finish;
    task = subject_task;
    chain = g.chain;
  }
  static void finish(detail::ready_op* base, bool invoke) {
    const std::unique_ptr<turn> self(static_cast<turn*>(base));
    guest* const of = self->of;
    if (of == nullptr) return;  // it has gone
    of->offered = nullptr;
    if (!invoke || !of->was_ready()) return;
    // Another context's handlers are not inside the trial's own: what they dispatch there is posted.
    self->owner.engine_->run_outside([context = of->context] { context->run_ready(); });
  }
  trial& owner;
  guest* of;
};

trial::guest_house::~guest_house() { leave(); }

void trial::guest_house::adopt(boost::asio::execution_context& context) {
  auto& made = boost::asio::make_service<guest_place>(context).make(owner_.time_, *this);
  auto added = std::make_unique<guest>();
  added->context = &made;
  added->name = "the io_context that '" + owner_.task_name(owner_.engine_->current_task()) + "' made at " +
                format_duration(owner_.elapsed());
  guests_.push_back(std::move(added));
  if (made.number() == 0) {
    owner_.blame(failure_kind::escaped, "escaped the scheduler: there are more than " +
                                            std::to_string(virtual_time::guests_max) +
                                            " io_contexts in the trial");
  }
}

void trial::guest_house::offer() {
  for (const auto& one : guests_) {
    if (one->offered != nullptr || !one->was_ready()) continue;
    one->offered = new turn(owner_, *one);
    owner_.engine_->make_ready(one->offered);
    one->chain = one->offered->chain;  // all its turns are of one chain
  }
}

bool trial::guest_house::run_one() {
  for (std::size_t i = 0; i < guests_.size(); ++i) {
    if (!guests_[i]->was_ready()) continue;
    std::rotate(guests_.begin(), guests_.begin() + static_cast<std::ptrdiff_t>(i) + 1, guests_.end());
    guests_.back()->context->run_ready();
    return true;
  }
  return false;
}

std::string trial::guest_house::reactor_of(const guest& one) const {
  if (!boost::asio::has_service<detail::asio_internals::reactor>(one.context->context())) return {};
  return "Asio's real reactor was started on " + one.name + " (a socket, a signal_set, a descriptor)";
}

std::string trial::guest_house::escaped() const {
  for (const auto& one : guests_) {
    if (std::string what = reactor_of(*one); !what.empty()) return what;
  }
  return escaped_;
}

void trial::guest_house::check_left_over() {
  for (const auto& one : guests_) {
    if (owner_.has_failed()) return;
    if (one->context->has_ready()) {
      owner_.blame(failure_kind::left_over, one->name + " was stopped with handlers that had not run");
    } else if (one->context->has_work()) {
      owner_.blame(failure_kind::left_over,
                   one->name + " has work left: a work guard, or an operation that has not ended");
    }
  }
}

bool trial::guest_house::leave() noexcept {
  for (const auto& one : guests_) {
    one->context->leave_host();
    if (one->offered != nullptr) one->offered->of = nullptr;
  }
  const bool any = !guests_.empty();
  guests_.clear();
  return any;
}

// As when a handler takes long (trial::stall): all else that falls due meanwhile is late.
void trial::guest_house::pass_until(const guest_context& context, std::chrono::nanoseconds instant) {
  const detail::harness_section section;
  const nanoseconds before = owner_.now();
  owner_.engine_->move_clock(instant);
  if (!owner_.is_background(owner_.time_.current_task())) owner_.foreground_turned_ = true;
  owner_.note_advance();
  owner_.note_time(name_of(context) + " ran on: ", before);
  if (owner_.spent()) throw scenario_stopped();
}

void trial::guest_house::wait_for_ever(const guest_context& context) {
  owner_.blame(
      failure_kind::deadlock,
      "'" + owner_.task_name(owner_.time_.current_task()) + "' runs " + name_of(context) +
          ", which has work and nothing that could happen: it would block for ever. Leave `run` out, the "
          "trial runs the context; or end the work first");
  throw scenario_stopped();
}

std::size_t trial::guest_house::pick_wait(std::size_t among) {
  return owner_.choices_.pick(choice_kind::timer, static_cast<std::uint32_t>(among));
}

void trial::guest_house::guest_goes(guest_context& context) noexcept {
  const detail::harness_section section;
  const auto found = std::find_if(guests_.begin(), guests_.end(),
                                  [&context](const auto& one) { return one->context == &context; });
  if (found == guests_.end()) return;
  const std::unique_ptr<guest> gone = std::move(*found);
  guests_.erase(found);
  if (gone->offered != nullptr) gone->offered->of = nullptr;
  // What still waits there goes with it, as Asio documents.
  if (escaped_.empty()) escaped_ = reactor_of(*gone);
}

const std::string& trial::guest_house::name_of(const guest_context& context) const {
  return (*std::find_if(guests_.begin(), guests_.end(),
                        [&context](const auto& one) { return one->context == &context; }))
      ->name;
}

}  // namespace assay
