#pragma once
/// `nearfar plugin bench`: what the engine is asked to time, and what it measured. Plain values.
#include "wire/fields.h"
#include "wire/jobs.h"

namespace nearfar::wire {

/// How much is measured on. Which numbers count is the input's affair (BenchFacts::input).
struct BenchSize {
  std::string name = {};
  std::int64_t train = 0;    ///< rows, or images, that a postprocessor is fitted on
  std::int64_t width = 0;    ///< D of features, E of an embedding
  std::int64_t classes = 0;  ///< C
  std::int64_t rows = 0;     ///< that are scored; images of a loss's batch
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("train", m.train);
    visit("width", m.width);
    visit("classes", m.classes);
    visit("rows", m.rows);
  }
};

/// One side of a measurement as a person names it.
struct BenchChoice {
  std::string word = {};  ///< a file (absolute) or a name; "" (of the reference only): the built-in one
  std::vector<std::string> assignments = {};  ///< "k=50"
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("word", m.word);
    visit("assignments", m.assignments);
  }
};

/// Two plugins on one size. → BenchFacts. Without a size: only what they are.
struct BenchJob {
  BenchChoice subject = {}, reference = {};
  std::string kind = {};  ///< "postprocessor", "loss"; "" = whichever has the name
  std::vector<std::string> directories = {};
  std::string installed = {};
  std::optional<BenchSize> size = {};
  std::int64_t repeat = 0;  ///< pairs of samples
  Compute compute = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("subject", m.subject);
    visit("reference", m.reference);
    visit("kind", m.kind);
    visit("directories", m.directories);
    visit("installed", m.installed);
    visit("size", m.size);
    visit("repeat", m.repeat);
    visit("compute", m.compute);
  }
};

/// What was measured.
struct BenchPlugin {
  std::string name = {}, version = {}, tier = {}, path = {}, source_hash = {}, binary_hash = {};
  std::string params = {};    ///< canonical
  std::string compiler = {};  ///< that built it
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("version", m.version);
    visit("compiler", m.compiler);
    visit("tier", m.tier);
    visit("path", m.path);
    visit("source_hash", m.source_hash);
    visit("binary_hash", m.binary_hash);
    visit("params", m.params);
  }
};

/// Of one side; samples of both sides alternate.
struct BenchSamples {
  std::vector<double> seconds = {};             ///< of a call, in the order measured
  std::int64_t calls = 1;                       ///< that a sample is the mean of
  std::optional<std::int64_t> peak_bytes = {};  ///< memory at most beyond what was there before the call, of a call of
                                                ///< its own; nullopt: the system does not tell
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("seconds", m.seconds);
    visit("calls", m.calls);
    visit("peak_bytes", m.peak_bytes);
  }
};

struct BenchMeasure {
  std::string name = {};                       ///< "fit", "observe", "score"; "forward", "step"
  std::int64_t rows = 0;                       ///< rows or images of a call
  std::optional<BenchSamples> subject = {};    ///< without: it does not do this
  std::optional<BenchSamples> reference = {};  ///< likewise
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("rows", m.rows);
    visit("subject", m.subject);
    visit("reference", m.reference);
  }
};

struct BenchFacts {
  std::string kind = {};   ///< of both
  std::string input = {};  ///< "features", "network" (it looks inside one) or "batch" (of a loss)
  BenchPlugin subject = {}, reference = {};
  std::string torch = {}, cpu_capability = {};
  std::string build_type = {};  ///< of the engine: "Release"
  std::string device = {};      ///< an accelerator's name; of a CPU ""
  std::vector<BenchMeasure> measures = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("kind", m.kind);
    visit("input", m.input);
    visit("subject", m.subject);
    visit("reference", m.reference);
    visit("torch", m.torch);
    visit("cpu_capability", m.cpu_capability);
    visit("build_type", m.build_type);
    visit("device", m.device);
    visit("measures", m.measures);
  }
};

}  // namespace nearfar::wire
