// The clauses of gather, each beside the scenario that checks it.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::awaitable;
using assay::failure_of;
using assay::trial;
using assay::contract::check_verdict;
using assay::contract::gather_slot;
using assay::contract::slot_end;
using std::chrono::nanoseconds;
using gathering = assay::contract::gather;
using operation = gathering::operation;

// ---- What the operations of these scenarios do. Each leaves marks: "a begins", "a ends".

auto times_marked(const trial& t, std::string_view label) { return std::ranges::count(t.marks(), label); }
bool marked(const trial& t, std::string_view label) { return times_marked(t, label) > 0; }

struct presence {
  presence(trial& of, std::string who) : t(of), name(std::move(who)) { t.mark(name + " begins"); }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() { t.mark(name + " ends"); }
  trial& t;
  const std::string name;
};

// Ends with what `then` gives. With `cleanup` it takes its time when it is asked to stop.
awaitable<gathering::value> work(trial& t, std::string name, nanoseconds delay,
                                 std::function<gathering::value()> then, nanoseconds cleanup) {
  const presence here(t, name);
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  std::exception_ptr request;
  try {
    if (delay > 0s) co_await assay::sleep_for(delay);
  } catch (const boost::system::system_error&) {
    request = std::current_exception();
  }
  if (!request) co_return then();
  t.mark(name + " is asked to stop");
  if (cleanup == 0s) std::rethrow_exception(request);
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(co_await asio::this_coro::executor, cleanup);
  co_await timer.async_wait(asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
  co_await asio::this_coro::throw_if_cancelled(throwing);
  std::rethrow_exception(request);
}

operation does(trial& t, const std::string& name, nanoseconds delay, std::function<gathering::value()> then,
               nanoseconds cleanup = 0s) {
  return operation(name, [&t, name, delay, then = std::move(then), cleanup] {
    return work(t, name, delay, then, cleanup);
  });
}
operation gives(trial& t, const std::string& name, nanoseconds delay, gathering::value what) {
  return does(t, name, delay, [what] { return what; });
}
operation fails(trial& t, const std::string& name, nanoseconds delay) {
  return does(t, name, delay,
              [name]() -> gathering::value { throw assay::contract::operation_error(name + " fails"); });
}
operation gives_up(trial& t, const std::string& name, nanoseconds delay) {
  return does(t, name, delay, []() -> gathering::value { assay::contract::throw_cancelled(); });
}
operation lingers(trial& t, const std::string& name, nanoseconds delay, nanoseconds cleanup) {
  return does(t, name, delay, [] { return gathering::value(0); }, cleanup);
}
operation cannot_begin(const std::string& name) {
  return operation(name, [name]() -> awaitable<gathering::value> {
    throw assay::contract::operation_error(name + " fails");
  });
}

template <class... Operation>
std::vector<operation> all(Operation... one) {
  std::vector<operation> operations;
  operations.reserve(sizeof...(one));
  (operations.push_back(std::move(one)), ...);
  return operations;
}

// ---- What these scenarios look at.

std::string to_text(const gather_slot& one) {
  if (one.how == slot_end::cancelled) return "cancelled";
  if (one.how == slot_end::failed) return one.cause;
  return one.value ? std::to_string(*one.value) : "empty";
}
std::string to_text(const gathering::slots& slots) {
  std::string text;
  for (const gather_slot& one : slots) text += (text.empty() ? "" : ", ") + to_text(one);
  return text;
}
template <class T>
std::string listed(const std::vector<T>& values) {
  std::string text;
  for (const T& one : values) {
    if constexpr (std::is_same_v<T, std::string>) {
      text += (text.empty() ? "" : ", ") + one;
    } else {
      text += (text.empty() ? "" : ", ") + std::to_string(one);
    }
  }
  return text;
}

// The slots as a text, so that an operation under way gives what can be compared.
awaitable<std::string> text_of(awaitable<gathering::slots> call) {
  const gathering::slots slots = co_await std::move(call);
  co_return to_text(slots);
}

int at_work(const trial& t, std::string_view names) {
  int count = 0;
  for (const char name : names)
    count +=
        marked(t, std::string(1, name) + " begins") && !marked(t, std::string(1, name) + " ends") ? 1 : 0;
  return count;
}

// In the turn in which its caller goes on: is anybody at work?
template <class T>
awaitable<T> look_at_end(trial& t, awaitable<T> call, std::string names) {
  std::optional<T> given;
  std::exception_ptr failure;
  try {
    given.emplace(co_await std::move(call));
  } catch (...) {
    failure = std::current_exception();
  }
  for (const char one : names) {
    const std::string name(1, one);
    t.expect(!marked(t, name + " begins") || marked(t, name + " ends"), "the call ends after its operations",
             name);
  }
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*given);
}

