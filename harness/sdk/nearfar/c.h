/* The stable boundary between nearfar and a plugin: C11, nothing of LibTorch, nothing of C++. A plugin of tier `c` is
 * written against this header alone (in C, Rust, ...); one of tier `stable` is C++ on LibTorch's stable C shim, behind
 * the same descriptor, which <nearfar/plugin.h> fills in.
 *
 * PROMISE. A binary made for ABI 1 loads in every nearfar that has ABI 1.
 * - Structs that begin with `struct_size` only ever grow at their end. Whoever makes one sets it to its own sizeof; who
 *   reads one takes what lies beyond it as zeros (NEARFAR_HAS).
 * - Structs without `struct_size`, and the values of enums, never change.
 * - A pointer to a function that a plugin does not have is NULL.
 * OWNERSHIP. What a function is given is borrowed for the call and never written, unless its comment says otherwise.
 * Texts are UTF-8, NUL-terminated. A library is never unloaded: what it returns by pointer may be static.
 * THREADS. create, destroy, fit and everything of a loss: one thread at a time. score: several at once for one object
 * once fit has returned.
 * ERRORS. A function returns NEARFAR_OK or another status after writing a text to nearfar_error: what was found, what
 * was expected, what to do. No C++ exception and no Rust panic may leave a function. */
#ifndef NEARFAR_C_H
#define NEARFAR_C_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEARFAR_ABI 1u
#define NEARFAR_C_ENTRY "nearfar_plugin_v1"

/* Does the struct at `pointer`, as large as it says, have `member`? */
#define NEARFAR_HAS(pointer, type, member) \
  ((pointer)->struct_size >= offsetof(type, member) + sizeof(((type*)0)->member))

/* Status of a call: whose fault it is, which decides the exit code. */
enum {
  NEARFAR_OK = 0,
  NEARFAR_ERROR_CONFIG = 1, /* a parameter that a person can correct */
  NEARFAR_ERROR_DATA = 2,   /* what it was given: no labels, too few images */
  NEARFAR_ERROR_PLUGIN = 3, /* anything else */
  NEARFAR_ERROR_MEMORY = 4, /* out of memory, of host or device: smaller batches are tried */
  NEARFAR_END = 5           /* of `state`: there is no such index */
};

/* `text` has room for `capacity` bytes, the NUL included; the host provides it. */
typedef struct nearfar_error {
  uint32_t struct_size;
  uint32_t capacity;
  char* text;
} nearfar_error;

enum {
  NEARFAR_FLOAT32 = 1,
  NEARFAR_FLOAT64 = 2,
  NEARFAR_INT64 = 3,
  NEARFAR_BFLOAT16 = 4,
  NEARFAR_FLOAT16 = 5,
  NEARFAR_OTHER_DTYPE = 0
};
enum { NEARFAR_CPU = 1, NEARFAR_CUDA = 2, NEARFAR_OTHER_DEVICE = 0 }; /* as in DLPack */

/* A tensor, or none where shape is NULL. Frozen.
 * data is where the first element lies; NULL for a tensor that is not on the CPU, which only a handle reaches. Strides
 * count elements. */
typedef struct nearfar_tensor {
  void* data;
  const int64_t* shape;
  const int64_t* stride;
  int32_t dims;
  int32_t dtype;
  int32_t device;
  int32_t device_index;
  void* handle; /* an AtenTensorHandle for a plugin with NEARFAR_TORCH, else NULL */
} nearfar_tensor;

/* Parameters. Frozen. Names keep OpenOOD's spelling in lower case. */
enum { NEARFAR_BOOLEAN = 0, NEARFAR_INTEGER = 1, NEARFAR_NUMBER = 2, NEARFAR_TEXT = 3, NEARFAR_FILE = 4 };
typedef struct nearfar_param {
  const char* name;
  int32_t type;
  int32_t reserved;
  double default_number;    /* of boolean (0 or 1), integer, number */
  const char* default_text; /* of text and file; NULL = "" */
  double minimum, maximum;  /* closed range of integer and number */
  const char* choices;      /* of text: "a|b|c"; NULL or "" = any */
  const char* help;
} nearfar_param;

/* A checked value, in the order of the plugin's table. Frozen. */
typedef struct nearfar_value {
  const char* name;
  int32_t type;
  int32_t reserved;
  int64_t integer;  /* of boolean (0 or 1) and integer */
  double number;    /* of number; of integer, too */
  const char* text; /* of text and file */
} nearfar_value;

/* What must be given. */
enum {
  NEARFAR_NEEDS_LOGITS = 1,
  NEARFAR_NEEDS_FEATURES = 2,
  NEARFAR_NEEDS_NORMALIZED_FEATURES = 4,
  NEARFAR_NEEDS_HEAD_WEIGHTS = 8,
  NEARFAR_NEEDS_MAP_STATISTICS = 16,  /* observe() is called; NEARFAR_TORCH only */
  NEARFAR_NEEDS_INPUT_GRADIENTS = 32, /* the same */
  NEARFAR_NEEDS_TRAIN = 64,
  NEARFAR_NEEDS_VALIDATION = 128
};

