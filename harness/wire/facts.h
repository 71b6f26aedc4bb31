#pragma once
/// Answers of the engine's asking verbs: the documents of wire::Result. Plain values.
#include "host/description.h"
#include "wire/fields.h"

namespace nearfar::wire {

struct Refusal {
  std::string path = {}, message = {};
  std::string plugin = {};  ///< "postprocessor knn" where it is known what the library gives
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("path", m.path);
    visit("message", m.message);
    visit("plugin", m.plugin);
  }
};

/// Traits of a loss with the parameters asked for; `error` instead where the plugin is missing, refuses them, or is
/// broken.
struct LossAnswer {
  std::string head = {};  ///< "linear" or "embedding"
  std::int64_t views = 1;
  bool normalized_embedding = false;
  std::string error = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("head", m.head);
    visit("views", m.views);
    visit("normalized_embedding", m.normalized_embedding);
    visit("error", m.error);
  }
};

/// Of `inspect`.
struct Inspection {
  std::string torch = {};
  std::vector<Json> plugins = {};  ///< host/description.h's documents, in search order
  std::vector<Refusal> refusals = {};
  std::vector<std::string> architectures = {};
  std::vector<std::string> with_maps = {};  ///< architectures whose feature maps can be looked at
  std::vector<LossAnswer> losses = {};      ///< in the order asked
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("torch", m.torch);
    visit("plugins", m.plugins);
    visit("refusals", m.refusals);
    visit("architectures", m.architectures);
    visit("with_maps", m.with_maps);
    visit("losses", m.losses);
  }
};

/// Of `weights` and `import`.
struct WeightsFacts {
  std::string architecture = {};
  std::int64_t classes = 0;  ///< 0 = unknown
  std::string head = {};     ///< "linear" or "embedding"
  std::string projection = {};
  std::int64_t embedding_dim = 0;
  std::string format = {}, mapping = {};
  std::int64_t tensors = 0, values = 0;
  std::vector<std::string> ignored = {};
  std::string taken = {};  ///< for people, which part of the file; "" = all of it
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("architecture", m.architecture);
    visit("classes", m.classes);
    visit("head", m.head);
    visit("projection", m.projection);
    visit("embedding_dim", m.embedding_dim);
    visit("format", m.format);
    visit("mapping", m.mapping);
    visit("tensors", m.tensors);
    visit("values", m.values);
    visit("ignored", m.ignored);
    visit("taken", m.taken);
  }
};

/// A value inside an exported network.
struct NetworkNode {
  std::string name = {}, target = {}, shape = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("target", m.target);
    visit("shape", m.shape);
  }
};

/// What a network computes from stored inputs, against the stored logits.
struct ReferenceFacts {
  std::int64_t rows = 0;
  double largest = 0;        ///< difference
  double largest_logit = 0;  ///< magnitude, of the stored ones
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("rows", m.rows);
    visit("largest", m.largest);
    visit("largest_logit", m.largest_logit);
  }
};

/// Of `network`.
struct NetworkFacts {
  std::int64_t channels = 0, height = 0, width = 0;  ///< of its images
  std::int64_t batch = 0;                            ///< that it was exported for; 0 = any
  std::int64_t classes = 0, feature_dim = 0, stages = 0, parameters = 0;
  bool has_features = false;         ///< other than its logits
  bool has_head = false;             ///< the logits are a linear layer of the feature
  std::string feature_node = {};     ///< of an export with features
  std::string without_float64 = {};  ///< why there is no float64 copy; "" = there is
  std::string torch = {};            ///< version that exported it, where the file says
  std::optional<ReferenceFacts> reference = {};
  std::vector<NetworkNode> nodes = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("channels", m.channels);
    visit("height", m.height);
    visit("width", m.width);
    visit("batch", m.batch);
    visit("classes", m.classes);
    visit("feature_dim", m.feature_dim);
    visit("stages", m.stages);
    visit("parameters", m.parameters);
    visit("has_features", m.has_features);
    visit("has_head", m.has_head);
    visit("feature_node", m.feature_node);
    visit("without_float64", m.without_float64);
    visit("torch", m.torch);
    visit("reference", m.reference);
    visit("nodes", m.nodes);
  }
};

/// Of `score`.
struct ScoreFacts {
  std::int64_t count = 0;
  double seconds_fit = 0, seconds_score = 0;
  std::string params = {};  ///< canonical
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("count", m.count);
    visit("seconds_fit", m.seconds_fit);
    visit("seconds_score", m.seconds_score);
    visit("params", m.params);
  }
};

/// Of `loss`.
struct LossFacts {
  double value = 0;
  std::string params = {};  ///< canonical
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("value", m.value);
    visit("params", m.params);
  }
};

/// Of `models`: one an architecture, with 10 classes.
struct ModelFacts {
  std::string name = {};
  std::int64_t image_size = 0, feature_dim = 0, parameters = 0;
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("name", m.name);
    visit("image_size", m.image_size);
    visit("feature_dim", m.feature_dim);
    visit("parameters", m.parameters);
  }
};

struct CudaFacts {
  bool usable = false;
  std::int64_t devices = 0;
  std::string reason = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("usable", m.usable);
    visit("devices", m.devices);
    visit("reason", m.reason);
  }
};

/// Of `doctor`.
struct DoctorFacts {
  std::string torch = {}, cpu_capability = {};
  std::int64_t threads = 0;
  CudaFacts cuda = {};
  template <class Visit, class Self>
  static void fields(Visit&& visit, Self& m) {
    visit("torch", m.torch);
    visit("cpu_capability", m.cpu_capability);
    visit("threads", m.threads);
    visit("cuda", m.cuda);
  }
};

}  // namespace nearfar::wire
