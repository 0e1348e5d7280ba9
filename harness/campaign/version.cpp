#include <assay/harness/campaign/version.hpp>

#include <boost/version.hpp>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/choice/fnv.hpp>

namespace assay {

std::string_view version() noexcept { return "0.1.0"; }

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string boost_version() {
  return std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) + "." +
         std::to_string(BOOST_VERSION % 100);
}

std::string report_date() {
  std::time_t when = std::time(nullptr);
  if (const char* const said = std::getenv("SOURCE_DATE_EPOCH")) {
    std::time_t given = 0;
    const char* const end = said + std::strlen(said);
    const auto [read, failure] = std::from_chars(said, end, given);
    if (failure == std::errc() && read == end && said != end) when = given;
  }
  std::tm parts{};
  char text[40] = "";
  if (::gmtime_r(&when, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string build_id() {
#if defined(__clang__)
  const std::string compiler =
      "clang" + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  const std::string compiler = "gcc" + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
  // Order-independent, so that the digest does not hang on the order in which files were linked.
  std::uint64_t digest = 0;
  for (const clause_info& one : catalogue::instance().clauses()) {
    const auto revision = static_cast<std::uint64_t>(catalogue::instance().revision_of(one.id));
    digest += fnv::mix_bytes(fnv::basis + revision, one.id + one.text);
  }
  return std::string(version()) + "-" + compiler + "-" + format_hash(digest).substr(8);
}

}  // namespace assay
