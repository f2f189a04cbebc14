/* A convolution as one line of text, which the benchmarks of weft and of its peers read alike:
 *
 *     n8 c64 h56 k64 r3 p1        batch, input channels, height, output channels, kernel, padding
 *
 *     w   width (as h)            q   width of the kernel (as r)    o   padding of the width (as p)
 *     s   stride (1)              d   dilation (1)                  g   groups (1)
 *     t1  transposed              x   times that a network has it (1)
 */
#ifndef WEFT_BENCHMARKS_LAYER_H
#define WEFT_BENCHMARKS_LAYER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct layer {
    int64_t batch, in_channels, out_channels, stride, dilation, groups;
    int64_t in[2], out[2], kernel[2], pad[2]; /* height, width */
    bool transposed;
    int times;
} layer;

enum { LAYER_PASSES = 3 };

/* "forward", "input_gradient", "filter_gradient". */
extern const char *const layer_pass_names[LAYER_PASSES];

/* False for letters unknown or missing, or extents that leave no output. */
bool layer_parse(const char *text, layer *l);

/* Of one pass, padding counted; a multiply-add is two. */
double layer_flops(const layer *l);

#endif
