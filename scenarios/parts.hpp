// What a program links by naming it.
#pragma once

namespace assay::parts {

/// The standard: contracts, clauses and scenarios.
void standard();
/// The project's own subjects: reference, alternatives, mutants, third parties. A program that does not call it has none of
/// them, whatever it links.
void subjects();

}  // namespace assay::parts
