// The grammar of random programs on a worker pool; the scenario "worker_pool/WPL-1/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar worker_pool_grammar();

}  // namespace assay
