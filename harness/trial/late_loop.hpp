// A subject's own loop may be elsewhere, in a testee. Whether it can be late, its host knows.
#pragma once

namespace assay {

/// Provided to the host of a subject (environment::provide) by whoever runs a scenario in which the loop may be late: a host
/// whose loop can be late calls trial::allow_late_loop.
struct late_loop_wanted {};

}  // namespace assay
