#include <assay/harness/mock/script.hpp>

#include <algorithm>

namespace assay {

std::string_view to_string(call_outcome outcome) noexcept {
  switch (outcome) {
    case call_outcome::unawaited:
      return "unawaited";
    case call_outcome::pending:
      return "pending";
    case call_outcome::value:
      return "value";
    case call_outcome::error:
      return "error";
    case call_outcome::cancelled:
      return "cancelled";
    case call_outcome::abandoned:
      return "abandoned";
  }
  return "unknown";
}

namespace detail {

std::string script_core::title(const one_call& call) const {
  return name_ + "(" + call.record.arguments + ")";
}

std::size_t script_core::made(std::string arguments) {
  const harness_section section;
  one_call call;
  call.record.arguments = std::move(arguments);
  call.made_in_turn = owner_.turns();
  calls_.push_back(std::move(call));
  return calls_.size() - 1;
}

void script_core::begun(std::size_t call) {
  const harness_section section;
  one_call& one = calls_[call];
  one.record.number = ++begun_count;
  one.record.began = owner_.elapsed();
  one.record.outcome = call_outcome::pending;
  peak = std::max(peak, ++active);
  if (owner_.traced()) owner_.record(event_kind::mark, title(one) + " begins");
  if (limit && active > *limit) {
    owner_.fail(title(one) + ": " + std::to_string(active) + " calls at once, at most " +
                std::to_string(*limit) + " are allowed");
  }
}

void script_core::ended(std::size_t call, const std::exception_ptr& failure) {
  const harness_section section;
  one_call& one = calls_[call];
  --active;
  one.record.ended = owner_.elapsed();
  const outcome what = describe(failure);
  if (!failure) {
    one.record.outcome = call_outcome::value;
  } else if (what.kind == outcome_kind::cancelled) {
    one.record.outcome = call_outcome::cancelled;
  } else {
    one.record.outcome = call_outcome::error;
    one.record.error = what.label;
  }
  if (owner_.traced()) owner_.record(event_kind::mark, title(one) + " ends: " + to_string(what));
}

void script_core::dropped(std::size_t call) noexcept {
  const harness_section section;
  one_call& one = calls_[call];
  if (one.record.outcome == call_outcome::pending) {
    --active;
    one.record.outcome = call_outcome::abandoned;
    return;
  }
  if (one.record.outcome != call_outcome::unawaited) return;
  // MOK-1. A call that is dropped in a later turn, or while an exception passes, may have been refused by a
  // cancelled scope or have belonged to a task that was cancelled before it began: no mistake.
  one.forgotten = std::uncaught_exceptions() == 0 && owner_.turns() == one.made_in_turn;
  one.record.outcome = call_outcome::abandoned;
}

std::optional<fault> script_core::fault_of(std::size_t call) {
  std::optional<fault> shown;
  if (failing.contains(calls_[call].record.number)) {
    shown = fault::fail;
  } else if (!offered.empty()) {
    const std::uint32_t answer =
        owner_.fault_point(title(calls_[call]), static_cast<std::uint32_t>(offered.size()));
    if (answer > 0) shown = offered[answer - 1];
  }
  injected_ = injected_ || shown.has_value();
  return shown;
}

void script_core::unexpected(std::size_t call) {
  const one_call& one = calls_[call];
  const std::string text =
      title(one) + " is call " + std::to_string(one.record.number) + ", and the script has no reply for it";
  owner_.fail(text);
  auto failure = std::make_exception_ptr(unexpected_call(text));
  ended(call, failure);
  std::rethrow_exception(std::move(failure));
}

void script_core::check_arguments(std::size_t call, const std::string& expected) {
  const one_call& one = calls_[call];
  if (one.record.arguments == expected) return;
  owner_.fail(title(one) + " is call " + std::to_string(one.record.number) + ", expected was " + name_ + "(" +
              expected + ")");
}

std::exception_ptr script_core::injected_failure(std::size_t call) const {
  return std::make_exception_ptr(contract::operation_error("injected: " + name_ + " call " +
                                                           std::to_string(calls_[call].record.number)));
}

std::string script_core::unmet() const {
  std::string text;
  const auto add = [&text](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  for (const one_call& one : calls_) {
    if (one.record.outcome == call_outcome::pending) add("the call " + title(one) + " is still pending");
    if (one.forgotten || one.record.outcome == call_outcome::unawaited) {
      add("the call " + title(one) + " was made, but nobody awaited it");
    }
  }
  // A trial that was disturbed on purpose may have ended sooner than the script foresaw.
  if (const std::size_t left = replies_left(); left > 0 && !injected_ && !owner_.disturbed()) {
    add(name_ + ": " + std::to_string(left) + (left == 1 ? " reply was" : " replies were") +
        " never asked for");
  }
  return text;
}

call_record script_core::record(std::size_t call) const {
  call_record known = calls_[call].record;
  known.cancel_requested = calls_[call].watch->cancel_requested;
  return known;
}

}  // namespace detail

}  // namespace assay
