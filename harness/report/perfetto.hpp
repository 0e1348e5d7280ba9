// A trial in the trace-event format, which ui.perfetto.dev and chrome://tracing open.
#pragma once

#include <iosfwd>

#include <assay/harness/campaign/campaign.hpp>

namespace assay {

/// One process per trial (the replayed one, and the baseline one if it is there), one thread per task. `ts` is
/// virtual time in microseconds. Virtual time stands still while a task runs, so what happens in one instant is spread
/// out in its order, a nanosecond each.
void write_perfetto(std::ostream& out, const campaign_result& seen);

}  // namespace assay
