/* The loss of two rows of logits, worked out by hand, and its gradient against central differences. golden PLUGIN.so */
#include <nearfar/c.h>

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROWS 2
#define CLASSES 3

/* Rows (0,0,0) and (1,0,0) of classes 0 and 1: the mean of log 3 and log(e + 2) = 1.098612 and 1.551445. */
static const double kWanted = (1.0986122887 + 1.5514447139) / 2;

static const nearfar_plugin* plugin;
static void* object;
static char text[1000];
static nearfar_error problem = {sizeof(nearfar_error), sizeof text, text};

static nearfar_tensor matrix(float* values) {
  static const int64_t shape[] = {ROWS, CLASSES}, stride[] = {CLASSES, 1};
  nearfar_tensor tensor = {values, shape, stride, 2, NEARFAR_FLOAT32, NEARFAR_CPU, 0, NULL};
  return tensor;
}

static double loss_at(float* logits, float* gradient) {
  static const int64_t shape[] = {ROWS}, stride[] = {1};
  static int64_t labels[] = {0, 1};
  nearfar_loss_input input = {.struct_size = sizeof input, .output = matrix(logits)};
  nearfar_loss_output output = {.struct_size = sizeof output};
  nearfar_tensor of_labels = {labels, shape, stride, 1, NEARFAR_INT64, NEARFAR_CPU, 0, NULL};
  input.labels = of_labels;
  if (gradient != NULL) output.output_gradient = matrix(gradient);
  if (plugin->loss(object, &input, &output, &problem) != NEARFAR_OK) return NAN;
  return output.value;
}

static int differs(const char* what, double found, double wanted, double tolerance) {
  if (fabs(found - wanted) <= tolerance) return 0;
  printf("%s: found %.7f, expected %.7f %s\n", what, found, wanted, text);
  return 1;
}

int main(int count, char** words) {
  const nearfar_host host = {.struct_size = sizeof host, .abi = NEARFAR_ABI, .version = "1.0.0"};
  const nearfar_plugin* (*entry)(const nearfar_host*) = NULL;
  const nearfar_value temperature = {"temperature", NEARFAR_NUMBER, 0, 0, 1.0, NULL};
  float logits[] = {0, 0, 0, 1, 0, 0}, gradient[ROWS * CLASSES] = {0};
  void* library = dlopen(count > 1 ? words[1] : "", RTLD_NOW);
  int wrong;
  if (library == NULL) return puts(dlerror()), 1;
  *(void**)&entry = dlsym(library, NEARFAR_C_ENTRY);
  plugin = entry == NULL ? NULL : entry(&host);
  if (plugin == NULL || plugin->create(&temperature, 1, &object, &problem) != NEARFAR_OK) return puts(text), 1;

  wrong = differs("loss", loss_at(logits, gradient), kWanted, 1e-6);
  for (int i = 0; i < ROWS * CLASSES; ++i) {
    const float here = logits[i], step = 1.0f / 64;
    double above, below;
    logits[i] = here + step;
    above = loss_at(logits, NULL);
    logits[i] = here - step;
    below = loss_at(logits, NULL);
    logits[i] = here;
    wrong += differs("gradient", gradient[i], (above - below) / (2 * step), 1e-4);
  }
  plugin->destroy(object);
  return wrong != 0;
}
