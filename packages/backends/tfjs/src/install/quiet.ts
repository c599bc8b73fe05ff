/**
 * A second addon: silences the process's standard error while libtensorflow is loaded, whose startup messages no
 * setting can disable.
 */
export const quietSource = `
#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>

static int kept = -1;

static napi_value Mute(napi_env, napi_callback_info) {
  if (kept >= 0) return nullptr;
  int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  kept = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (nothing >= 0 && kept >= 0) dup2(nothing, 2);
  if (nothing >= 0) close(nothing);
  return nullptr;
}

static napi_value Unmute(napi_env, napi_callback_info) {
  if (kept < 0) return nullptr;
  dup2(kept, 2);
  close(kept);
  kept = -1;
  return nullptr;
}

NAPI_MODULE_INIT() {
  napi_value mute, unmute;
  napi_create_function(env, "mute", NAPI_AUTO_LENGTH, Mute, nullptr, &mute);
  napi_create_function(env, "unmute", NAPI_AUTO_LENGTH, Unmute, nullptr, &unmute);
  napi_set_named_property(env, exports, "mute", mute);
  napi_set_named_property(env, exports, "unmute", unmute);
  return exports;
}
`;