ASSAY_CONTRACT(gather, "failure", "operations at the same time, each with an outcome of its own");

ASSAY_CLAUSE(
    gather, "AGG-1", must,
    "The result has one slot per input, in input order, each holding value or error; nothing is dropped.") {
  auto gather = make();
  auto call = co_await t.begin(
      "all", text_of(gather->all(all(gives(t, "a", 3s, 1), fails(t, "b", 2s), gives(t, "c", 0s, 3),
                                     gives(t, "d", 1s, 4), fails(t, "e", 0s)))));
  t.premise(at_work(t, "abd") == 3, "a, b and d are at work");
  co_await t.advance(3s);
  t.expect(call.pending(), "the call waits for the last operation");
  co_await t.settle();
  t.expect(call.done(), "the call ends as soon as all its operations have ended");
  t.expect_eq(call.value(), std::string("1, b fails, 3, 4, e fails"),
              "every operation has its slot, in their order");
}

ASSAY_CLAUSE(gather, "AGG-2", must, "One failure does not cancel or delay the others.") {
  auto gather = make();
  auto call = co_await t.begin("all", text_of(gather->all(all(gives(t, "a", 2s, 1), fails(t, "b", 1s),
                                                              fails(t, "c", 0s), gives(t, "d", 3s, 4)))));
  co_await t.pass(1s);
  t.expect(!marked(t, "a is asked to stop") && !marked(t, "d is asked to stop"),
           "a failure leaves the others at work");
  t.expect(call.pending(), "a failure does not end the call");
  co_await t.pass(2s);
  t.expect(call.done(), "a failure delays nobody");
  t.expect_eq(call.value(), std::string("1, b fails, c fails, 4"),
              "a failure is in its slot, beside the values");
}

ASSAY_CLAUSE(gather, "AGG-3", must,
             "Outside cancellation cancels all, waits for all, then reports cancelled (no half-filled result "
             "returned); without `owns_operations` it need not wait.") {
  auto gather = make();
  auto call = co_await t.begin(
      "all", text_of(gather->all(all(gives(t, "a", 1s, 1), gives(t, "b", 1h, 2), gives(t, "c", 1h, 3)))));
  co_await t.pass(1s);
  t.premise(at_work(t, "bc") == 2, "b and c are at work");
  co_await t.cancel(call);
  t.expect(marked(t, "b is asked to stop") && marked(t, "c is asked to stop"),
           "a request reaches all operations");
  t.expect(call.cancelled(), "a call that was cancelled ends as cancelled, and gives no half of a result",
           to_string(call.what()));
}

ASSAY_SCENARIO(gather, "AGG-3", "cleanup", .features = {"owns_operations"}) {
  auto gather = make();
  auto call = co_await t.begin(
      "all",
      look_at_end(
          t,
          text_of(gather->all(all(lingers(t, "a", 1h, 2s), gives(t, "b", 1h, 2), lingers(t, "c", 1h, 1s)))),
          "abc"));
  t.premise(at_work(t, "abc") == 3, "all are at work");
  for (int i = 0; i < 2; ++i) {
    co_await t.cancel(call);
    t.expect(call.pending(), "a call that was cancelled waits for its operations, however often");
  }
  co_await t.pass(2s);
  t.expect(call.cancelled(), "a call that was cancelled ends as cancelled when its operations have ended",
           to_string(call.what()));
}

ASSAY_SCENARIO(gather, "AGG-3", "swept", .features = {"owns_operations"}, .swept = true) {
  auto gather = make();
  auto call = t.start(
      "all",
      look_at_end(
          t, text_of(gather->all(all(gives(t, "a", 1s, 1), lingers(t, "b", 2s, 1s), gives(t, "c", 0s, 3)))),
          "abc"));
  t.victim(call);
  co_await t.advance(1min);
  t.expect(call.done() || call.cancelled(), "a call ends with its slots or as cancelled",
           to_string(call.what()));
  t.sometimes("a call was cancelled", call.cancelled());
  if (call.done())
    t.expect_eq(call.value(), std::string("1, 0, 3"), "a call that ends well has all of its slots");
}

