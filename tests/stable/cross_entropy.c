/* Mean cross-entropy of z scaled by a trained factor, with its derivatives, in plain C: what a loss of tier c looks like
 * that has a parameter and a counter of its own. */
#include <nearfar/c.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

NEARFAR_NOTE("c", "loss", "ce-c", "1.0.0");

typedef struct {
  float scale, steps;
} loss_object;

static int32_t create(const nearfar_value* values, uint32_t count, void** self, nearfar_error* error) {
  loss_object* made = malloc(sizeof *made);
  (void)values, (void)count, (void)error;
  if (made == NULL) return NEARFAR_ERROR_MEMORY;
  made->scale = 1;
  made->steps = 0;
  *self = made;
  return NEARFAR_OK;
}

static int32_t traits(const nearfar_value* values, uint32_t count, nearfar_traits* wanted, nearfar_error* error) {
  (void)values, (void)count, (void)wanted, (void)error; /* the defaults: one view, a linear head */
  return NEARFAR_OK;
}

static int32_t forward(void* self, const nearfar_loss_input* input, nearfar_loss_output* output, nearfar_error* error) {
  loss_object* own = self;
  const int64_t rows = input->output.shape[0], classes = input->output.shape[1];
  const float* z = input->output.data;
  const int64_t* labels = input->labels.data;
  float* gradient = output->output_gradient.data;
  double total = 0, by_scale = 0;
  for (int64_t i = 0; i < rows; ++i, z += classes) {
    if (labels[i] < 0 || labels[i] >= classes) {
      snprintf(error->text, error->capacity, "label %lld of row %lld; expected 0 to %lld", (long long)labels[i],
               (long long)i, (long long)classes - 1);
      return NEARFAR_ERROR_DATA;
    }
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; ++c) largest = fmax(largest, (double)own->scale * z[c]);
    for (int64_t c = 0; c < classes; ++c) sum += exp((double)own->scale * z[c] - largest);
    total += largest + log(sum) - (double)own->scale * z[labels[i]];
    for (int64_t c = 0; c < classes; ++c) {
      const double by_logit = exp((double)own->scale * z[c] - largest) / sum - (c == labels[i]);
      by_scale += by_logit * z[c];
      if (gradient != NULL) gradient[i * classes + c] = (float)(own->scale * by_logit / (double)rows);
    }
  }
  output->value = total / (double)rows;
  if (output->parameters == 1 && output->parameter_gradients[0].data != NULL)
    *(float*)output->parameter_gradients[0].data = (float)(by_scale / (double)rows);
  own->steps += 1;
  return NEARFAR_OK;
}

static int32_t state(void* self, uint32_t index, nearfar_state* one, nearfar_error* error) {
  static const int64_t no_dimension[] = {0};
  loss_object* own = self;
  (void)error;
  if (index > 1) return NEARFAR_END;
  one->name = index == 0 ? "scale" : "steps";
  one->parameter = index == 0;
  one->tensor.data = index == 0 ? &own->scale : &own->steps;
  one->tensor.shape = one->tensor.stride = no_dimension;
  one->tensor.dims = 0;
  one->tensor.dtype = NEARFAR_FLOAT32;
  one->tensor.device = NEARFAR_CPU;
  return NEARFAR_OK;
}

static const nearfar_plugin plugin = {
    .struct_size = sizeof(nearfar_plugin),
    .abi = NEARFAR_ABI,
    .kind = NEARFAR_LOSS_KIND,
    .name = "ce-c",
    .version = "1.0.0",
    .summary = "mean cross-entropy of scaled logits, in C",
    .reference = "arXiv:1512.00567",
    .create = create,
    .destroy = free,
    .traits = traits,
    .loss = forward,
    .state = state,
};

NEARFAR_C_EXPORT const nearfar_plugin* nearfar_plugin_v1(const nearfar_host* host) {
  return host->abi >= NEARFAR_ABI ? &plugin : NULL;
}
