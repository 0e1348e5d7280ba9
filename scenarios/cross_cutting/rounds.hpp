// What random programs in rounds have in common: several callers use one subject, it is looked at whenever they settle, then
// the round is finished, and another subject comes.
//
// A program has a `run`, what it knows of the round: with `t`, `settled` (after every step) and `asks_to_settle`. Beside the
// run stand, and are found by its type,
//
//   void begin_round(run&, Contract&);                 // with a new subject
//   awaitable<void> settle_and_check(run&);
//   awaitable<bool> finish_round(run&);                // false: the subject cannot be used any more
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/history.hpp>

namespace assay {

template <class Run>
struct round_verb {
  const char* name;
  const char* feature;  ///< empty: everybody has it
  boost::asio::awaitable<void> (*act)(Run&, const program_step&);
};

/// Verbs that mean the same everywhere.
template <class Run>
boost::asio::awaitable<void> ask_to_settle(Run& r, const program_step&) {
  r.asks_to_settle = true;
  co_return;
}
template <class Run>
boost::asio::awaitable<void> begin_another_round(Run&, const program_step&) {
  co_return;
}

/// Lets time pass, one to four times so much; a program that settles after every step does so each time.
template <class Run>
boost::asio::awaitable<void> advance_by(Run& r, const program_step& step, std::chrono::nanoseconds beat) {
  const std::size_t beats = 1 + step.a % 4;
  for (std::size_t i = 0; i < beats; ++i) {
    co_await r.t.advance(beat);
    if (r.settled) co_await settle_and_check(r);
  }
}

/// Does the steps of a program, in rounds with a subject each. What is repeated many times is done with one: it may wear out.
template <class Contract, class Run, std::size_t N>
boost::asio::awaitable<void> play_in_rounds(Run& r, maker<Contract> make, typename Contract::config how,
                                            const program& steps, const grammar& rules,
                                            const round_verb<Run> (&verbs)[N]) {
  auto subject = make(how);
  begin_round(r, *subject);
  const bool wears = rules.repeats[steps.repeats] > 1;
  bool goes_on = true;
  for (const program_step& step : steps.steps) {
    const round_verb<Run>& verb = verbs[step.verb];
    const bool is_last = verb.act == &begin_another_round<Run>;
    if (wears && is_last) continue;
    if (is_last) {
      goes_on = co_await finish_round(r);
      if (!goes_on) break;
      subject.reset();
      subject = make(how);
      begin_round(r, *subject);
    }
    co_await verb.act(r, step);
    if (r.settled || std::exchange(r.asks_to_settle, false)) co_await settle_and_check(r);
  }
  if (goes_on) co_await finish_round(r);
}

/// Some order of the calls, made one after the other, explains what they came to. `initial` is the model of one `what`.
template <class Model>
void expect_explained(trial& t, const history<Model>& seen, const Model& initial, const std::string& what) {
  const explanation why = seen.explain(initial);
  if (why.unexplained.empty()) return;
  t.expect(false,
           std::string(why.clause) + ": one " + what + " does what was seen, call by call in some order",
           why.unexplained);
}

}  // namespace assay
