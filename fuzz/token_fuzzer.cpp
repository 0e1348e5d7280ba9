// The parser of replay tokens: whatever it reads it either refuses with a reason, or reads such that writing and
// reading again gives the same token.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <assay/harness/choice/token.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const assay::replay_token token = assay::decode_token(text);
    if (!(assay::decode_token(assay::encode(token)) == token)) std::abort();
  } catch (const assay::malformed_token&) {
    return 0;  // refused, with a reason
  }
  return 0;
}
