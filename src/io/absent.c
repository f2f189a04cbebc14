/* Stands in for saving and loading in a build without jansson. */
#include "weft/safetensors.h"

weft_status weft_state_save(weft_state *state, const char *path, const weft_save_options *options,
                            weft_error *error)
{
    (void)state;
    (void)options;
    return weft_error_set(error, WEFT_ERROR_UNSUPPORTED,
                          "%.200s: this build of weft has no safetensors (jansson)", path);
}

weft_status weft_state_load(weft_state *state, const char *path, const weft_load_options *options,
                            weft_error *error)
{
    (void)state;
    (void)options;
    return weft_error_set(error, WEFT_ERROR_UNSUPPORTED,
                          "%.200s: this build of weft has no safetensors (jansson)", path);
}
