#include <assay/harness/cli/doctor.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <string_view>

#include <assay/harness/allocation/section.hpp>
#include <assay/harness/campaign/child_process.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/report/pretty_json.hpp>
#include <assay/harness/sim/asio_internals.hpp>
#include <assay/harness/testee/host.hpp>

namespace assay {

namespace {

std::optional<std::string> environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

constexpr const char* run_the_quick_tests =
    "it may well work: run the tests labelled 'quick' before you trust a verdict";

diagnosis look_at_compiler() {
#if defined(__clang__)
  const bool tried = __clang_major__ == 19;
#else
  const bool tried = __GNUC__ == 12;
#endif
  diagnosis seen{"compiler", health::fine, compiler(), {}};
  if (tried) return seen;
  seen.state = health::note;
  seen.seen += ", and tried were g++ 12 and clang 19";
  seen.mend = run_the_quick_tests;
  return seen;
}

// Of every g++ before 13; see CONTRIBUTING.md.
void look_at_coroutines(std::vector<diagnosis>& all) {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
  all.push_back(
      {"coroutines", health::note,
       "this g++ miscompiles some: co_await in the condition of an if, switch or loop may crash when it is "
       "resumed; a lambda with captures, braces or ?: beside a co_await may be destroyed twice",
       "await in a statement of its own and name what it needs first; CONTRIBUTING.md, 'Coroutines and "
       "g++ 12', has the shapes. Or compile with clang, to see whether a crash is yours"});
#else
  static_cast<void>(all);
#endif
}

diagnosis look_at_boost() {
  diagnosis seen{"Boost", health::fine, boost_version(), {}};
  if (ASSAY_BOOST_IS_TRIED) return seen;
  seen.state = health::note;
  seen.seen += ", and the timers that stand in for Asio's were tried with " ASSAY_TRIED_BOOSTS;
  seen.mend = run_the_quick_tests;
  return seen;
}

// g++ defines a macro for each sanitizer, clang a feature.
#if defined(__has_feature)
#define ASSAY_HAS_FEATURE(feature) __has_feature(feature)
#else
#define ASSAY_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || ASSAY_HAS_FEATURE(address_sanitizer)
constexpr const char* sanitizer = "AddressSanitizer in this program";
#elif defined(__SANITIZE_THREAD__) || ASSAY_HAS_FEATURE(thread_sanitizer)
constexpr const char* sanitizer = "ThreadSanitizer in this program";
#else
constexpr const char* sanitizer = "none in this program";
#endif
#undef ASSAY_HAS_FEATURE

// Their options decide whether what they find ends a trial, and whether its last words are seen.
void look_at_sanitizers(std::vector<diagnosis>& all) {
  all.push_back({"sanitizers", health::fine, sanitizer, {}});
  for (const char* const name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    const std::string options = environment(name).value_or("");
    const auto sets = [&options](std::string_view option) {
      return options.find(option) != std::string::npos;
    };
    if (sets("exitcode=0")) {
      all.push_back({name, health::problem,
                     "exitcode=0: a process that a sanitizer has stopped ends as if it were well",
                     std::string("take exitcode=0 out of ") + name});
    }
    if (sets("halt_on_error=0")) {
      all.push_back({name, health::problem,
                     "halt_on_error=0: a trial goes on after what a sanitizer has found",
                     std::string("take halt_on_error=0 out of ") + name});
    }
    if (sets("log_path=")) {
      all.push_back({name, health::note, "log_path: verdicts cannot quote what a sanitizer says",
                     std::string("look into these files, or take log_path out of ") + name});
    }
  }
  // Shadow memory at fixed places does not go with addresses that are too random: google/sanitizers, issues 1614 and 1716.
  constexpr int bits_max = 28;
  int bits = 0;
  if (std::ifstream("/proc/sys/vm/mmap_rnd_bits") >> bits && bits > bits_max) {
    all.push_back({"address layout", health::note,
                   "vm.mmap_rnd_bits is " + std::to_string(bits) +
                       ": sanitizers of g++ 12, and of clang before 18.1, may fail to place their memory",
                   "sysctl vm.mmap_rnd_bits=" + std::to_string(bits_max) + ", or run it under setarch -R"});
  }
}

diagnosis look_at_workers() {
  diagnosis seen{"workers", health::fine, "a child process runs and is heard", {}};
  std::string why;
  try {
    const child_process::end end = child_process([] { return std::string("here"); }).wait();
    if (end.text != "here" || !end.whole())
      why = "a child process ended with status " + std::to_string(end.status);
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  if (why.empty()) return seen;
  return {"workers", health::problem, std::move(why),
          "raise the limit on processes (ulimit -u), or use --no-isolate"};
}

diagnosis look_at_limits() {
  rlimit memory{};
  ::getrlimit(RLIMIT_AS, &memory);
  if (memory.rlim_cur == RLIM_INFINITY) return {"memory", health::fine, "addresses are not limited", {}};
  return {
      "memory", health::note, "addresses are limited to " + std::to_string(memory.rlim_cur >> 20U) + " MiB",
      "ulimit -v unlimited: sanitizers reserve terabytes, and a subject that runs out of memory looks wrong"};
}

diagnosis look_at_threads() {
  if (std::filesystem::exists("/proc/self/task"))
    return {"threads", health::fine, "threads that a subject starts are noticed", {}};
  return {"threads", health::problem,
          "/proc/self/task cannot be read: a thread that a subject starts is not noticed", "mount /proc"};
}

diagnosis look_at_allocations() {
  if (detail::allocation_faults_linked) return {"allocations", health::fine, "can be made to fail", {}};
  return {"allocations", health::note, "cannot be made to fail here", "link assay::allocation_faults"};
}

diagnosis look_at_catalogue() {
  const catalogue& all = catalogue::instance();
  const std::string counts = std::to_string(all.scenarios().size()) + " scenarios, " +
                             std::to_string(all.subjects().size()) + " subjects";
  if (all.scenarios().empty() || all.subjects().empty())
    return {"catalogue", health::problem, counts,
            "link the library that registers them whole: a linker drops what nobody refers to"};
  if (const std::size_t complaints = all.lint().size(); complaints > 0)
    return {"catalogue", health::problem, counts + ", " + std::to_string(complaints) + " complaints",
            "assay lint names them"};
  return {"catalogue", health::fine, counts, {}};
}

diagnosis look_at_debugger() {
  std::string folders = environment("PATH").value_or("");
  while (!folders.empty()) {
    const std::string folder = folders.substr(0, folders.find(':'));
    folders.erase(0, folder.size() + 1);
    for (const char* const name : {"gdb", "lldb"}) {
      if (::access((folder + "/" + name).c_str(), X_OK) == 0)
        return {"debugger", health::fine, folder + "/" + name, {}};
    }
  }
  return {"debugger", health::note, "neither gdb nor lldb is on the PATH", "replay --break-at needs one"};
}

// What was set once for another run changes this one.
void look_at_environment(std::vector<diagnosis>& all) {
  if (const auto folder = environment("ASSAY_REPORT_DIR"); folder && !folder->empty()) {
    std::error_code failure;
    std::filesystem::create_directories(*folder, failure);
    const bool writable = !failure && ::access(folder->c_str(), W_OK) == 0;
    all.push_back({"ASSAY_REPORT_DIR", writable ? health::fine : health::problem,
                   *folder + (writable ? "" : " cannot be written to"),
                   writable ? "" : "name a folder that can, or unset it"});
  }
  if (const auto shards = environment("GTEST_TOTAL_SHARDS")) {
    all.push_back({"GTEST_TOTAL_SHARDS", health::note,
                   *shards + ": explore and GoogleTest do one share of the work only",
                   "unset it unless other machines do the rest"});
  }
}

std::string_view to_string(health state) {
  switch (state) {
    case health::fine:
      return "fine";
    case health::note:
      return "note";
    case health::problem:
      return "problem";
  }
  return "unknown";
}

}  // namespace

std::vector<diagnosis> examine() {
  std::vector<diagnosis> all{look_at_compiler(), look_at_boost()};
  look_at_coroutines(all);
  look_at_sanitizers(all);
  all.push_back(look_at_workers());
  all.push_back(look_at_limits());
  all.push_back(look_at_threads());
  all.push_back(look_at_allocations());
  all.push_back(look_at_catalogue());
  all.push_back(look_at_debugger());
  look_at_environment(all);
  return all;
}

void write_text(std::ostream& out, const std::vector<diagnosis>& all) {
  for (const diagnosis& one : all) {
    std::string state(to_string(one.state));
    state.resize(9, ' ');
    out << state << one.what << ": " << one.seen << '\n';
    if (!one.mend.empty()) out << "         " << one.mend << '\n';
  }
}

void write_json(std::ostream& out, const std::vector<diagnosis>& all) {
  boost::json::array checks;
  for (const diagnosis& one : all) {
    checks.push_back(boost::json::object(
        {{"what", one.what}, {"state", to_string(one.state)}, {"seen", one.seen}, {"mend", one.mend}}));
  }
  boost::json::object report;
  report["checks"] = std::move(checks);
  write_pretty(out, report);
  out << '\n';
}

int exit_status(const std::vector<diagnosis>& all) {
  const bool any =
      std::any_of(all.begin(), all.end(), [](const diagnosis& one) { return one.state == health::problem; });
  return any ? 2 : 0;
}

}  // namespace assay
