#include "rpc/address.h"

#include <gtest/gtest.h>

namespace datapy_kafka::rpc {
namespace {

TEST(AddressTest, ReadsWhatIsAccepted) {
  const auto path = ParseAddress("unix:///run/dpk/s.sock");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(path->path, "/run/dpk/s.sock");
  EXPECT_EQ(ToString(*path), "unix:///run/dpk/s.sock");
  EXPECT_EQ(GrpcTarget(*path), "unix:/run/dpk/s.sock");
  EXPECT_EQ(ParseAddress("unix:/run/s")->path, "/run/s");

  const auto four = ParseAddress("127.0.0.1:9000");
  ASSERT_TRUE(four.ok());
  EXPECT_TRUE(four->loopback);
  EXPECT_EQ(GrpcTarget(*four), "ipv4:127.0.0.1:9000");
  const auto six = ParseAddress("[::1]:0");
  ASSERT_TRUE(six.ok());
  EXPECT_TRUE(six->loopback);
  EXPECT_EQ(ToString(*six), "[::1]:0");
  EXPECT_EQ(ToString(*ParseAddress("localhost:65535")), "127.0.0.1:65535");
  EXPECT_FALSE(ParseAddress("0.0.0.0:1")->loopback);
  EXPECT_FALSE(ParseAddress("[::]:1")->loopback);
  EXPECT_TRUE(ParseAddress("127.8.8.8:1")->loopback);
}

TEST(AddressTest, RefusesTheRestAndSaysWhatIsAccepted) {
  for (const char* text : {"",
                           ":",
                           "unix:",
                           "unix://",
                           "unix://relative",
                           "unix:relative",
                           "unix:///dir/",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:-1",
                           "127.0.0.1:+1",
                           "127.0.0.1: 1",
                           "127.0.0.1:65536",
                           "127.0.0.1:99999999999",
                           "::1:80",
                           "[::1:80",
                           "[::1]80",
                           "[]:80",
                           "example.com:80",
                           "1.2.3:80",
                           "http://127.0.0.1:80",
                           "[127.0.0.1]:1"}) {
    const auto address = ParseAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(address.status().message().find("unix:///absolute/path"), absl::string_view::npos);
  }
}

TEST(AddressTest, BoundsThePath) {
  const std::string fits = "/" + std::string(kMaxSocketPath - 1, 'a');
  EXPECT_TRUE(ParseAddress("unix://" + fits).ok());
  EXPECT_FALSE(ParseAddress("unix://" + fits + "a").ok());
  EXPECT_FALSE(ParseAddress(absl::string_view("unix:///a\0b", 11)).ok());
}

}  // namespace
}  // namespace datapy_kafka::rpc
