/* A convolution of x in parts along the channels, x = [x_0 x_1 ..], by the parts [w_0 w_1 ..] of its filter:
 *
 *     y = x_0 * w_0 + x_1 * w_1 + ..     dw = [dw_0 dw_1 ..]     dx_i = the gradient of x_i * w_i
 */
#include "base/error.h"
#include "ops/convolution_geometry.h"
#include "ops/cut.h"
#include "ops/map.h"
#include "ops/ops.h"

enum { X, W, BIAS };          /* forward */
enum { OF_X, DY, W_LIKE };    /* filter gradient */
enum { Y, OF_W, X_LIKE, DX }; /* input gradient, and its output */
enum { AS_PART = 1 };         /* after the one output */

/* Worth cutting: the parts of the filter are copies. */
static bool is_small(const weft_tensor *w, const weft_tensor *x)
{
    return 2 * weft_tensor_bytes(w) <= weft_tensor_bytes(x);
}

static bool is_in_groups(const weft_bind *bind)
{
    return ((const weft_convolution_attributes *)bind->attributes)->groups != 1;
}

int weft_convolution_in_parts(const weft_bind *bind)
{
    return !is_in_groups(bind) && is_small(&bind->input[W], &bind->input[X]) ? X : -1;
}

int weft_convolution_gradient_in_parts(const weft_bind *bind)
{
    return !is_in_groups(bind) && is_small(&bind->input[OF_W], &bind->output[0]) ? DX : -1;
}

int weft_convolution_filter_in_parts(const weft_bind *bind)
{
    return !is_in_groups(bind) && is_small(&bind->output[0], &bind->input[OF_X]) ? OF_X : -1;
}

static int64_t channels_of(const weft_tensor *x)
{
    return x->extent[x->rank - 1];
}

/* The extents of the filter's part for so many channels. */
static weft_tensor filter_part(const weft_tensor *w, int64_t channels)
{
    weft_tensor part = *w;
    part.extent[w->rank - 2] = channels;
    return part;
}

static weft_status cut_filter(weft_expansion *expansion, const weft_bind *bind, int w,
                              int64_t begin, int64_t channels, int *part)
{
    weft_tensor like = filter_part(&bind->input[w], channels);
    return weft_slice_expand(expansion, w, like.rank - 2, begin, &like, part);
}

/* The same op of one part. */
static weft_expand_call call_of(const weft_bind *bind, const weft_tensor *like, int as)
{
    return (weft_expand_call){.op = bind->op,
                              .attributes = bind->attributes,
                              .attribute_bytes = sizeof(weft_convolution_attributes),
                              .outputs = 1,
                              .like = {like},
                              .as = {as}};
}

weft_status weft_convolution_distribute(weft_expansion *expansion, const weft_bind *bind, int first,
                                        int parts, const weft_tensor *part)
{
    const weft_tensor *y = &bind->output[0];
    int sum = -1;
    int64_t begin = 0;
    for (int i = 0; i < parts; i++) {
        weft_expand_call call = call_of(bind, y, -1);
        int product;
        call.inputs = i == 0 ? bind->inputs : BIAS;
        call.input[X] = first + i;
        call.input[BIAS] = BIAS;
        WEFT_TRY(cut_filter(expansion, bind, W, begin, channels_of(&part[i]), &call.input[W]));
        WEFT_TRY(weft_expand_node(expansion, &call, &product));
        if (i == 0)
            sum = product;
        else
            WEFT_TRY(weft_map_expand(expansion, &weft_add_op, WEFT_MAP_ADD, (int[]){sum, product},
                                     i == parts - 1 ? 0 : -1, y, &sum));
        begin += channels_of(&part[i]);
    }
    return WEFT_OK;
}

weft_status weft_convolution_gradient_distribute(weft_expansion *expansion, const weft_bind *bind,
                                                 int first, int parts, const weft_tensor *part)
{
    int64_t begin = 0;
    (void)first;
    for (int i = 0; i < parts; i++) {
        weft_expand_call call = call_of(bind, NULL, AS_PART + i);
        int dx;
        call.inputs = DX;
        call.input[Y] = Y;
        call.input[X_LIKE] = X_LIKE;
        WEFT_TRY(
            cut_filter(expansion, bind, OF_W, begin, channels_of(&part[i]), &call.input[OF_W]));
        WEFT_TRY(weft_expand_node(expansion, &call, &dx));
        begin += channels_of(&part[i]);
    }
    return WEFT_OK;
}

weft_status weft_convolution_filter_distribute(weft_expansion *expansion, const weft_bind *bind,
                                               int first, int parts, const weft_tensor *part)
{
    const weft_tensor *w = &bind->output[0];
    int dw[WEFT_EXPAND_OPERANDS];
    for (int i = 0; i < parts; i++) {
        weft_tensor like = filter_part(w, channels_of(&part[i]));
        weft_expand_call call = call_of(bind, &like, -1);
        call.inputs = bind->inputs;
        call.input[OF_X] = first + i;
        call.input[DY] = DY;
        call.input[W_LIKE] = W_LIKE;
        WEFT_TRY(weft_expand_node(expansion, &call, &dw[i]));
    }
    return weft_concat_expand(expansion, dw, parts, w->rank - 2, 0);
}
