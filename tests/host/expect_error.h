#pragma once
/// EXPECT_ERROR(statement, kind, "part of the message", …): the statement throws nearfar::Error of that kind with all
/// those parts.
#include "base/error.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#define EXPECT_ERROR(statement, expected_kind, ...)                                                         \
  do {                                                                                                      \
    try {                                                                                                   \
      statement;                                                                                            \
      ADD_FAILURE() << "no Error from " #statement;                                                         \
    } catch (const ::nearfar::Error& caught) {                                                              \
      EXPECT_EQ(::nearfar::kind_name(caught.kind()), ::nearfar::kind_name(expected_kind)) << caught.what(); \
      for (const std::string& part : std::vector<std::string>{__VA_ARGS__}) {                               \
        EXPECT_NE(std::string(caught.what()).find(part), std::string::npos)                                 \
            << "'" << part << "' is not in: " << caught.what();                                             \
      }                                                                                                     \
    }                                                                                                       \
  } while (false)
