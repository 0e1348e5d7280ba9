// Random programs on gather: one call for operations of every temper, beside cancels from outside. The model knows how each
// operation must end, and what the call is made of.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using contract::gather_slot;
using contract::slot_end;
using gathering = contract::gather;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

enum class temper : std::uint8_t {
  gives,
  gives_at_once,
  fails,
  fails_at_once,
  gives_up,
  empty,
  cannot_begin,
  slow
};
constexpr std::uint32_t tempers = 8;

enum class verb : std::uint8_t { operation, advance, settle, cancel };

enum class form : std::uint8_t { all, first, each };

const grammar rules = {
    .shapes =
        12,  // the form of the call, with `all` twice; settled after every step or not; who is the victim
    .verbs = {"operation", "advance", "settle", "cancel"},
    .a_values = tempers,
    .b_values = 4,
    .steps_max = 16,
    .one_run = true,
};

// One operation, and what came of it.
struct part {
  temper how{};
  nanoseconds delay{};
  std::int64_t number = 0;
  int begun = 0;
  bool ended = false;
  bool asked = false;
  bool gave = false;  // its value, which then is somebody's
  bool failed = false;
};

struct model {
  std::deque<part> parts;
  std::vector<std::int64_t> given_back;
  std::vector<std::pair<std::size_t, gather_slot>> told;
};
using model_ptr = std::shared_ptr<model>;

struct presence {
  explicit presence(part& who) : here(who) { ++here.begun; }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() { here.ended = true; }
  part& here;
};

asio::awaitable<gathering::value> live([[maybe_unused]] model_ptr keeps, part& self) {
  const presence here(self);
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool at_once = self.how == temper::gives_at_once || self.how == temper::fails_at_once;
  asio::steady_timer timer(co_await asio::this_coro::executor, self.delay);
  boost::system::error_code ended;
  if (!at_once) co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  self.asked = static_cast<bool>(ended);
  if (self.asked && self.how == temper::slow) {
    timer.expires_after(5ms);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  }
  co_await asio::this_coro::throw_if_cancelled(throwing);
  if (self.asked || self.how == temper::gives_up) contract::throw_cancelled();
  self.failed = self.how == temper::fails || self.how == temper::fails_at_once;
  if (self.failed) throw contract::operation_error(std::to_string(self.number) + " fails");
  self.gave = true;
  if (self.how == temper::empty) co_return std::nullopt;
  co_return self.number;
}

temper temper_of(const program_step& step, const maker<gathering>& make, form call) {
  const auto how = static_cast<temper>(step.a % tempers);
  if (how == temper::cannot_begin && !make.claims("failing_creation")) return temper::fails;
  if (how == temper::gives_up && !make.claims("own_cancellation")) return temper::fails;
  if (how == temper::empty && call == form::first) return temper::gives;
  if (how == temper::slow && !make.claims("owns_operations")) return temper::gives;
  return how;
}

gathering::operation add(const model_ptr& all, temper how, const program_step& step) {
  constexpr nanoseconds delays[] = {5ms, 10ms, 20ms, 1h};
  part& self = all->parts.emplace_back();
  self.how = how;
  self.delay = delays[step.b % 4U];
  self.number = static_cast<std::int64_t>(all->parts.size());
  gathering::work run = [all, &self]() -> asio::awaitable<gathering::value> { return live(all, self); };
  if (how == temper::cannot_begin) {
    run = [&self]() -> asio::awaitable<gathering::value> {
      self.begun = 1;
      self.ended = true;
      self.failed = true;
      throw contract::operation_error(std::to_string(self.number) + " fails");
    };
  }
  return gathering::operation("operation " + std::to_string(self.number), std::move(run));
}

// What a slot says of an operation.
void check_slot(trial& t, const part& of, const gather_slot& slot) {
  const std::string who = "operation " + std::to_string(of.number);
  if (of.gave) {
    const bool is_value = slot.how == slot_end::value;
    t.expect(is_value, "AGG-9: an operation that gave a value has it in its slot", who);
    const gathering::value expected =
        of.how == temper::empty ? gathering::value() : gathering::value(of.number);
    t.expect(slot.value == expected, "AGG-1: every slot holds the outcome of its own operation", who);
  } else if (of.failed) {
    t.expect(slot.how == slot_end::failed, "AGG-9: an operation that failed has a slot that says so", who);
    t.expect(slot.cause == std::to_string(of.number) + " fails",
             "AGG-1: every slot holds the outcome of its own operation", who);
  } else {
    t.expect(slot.how == slot_end::cancelled,
             "AGG-9: an operation that was cancelled has a slot that says so", who);
  }
}

struct calls {
  std::optional<operation<gathering::slots>> all;
  std::optional<operation<std::vector<std::int64_t>>> first;
  std::optional<operation<void>> each;

  template <class Do>
  auto with(Do what) {
    if (all) return what(*all);
    if (first) return what(*first);
    return what(*each);
  }
  bool ended() {
    return with([](auto& one) { return one.ended(); });
  }
  bool pending() {
    return with([](auto& one) { return one.pending(); });
  }
  void cancel() {
    with([](auto& one) { one.cancel(); });
  }
  outcome what() {
    return with([](auto& one) { return one.what(); });
  }
};

