// The grammar of random programs on a task group; the scenario "task_group/X-15/program" runs them.
#pragma once

#include "harness/trial/program.hpp"

namespace assay {

grammar task_group_grammar();

}  // namespace assay
