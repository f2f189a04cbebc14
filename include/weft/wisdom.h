/* Wisdom: which algorithm is the fastest for a problem, as measured on this processor. A problem is one pass of
 * a convolution: its extents, strides and padding, whether there is a bias, whether the filter stays the same
 * from run to run, and whether no_winograd is set. What is remembered goes by a hash (XXH3) of the problem,
 * the processor's model, its second-level cache, the instruction set and the version of weft, so that files of
 * several machines can be merged.
 *
 *     weft_wisdom *wisdom = weft_wisdom_create(context);
 *     weft_wisdom_load(wisdom, "weft.wisdom", NULL);
 *     weft_compile(graph, state, &(weft_compile_options){.wisdom = wisdom, .measure = true, ...}, ...);
 *     weft_wisdom_save(wisdom, "weft.wisdom", NULL);
 *
 * The algorithm decides how sums are rounded. Therefore the hash does not know of threads: what was the fastest
 * with the threads of one program is taken for any number of them, and has the same bits. Two measurements, on
 * the other hand, may find different winners where these are about as fast: who needs the same bits in every
 * process measures once and keeps the file. */
#ifndef WEFT_WISDOM_H
#define WEFT_WISDOM_H

#include "weft/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Any thread may use it at any time. While one measures, the others wait. */
typedef struct weft_wisdom weft_wisdom;

/* Knows nothing yet. NULL when memory is short. The context must outlive it. */
WEFT_API weft_wisdom *weft_wisdom_create(weft_context *context);
/* Programs compiled with it do not need it any more. NULL is allowed. */
WEFT_API void weft_wisdom_destroy(weft_wisdom *wisdom);

/* Problems whose fastest algorithm is known, those of other machines included. */
WEFT_API int weft_wisdom_count(weft_wisdom *wisdom);

/* Writes a text file, in order of the hashes: a line "weft wisdom 1"; a line for each problem, of its hash, the
 * nanoseconds of a run and the name of the algorithm; and "end" with the XXH3 hash of all lines before. As
 * weft_state_save, it leaves what was at path where something goes wrong. WEFT_ERROR_IO or WEFT_ERROR_MEMORY. */
WEFT_API weft_status weft_wisdom_save(weft_wisdom *wisdom, const char *path, weft_error *error);

/* Adds what such a file has. What is known already stays; algorithms that this build does not have are passed
 * over. On an error wisdom is as it was: WEFT_ERROR_IO (cannot be read), WEFT_ERROR_FORMAT (not wisdom,
 * damaged, cut short, or above 4 MiB), WEFT_ERROR_MEMORY. */
WEFT_API weft_status weft_wisdom_load(weft_wisdom *wisdom, const char *path, weft_error *error);

#ifdef __cplusplus
}
#endif
#endif