ASSAY_CLAUSE(gather, "AGG-4", must,
             "An error thrown while *creating* operation k still runs/cleans operations already created.",
             .features = {"failing_creation"}) {
  auto gather = make();
  auto call = co_await t.begin(
      "all",
      look_at_end(t, text_of(gather->all(all(gives(t, "a", 2s, 1), cannot_begin("b"), gives(t, "c", 1s, 3)))),
                  "ac"));
  t.expect(call.pending(), "an operation that cannot be created leaves the others at work");
  co_await t.pass(2s);
  t.expect(call.done(), "the call ends with the operations that could be created", to_string(call.what()));
  t.expect_eq(call.value(), std::string("1, b fails, 3"), "what cannot be created has failed in its slot");
}

ASSAY_CLAUSE(gather, "AGG-5", must,
             "Total virtual time equals the maximum, not the sum (concurrency really happens).") {
  auto gather = make();
  auto call = co_await t.begin("all", text_of(gather->all(all(gives(t, "a", 4s, 1), gives(t, "b", 5s, 2),
                                                              gives(t, "c", 5s, 3), gives(t, "d", 1s, 4)))));
  t.expect_eq(at_work(t, "abcd"), 4, "all operations are at work at the same time");
  co_await t.advance(5s);
  t.expect(call.pending(), "the call lasts as long as its longest operation");
  co_await t.settle();
  t.expect(call.done(), "the call lasts no longer than its longest operation");
}

ASSAY_CLAUSE(gather, "AGG-6", must, "A caller can tell a missing optional part from an empty value.",
             .features = {"required_parts"}) {
  auto gather = make();
  auto parts = all(gives(t, "a", 1s, 1), fails(t, "b", 1s), gives(t, "c", 2s, std::nullopt),
                   gives_up(t, "d", 0s), gives(t, "e", 0s, std::nullopt));
  std::vector<bool> required{true, false, false, false, true};
  auto call = co_await t.begin("parts", text_of(gather->parts(std::move(parts), std::move(required))));
  co_await t.pass(2s);
  t.expect(call.done(), "parts that are not required may be missing", to_string(call.what()));
  t.expect_eq(call.value(), std::string("1, b fails, empty, cancelled, empty"),
              "a part that is missing is told from one that is empty");
}

ASSAY_SCENARIO(gather, "AGG-6", "required", .features = {"required_parts"}) {
  auto gather = make();
  auto parts = all(gives(t, "a", 2s, 1), fails(t, "b", 1s), fails(t, "c", 0s), gives_up(t, "d", 0s),
                   fails(t, "e", 1s));
  std::vector<bool> required{true, true, false, true, true};
  auto call = co_await t.begin("parts", text_of(gather->parts(std::move(parts), std::move(required))));
  co_await t.pass(2s);
  t.expect(call.failed(), "a call fails without a part that is required");
  const assay::outcome what = call.what();
  std::vector<std::string> names;
  for (const assay::outcome::member& one : what.members) names.push_back(one.task);
  t.expect_eq(listed(names), std::string("b, d, e"), "every part is told that is required and missing");
}

// What is given back. It is shared, since a call may outlive a scenario that has failed.
struct given_back {
  std::shared_ptr<std::vector<std::int64_t>> all = std::make_shared<std::vector<std::int64_t>>();
  std::function<void(std::int64_t)> taker() const {
    return [all = all](std::int64_t one) { all->push_back(one); };
  }
};

ASSAY_CLAUSE(
    gather, "AGG-7", should,
    "Have a \"first k successes\" sibling with the same error accounting: the losers are stopped and waited "
    "for, and a value that is not returned is given back once.",
    .features = {"first"}) {
  auto gather = make();
  const given_back back;
  auto call = co_await t.begin(
      "first", look_at_end(t,
                           gather->first(2,
                                         all(gives(t, "a", 3s, 1), fails(t, "b", 0s), gives(t, "c", 1s, 3),
                                             lingers(t, "d", 1h, 2s), gives(t, "e", 1h, 5)),
                                         back.taker()),
                           "abcde"));
  co_await t.advance(3s);
  t.expect(call.pending(), "a failure is no value, and one value is not two");
  co_await t.settle();
  t.expect(marked(t, "d is asked to stop") && marked(t, "e is asked to stop"),
           "when there are enough values the others are asked to stop");
  t.expect(call.pending(), "the call waits for those that it has asked to stop");
  co_await t.pass(2s);
  t.expect(call.done(), "the call ends when the others have ended", to_string(call.what()));
  t.expect_eq(listed(call.value()), std::string("3, 1"),
              "the first values are returned, in the order in which they came");
  t.expect_eq(listed(*back.all), std::string(), "what is returned is not given back");
}

