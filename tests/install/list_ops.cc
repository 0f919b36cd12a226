// Registers the ops in a resolver of its own, and names them.
#include <cstdio>

#include "keras_dc/register_ops.h"

struct Resolver {
  void AddCustom(const char* name, const TfLiteRegistration* registration) {
    std::printf("%s %d\n", name, registration->invoke != nullptr);
  }
};

int main() {
  Resolver resolver;
  keras_dc::RegisterOps(&resolver);
}
