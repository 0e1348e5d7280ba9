// What a testee writes: whatever it is, it is refused with a reason or read; and an outcome that was read is the same after
// it was written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <assay/harness/testee/message.hpp>

namespace {

using namespace assay;

template <class Read>
void read_or_refuse(Read&& read) {
  try {
    read();
  } catch (const testee::protocol_error& reason) {
    if (std::string_view(reason.what()).empty()) std::abort();
  }
}

void come_back(const testee::ending& how) {
  const boost::json::object written = testee::write_outcome(how.failure, how.value);
  const testee::ending again = testee::read_outcome(written);
  if (to_string(describe(again.failure)) != to_string(describe(how.failure)) || again.value != how.value)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  read_or_refuse([&] { (void)testee::read_hello(line); });
  read_or_refuse([&] { testee::read_begun(line, 1); });
  read_or_refuse([&] { (void)testee::read_ended(line, 1); });
  read_or_refuse([&] {
    for (const testee::event& one : testee::read_answer(line, 1, 1).events) come_back(one.how);
  });
  return 0;
}
