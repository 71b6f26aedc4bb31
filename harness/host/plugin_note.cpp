#include "host/plugin_note.h"

#include "base/text.h"
#include "host/param_rows.h"
#include "host/torch_symbols.h"

#include <nearfar/note.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

namespace nearfar {
namespace {

constexpr std::array<std::pair<PluginTier, std::string_view>, 3> kTiers{
    {{PluginTier::exact, "exact"}, {PluginTier::stable, "stable"}, {PluginTier::c, "c"}}};
constexpr Needs kAllNeeds = (kValidation << 1) - 1;
constexpr const char* kCorrect = "correct the note, or let the macros of nearfar/plugin.h make it";

struct FaultFound {
  PluginFault fault;
};

[[noreturn]] void refuse(std::string found, std::string wanted, std::string fix = kCorrect) {
  throw FaultFound{{std::move(found), std::move(wanted), std::move(fix)}};
}

/// The strings by key, and the rows of parameters in their order.
struct Strings {
  std::map<std::string_view, std::string_view> values;
  std::vector<std::string_view> params;

  std::string text(std::string_view key) const {
    const auto found = values.find(key);
    return found == values.end() ? std::string() : std::string(found->second);
  }
};

Strings split_descriptor(std::string_view rest) {
  if (!rest.starts_with(std::string_view("note=1\0", 7))) {
    refuse(fmt::format("its note begins with '{}'", clipped(rest.substr(0, rest.find('\0')), 40)),
           "this host reads notes that begin with 'note=1'", "use a nearfar that knows such notes, or build it again");
  }
  Strings strings;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) refuse("its note ends within a text", "expected texts that end with a NUL");
    const std::string_view one = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos)
      refuse(fmt::format("its note has '{}'", clipped(one, 40)), "expected key=value");
    const std::string_view key = one.substr(0, equals), value = one.substr(equals + 1);
    if (key == "param") {
      strings.params.push_back(value);
    } else if (!strings.values.emplace(key, value).second) {
      refuse(fmt::format("its note has '{}' twice", clipped(key, 40)), "expected every key but param once");
    }
  }
  return strings;
}

/// A decimal number of the note; 0 where the key is missing.
unsigned number(const Strings& strings, std::string_view key) {
  const std::string text = strings.text(key);
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && (failure != std::errc() || end != text.data() + text.size()))
    refuse(fmt::format("its note has {} '{}'", key, clipped(text, 40)), "expected a whole number");
  return value;
}

double bits(std::string_view column) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(column.data(), column.data() + column.size(), value, 16);
  if (column.size() != 16 || failure != std::errc() || end != column.data() + column.size())
    refuse(fmt::format("its note has a parameter with the number '{}'", clipped(column, 40)),
           "expected the 16 hex digits of a double");
  return std::bit_cast<double>(value);
}

ParamSpec read_param(std::size_t number, std::string_view row) {
  const std::vector<std::string> columns = split(row, '\t');
  if (columns.size() != 7)
    refuse(fmt::format("its note has the parameter '{}' with {} columns", clipped(columns.front(), 40), columns.size()),
           "expected NAME, TYPE, DEFAULT, MIN, MAX, CHOICES and HELP, with tabs between them");
  const auto type = std::ranges::find(kParamTypeNames, columns[1]);
  if (type == std::end(kParamTypeNames))
    refuse(
        fmt::format("its note has the parameter '{}' of type '{}'", clipped(columns[0], 40), clipped(columns[1], 40)),
        fmt::format("expected {}",
                    join(std::vector<std::string>(std::begin(kParamTypeNames), std::end(kParamTypeNames)), ", ")));
  Param param(columns[0].c_str(), "", columns[5].c_str(), columns[6].c_str());
  param.type = static_cast<ParamType>(type - std::begin(kParamTypeNames));
  if (param.type == ParamType::text || param.type == ParamType::file) {
    param.default_text = columns[2].c_str();
  } else {
    param.default_number = bits(columns[2]);
  }
  param.minimum = bits(columns[3]);
  param.maximum = bits(columns[4]);
  const std::string wrong = param_row_fault(param);
  if (!wrong.empty())
    refuse(fmt::format("parameter {} ('{}'): {}", number, clipped(columns[0], 40), wrong),
           "expected a row of nearfar::Param that holds", "correct the table");
  return param_spec(param);
}

