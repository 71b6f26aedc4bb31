#pragma once
/// What an engine tells its parent: one JSON line each on descriptor 3 (docs/engine-protocol.md). Plain values.
#include "wire/fields.h"

#include <variant>

namespace nearfar::wire {

/// Of the work that goes on now; for bars only.
struct Progress {
  static constexpr const char* kType = "progress";
  double done = 0, total = 0;
  std::string note = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("done", m.done);
    visit("total", m.total);
    visit("note", m.note);
  }
};

/// A sign of life, from a loop that goes on: everything else that an engine says is one, too.
struct Alive {
  static constexpr const char* kType = "alive";
  template <class Visit, class Self>
  static void fields(Visit&&, Self&) {}
};

/// The process is about to end by itself: why. It is the fault of the cells that it works for.
struct Dying {
  static constexpr const char* kType = "dying";
  std::string state = {}, message = {};  ///< state: "crashed" or "oom"
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("state", m.state);
    visit("message", m.message);
  }
};

/// From now on the engine works for these cells: their clocks run, and a crash or a timeout is theirs. Empty: for none
/// in particular.
struct Begin {
  static constexpr const char* kType = "begin";
  std::vector<std::string> cells = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cells", m.cells);
  }
};

struct Artifact {
  std::string name = {}, path = {}, sha256 = {};  ///< path beneath the job's `out`
  std::int64_t bytes = 0;
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("path", m.path);
    visit("sha256", m.sha256);
    visit("bytes", m.bytes);
  }
};

struct Epoch {
  std::int64_t epoch = 0;  ///< from 0
  double loss = 0, learning_rate = 0;
  std::optional<double> val_accuracy = {};
  std::optional<double> gradient_norm = {};  ///< of its last step, before clipping
  std::optional<double> ood_val_auroc = {};
  std::optional<double> images_per_second = {};  ///< known of the epochs that ran in this process
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("epoch", m.epoch);
    visit("loss", m.loss);
    visit("learning_rate", m.learning_rate);
    visit("val_accuracy", m.val_accuracy);
    visit("gradient_norm", m.gradient_norm);
    visit("ood_val_auroc", m.ood_val_auroc);
    visit("images_per_second", m.images_per_second);
  }
};

/// What a cell asked of its device; all zero on a CPU.
struct DeviceUse {
  std::int64_t to_device = 0, to_device_bytes = 0;  ///< copies from the host
  std::int64_t to_host = 0, to_host_bytes = 0;      ///< copies to the host
  std::int64_t waits = 0;                           ///< times that the host waited for the device
  std::int64_t peak_bytes = 0;                      ///< of the process so far: memory that tensors held at most
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("to_device", m.to_device);
    visit("to_device_bytes", m.to_device_bytes);
    visit("to_host", m.to_host);
    visit("to_host_bytes", m.to_host_bytes);
    visit("waits", m.waits);
    visit("peak_bytes", m.peak_bytes);
  }
};

/// A train cell is done.
struct Trained {
  static constexpr const char* kType = "trained";
  std::string cell = {};
  double seconds = 0;
  std::vector<Epoch> history = {};
  std::int64_t best_epoch = 0;
  std::optional<double> val_accuracy = {};
  std::string classifier = {};  ///< "linear" or "ncm": what val_accuracy was measured with
  std::int64_t unreadable = 0;  ///< train and validation images left out, or others stood in for them
  std::int64_t damaged = 0;     ///< such with made-up pixels: their files are cut off or have errors
  DeviceUse device = {};
  std::vector<Artifact> artifacts = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("seconds", m.seconds);
    visit("history", m.history);
    visit("best_epoch", m.best_epoch);
    visit("val_accuracy", m.val_accuracy);
    visit("classifier", m.classifier);
    visit("unreadable", m.unreadable);
    visit("damaged", m.damaged);
    visit("device", m.device);
    visit("artifacts", m.artifacts);
  }
};

/// What a look of the network at an image set cost, in images (features/network_pass.h).
struct Cost {
  std::int64_t forward = 0, gradients = 0, changed = 0, float64 = 0;
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("forward", m.forward);
    visit("gradients", m.gradients);
    visit("changed", m.changed);
    visit("float64", m.float64);
  }
};

/// An image set has been looked at. `cell`: the features cell that is done with it; "" where only methods that look
/// inside needed it.
struct Passed {
  static constexpr const char* kType = "passed";
  std::string cell = {}, set = {};
  double seconds = 0;
  Cost cost = {};               ///< all zero: everything was cached
  std::int64_t unreadable = 0;  ///< images left out
  std::int64_t damaged = 0;     ///< images with made-up pixels: their files are cut off or have errors
  DeviceUse device = {};
  std::vector<Artifact> artifacts = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("set", m.set);
    visit("seconds", m.seconds);
    visit("cost", m.cost);
    visit("unreadable", m.unreadable);
    visit("damaged", m.damaged);
    visit("device", m.device);
    visit("artifacts", m.artifacts);
  }
};

