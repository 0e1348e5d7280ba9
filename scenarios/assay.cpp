// The command `assay`: the standard and the project's own subjects.
#include <assay/harness/campaign/suite.hpp>
#include <assay/scenarios/planted/planted.hpp>

int main(int argc, char** argv) {
  assay::suite suite;
  suite.measure_on(assay::planted_bugs());
  return suite.run(argc, argv);
}