ParamSchema read_params(const std::vector<std::string_view>& rows) {
  if (rows.size() > kMostParams)
    refuse(fmt::format("its note has {} parameters", rows.size()), fmt::format("expected at most {}", kMostParams));
  ParamSchema schema;
  for (const std::string_view row : rows) {
    ParamSpec spec = read_param(schema.size() + 1, row);
    if (std::ranges::find(schema, spec.name, &ParamSpec::name) != schema.end())
      refuse(fmt::format("parameter {} ('{}'): its name is there twice", schema.size() + 1, spec.name),
             "expected different names", "correct the table");
    schema.push_back(std::move(spec));
  }
  return schema;
}

PluginTier read_tier(const std::string& text) {
  const auto found = std::ranges::find(kTiers, text, &std::pair<PluginTier, std::string_view>::second);
  if (found == kTiers.end())
    refuse(fmt::format("its tier is '{}'", clipped(text, 40)), "this host knows exact, stable and c",
           "use a nearfar that knows the tier, or build it for one of these");
  return found->first;
}

void read_identity(const Strings& strings, PluginNote& note) {
  const std::string kind = strings.text("kind");
  if (kind != "postprocessor" && kind != "loss")
    refuse(fmt::format("its kind is '{}'", clipped(kind, 40)), "expected postprocessor or loss");
  note.kind = kind == "loss" ? PluginKind::loss : PluginKind::postprocessor;
  note.name = strings.text("name");
  if (!spelled_in_words(note.name, '-'))
    refuse(fmt::format("name is '{}'", clipped(note.name, 40)), "expected kebab-case such as 'temp-scaling'",
           "set .name in the macro");
  note.version = strings.text("version");
  if (note.version.empty()) refuse("version is empty", "expected one such as \"1.0.0\"", "set .version in the macro");
  note.summary = strings.text("summary");
  note.reference = strings.text("reference");
}

void read_build(const Strings& strings, PluginNote& note) {
  note.api = number(strings, "api");
  note.abi = number(strings, "abi");
  note.build_tag = {strings.text("torch"), strings.text("cxx_abi"), strings.text("compiler"), strings.text("standard"),
                    strings.text("sdk")};
  if (note.tier == PluginTier::stable && !torch_version(note.build_tag.torch))
    refuse(fmt::format("its note has torch '{}'", clipped(note.build_tag.torch, 40)),
           "expected the oldest LibTorch it is built for, such as '2.11'");
  note.source_hash = strings.text("source");
  note.needs = number(strings, "needs");
  if ((note.needs & ~kAllNeeds) != 0)
    refuse(fmt::format("its needs are {}", note.needs), fmt::format("this host knows the bits of {}", kAllNeeds),
           "use a nearfar that knows the others, or correct .needs");
}

}  // namespace

std::string_view plugin_tier_name(PluginTier tier) {
  return std::ranges::find(kTiers, tier, &std::pair<PluginTier, std::string_view>::first)->second;
}

std::string_view plugin_entry(PluginTier tier) {
  return tier == PluginTier::exact ? "nearfar_plugin_info" : "nearfar_plugin_v1";
}

std::variant<PluginNote, PluginFault> read_note(std::string_view descriptor) {
  try {
    const Strings strings = split_descriptor(descriptor);
    PluginNote note;
    note.tier = read_tier(strings.text("tier"));
    read_identity(strings, note);
    read_build(strings, note);
    note.params = read_params(strings.params);
    return note;
  } catch (const FaultFound& found) {
    return found.fault;
  }
}

}  // namespace nearfar