struct ProtocolAccuracy {
  std::string protocol = {}, dataset = {};  ///< dataset "test" or "test+csid"
  double value = 0;                         ///< fraction
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("protocol", m.protocol);
    visit("dataset", m.dataset);
    visit("value", m.value);
  }
};

struct ScoreFile {
  std::string set = {}, path = {}, sha256 = {};  ///< path beneath the job's `out`
  std::int64_t count = 0;
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("set", m.set);
    visit("path", m.path);
    visit("sha256", m.sha256);
    visit("count", m.count);
  }
};

/// An accuracy cell is done: how good the model's classifier is.
struct Measured {
  static constexpr const char* kType = "measured";
  std::string cell = {};
  std::string classifier = {};  ///< "linear" or "ncm"
  std::vector<ProtocolAccuracy> accuracy = {};
  std::optional<double> nll = {}, ece = {};  ///< of `test`, with logits only: nats, fraction
  std::int64_t unreadable = 0, damaged = 0;
  std::vector<Artifact> artifacts = {};
  std::vector<ScoreFile> correct = {};  ///< "correct/test", "correct/csid/NAME": uint8 a labelled image, 1 = right
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("classifier", m.classifier);
    visit("accuracy", m.accuracy);
    visit("nll", m.nll);
    visit("ece", m.ece);
    visit("unreadable", m.unreadable);
    visit("damaged", m.damaged);
    visit("artifacts", m.artifacts);
    visit("correct", m.correct);
  }
};

struct GridPoint {
  std::string params = {};           ///< canonical
  std::optional<double> auroc = {};  ///< none: the plugin refused the point
  std::string refused = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("params", m.params);
    visit("auroc", m.auroc);
    visit("refused", m.refused);
  }
};

/// A parameter search on the validation sets.
struct Tuned {
  std::string chosen = {};  ///< canonical; the first of the highest
  std::vector<GridPoint> points = {};
  std::int64_t ties = 0;  ///< other points with the same AUROC
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("chosen", m.chosen);
    visit("points", m.points);
    visit("ties", m.ties);
  }
};

/// An eval cell is done; the parent reads the score files and computes the metrics.
struct Scored {
  static constexpr const char* kType = "scored";
  std::string cell = {};
  double seconds_fit = 0, seconds_score = 0;
  std::vector<ScoreFile> scores = {};
  std::optional<Tuned> tuned = {};
  std::int64_t unreadable = 0;  ///< images left out of all its sets
  std::int64_t damaged = 0;     ///< images of all its sets with made-up pixels
  DeviceUse device = {};
  bool on_cpu = false;  ///< the device's memory was too small for this method
  std::vector<Artifact> artifacts = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("seconds_fit", m.seconds_fit);
    visit("seconds_score", m.seconds_score);
    visit("scores", m.scores);
    visit("tuned", m.tuned);
    visit("unreadable", m.unreadable);
    visit("damaged", m.damaged);
    visit("device", m.device);
    visit("on_cpu", m.on_cpu);
    visit("artifacts", m.artifacts);
  }
};

/// One cell cannot go on; the others do.
struct Failed {
  static constexpr const char* kType = "failed";
  std::string cell = {}, state = {}, kind = {}, message = {};  ///< state: "failed", "nan" or "oom"; kind: base/error.h
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("state", m.state);
    visit("kind", m.kind);
    visit("message", m.message);
  }
};

/// A cell was not tried, because something it needs has failed; it stays planned.
struct Skipped {
  static constexpr const char* kType = "skipped";
  std::string cell = {}, message = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("cell", m.cell);
    visit("message", m.message);
  }
};

/// The whole job cannot go on. kind "interrupted": it was told to stop, after a checkpoint.
struct JobError {
  static constexpr const char* kType = "error";
  std::string kind = {}, state = {}, message = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("kind", m.kind);
    visit("state", m.state);
    visit("message", m.message);
  }
};

/// The answer of a verb that is asked something; facts.h has the documents.
struct Result {
  static constexpr const char* kType = "result";
  Json document = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("document", m.document);
  }
};

using AnyMessage =
    std::variant<Progress, Alive, Begin, Trained, Passed, Measured, Scored, Failed, Skipped, Dying, JobError, Result>;

/// One line without its end, and back. Error(internal) for a line that is no message: unknown type, missing or unknown
/// field.
std::string line_of(const AnyMessage& message);
AnyMessage message_of(std::string_view line);

}  // namespace nearfar::wire
