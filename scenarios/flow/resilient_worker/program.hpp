// The grammar of random programs on a resilient worker; the scenario "resilient_worker/RWK-1/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar resilient_worker_grammar();

}  // namespace assay
