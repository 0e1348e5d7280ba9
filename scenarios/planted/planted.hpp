// A corpus of planted bugs: small event-loop programs, each with one known concurrency bug and a correct twin
// that differs only by the mend. It measures strategies of exploration: which finds what, in how many trials.
//
// Every program passes first in, first out with nothing cancelled and nothing failing. A bug shows as a
// failed expectation, a deadlock or an item that was lost, never as undefined behaviour. The programs are no
// clauses: none is in the catalogue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/campaign/catalogue.hpp"

namespace assay {

struct planted_bug {
  std::string name;
  int depth = 0;                   ///< the fewest deviations from first-in-first-out that show it
  std::string what;                ///< the mistake, and what shows it
  std::uint32_t cancel_slots = 0;  ///< cancel points on the FIFO run; 0 if no cancellation shows the bug
  scenario_info wrong;
  scenario_info right;
};

/// All of them, grouped by theme.
const std::vector<planted_bug>& planted_bugs();

/// What the scenarios are begun with; they are their own subject.
const subject_base& planted_subject();

}  // namespace assay