/* What the host offers. One for the life of the process; any thread. */
typedef struct nearfar_host {
  uint32_t struct_size;
  uint32_t abi;        /* NEARFAR_ABI of the host */
  const char* version; /* of nearfar: "1.0.0" */
  /* Calls body(begin, end, context) for parts of [begin, end) on the host's threads, each of `grain` or more, and
   * returns when all are done. */
  void (*parallel_for)(int64_t begin, int64_t end, int64_t grain, void (*body)(int64_t, int64_t, void*), void* context);
  int32_t (*threads)(void); /* that parallel_for uses at most */
  void (*log)(const char* text);
} nearfar_host;

/* N rows of a model's outputs. Float32, contiguous; what `needs` does not name may be missing. */
typedef struct nearfar_batch {
  uint32_t struct_size;
  uint32_t reserved;
  nearfar_tensor features;   /* [N,D] raw pooled backbone feature */
  nearfar_tensor normalized; /* [N,D] features / max(|features|, 1e-12) */
  nearfar_tensor logits;     /* [N,C] */
  nearfar_tensor labels;     /* [N] int64; missing when scoring */
  nearfar_tensor observed;   /* [N,K] what observe() kept */
} nearfar_batch;

/* The tensors stay as they are for the life of the object: fit may keep them (data and handles; not the structs). */
typedef struct nearfar_fit {
  uint32_t struct_size;
  uint32_t reserved;
  const nearfar_batch* train;
  const nearfar_batch* validation;
  nearfar_tensor head_weight; /* [C,D] */
  nearfar_tensor head_bias;   /* [C] */
  int64_t classes;
} nearfar_fit;

/* A batch inside the network, for plugins with NEARFAR_TORCH: what <nearfar/network_batch.h> says of each function.
 * Tensors are AtenTensorHandles; those that are returned belong to the caller. `error` as everywhere. */
typedef struct nearfar_network {
  uint32_t struct_size;
  int32_t stages;
  void* context;
  const double* pixel_std;
  uint32_t channels;
  uint32_t layer_count;
  int32_t (*get)(void* context, int32_t what, int64_t index, void** tensor, nearfar_error* error);
  int32_t (*forward)(void* context, void* images, void** features, void** logits, nearfar_error* error);
  int32_t (*forward_to)(void* context, int64_t stage, void* images, void** map, nearfar_error* error);
  int32_t (*forward_from)(void* context, int64_t stage, void* map, void** features, void** logits,
                          nearfar_error* error);
  int32_t (*logit_gradient)(void* context, void* direction, void** gradient, nearfar_error* error);
  int32_t (*map_gradient)(void* context, int64_t stage, void* direction, void** gradient, nearfar_error* error);
  int32_t (*in_float64)(void* context, const struct nearfar_network** network, nearfar_error* error);
} nearfar_network;
/* `what` of get(): index is the stage or the layer. */
enum {
  NEARFAR_GET_IMAGES = 0,
  NEARFAR_GET_FEATURES = 1,
  NEARFAR_GET_LOGITS = 2,
  NEARFAR_GET_MAP = 3,
  NEARFAR_GET_LAYER = 4
};

/* What a loss wants; <nearfar/loss.h> LossTraits says more of each. The host sets the defaults before it asks. */
typedef struct nearfar_traits {
  uint32_t struct_size;
  int32_t views;     /* 1 or 2 */
  int32_t embedding; /* 0 = logits of a linear head, 1 = a projection */
  int32_t normalized_embedding;
  int32_t wants_features;
  int32_t takes_soft_targets;
  int32_t wants_auxiliary;
  int32_t wants_class_means;
  double feature_temperature;
  double evaluated_temperature;
  int32_t capturable;
  int32_t reserved;
} nearfar_traits;

typedef struct nearfar_setup {
  uint32_t struct_size;
  int32_t device; /* where the loss makes its state; NEARFAR_CPU for a plugin without NEARFAR_TORCH */
  int32_t device_index;
  int32_t reserved;
  int64_t classes, output_width, feature_width;
  uint64_t seed;
  void* like; /* with NEARFAR_TORCH: an empty float32 tensor on the device; borrowed */
} nearfar_setup;

typedef struct nearfar_loss_input {
  uint32_t struct_size;
  uint32_t reserved;
  nearfar_tensor output; /* [N,C] or [N,E] */
  nearfar_tensor labels; /* [N] int64 */
  nearfar_tensor features, soft_targets, aux_output, aux_features;
  int64_t epoch, step, most_of_a_label;
} nearfar_loss_input;

