// The grammar of random programs on a lifespan; the scenario "lifespan/LIF-1/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar lifespan_grammar();

}  // namespace assay
