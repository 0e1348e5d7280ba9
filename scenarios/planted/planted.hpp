// A corpus of planted bugs: small event-loop programs, each with one known concurrency bug and a correct twin
// that differs only by the mend. It measures strategies of exploration: which finds what, in how many trials.
//
// Every program passes first in, first out with nothing cancelled and nothing failing. A bug shows as a
// failed expectation, a deadlock or an item that was lost, never as undefined behaviour. The programs are no
// clauses: none is in the catalogue.
#pragma once

#include <vector>

#include <assay/harness/campaign/bugs.hpp>

namespace assay {

/// All of them, grouped by theme.
const std::vector<planted_bug>& planted_bugs();

/// One that takes many unlikely turns, each of which is seen from outside, and is found by what builds on them. None of
/// those above, since what fails of it has many deviations however it is shrunk.
const planted_bug& planted_long_run();

}  // namespace assay
