#include <assay/scenarios/assembly/service/alternative.hpp>

#include <assay/harness/catalogue/subjects.hpp>

namespace assay {
namespace {

const implements<list_service> registered("list_service", subject_kind::alternative,
                                          {.features = {"dead_letter", "all_workers"}});

// The smallest service that there is works on one item at a time, whatever it is allowed.
class least_service final : public list_service {
 public:
  least_service(const asio::any_io_executor& executor, const config& how)
      : list_service(executor, one_at_a_time(how)) {}

 private:
  static config one_at_a_time(config how) {
    how.workers = 1;
    return how;
  }
};

const implements<least_service> least("least", subject_kind::alternative, {});

}  // namespace
}  // namespace assay