void check_settled(trial& t, const model& all, calls& call, bool cancelled, bool is_all, bool owns) {
  bool any = false;
  for (const part& one : all.parts) {
    t.expect(one.begun <= 1, "AGG-12: no operation is run twice");
    const bool alive = one.begun > 0 && !one.ended;
    any = any || alive;
    if (is_all && !cancelled) t.expect(!one.asked, "AGG-2: nobody is asked to stop without a request");
  }
  if (call.ended() && owns) t.expect(!any, "AGG-3: a call ends after its operations");
  if (is_all && call.pending() && !cancelled)
    t.expect(any, all.parts.empty() ? "AGG-11: a call for nothing ends at once"
                                    : "AGG-5: a call ends when its operations have");
}

void check_end(trial& t, const model& all, calls& call, bool cancelled, std::size_t wanted) {
  const outcome seen = call.what();
  if (!cancelled) {
    const bool plain = seen.kind == outcome_kind::value || call.first;
    t.expect(plain, "AGG-9: a call that nobody cancelled gives what there is", to_string(seen));
  } else if (!call.first) {
    const bool plain = seen.kind == outcome_kind::value || seen.kind == outcome_kind::cancelled;
    t.expect(plain, "AGG-3: a call that was cancelled ends as cancelled", to_string(seen));
  }
  if (call.all && seen.kind == outcome_kind::value) {
    const gathering::slots slots = call.all->value();
    if (!t.expect(slots.size() == all.parts.size(), "AGG-1: every operation has its slot")) return;
    for (std::size_t i = 0; i < slots.size(); ++i) check_slot(t, all.parts[i], slots[i]);
  }
  if (call.each && seen.kind == outcome_kind::value)
    t.expect(all.told.size() == all.parts.size(), "AGG-13: every outcome is told once");
  for (const auto& [index, slot] : all.told) check_slot(t, all.parts[index], slot);
  if (!call.first) return;
  std::vector<std::int64_t> kept = all.given_back;
  if (seen.kind == outcome_kind::value) {
    const std::vector<std::int64_t> values = call.first->value();
    t.expect(values.size() == wanted, "AGG-7: as many values are returned as were asked for");
    kept.insert(kept.end(), values.begin(), values.end());
  }
  std::vector<std::int64_t> given;
  for (const part& one : all.parts)
    if (one.gave) given.push_back(one.number);
  t.expect(sorted(std::move(kept)) == given, "AGG-7: every value is returned or given back, once");
  const bool enough = given.size() >= wanted;
  if (!cancelled)
    t.expect((seen.kind == outcome_kind::value) == enough,
             "AGG-7: a call ends well if there are enough values", to_string(seen));
}

}  // namespace

ASSAY_PROGRAM(gather, "AGG-1", rules,
              .asks = {"failing_creation", "own_cancellation", "owns_operations", "first", "as_completed"},
              .must_see = {"orders_slots_by_completion", "stops_others_at_a_failure"}) {
  form how = form::all;
  if (steps.shape % 4 == 2 && make.claims("first")) how = form::first;
  if (steps.shape % 4 == 3 && make.claims("as_completed")) how = form::each;
  const bool settles = steps.shape >= 4;
  const bool is_victim = steps.shape >= 8;
  const bool owns = make.claims("owns_operations");
  const auto all = std::make_shared<model>();
  auto gather = make();
  std::vector<gathering::operation> operations;
  const std::vector<program_step> to_do = unrolled(steps, rules);
  for (const program_step& step : to_do)
    if (static_cast<verb>(step.verb) == verb::operation)
      operations.push_back(add(all, temper_of(step, make, how), step));
  const std::size_t wanted = operations.size() / 2;
  calls call;
  if (how == form::all) {
    call.all.emplace(t.start("all", gather->all(std::move(operations))));
    if (is_victim) t.victim(*call.all);
  } else if (how == form::first) {
    auto give_back = [all](std::int64_t one) { all->given_back.push_back(one); };
    call.first.emplace(t.start("first", gather->first(wanted, std::move(operations), std::move(give_back))));
    if (is_victim) t.victim(*call.first);
  } else {
    auto take = [all](std::size_t index, const gather_slot& slot) { all->told.emplace_back(index, slot); };
    call.each.emplace(t.start("each", gather->each(std::move(operations), 24h, std::move(take))));
    if (is_victim) t.victim(*call.each);
  }
  bool cancelled = false;
  for (const program_step& step : to_do) {
    const auto what = static_cast<verb>(step.verb);
    if (what == verb::operation) continue;
    if (what == verb::advance) co_await t.advance(5ms * (step.a % 6));
    if (what == verb::cancel) call.cancel();
    cancelled = cancelled || what == verb::cancel || t.disturbed();
    if (!settles && what != verb::settle) continue;
    co_await t.settle();
    check_settled(t, *all, call, cancelled || t.disturbed(), how == form::all, owns);
  }
  co_await t.pass(1s);
  cancelled = cancelled || t.disturbed();
  check_settled(t, *all, call, cancelled, how == form::all, owns);
  const bool is_stuck = call.pending();
  if (is_stuck) call.cancel();
  co_await t.pass(1s);
  const std::string_view message = all->parts.empty() ? "AGG-11: a call for nothing ends at once"
                                                      : "AGG-3: a call ends when it is cancelled";
  if (!t.expect(call.ended(), message)) co_return;
  check_end(t, *all, call, cancelled || is_stuck || t.disturbed(), wanted);
}

}  // namespace assay
