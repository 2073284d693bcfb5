#include "op_registry.h"

namespace limen {

OpRegistry& OpRegistry::instance() {
  static OpRegistry registry;
  return registry;
}

bool OpRegistry::add(const char* name, Backend backend, Launcher launch, WorkspaceQuery workspace) {
  entries_.push_back({name, backend, launch, workspace});
  return true;
}

}  // namespace limen
