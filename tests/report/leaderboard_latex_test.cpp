/// Tables for papers: against a file that was looked at, and compiled where there is a pdflatex.
#include "base/files.h"
#include "report/fake_results.h"
#include "report/leaderboard_forms.h"
#include "support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using testing::FakeResults, testing::sample, testing::source_dir, testing::subject;

constexpr const char* kHostile = "~^\\{}$&#_%<>|\"\n\\end{table}\\input{x}";

std::string latex_of(const FakeResults& store) { return leaderboard_latex(make_leaderboard(load_results(store))); }

FakeResults hostile() {
  FakeResults store = sample();
  for (const std::int64_t seed : {0, 1})
    store.add(subject("ce", seed, kHostile, "note=\\\\ & \\\\"),
              testing::values({0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}));
  return store;
}

/// "" or what pdflatex said.
std::string compile(const std::string& tables) {
  const TempDir folder;
  write_file_atomic(folder.path() / "board.tex", tables);
  write_file_atomic(folder.path() / "paper.tex",
                    "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[margin=1cm]{geometry}\n"
                    "\\usepackage{booktabs,siunitx}\n\\begin{document}\n\\input{board}\n\\end{document}\n");
  const std::string command =
      "cd '" + folder.path().string() +
      "' && pdflatex -interaction=nonstopmode -halt-on-error -no-shell-escape paper > said 2>&1";
  if (std::system(command.c_str()) != 0) return read_file(folder.path() / "said");
  return fs::exists(folder.path() / "paper.pdf") ? "" : "no PDF";
}

bool has_pdflatex() { return std::system("pdflatex --version > /dev/null 2>&1") == 0; }

TEST(Latex, EqualsTheFileThatWasLookedAt) {
  testing::expect_golden(latex_of(sample()), "tests/report/leaderboard.tex");
}

TEST(Latex, NamesAreText) {
  const std::string text = latex_of(hostile());
  EXPECT_EQ(text.find("\\input"), std::string::npos);
  EXPECT_NE(text.find("\\textasciitilde{}\\textasciicircum{}\\textbackslash{}\\{\\}\\$\\&\\#\\_\\%\\textless{}"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\\textbackslash{}end\\{table\\}"), std::string::npos) << text;
}

TEST(Latex, Compiles) {
  if (!has_pdflatex()) GTEST_SKIP() << "no pdflatex; ./run test -L latex installs it";
  EXPECT_EQ(compile(latex_of(sample())), "");
  EXPECT_EQ(compile(latex_of(hostile())), "");
}

}  // namespace
}  // namespace nearfar
