#include <assay/harness/report/output.hpp>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <ostream>
#include <stdexcept>
#include <string>

#include <assay/harness/tests/temporary_folder.hpp>

namespace assay {
namespace {

using testing::HasSubstr;

class output : public testing::Test {
 protected:
  std::filesystem::path in(const char* name) const { return folder_.path() / name; }
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

 private:
  testing_support::temporary_folder folder_;
};

std::string complaint(const std::function<void()>& doing) {
  try {
    doing();
  } catch (const std::runtime_error& failure) {
    return failure.what();
  }
  return {};
}

TEST_F(output, a_file_is_written_whole_and_nothing_is_left_beside_it) {
  write_file(in("a"), "one");
  write_file(in("a"), [](std::ostream& out) { out << "two"; });
  EXPECT_EQ(text_of(in("a")), "two");
  EXPECT_EQ(files(), 1U);
}

TEST_F(output, what_breaks_off_leaves_the_file_as_it_was) {
  write_file(in("a"), "one");
  const auto breaks_off = [](std::ostream& out) {
    out << "two";
    throw std::runtime_error("no more");
  };
  EXPECT_THROW(write_file(in("a"), breaks_off), std::runtime_error);
  EXPECT_EQ(text_of(in("a")), "one");
  EXPECT_EQ(files(), 1U);
}

TEST_F(output, a_file_keeps_its_mode_and_a_link_stays_one) {
  write_file(in("a"), "one");
  ASSERT_EQ(::chmod(in("a").c_str(), 0640), 0);
  std::filesystem::create_symlink("a", in("link"));
  write_file(in("link"), "two");
  EXPECT_TRUE(std::filesystem::is_symlink(in("link")));
  EXPECT_EQ(text_of(in("a")), "two");
  struct stat seen{};
  ASSERT_EQ(::stat(in("a").c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777U, 0640U);
}

TEST_F(output, what_cannot_be_written_is_named_with_the_reason) {
  write_file(in("a"), "one");
  const auto expect_refused = [](const std::filesystem::path& path, const char* reason) {
    for (const bool before : {true, false}) {
      const std::string said = complaint([&] { before ? require_writable(path) : write_file(path, "text"); });
      EXPECT_THAT(said, HasSubstr("cannot write '" + path.string() + "': " + reason));
    }
  };
  expect_refused(in("none") / "b", "No such file or directory");
  expect_refused(in("a") / "b", "Not a directory");
  expect_refused(in("a").parent_path(), "Is a directory");
  EXPECT_THAT(complaint([&] { write_file("/dev/full", "text"); }), HasSubstr("No space left on device"));
  EXPECT_THAT(complaint([&] { require_writable_folder(in("a")); }), HasSubstr("cannot write '"));
  EXPECT_EQ(files(), 1U);
}

TEST_F(output, trying_whether_a_file_can_be_written_changes_nothing) {
  write_file(in("a"), "one");
  require_writable(in("a"));
  require_writable(in("b"));
  EXPECT_EQ(text_of(in("a")), "one");
  EXPECT_EQ(files(), 1U);
  require_writable_folder(in("new") / "folder");
  EXPECT_TRUE(std::filesystem::is_directory(in("new") / "folder"));
}

}  // namespace
}  // namespace assay