/* Where the loss goes.
 * With NEARFAR_TORCH `loss` becomes a new handle of a scalar that autograd made.
 * Without: `value`, and its derivatives, which the host makes one node of the graph: into the float32 memory that is
 * given (contiguous, of the input's shape, zeros); where none is wanted, data is NULL. parameter_gradients: one for
 * each state() tensor with `parameter`, in that order. */
typedef struct nearfar_loss_output {
  uint32_t struct_size;
  uint32_t parameters;
  double value;
  void* loss;
  nearfar_tensor output_gradient, features_gradient, aux_output_gradient, aux_features_gradient;
  nearfar_tensor* parameter_gradients;
} nearfar_loss_output;

/* A tensor that belongs to a loss. Without NEARFAR_TORCH: contiguous float32 memory of the plugin's, which the host
 * reads, saves and writes (the optimiser, a resume) until destroy. */
typedef struct nearfar_state {
  uint32_t struct_size;
  int32_t parameter; /* trained with the network's */
  const char* name;
  nearfar_tensor tensor; /* handle: a new one */
} nearfar_state;

/* flags */
enum {
  NEARFAR_TORCH = 1,          /* takes and returns AtenTensorHandles, on any device; else float32 memory of the CPU */
  NEARFAR_TUNED = 2,          /* PluginText::tuned */
  NEARFAR_OBSERVES_FITTED = 4 /* PluginText::observes_fitted */
};
enum { NEARFAR_POSTPROCESSOR_KIND = 1, NEARFAR_LOSS_KIND = 2 };

typedef struct nearfar_plugin {
  uint32_t struct_size;
  uint32_t abi; /* NEARFAR_ABI of the plugin */
  uint32_t kind;
  uint32_t flags;
  const char *name, *version; /* kebab-case key; semantic version of the method's results */
  const char *summary, *reference;
  uint32_t needs;
  uint32_t param_count;
  const nearfar_param* params;
  const char* sweep;           /* as PluginText::sweep; NULL = nothing */
  const char* observed_params; /* as PluginText::observed_params */
  const char* source_hash;     /* nearfar_add_plugin() sets it; where NULL, the library's own content stands for it */

  /* An object into `self`; what it keeps of the values it copies. */
  int32_t (*create)(const nearfar_value* values, uint32_t count, void** self, nearfar_error* error);
  void (*destroy)(void* self);

  /* A postprocessor. Higher = more out-of-distribution; finite for finite rows; row by row. fit may be NULL. */
  int32_t (*fit)(void* self, const nearfar_fit* context, nearfar_error* error);
  /* With NEARFAR_TORCH `scores->handle` becomes a new handle of [N] float32 or float64; without, `scores->data` has
   * room for N floats. */
  int32_t (*score)(const void* self, const nearfar_batch* batch, nearfar_tensor* scores, nearfar_error* error);
  /* `columns->handle` becomes a new handle of [B,K] float32. */
  int32_t (*observe)(const void* self, const nearfar_network* batch, int32_t fitted, nearfar_tensor* columns,
                     nearfar_error* error);

  /* A loss. traits needs no object; prepare, start and state may be NULL. */
  int32_t (*traits)(const nearfar_value* values, uint32_t count, nearfar_traits* traits, nearfar_error* error);
  int32_t (*prepare)(void* self, const nearfar_setup* setup, nearfar_error* error);
  int32_t (*start)(void* self, const nearfar_tensor* class_means, nearfar_error* error);
  int32_t (*loss)(void* self, const nearfar_loss_input* input, nearfar_loss_output* output, nearfar_error* error);
  int32_t (*state)(void* self, uint32_t index, nearfar_state* state, nearfar_error* error);
} nearfar_plugin;

/* The one symbol that a plugin exports. Called once for a process and before anything else; may keep `host`. NULL if
 * the host's abi is too old for it. */
const nearfar_plugin* nearfar_plugin_v1(const nearfar_host* host);

#define NEARFAR_C_EXPORT __attribute__((visibility("default")))

/* The note that tells what a library is without running it: one line in one file,
 *   NEARFAR_NOTE("c", "postprocessor", "energy-c", "1.0.0")
 * Owner "nearfar", type 1, NUL-terminated key=value strings. Texts are literals. */
#define NEARFAR_NOTE(tier, kind, name, version)                                                                        \
  static const struct {                                                                                                \
    uint32_t owner_size, text_size, type;                                                                              \
    char owner[8];                                                                                                     \
    char                                                                                                               \
        text[(sizeof("note=1\0tier=" tier "\0kind=" kind "\0name=" name "\0version=" version "\0abi=1") + 3) / 4 * 4]; \
  } nearfar_note_ __attribute__((section(".note.nearfar"), used, aligned(4))) = {                                      \
      8, sizeof("note=1\0tier=" tier "\0kind=" kind "\0name=" name "\0version=" version "\0abi=1"), 1, "nearfar",      \
      "note=1\0tier=" tier "\0kind=" kind "\0name=" name "\0version=" version "\0abi=1"}

#ifdef __cplusplus
}
#endif
#endif
