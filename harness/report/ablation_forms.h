#pragma once
/// The forms of an ablation. Pure functions that all show the same Ablation, safe from any thread.
#include "report/ablation.h"

#include <filesystem>
#include <string>

namespace nearfar {

/// Sentences and numbers for a terminal; percent points.
std::string ablation_text(const Ablation& ablation);
/// Tables for GitHub: in words, importance, all numbers.
std::string ablation_markdown(const Ablation& ablation);
/// One row a difference, percent with four decimals. Columns:
/// benchmark,protocol,loss,model,postprocessor,metric,axis,from,to,baseline,value,difference,low,high,p,adjusted_p,real,
/// seeds
/// `seeds` is their number. Quoted as RFC 4180, lines end with LF.
std::string ablation_csv(const Ablation& ablation);
/// One document, everything; fractions.
std::string ablation_json(const Ablation& ablation);
/// One table a panel for \input, with booktabs. Names are plain text whatever they hold.
std::string ablation_latex(const Ablation& ablation);
/// One file that needs nothing else, and no script: ablation.html.mustache and leaderboard.css of `templates` filled
/// in. Error(data) if one cannot be read, Error(config) if the template does not parse.
std::string ablation_html(const Ablation& ablation, const std::filesystem::path& templates);

}  // namespace nearfar
