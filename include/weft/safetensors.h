/* States as safetensors files (github.com/huggingface/safetensors): eight bytes with the length of a
 * JSON header, the header with name, dtype, shape and place of each tensor, then the elements, little
 * endian and row-major. Needs jansson; without it both functions return WEFT_ERROR_UNSUPPORTED.
 *
 * A tensor's name is the variable's scoped name, its dtype F32, F64 or I32, its shape the variable's:
 * filters are [D] H W Cin/groups Cout, matrices in out. PyTorch's order is the reverse, which the
 * option oihw_filters converts. It concerns the variables of rank 2 and more whose name ends in
 * "weight" (after the last dot), and swaps extents in these ways, all of them the same rule (the first
 * two extents go last, in reverse):
 *
 *     linear                  [out, in]                   [in, out]
 *     convolution             [out, in/groups, D, H, W]   [D, H, W, in/groups, out]
 *     transposed convolution  [in, out/groups, D, H, W]   [D, H, W, out/groups, in]
 */
#ifndef WEFT_SAFETENSORS_H
#define WEFT_SAFETENSORS_H

#include "weft/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_save_options {
    bool oihw_filters; /* write filters and matrices in PyTorch's order */
} weft_save_options;

/* Writes all variables that the state holds, and in the header's __metadata__ "format": "weft" and
 * "step", the updates done. Writes to a file beside path ("<path>.<process>.<number>.tmp") that takes the place
 * of path when it is complete: on an error what was at path is still there. options may be NULL. */
WEFT_API weft_status weft_state_save(weft_state *state, const char *path,
                                     const weft_save_options *options, weft_error *error);

typedef struct weft_load_options {
    bool allow_missing; /* variables that the file does not have keep their values */
    bool allow_extra;   /* tensors of the file that the state does not have are passed over */
    bool oihw_filters;  /* the file has filters and matrices in PyTorch's order */
    bool resume; /* take over "step" too, which keys random ops: training goes on as if it had
                         * never stopped. The file must be weft's */
} weft_load_options;

/* Reads variables. F32 and F64 are converted to the state's dtype. On an error the state is as it was:
 * WEFT_ERROR_IO (cannot be read), WEFT_ERROR_FORMAT (not safetensors, damaged or cut short),
 * WEFT_ERROR_NOT_FOUND (missing or extra names), WEFT_ERROR_SHAPE, WEFT_ERROR_DTYPE,
 * WEFT_ERROR_MEMORY. Variables that the state has no storage for yet (made after it, and no program
 * compiled since) count as not there. options may be NULL. */
WEFT_API weft_status weft_state_load(weft_state *state, const char *path,
                                     const weft_load_options *options, weft_error *error);

#ifdef __cplusplus
}
#endif
#endif
