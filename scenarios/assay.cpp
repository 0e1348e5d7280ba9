// The command `assay`: the standard and the project's own subjects.
#include "harness/campaign/suite.hpp"
#include "scenarios/parts.hpp"
#include "scenarios/planted/planted.hpp"

int main(int argc, char** argv) {
  assay::parts::standard();
  assay::parts::subjects();
  assay::suite suite;
  suite.measure_on(assay::planted_bugs());
  return suite.run(argc, argv);
}
