// A scenario as the catalogue and a campaign know it. Apart from the catalogue, since tests of one's own need no more.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace assay {

class trial;
struct grammar;
class subject_base;

/// What a scenario needs and is.
struct scenario_traits {
  const grammar* rules =
      nullptr;  ///< runs random programs: they come last, and count for the clauses that their models cite
  std::vector<std::string> features = {};  ///< all must be claimed, else the scenario is skipped
  std::vector<std::string> asks = {};      ///< asked for (make.claims), not needed: what is expected depends
  bool swept = false;                      ///< has a victim: the cancellation sweep applies
  bool faulted = false;                    ///< dependency calls fail: the fault sweep applies
  bool late = false;                       ///< the loop may be late: no exact instants are asserted
  bool on_time = false;                    ///< of a program: its model asserts exact instants, so it is not
  bool detached_may_throw = false;         ///< of a test of one's own: no failure, as in production
  bool ends_when_cancelled = false;  ///< of a test of one's own: the victim, once the sweep has cancelled it
  bool fifo_only = false;            ///< handlers run first in, first out in every trial: order model `fifo`
  bool expects_termination = false;  ///< the process must be ended by the subject (X-20)
  std::vector<std::string> must_see = {};  ///< of a program: mutants in which some of them find the mistake
  bool sim_only = false;                   ///< makes no sense on a stock io_context
  std::string why = {};                    ///< how the scenario checks the clause, if that is not plain
  bool is_program() const noexcept { return rules != nullptr; }
  /// Random programs too, unless they say otherwise: their models say "not before" rather than "exactly at".
  bool may_be_late() const noexcept { return late || (is_program() && !on_time); }
};

/// The executable check of one clause with one contract.
struct scenario_info {
  std::string contract;
  std::string clause;
  std::string variant;  ///< distinguishes several scenarios of one clause; may be empty
  scenario_traits traits;
  std::string file;
  std::uint32_t line = 0;
  boost::asio::awaitable<void> (*begin)(trial& t, const subject_base& subject) = nullptr;
  bool plug = false;  ///< a plug check: checks no clause, and its `clause` is "plug"
  /// "bounded_queue/BQ-6" or "bounded_queue/BQ-6/variant"
  std::string name() const;
};

}  // namespace assay