ASSAY_SCENARIO(gather, "AGG-7", "too late", .features = {"first"}) {
  auto gather = make();
  const given_back back;
  auto call = co_await t.begin(
      "first",
      gather->first(1, all(gives(t, "a", 1s, 1), gives(t, "b", 1s, 2), gives(t, "c", 1s, 4)), back.taker()));
  co_await t.pass(1s);
  t.expect(call.done(), "the call ends with its first value", to_string(call.what()));
  std::int64_t sum = call.value().front();
  t.expect_eq(call.value().size(), 1U, "as many values are returned as were asked for");
  for (const std::int64_t one : *back.all) sum += one;
  std::int64_t given = 0;
  for (const char* const name : {"a", "b", "c"})
    if (marked(t, std::string(name) + " ends") && !marked(t, std::string(name) + " is asked to stop"))
      given += name[0] == 'a' ? 1 : name[0] == 'b' ? 2 : 4;
  t.sometimes("a value came too late", !back.all->empty());
  t.expect_eq(sum, given, "every value is returned or given back, once");
}

ASSAY_SCENARIO(gather, "AGG-7", "too few", .features = {"first"}) {
  auto gather = make();
  const given_back back;
  auto call = co_await t.begin(
      "first",
      gather->first(3, all(gives(t, "a", 1s, 1), fails(t, "b", 2s), gives(t, "c", 1h, 3), fails(t, "d", 3s)),
                    back.taker()));
  co_await t.pass(2s);
  t.expect(call.pending(), "one failure leaves enough operations");
  co_await t.pass(1s);
  t.expect(call.failed(), "the call fails as soon as too few are left", to_string(call.what()));
  const assay::outcome what = call.what();
  t.expect_eq(what.members.size(), 2U, "all failures are told when there are too few values");
  t.expect_eq(listed(*back.all), std::string("1"), "the values of a call that fails are given back");
}

ASSAY_SCENARIO(gather, "AGG-7", "swept", .features = {"first"}, .swept = true) {
  auto gather = make();
  const given_back back;
  auto call = t.start(
      "first",
      gather->first(2, all(gives(t, "a", 1s, 1), gives(t, "b", 2s, 2), gives(t, "c", 3s, 4)), back.taker()));
  t.victim(call);
  co_await t.advance(1min);
  t.expect(call.ended(), "a call ends when it is cancelled");
  t.sometimes("a call was cancelled that had a value", call.cancelled() && !back.all->empty());
  std::int64_t kept = 0;
  for (const std::int64_t one : *back.all) kept += one;
  if (call.done())
    for (const std::int64_t one : call.value()) kept += one;
  std::int64_t given = 0;
  for (const char* const name : {"a", "b", "c"})
    if (marked(t, std::string(name) + " ends") && !marked(t, std::string(name) + " is asked to stop"))
      given += name[0] == 'a' ? 1 : name[0] == 'b' ? 2 : 4;
  t.expect_eq(kept, given, "every value is returned or given back, once");
}

ASSAY_CLAUSE(gather, "AGG-8", should,
             "Return partial failure to the caller in the value, not only in a log line.") {
  auto gather = make();
  auto call = co_await t.begin(
      "all", text_of(gather->all(all(fails(t, "a", 1s), fails(t, "b", 2s), gives(t, "c", 0s, 3)))));
  co_await t.pass(2s);
  t.expect(call.done(), "a call whose operations fail ends well");
  t.expect_eq(call.value(), std::string("a fails, b fails, 3"), "a slot says why its operation failed");
}

ASSAY_CLAUSE(
    gather, "AGG-9", must,
    "A slot tells value, failure and the operation's own cancellation apart; none of the three is read as "
    "another.",
    .features = {"own_cancellation"}) {
  auto gather = make();
  auto call = co_await t.begin(
      "all", text_of(gather->all(all(gives_up(t, "a", 1s), gives(t, "b", 2s, std::nullopt), fails(t, "c", 1s),
                                     gives_up(t, "d", 0s), gives(t, "e", 0s, 0)))));
  co_await t.pass(1s);
  t.expect(call.pending(), "an operation that gives up leaves the others at work");
  co_await t.pass(1s);
  t.expect(call.done(), "an operation that gives up does not cancel the call", to_string(call.what()));
  t.expect_eq(call.value(), std::string("cancelled, empty, c fails, cancelled, 0"),
              "a slot tells a value, a failure and a cancellation apart");
}

