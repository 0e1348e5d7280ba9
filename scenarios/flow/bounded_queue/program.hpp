// The grammar of random programs on a bounded queue; the scenario "bounded_queue/X-3/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar bounded_queue_grammar();

}  // namespace assay
