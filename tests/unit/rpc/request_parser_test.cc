// What a hostile request may take of the daemon's memory.
#include "rpc/request_parser.h"

#include <gmock/gmock.h>

#include "fakes.h"

namespace datapy_kafka::rpc {
namespace {

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

absl::Status Parse(const std::string& text, google::protobuf::Message* message) {
  grpc::ByteBuffer bytes = Bytes(text);
  return ParseRequest(&bytes, message).status();
}

TEST(RequestParserTest, CountsWhatARequestHolds) {
  v1::ProduceRequest request;
  request.set_topic("out");
  for (int i = 0; i < 3; ++i) {
    v1::ProduceRow* row = request.mutable_rows()->add_records();
    row->set_value("v");
    row->add_headers()->set_name("h");
  }
  grpc::ByteBuffer bytes = Bytes(request.SerializeAsString());
  v1::ProduceRequest parsed;
  const absl::StatusOr<size_t> entries = ParseRequest(&bytes, &parsed);
  ASSERT_TRUE(entries.ok()) << entries.status();
  // The topic, the rows, and of each row itself, its value, its header and
  // the header's name.
  EXPECT_EQ(*entries, 2u + 3 * 4);
  EXPECT_EQ(parsed.SerializeAsString(), request.SerializeAsString());
}

TEST(RequestParserTest, TakesTheMostAndRefusesMoreWithoutParsing) {
  v1::ConsumeRequest ack;
  EXPECT_TRUE(Parse(Crowd(2, kMaxRequestEntries - 1), &ack).ok());
  EXPECT_EQ(ack.ack().ranges_size(), static_cast<int>(kMaxRequestEntries) - 1);
  v1::ConsumeRequest untouched;
  const absl::Status status = Parse(Crowd(2, kMaxRequestEntries), &untouched);
  EXPECT_EQ(GetErrorInfo(status).reason, ErrorReason::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("ConsumeRequest holds more than 500000"));
  EXPECT_FALSE(untouched.has_ack());
}

// As gRPC brings a large message. What refuses it must be done with the bytes
// before they are given back.
TEST(RequestParserTest, ARefusedRequestOfManySlicesIsLeftAlone) {
  const std::string text = Crowd(2, 3 * kMaxRequestEntries);
  for (const size_t size : {100u, 8192u, 65536u}) {
    std::vector<grpc::Slice> slices;
    for (size_t at = 0; at < text.size(); at += size) slices.emplace_back(text.substr(at, size));
    grpc::ByteBuffer bytes(slices.data(), slices.size());
    slices.clear();
    v1::ConsumeRequest request;
    EXPECT_EQ(GetErrorInfo(ParseRequest(&bytes, &request).status()).reason, ErrorReason::kResourceExhausted);
    EXPECT_FALSE(bytes.Valid());
  }
}

TEST(RequestParserTest, UnknownFieldsCount) {
  std::string unknown;
  for (size_t i = 0; i <= kMaxRequestEntries; ++i) unknown += "\xA8\x06\x01";  // field 101: 1
  v1::CheckConnectionRequest request;
  EXPECT_EQ(GetErrorInfo(Parse(unknown, &request)).reason, ErrorReason::kResourceExhausted);
}

TEST(RequestParserTest, WhatDoesNotParseIsInvalid) {
  v1::ConsumeRequest request;
  for (const std::string& bad :
       {std::string("\x0A\xFF\xFF"), std::string("\x12\x7F\x0A"), std::string("\xFF")}) {
    EXPECT_EQ(GetErrorInfo(Parse(bad, &request)).reason, ErrorReason::kInvalidArgument);
  }
}

TEST(RequestBudgetTest, IsGivenBackAndAlwaysTakesOne) {
  const auto budget = std::make_shared<RequestBudget>(100);
  std::shared_ptr<void> large = RequestBudget::Take(budget, 1000);
  EXPECT_NE(large, nullptr);
  EXPECT_EQ(RequestBudget::Take(budget, 1), nullptr);
  large.reset();
  const std::shared_ptr<void> half = RequestBudget::Take(budget, 50);
  EXPECT_NE(half, nullptr);
  EXPECT_NE(RequestBudget::Take(budget, 50), nullptr);
  EXPECT_EQ(RequestBudget::Take(budget, 51), nullptr);
}

}  // namespace
}  // namespace datapy_kafka::rpc