std::string to_text(const check_verdict& verdict) {
  return (verdict.valid ? "valid" : "invalid") +
         (verdict.causes.empty() ? std::string() : ": " + listed(verdict.causes));
}
awaitable<std::string> verdict_of(awaitable<check_verdict> call) {
  const check_verdict verdict = co_await std::move(call);
  co_return to_text(verdict);
}

ASSAY_CLAUSE(
    gather, "AGG-10", must,
    "(validation) a record is valid only if every check said so; a check that throws counts as invalid, with "
    "its cause.",
    .features = {"validation"}) {
  auto gather = make();
  auto valid = co_await t.begin(
      "validate", verdict_of(gather->validate(all(gives(t, "a", 2s, 1), gives(t, "b", 1s, 1)))));
  co_await t.pass(2s);
  t.expect_eq(valid.value(), std::string("valid"), "a record is valid if every check says so");
  auto no = co_await t.begin("validate",
                             verdict_of(gather->validate(all(gives(t, "c", 2s, 1), gives(t, "d", 1s, 0)))));
  co_await t.pass(2s);
  t.expect_eq(no.value(), std::string("invalid: d: no"), "a record is invalid if one check says no");
  auto broken = co_await t.begin(
      "validate",
      verdict_of(gather->validate(all(fails(t, "e", 1s), gives(t, "f", 2s, 1), fails(t, "g", 2s)))));
  co_await t.pass(2s);
  t.expect_eq(broken.value(), std::string("invalid: e: e fails, g: g fails"),
              "a check that throws makes a record invalid, with its cause");
}

ASSAY_SCENARIO(gather, "AGG-10", "a check that gives up", .features = {"validation", "own_cancellation"}) {
  auto gather = make();
  auto call = co_await t.begin("validate",
                               verdict_of(gather->validate(all(gives(t, "a", 2s, 1), gives_up(t, "b", 1s)))));
  co_await t.pass(2s);
  t.expect(call.ended(), "a check that gives up is waited for as others are");
  t.expect(call.cancelled() || call.value().starts_with("invalid"),
           "a record is not valid if a check ends as cancelled by itself");
}

ASSAY_CLAUSE(gather, "AGG-11", must, "Empty input completes at once, empty.") {
  auto gather = make();
  auto call = co_await t.begin("all", text_of(gather->all(all())));
  t.expect(call.done() && call.value().empty(), "a call for nothing ends at once, with nothing");
  auto small = co_await t.begin("all", text_of(gather->all(all(gives(t, "a", 0s, 1)))));
  t.expect(small.done() && small.value() == "1", "a call for what ends in its first turn ends at once");
}

ASSAY_CLAUSE(gather, "AGG-12", must, "The same operation given twice runs once and fills both slots.",
             .features = {"shared_handle"}) {
  auto gather = make();
  std::vector<std::size_t> which{0, 1, 0, 2, 1};
  auto call = co_await t.begin(
      "all_shared",
      text_of(gather->all_shared(all(gives(t, "a", 2s, 1), fails(t, "b", 1s), gives(t, "c", 0s, 3)),
                                 std::move(which))));
  co_await t.pass(2s);
  t.expect(call.done(), "the call ends when its operations have ended");
  for (const char* const name : {"a", "b", "c"})
    t.expect_eq(times_marked(t, std::string(name) + " begins"), 1,
                "an operation that is given twice runs once");
  t.expect_eq(call.value(), std::string("1, b fails, 1, 3, b fails"),
              "an operation that is given twice fills both slots");
}

// What `each` tells, shared as well.
struct told {
  std::shared_ptr<std::vector<std::string>> all = std::make_shared<std::vector<std::string>>();
  std::function<void(std::size_t, const gather_slot&)> taker() const {
    return [all = all](std::size_t index, const gather_slot& slot) {
      all->push_back(std::to_string(index) + " " + to_text(slot));
    };
  }
};

