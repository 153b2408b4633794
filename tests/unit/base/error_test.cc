#include "datapy_kafka/base/error.h"

#include <gtest/gtest.h>

namespace datapy_kafka {
namespace {

TEST(ErrorTest, InfoTravelsWithTheStatus) {
  const absl::Status status = ErrorBuilder(ErrorReason::kAuthorizationFailed)
                                  .At({"orders", 3}, Offset(42))
                                  .Broker("b1:9092")
                                  .Build("no");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(), "no");
  const ErrorInfo info = GetErrorInfo(status);
  EXPECT_EQ(info.reason, ErrorReason::kAuthorizationFailed);
  EXPECT_EQ(info.metadata.at("topic"), "orders");
  EXPECT_EQ(info.metadata.at("partition"), "3");
  EXPECT_EQ(info.metadata.at("offset"), "42");
  EXPECT_EQ(info.metadata.at("broker"), "b1:9092");
}

TEST(ErrorTest, AValueMayHoldAnEqualsSign) {
  const auto info = GetErrorInfo(ErrorBuilder(ErrorReason::kTlsMaterialInvalid).File("/a=b/c").Build("x"));
  EXPECT_EQ(info.metadata.at("file"), "/a=b/c");
}

TEST(ErrorTest, AnErrorWithoutInfoIsInternalAndOkIsNone) {
  EXPECT_EQ(GetErrorInfo(absl::UnknownError("?")).reason, ErrorReason::kInternal);
  EXPECT_EQ(GetErrorInfo(absl::OkStatus()).reason, ErrorReason::kUnspecified);
}

TEST(ErrorTest, EveryReasonHasANameAndAnErrorCode) {
  for (int i = 1; i <= 33; ++i) {
    const auto reason = static_cast<ErrorReason>(i);
    if (ErrorReasonName(reason) == "UNSPECIFIED") continue;  // a gap in the numbers
    EXPECT_NE(StatusCodeFor(reason), absl::StatusCode::kOk) << i;
  }
  EXPECT_EQ(ErrorReasonName(ErrorReason::kNoCommittedOffset), "NO_COMMITTED_OFFSET");
}

}  // namespace
}  // namespace datapy_kafka
