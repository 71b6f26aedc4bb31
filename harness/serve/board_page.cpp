/// The leaderboard page as it is served: what `report leaderboard --html` writes, with our bar and script.
#include "base/text.h"
#include "serve/pages.h"

#include <fmt/format.h>
#include <kainjow/mustache.hpp>

#include <optional>

namespace nearfar {
namespace {

using kainjow::mustache::data;

constexpr std::string_view kMeta = "<meta http-equiv=\"Content-Security-Policy\" content=\"";

/// The value of the page's own <meta> policy, and where its tag is.
struct MetaPolicy {
  std::string value;
  std::size_t begin = 0, end = 0;
};
std::optional<MetaPolicy> meta_policy(const std::string& html) {
  const std::size_t begin = html.find(kMeta);
  if (begin == std::string::npos || begin > html.find("<body")) return std::nullopt;
  const std::size_t value = begin + kMeta.size(), quote = html.find('"', value), end = html.find('>', quote);
  if (end == std::string::npos) return std::nullopt;
  std::string text = html.substr(value, quote - value);
  for (const auto& [from, to] : {std::pair("&#39;", "'"), std::pair("&apos;", "'"), std::pair("&amp;", "&")})
    text = replace_all(text, from, to);
  return MetaPolicy{text, begin, end + 1};
}

}  // namespace

std::string Pages::leaderboard_policy(const std::string& html) const {
  constexpr const char* kMore = "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
  const std::optional<MetaPolicy> own = meta_policy(html);
  if (!own) {
    return fmt::format("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {} {}; {}",
                       policy_hash("\n" + board_js_ + "\n"), policy_hash(js_), kMore);
  }
  std::string policy;
  bool has_scripts = false;
  for (const std::string& part : split(own->value, ';')) {
    const std::string directive(trim(part));
    const std::string name = directive.substr(0, directive.find(' '));
    if (name.empty() || name == "connect-src" || name == "form-action" || name == "base-uri") continue;
    policy += directive;
    if (name == "script-src") policy += " " + policy_hash(js_);
    if (name == "style-src" && directive.find("'unsafe-inline'") == std::string::npos)
      policy += " " + policy_hash(own_css_);
    has_scripts = has_scripts || name == "script-src";
    policy += "; ";
  }
  if (!has_scripts) policy += "script-src " + policy_hash(js_) + "; ";
  return policy + kMore;
}

std::string Pages::leaderboard(std::string html, const std::vector<std::string>& experiments,
                               const std::string& experiment, const std::string& stamp) const {
  // The header says the policy: one in the page would forbid what our script needs.
  if (const std::optional<MetaPolicy> own = meta_policy(html)) html.erase(own->begin, own->end - own->begin);
  data values, list(data::type::list);
  for (const char* page : {"overview", "cells"}) values.set(page, data(false));
  values.set("leaderboard", data(true));
  for (const std::string& name : experiments) {
    data item;
    item.set("name", name);
    item.set("query", in_query(name));
    item.set("here", data(name == experiment));
    list.push_back(item);
  }
  values.set("experiments", list);
  values.set("several", data(experiments.size() > 1));
  values.set("all", data(experiment.empty()));
  const std::string bar = kainjow::mustache::mustache(bar_).render(values);
  const std::size_t body = html.find("<body"), start = html.find('>', body);
  if (body != std::string::npos && start != std::string::npos) html.insert(start + 1, "\n" + bar);
  const std::size_t head = html.find("</head>");
  if (head != std::string::npos) html.insert(head, "<style>" + own_css_ + "</style>\n");
  const std::size_t end = html.rfind("</body>");
  values.set("stamp", stamp);
  const std::string live =
      kainjow::mustache::mustache("<div id=\"live\" data-live=\"board\" data-stamp=\"{{stamp}}\"></div>\n<script>")
          .render(values);
  const std::string script = live + js_ + "</script>\n";
  return end == std::string::npos ? html + script : html.insert(end, script);
}

}  // namespace nearfar
