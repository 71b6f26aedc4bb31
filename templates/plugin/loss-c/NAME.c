/* <%name%>: what it pulls together and pushes apart, in a line. Author and year, arXiv:NNNN.NNNNN. */
#include <nearfar/c.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Count the version up whenever losses change: results of another version are other results. */
#define NAME "<%name%>"
#define VERSION "0.1.0"
NEARFAR_NOTE("c", "loss", NAME, VERSION);

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

static int32_t traits(const nearfar_value* values, uint32_t count, nearfar_traits* wanted, nearfar_error* error) {
  (void)values, (void)count, (void)wanted, (void)error; /* the defaults: one view, logits of a linear head */
  return NEARFAR_OK;
}

/* YOUR FORMULA. The loss of one row, and its derivative by each logit where `gradient` is not NULL; here the cross-entropy
 * of logits / T. */
static double row_loss(const float* logits, int64_t classes, int64_t label, double temperature, float* gradient,
                       int64_t rows) {
  double largest = -INFINITY, sum = 0;
  for (int64_t c = 0; c < classes; ++c) largest = fmax(largest, logits[c]);
  for (int64_t c = 0; c < classes; ++c) sum += exp((logits[c] - largest) / temperature);
  for (int64_t c = 0; gradient != NULL && c < classes; ++c) {
    const double probability = exp((logits[c] - largest) / temperature) / sum;
    gradient[c] = (float)((probability - (c == label)) / (temperature * (double)rows));
  }
  return (largest - logits[label]) / temperature + log(sum);
}

static int32_t loss(void* self, const nearfar_loss_input* input, nearfar_loss_output* output, nearfar_error* error) {
  const int64_t rows = input->output.shape[0], classes = input->output.shape[1];
  const int64_t* labels = input->labels.data;
  float* gradient = output->output_gradient.data;
  double total = 0;
  for (int64_t i = 0; i < rows; ++i) {
    if (labels[i] < 0 || labels[i] >= classes) {
      snprintf(error->text, error->capacity, "label %lld of row %lld; expected 0 to %lld", (long long)labels[i],
               (long long)i, (long long)classes - 1);
      return NEARFAR_ERROR_DATA;
    }
    total += row_loss((const float*)input->output.data + i * classes, classes, labels[i], ((method*)self)->temperature,
                      gradient == NULL ? NULL : gradient + i * classes, rows);
  }
  output->value = total / (double)rows;
  return NEARFAR_OK;
}

static const nearfar_plugin plugin = {
    .struct_size = sizeof(nearfar_plugin),
    .abi = NEARFAR_ABI,
    .kind = NEARFAR_LOSS_KIND,
    .name = NAME,
    .version = VERSION,
    .summary = "cross-entropy at a temperature",
    .reference = "none",
    .source_hash = NEARFAR_SOURCE_HASH, /* of nearfar_add_plugin() */
    .param_count = 1,
    .params = params,
    .create = create,
    .destroy = free,
    .traits = traits,
    .loss = loss,
};

NEARFAR_C_EXPORT const nearfar_plugin* nearfar_plugin_v1(const nearfar_host* host) {
  return host->abi >= NEARFAR_ABI ? &plugin : NULL;
}
