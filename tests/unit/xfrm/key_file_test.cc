#include <xfrm/vici/key_file.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace minibgp::xfrm::vici {
namespace {

using ::testing::HasSubstr;

class KeyFile : public ::testing::Test {
 protected:
  KeyFile() {
    std::string name = (std::filesystem::temp_directory_path() / "psk-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/key";
    std::ofstream(path_) << "secret\n";
    ::chmod(path_.c_str(), 0600);
  }
  ~KeyFile() override { std::filesystem::remove_all(directory_); }
  std::string directory_, path_;
  KeyFiles files_;
};

TEST_F(KeyFile, IsReadWhenNobodyElseCan) {
  EXPECT_EQ(*files_.read(path_), "secret\n");
  ::chmod(path_.c_str(), 0640);  // root:root, or a group that is ours.
  EXPECT_TRUE(files_.read(path_).has_value());
}

TEST_F(KeyFile, IsRefusedWhenOthersCanReadItWithTheChmodToRun) {
  for (const ::mode_t mode : {0644U, 0604U, 0622U, 0660U}) {
    ::chmod(path_.c_str(), mode);
    const auto text = files_.read(path_);
    ASSERT_FALSE(text.has_value()) << mode;
    EXPECT_THAT(text.error(), HasSubstr("chmod 600 " + path_));
    EXPECT_THAT(text.error(), ::testing::Not(HasSubstr("secret")));
  }
}

TEST_F(KeyFile, SaysWhatIsWrong) {
  EXPECT_THAT(files_.read(directory_ + "/none").error(), HasSubstr("No such file"));
  EXPECT_THAT(files_.read(directory_).error(), HasSubstr("is not a file"));
  EXPECT_THAT(files_.read("").error(), HasSubstr("no psk_file"));
}

TEST_F(KeyFile, ANameIsASystemdCredential) {
  ::setenv("CREDENTIALS_DIRECTORY", directory_.c_str(), 1);
  EXPECT_EQ(*files_.read("key"), "secret\n");
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(KeyFile, TheStampChangesWithTheFile) {
  const auto before = files_.stamp(path_);
  EXPECT_TRUE(before.has_value());
  EXPECT_EQ(before, files_.stamp(path_));
  std::ofstream(path_) << "another secret\n";
  EXPECT_NE(before, files_.stamp(path_));
  EXPECT_FALSE(files_.stamp(directory_ + "/none").has_value());
}

}  // namespace
}  // namespace minibgp::xfrm::vici
