// The outcomes, other than a value and "cancelled", that a call of the reference ends with. One type per
// outcome, so that callers catch what they mean; all of them derive from reference::error.
//
// "Cancelled" is no type of its own: it is what Asio says, boost::system::system_error(operation_aborted).
#pragma once

#include <stdexcept>

namespace assay::reference {

struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The object that was called no longer takes (or has) what was asked for, and never will again.
struct closed : error {
  closed() : error("closed") {}
};

/// The deadline passed first; what was asked for did not happen.
struct timed_out : error {
  timed_out() : error("timed out") {}
};

/// Whoever owns it asked it to stop, and nobody else did.
struct stopped : error {
  stopped() : error("stopped") {}
};

/// What it stood on is broken, and stays so unless somebody repairs it: the generation of a barrier, or a
/// mutex whose owner has ended with it.
struct broken : error {
  broken() : error("broken") {}
};

}  // namespace assay::reference
