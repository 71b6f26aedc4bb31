// A loss that throws in forward().
#include <nearfar/plugin.h>

#include <stdexcept>

namespace {

class Throws final : public nearfar::Loss {
 public:
  explicit Throws(const nearfar::Params&) {}
  static nearfar::LossTraits traits(const nearfar::Params&) { return {}; }
  at::Tensor forward(const nearfar::LossInput&) override { throw std::runtime_error("forward cannot"); }
};

}  // namespace

NEARFAR_LOSS(Throws, .name = "throws", .version = "1.0.0")
