/* Free energy in plain C: -T log sum exp(z / T). Liu et al. 2020, arXiv:2010.03759. */
#include <nearfar/c.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

NEARFAR_NOTE("c", "postprocessor", "energy-c", "1.0.0");

static const nearfar_host* host;

static const nearfar_param params[] = {
    {"temperature", NEARFAR_NUMBER, 0, 1.0, NULL, 1e-3, 1e6, NULL, "softmax temperature T"}};

typedef struct {
  double temperature;
} energy;

static int32_t create(const nearfar_value* values, uint32_t count, void** self, nearfar_error* error) {
  energy* made = malloc(sizeof *made);
  (void)count;
  if (made == NULL) {
    strncpy(error->text, "no memory for the object", error->capacity - 1);
    return NEARFAR_ERROR_MEMORY;
  }
  made->temperature = values[0].number;
  *self = made;
  return NEARFAR_OK;
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
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < z->shape[1]; ++c) largest = fmax(largest, (double)row[c * z->stride[1]]);
    for (int64_t c = 0; c < z->shape[1]; ++c) sum += exp((row[c * z->stride[1]] - largest) / todo->temperature);
    todo->scores[i] = (float)(-largest - todo->temperature * log(sum));
  }
}

static int32_t score(const void* self, const nearfar_batch* batch, nearfar_tensor* scores, nearfar_error* error) {
  (void)error;
  work todo = {&batch->logits, scores->data, ((const energy*)self)->temperature};
  host->parallel_for(0, batch->logits.shape[0], 256, score_rows, &todo);
  return NEARFAR_OK;
}

static const nearfar_plugin plugin = {
    .struct_size = sizeof(nearfar_plugin),
    .abi = NEARFAR_ABI,
    .kind = NEARFAR_POSTPROCESSOR_KIND,
    .name = "energy-c",
    .version = "1.0.0",
    .summary = "free energy of the logits, in C",
    .reference = "arXiv:2010.03759",
    .needs = NEARFAR_NEEDS_LOGITS,
    .param_count = 1,
    .params = params,
    .create = create,
    .destroy = free,
    .score = score,
};

NEARFAR_C_EXPORT const nearfar_plugin* nearfar_plugin_v1(const nearfar_host* given) {
  host = given;
  return &plugin;
}
