#include "store/dialect.h"

#include <gtest/gtest.h>

namespace nearfar {
namespace {

TEST(Dialect, NumbersParameters) {
  EXPECT_EQ(to_postgres("VALUES(?, ?, ?)"), "VALUES($1, $2, $3)");
  EXPECT_EQ(to_postgres("a = ?2 OR a = ?1 AND b = ?12"), "a = $2 OR a = $1 AND b = $12");
  EXPECT_EQ(to_postgres("a = ?2 AND b = ?"), "a = $2 AND b = $3") << "as SQLite counts them";
}

TEST(Dialect, ReplacesWholeWordsOutsideOfQuotes) {
  EXPECT_EQ(to_postgres("FROM a CROSS JOIN b ON x"), "FROM a JOIN b ON x");
  EXPECT_EQ(to_postgres("FROM cell INDEXED BY cell_state WHERE x"), "FROM cell  WHERE x");
  EXPECT_EQ(to_postgres("char(1) || nchar(1) || 'char(?)'"), "chr(1) || nchar(1) || 'char(?)'");
  EXPECT_EQ(to_postgres("group_concat(a || ';', ';')"), "string_agg(a || ';', ';')");
  EXPECT_EQ(to_postgres("WHERE key = ? /*lock or skip*/"), "WHERE key = $1 FOR NO KEY UPDATE SKIP LOCKED");
  EXPECT_EQ(to_postgres("'it''s ?' ?"), "'it''s ?' $1");
  EXPECT_EQ(to_postgres("'open"), "'open") << "the server says what is wrong with it";
}

}  // namespace
}  // namespace nearfar
