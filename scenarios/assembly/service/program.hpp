// The grammar of random programs on an assembled service; the scenario "service/INT-1/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar service_grammar();

}  // namespace assay
