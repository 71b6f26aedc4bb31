/* <%name%>: what it scores by, in a line. Author and year, arXiv:NNNN.NNNNN. */
#include <nearfar/c.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Count the version up whenever scores change: results of another version are other results. */
#define NAME "<%name%>"
#define VERSION "0.1.0"
NEARFAR_NOTE("c", "postprocessor", NAME, VERSION);

static const nearfar_host* host;

static const nearfar_param params[] = {
    {"temperature", NEARFAR_NUMBER, 0, 1.0, NULL, 1e-3, 1e6, NULL, "softmax temperature T"}};

typedef struct {
  double temperature;
} method;

static int32_t create(const nearfar_value* values, uint32_t count, void** self, nearfar_error* error) {
  method* made = malloc(sizeof *made);
  (void)count;
  if (made == NULL) {
    snprintf(error->text, error->capacity, "no memory for the object");
    return NEARFAR_ERROR_MEMORY;
  }
  made->temperature = values[0].number; /* in the table's order */
  *self = made;
  return NEARFAR_OK;
}

/* YOUR FORMULA. The score of one row, higher = more out-of-distribution; here -T logsumexp(logits / T). */
static double score_of(const float* logits, int64_t stride, int64_t classes, double temperature) {
  double largest = -INFINITY, sum = 0;
  for (int64_t c = 0; c < classes; ++c) largest = fmax(largest, logits[c * stride]);
  for (int64_t c = 0; c < classes; ++c) sum += exp((logits[c * stride] - largest) / temperature);
  return -largest - temperature * log(sum);
}

typedef struct {
  const nearfar_tensor* logits;
  float* scores;
  double temperature;
} work;

static void score_rows(int64_t begin, int64_t end, void* context) {
  const work* todo = context;
  const nearfar_tensor* z = todo->logits;
  for (int64_t i = begin; i < end; ++i) {
    const float* row = (const float*)z->data + i * z->stride[0];
    todo->scores[i] = (float)score_of(row, z->stride[1], z->shape[1], todo->temperature);
  }
}

static int32_t score(const void* self, const nearfar_batch* batch, nearfar_tensor* scores, nearfar_error* error) {
  work todo = {&batch->logits, scores->data, ((const method*)self)->temperature};
  (void)error;
  host->parallel_for(0, batch->logits.shape[0], 256, score_rows, &todo);
  return NEARFAR_OK;
}

static const nearfar_plugin plugin = {
    .struct_size = sizeof(nearfar_plugin),
    .abi = NEARFAR_ABI,
    .kind = NEARFAR_POSTPROCESSOR_KIND,
    .name = NAME,
    .version = VERSION,
    .summary = "free energy of the logits",
    .reference = "none",
    .source_hash = NEARFAR_SOURCE_HASH, /* of nearfar_add_plugin() */
    .needs = NEARFAR_NEEDS_LOGITS,
    .param_count = 1,
    .params = params,
    .create = create,
    .destroy = free,
    .score = score,
};

NEARFAR_C_EXPORT const nearfar_plugin* nearfar_plugin_v1(const nearfar_host* given) {
  host = given;
  return given->abi >= NEARFAR_ABI ? &plugin : NULL;
}
