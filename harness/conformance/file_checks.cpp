// The library, its descriptor and its parameters.
#include "base/text.h"
#include "conformance/check.h"
#include "conformance/loss_subject.h"
#include "conformance/subject.h"
#include "host/elf.h"

#include <fmt/format.h>
#include <malloc.h>

#include <array>
#include <cctype>
#include <cmath>
#include <variant>

namespace nearfar {
namespace {

void file(const Subject& subject) {
  const auto read = read_elf(subject.file());
  if (const auto* fault = std::get_if<PluginFault>(&read))
    fail_check("a shared library of this machine", fault->text());
}

void loads(const Subject& subject) {
  try {
    subject.plugin();
  } catch (const Error& error) {
    fail_check("a plugin of this nearfar", error.what());
  }
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void name(const Subject& subject) {
  const std::string& found = subject.plugin().name();
  const bool kept = is_lower(found.front()) && found.find("--") == std::string::npos && found.size() <= 40;
  expect(kept, "a name that begins with a letter, of words with single hyphens, of at most 40 characters",
         "'" + found + "'");
}

void version(const Subject& subject) {
  const std::string& found = subject.plugin().version();
  const std::string core = found.substr(0, found.find_first_of("-+"));
  const std::vector<std::string> parts = split(core, '.');
  const auto number = [](const std::string& part) {
    return !part.empty() && std::ranges::all_of(part, is_digit) && (part.size() == 1 || part.front() != '0');
  };
  expect(parts.size() == 3 && std::ranges::all_of(parts, number), "a semantic version, MAJOR.MINOR.PATCH",
         "'" + found + "'");
}

void described(const Subject& subject) {
  const PluginDescription& text = subject.plugin().description();
  std::vector<std::string> missing;
  if (text.summary.empty()) missing.emplace_back(".summary");
  if (text.reference.empty()) missing.emplace_back(".reference");
  for (const ParamSpec& param : text.params) {
    if (param.help.empty()) missing.push_back("help of parameter '" + param.name + "'");
  }
  if (!missing.empty())
    warn_check("a summary, a reference and help for each parameter", "nothing in " + join(missing, ", "));
}

void needs(const Subject& subject) {
  constexpr Needs kKnown = (kValidation << 1U) - 1;
  const Needs found = subject.plugin().needs();
  expect((found & ~kKnown) == 0, fmt::format("needs among the bits {:#x}", kKnown), fmt::format("{:#x}", found));
  if (subject.plugin().kind() == PluginKind::loss) {
    expect(found == 0, "no .needs of a loss, whose traits say what it wants", fmt::format("{:#x}", found));
    return;
  }
  const Needs of_images = kLogits | kFeatures | kNormalizedFeatures | kMapStatistics | kInputGradients;
  expect((found & of_images) != 0, "a need of logits, features or of looking inside, to score by",
         fmt::format("needs {:#x}", found));
}

/// With these in place of the given ones: made, and does what it is for.
void use(const Subject& subject, const ParamMap& params, bool whole) {
  if (subject.plugin().kind() == PluginKind::loss) {
    LossSubject loss(subject, params);
    if (whole) loss.expect_finite(loss.usual_batch(), canonical_params(params));
    return;
  }
  PostprocessorHandle scorer = subject.postprocessor(params);
  if (!whole) return;
  const Problem problem = usual_problem();
  scorer.fit(subject.context(scorer, problem));
  subject.score(scorer, subject.batch(scorer, problem, images_of_classes(5, 0.3)));
}

/// What goes wrong with one setting is told with it.
void use_each(const Subject& subject, const std::vector<ParamMap>& settings, bool whole) {
  for (const ParamMap& setting : settings) {
    try {
      use(subject, setting, whole);
    } catch (const std::exception& error) {
      fail_check("that the table's values work", fmt::format("with {}: {}", canonical_params(setting), error.what()));
    }
  }
}

void create(const Subject& subject) { use(subject, {}, /*whole=*/false); }

void params_defaults(const Subject& subject) {
  ParamMap defaults;
  for (const ParamSpec& param : subject.plugin().params()) defaults[param.name] = param.default_value;
  use_each(subject, {defaults}, /*whole=*/false);
}

void params_bounds(const Subject& subject) {
  std::vector<ParamMap> settings;
  for (const ParamSpec& param : subject.plugin().params()) {
    if (param.type != ParamType::integer && param.type != ParamType::number) continue;
    for (const double bound : {param.minimum, param.maximum}) {
      if (!std::isfinite(bound)) continue;
      if (param.type == ParamType::integer) {
        settings.push_back({{param.name, static_cast<std::int64_t>(bound)}});
      } else {
        settings.push_back({{param.name, bound}});
      }
    }
  }
  if (settings.empty()) skip_check("no parameter has bounds");
  use_each(subject, settings, /*whole=*/false);
}

void params_choices(const Subject& subject) {
  std::vector<ParamMap> settings;
  for (const ParamSpec& param : subject.plugin().params()) {
    for (const std::string& choice : param.choices) settings.push_back({{param.name, choice}});
    if (param.type == ParamType::boolean)
      settings.insert(settings.end(), {{{param.name, true}}, {{param.name, false}}});
  }
  if (settings.empty()) skip_check("no parameter has choices");
  use_each(subject, settings, /*whole=*/true);
}

void create_many(const Subject& subject) {
  constexpr int kTimes = 200;
  constexpr std::size_t kGrowth = 64 << 10;
  use(subject, {}, false);
  const struct mallinfo2 before = ::mallinfo2();
  for (int i = 0; i < kTimes; ++i) use(subject, {}, false);
  const struct mallinfo2 after = ::mallinfo2();
  const std::size_t was = before.uordblks + before.hblkhd, is = after.uordblks + after.hblkhd;
  expect(is <= was + kGrowth,
         fmt::format("at most {} bytes more after {} objects were made and destroyed", kGrowth, kTimes),
         fmt::format("{} bytes more", is > was ? is - was : 0));
}

constexpr std::array kChecks{
    Check{.name = "file", .promise = "the file is a shared library for this machine", .run = file, .on_devices = false},
    Check{.name = "loads",
          .promise = "it loads with every symbol bound, and its descriptor is of this nearfar: API, build, kind, "
                     "functions, parameter table",
          .after = "file",
          .run = loads,
          .on_devices = false},
    Check{.name = "name",
          .promise = "the name is kebab-case, begins with a letter, and has at most 40 characters",
          .after = "loads",
          .run = name,
          .on_devices = false},
    Check{.name = "version",
          .promise = "the version is MAJOR.MINOR.PATCH",
          .after = "loads",
          .run = version,
          .on_devices = false},
    Check{.name = "described",
          .promise = "summary, reference and the help of each parameter are not empty (warns)",
          .after = "loads",
          .run = described,
          .on_devices = false},
    Check{.name = "needs",
          .promise = "the needs are known ones, a postprocessor has one to score by, and a loss has none",
          .after = "loads",
          .run = needs,
          .on_devices = false},
    Check{.name = "create",
          .promise = "an object is made with the given parameters, and destroyed",
          .after = "loads",
          .run = create},
    Check{.name = "create-many",
          .promise = "200 objects are made and destroyed without more memory",
          .after = "create",
          .run = create_many,
          .on_devices = false},
    Check{.name = "params-defaults",
          .promise = "an object is made with the defaults of the table",
          .after = "create",
          .run = params_defaults,
          .on_devices = false},
    Check{.name = "params-bounds",
          .promise = "an object is made with each parameter at its smallest and its largest value",
          .after = "create",
          .run = params_bounds,
          .on_devices = false},
    Check{.name = "params-choices",
          .promise = "each choice of a text and both values of a boolean make an object that works",
          .after = "scores loss",
          .run = params_choices},
};

}  // namespace

std::span<const Check> file_checks() { return kChecks; }

}  // namespace nearfar