ASSAY_CLAUSE(gather, "AGG-13", must,
             "Outcomes come in order of completion, each once; a timeout keeps those that were delivered.",
             .features = {"as_completed"}) {
  auto gather = make();
  const told seen;
  auto call = co_await t.begin(
      "each",
      gather->each(all(gives(t, "a", 3s, 1), fails(t, "b", 2s), gives(t, "c", 1s, 3)), 1h, seen.taker()));
  co_await t.pass(1s);
  t.expect_eq(listed(*seen.all), std::string("2 3"), "an outcome is told as soon as it comes");
  co_await t.pass(1s);
  t.expect_eq(listed(*seen.all), std::string("2 3, 1 b fails"),
              "outcomes are told in the order in which they come");
  t.expect(call.pending(), "the call waits for those that are at work");
  co_await t.pass(1s);
  t.expect_eq(listed(*seen.all), std::string("2 3, 1 b fails, 0 1"), "every outcome is told, once");
  t.expect(call.done(), "the call ends when all have been told", to_string(call.what()));
}

ASSAY_SCENARIO(gather, "AGG-13", "timed out", .features = {"as_completed"}) {
  for (const nanoseconds patience : {nanoseconds(2s), nanoseconds(4s)}) {
    auto gather = make();
    const told seen;
    const std::string suffix = std::to_string(patience / 1s);
    auto call = co_await t.begin(
        "each", gather->each(all(gives(t, "a" + suffix, 1s, 1), lingers(t, "b" + suffix, 1h, 1s),
                                 gives(t, "c" + suffix, 3s, 3)),
                             patience, seen.taker()));
    co_await t.advance(patience);
    t.expect(!marked(t, "b" + suffix + " is asked to stop"),
             "nobody is asked to stop before the patience is at its end");
    co_await t.settle();
    t.expect(marked(t, "b" + suffix + " is asked to stop"),
             "those at work are asked to stop when the patience is at its end");
    t.expect(call.pending(), "the call waits for those that it has asked to stop");
    co_await t.pass(1s);
    t.expect(call.timed_out(), "the call ends as timed out", to_string(call.what()));
    t.expect_eq(listed(*seen.all), std::string(patience == 2s ? "0 1" : "0 1, 2 3"),
                "what was told before the timeout is kept, and nobody else is told");
  }
}

ASSAY_SCENARIO(gather, "AGG-13", "cancelled", .features = {"as_completed"}, .swept = true) {
  auto gather = make();
  const told seen;
  auto call =
      t.start("each", gather->each(all(gives(t, "a", 1s, 1), gives(t, "b", 2s, 2)), 1h, seen.taker()));
  t.victim(call);
  co_await t.advance(1min);
  t.expect(call.done() || call.cancelled(), "a call ends well or as cancelled", to_string(call.what()));
  if (call.done()) t.expect_eq(listed(*seen.all), std::string("0 1, 1 2"), "every outcome is told, once");
}

// It never ends by itself.
awaitable<gathering::value> wait_for_ever() {
  co_await assay::sleep_for_ever();
  co_return std::nullopt;
}
awaitable<void> wait_for(gathering& gather, nanoseconds patience) {
  return gather.each(all(operation("a", wait_for_ever)), patience, [](std::size_t, const gather_slot&) {});
}

ASSAY_SCENARIO(gather, "X-23", "", .features = {"as_completed"}) {
  co_await assay::fires_at_its_deadline(t, make, &wait_for);
}

ASSAY_SCENARIO(gather, "X-23", "extreme durations", .features = {"as_completed"}) {
  co_await assay::keeps_extreme_durations(t, make, &wait_for);
}

// Lets weak requests through to the call as well: Asio's coroutines heed terminal ones only, by default.
awaitable<void> heed_all_requests(awaitable<gathering::slots> call) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  (void)co_await std::move(call);
}

ASSAY_SCENARIO(gather, "X-7", "", .why = "a weak request first, which need not reach anybody") {
  auto gather = make();
  auto call = co_await t.begin(
      "all", heed_all_requests(gather->all(all(gives(t, "a", 1h, 1), gives(t, "b", 1h, 2)))));
  t.premise(at_work(t, "ab") == 2, "a and b are at work");
  call.request(asio::cancellation_type::total);
  co_await t.settle();
  for (int i = 0; i < 2; ++i) {
    call.request(asio::cancellation_type::terminal);
    co_await t.settle();
  }
  t.expect(call.ended(), "a strong request gets through after a weak one, and one more is harmless");
  (void)call.what();
}

}  // namespace
