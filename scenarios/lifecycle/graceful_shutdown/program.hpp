// The grammar of random programs on a coordinator; the scenario "graceful_shutdown/SHD-1/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar graceful_shutdown_grammar();

}  // namespace assay
