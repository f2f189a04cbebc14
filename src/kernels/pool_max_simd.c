/* Max pooling: forward, its gradient, and the gradient of that. The argmax is found again where it is
 * needed, in a pass over the input, or has been kept in a byte: which element of its window it is. */
#include "kernels/pool_walk.h"

#include <math.h>

/* Lanes where v takes the place of the maximum so far: it is larger, or NaN. */
SIMD_INLINE vint takes(vfloat v, vfloat maximum)
{
    return (v > maximum) | (v != v);
}

/* Where there is no NaN, comparing is enough, and the next maximum need not wait for a mask. No sum of a box
 * is NaN then, unless infinities cancel, which only makes it slow. */
SIMD_INLINE bool any_nan(const vfloat *sum, int vectors)
{
    vint nan = {0};
    for (int v = 0; v < vectors; v++)
        nan |= sum[v] != sum[v];
    return vany(nan);
}

/* The maximum of each lane within the box and, unless `index` is NULL, the number, row by row, of its first
 * one. with_nan: NaN counts as the largest. Returns whether there may be NaN that was left out. Both are
 * constants. */
SIMD_INLINE bool look_through(const box *b, int64_t channel, int vectors, int64_t last,
                              bool with_nan, vfloat *best, vint *index)
{
    vfloat sum[BLOCK];
    for (int v = 0; v < vectors; v++) {
        best[v] = vsplat(-INFINITY);
        sum[v] = vsplat(0);
        if (index)
            index[v] = (vint){0};
    }
    vint number = {0};
    for (int64_t d = 0; d < b->count[0]; d++)
        for (int64_t h = 0; h < b->count[1]; h++) {
            const float *x = b->first + d * b->step[0] + h * b->step[1] + channel;
            for (int64_t w = 0; w < b->count[2]; w++, x += b->step[2], number += 1)
                for (int v = 0; v < vectors; v++) {
                    vfloat value = vload_lanes(x + v * LANES, lanes_of(v, vectors, last));
                    vint mask = with_nan ? takes(value, best[v]) : value > best[v];
                    best[v] = with_nan ? vselect(mask, value, best[v]) : vmax(value, best[v]);
                    sum[v] += with_nan ? vsplat(0) : value;
                    if (index)
                        index[v] = (mask & number) | (~mask & index[v]);
                }
        }
    return any_nan(sum, vectors);
}

SIMD_INLINE void maximum(const box *b, int64_t channel, int vectors, int64_t last, vfloat *best,
                         vint *index)
{
    if (look_through(b, channel, vectors, last, false, best, index))
        (void)look_through(b, channel, vectors, last, true, best, index);
}

/* ---- Forward ---- */

typedef struct forward_pixel {
    const weft_pool_axis *axis;
    box x;
    float *y;
} forward_pixel;

SIMD_INLINE void forward_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const forward_pixel *pixel = context;
    vfloat best[BLOCK];
    fetch_below(&pixel->x, pixel->axis, channel, vectors);
    maximum(&pixel->x, channel, vectors, last, best, NULL);
    for (int v = 0; v < vectors; v++)
        vstore_lanes(pixel->y + channel + v * LANES, best[v], lanes_of(v, vectors, last));
}

SIMD_INLINE void visit_forward(const weft_pool_args *args, void *const *operand, int64_t image,
                               const int64_t position[3], const weft_pool_range range[3])
{
    const float *x = (const float *)operand[0] + image * args->fine[0].image;
    float *y = (float *)operand[1] + weft_pool_offset(&args->coarse, image, position);
    forward_pixel pixel = {.axis = args->axis, .x = box_of(x, &args->fine[0], range), .y = y};
    each_block(args->channels, forward_block, &pixel);
}

static void forward(const weft_call *call, int64_t piece)
{
    each_pixel(call, piece, false, visit_forward);
}

/* ---- Gather: what another input has where x has its maximum ---- */

typedef struct gather_pixel {
    box x, values;
    float *y;
} gather_pixel;

SIMD_INLINE void gather_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const gather_pixel *pixel = context;
    const box *b = &pixel->values;
    vfloat best[BLOCK];
    vint index[BLOCK];
    maximum(&pixel->x, channel, vectors, last, best, index);
    vfloat found[BLOCK];
    for (int v = 0; v < vectors; v++)
        found[v] = vsplat(0);
    vint number = {0};
    for (int64_t d = 0; d < b->count[0]; d++)
        for (int64_t h = 0; h < b->count[1]; h++) {
            const float *value = b->first + d * b->step[0] + h * b->step[1] + channel;
            for (int64_t w = 0; w < b->count[2]; w++, value += b->step[2], number += 1)
                for (int v = 0; v < vectors; v++)
                    found[v] = vselect(index[v] == number,
                                       vload_lanes(value + v * LANES, lanes_of(v, vectors, last)),
                                       found[v]);
        }
    for (int v = 0; v < vectors; v++)
        vstore_lanes(pixel->y + channel + v * LANES, found[v], lanes_of(v, vectors, last));
}

SIMD_INLINE void visit_gather(const weft_pool_args *args, void *const *operand, int64_t image,
                              const int64_t position[3], const weft_pool_range range[3])
{
    const float *values = (const float *)operand[0] + image * args->fine[0].image;
    const float *x = (const float *)operand[1] + image * args->fine[1].image;
    float *y = (float *)operand[2] + weft_pool_offset(&args->coarse, image, position);
    gather_pixel pixel = {
        .x = box_of(x, &args->fine[1], range),
        .values = box_of(values, &args->fine[0], range),
        .y = y,
    };
    each_block(args->channels, gather_block, &pixel);
}

static void gather(const weft_call *call, int64_t piece)
{
    each_pixel(call, piece, false, visit_gather);
}

/* ---- Indices: where in its image x has its maximum ---- */

typedef struct index_pixel {
    box x;
    int32_t first;   /* index of the box's first pixel in the image */
    int32_t step[3]; /* of indices, along each dimension */
    int32_t *y;
} index_pixel;

SIMD_INLINE void index_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const index_pixel *pixel = context;
    const box *b = &pixel->x;
    vfloat best[BLOCK];
    vint index[BLOCK];
    for (int v = 0; v < vectors; v++) {
        best[v] = vsplat(-INFINITY);
        index[v] = (vint){0} + pixel->first;
    }
    for (int64_t d = 0; d < b->count[0]; d++)
        for (int64_t h = 0; h < b->count[1]; h++) {
            const float *x = b->first + d * b->step[0] + h * b->step[1] + channel;
            vint number =
                (vint){0} + (int32_t)(pixel->first + d * pixel->step[0] + h * pixel->step[1]);
            for (int64_t w = 0; w < b->count[2]; w++, x += b->step[2], number += 1)
                for (int v = 0; v < vectors; v++) {
                    vfloat value = vload_lanes(x + v * LANES, lanes_of(v, vectors, last));
                    vint mask = takes(value, best[v]);
                    best[v] = vselect(mask, value, best[v]);
                    index[v] = (mask & number) | (~mask & index[v]);
                }
        }
    for (int v = 0; v < vectors; v++) /* the bits of integers, stored as a vector's are */
        vstore_lanes((float *)(void *)pixel->y + channel + v * LANES, (vfloat)index[v],
                     lanes_of(v, vectors, last));
}

SIMD_INLINE void visit_indices(const weft_pool_args *args, void *const *operand, int64_t image,
                               const int64_t position[3], const weft_pool_range range[3])
{
    const float *x = (const float *)operand[0] + image * args->fine[0].image;
    index_pixel pixel = {.x = box_of(x, &args->fine[0], range),
                         .y = (int32_t *)operand[1] +
                              weft_pool_offset(&args->coarse, image, position)};
    int64_t step = 1;
    for (int i = 2; i >= 0; i--) {
        pixel.step[i] = (int32_t)step;
        pixel.first += (int32_t)(range[i].begin * step);
        step *= args->axis[i].input;
    }
    each_block(args->channels, index_block, &pixel);
}

static void indices(const weft_call *call, int64_t piece)
{
    each_pixel(call, piece, false, visit_indices);
}

/* ---- Winners: the number of the maximum in its window, as a byte ---- */

typedef uint8_t vbytes __attribute__((vector_size(LANES)));

SIMD_INLINE void store_bytes(uint8_t *to, vint numbers, int64_t lanes)
{
    vbytes bytes = __builtin_convertvector(numbers, vbytes);
    memcpy(to, &bytes, (size_t)lanes);
}

SIMD_INLINE vint load_bytes(const uint8_t *from, int64_t lanes)
{
    vbytes bytes = {0};
    memcpy(&bytes, from, (size_t)lanes);
    return __builtin_convertvector(bytes, vint);
}

typedef struct winner_pixel {
    const weft_pool_axis *axis;
    box x;
    uint8_t *winner;
} winner_pixel;

SIMD_INLINE void winner_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const winner_pixel *pixel = context;
    vfloat best[BLOCK];
    vint index[BLOCK];
    fetch_below(&pixel->x, pixel->axis, channel, vectors);
    maximum(&pixel->x, channel, vectors, last, best, index);
    for (int v = 0; v < vectors; v++)
        store_bytes(pixel->winner + channel + v * LANES, index[v], lanes_of(v, vectors, last));
}

SIMD_INLINE void visit_winners(const weft_pool_args *args, void *const *operand, int64_t image,
                               const int64_t position[3], const weft_pool_range range[3])
{
    const float *x = (const float *)operand[0] + image * args->fine[0].image;
    winner_pixel pixel = {.axis = args->axis,
                          .x = box_of(x, &args->fine[0], range),
                          .winner = (uint8_t *)operand[1] +
                                    weft_pool_offset(&args->winners, image, position)};
    each_block(args->channels, winner_block, &pixel);
}

static void winners(const weft_call *call, int64_t piece)
{
    each_pixel(call, piece, false, visit_winners);
}

/* ---- Scatter: to where x has its maximum ---- */

/* One window. Of the elements within it only those of the piece are written: `skip` and `inside` say,
 * for each dimension, how many elements of the window come before the piece, and how many are in it. */
typedef struct scatter_pixel {
    const weft_pool_axis *axis;
    const uint8_t *winner; /* NULL: find it in x */
    box x;
    const float *dy;
    float *dx; /* the window's first element, in the piece or not */
    int64_t count[3], step[3], skip[3], inside[3];
} scatter_pixel;

SIMD_INLINE void scatter_block(const void *context, int64_t channel, int vectors, int64_t last)
{
    const scatter_pixel *pixel = context;
    const int64_t *count = pixel->count, *skip = pixel->skip, *inside = pixel->inside;
    vint index[BLOCK];
    if (pixel->winner) {
        for (int v = 0; v < vectors; v++)
            index[v] = load_bytes(pixel->winner + channel + v * LANES, lanes_of(v, vectors, last));
    } else {
        vfloat best[BLOCK];
        fetch_below(&pixel->x, pixel->axis, channel, vectors);
        maximum(&pixel->x, channel, vectors, last, best, index);
    }
    vfloat dy[BLOCK];
    for (int v = 0; v < vectors; v++)
        dy[v] = vload_lanes(pixel->dy + channel + v * LANES, lanes_of(v, vectors, last));
    for (int64_t d = skip[0]; d < skip[0] + inside[0]; d++)
        for (int64_t h = skip[1]; h < skip[1] + inside[1]; h++) {
            vint number = (vint){0} + (int32_t)((d * count[1] + h) * count[2] + skip[2]);
            float *dx = pixel->dx + d * pixel->step[0] + h * pixel->step[1] +
                        skip[2] * pixel->step[2] + channel;
            for (int64_t w = 0; w < inside[2]; w++, dx += pixel->step[2], number += 1)
                for (int v = 0; v < vectors; v++) {
                    int64_t lanes = lanes_of(v, vectors, last);
                    vfloat part = (vfloat)((index[v] == number) & (vint)dy[v]);
                    vstore_lanes(dx + v * LANES, vload_lanes(dx + v * LANES, lanes) + part, lanes);
                }
        }
}

/* The part of the input that a piece writes. */
typedef struct scatter_piece {
    const weft_pool_args *args;
    const float *dy, *x;    /* of one image */
    const uint8_t *winners; /* NULL: none; then there is x */
    float *dx;
    weft_pool_range inside[3];
} scatter_piece;

SIMD_INLINE void scatter_window(const scatter_piece *piece, const int64_t position[3],
                                const weft_pool_range range[3])
{
    const weft_pool_args *args = piece->args;
    scatter_pixel pixel = {
        .axis = args->axis,
        .dy = piece->dy + weft_pool_offset(&args->coarse, 0, position),
        .dx = piece->dx,
    };
    if (piece->winners)
        pixel.winner = piece->winners + weft_pool_offset(&args->winners, 0, position);
    else
        pixel.x = box_of(piece->x, &args->fine[0], range);
    for (int i = 0; i < 3; i++) {
        const weft_pool_range *inside = &piece->inside[i];
        int64_t begin = range[i].begin > inside->begin ? range[i].begin : inside->begin;
        int64_t end = range[i].end < inside->end ? range[i].end : inside->end;
        pixel.step[i] = args->fine[1].axis[i];
        pixel.dx += range[i].begin * pixel.step[i];
        pixel.count[i] = range[i].end - range[i].begin;
        pixel.skip[i] = begin - range[i].begin;
        pixel.inside[i] = end - begin;
    }
    each_block(args->channels, scatter_block, &pixel);
}

static void clear(const scatter_piece *piece)
{
    const weft_pool_range *inside = piece->inside;
    const int64_t *step = piece->args->fine[1].axis;
    size_t bytes = (size_t)piece->args->channels * sizeof(float);
    for (int64_t d = inside[0].begin; d < inside[0].end; d++)
        for (int64_t h = inside[1].begin; h < inside[1].end; h++)
            for (int64_t w = inside[2].begin; w < inside[2].end; w++)
                memset(piece->dx + d * step[0] + h * step[1] + w * step[2], 0, bytes);
}

/* Windows are visited in order, so that an element that is the maximum of several adds them up in the
 * same order wherever pieces begin. */
static void scatter_image(const scatter_piece *piece)
{
    const weft_pool_axis *axis = piece->args->axis;
    weft_pool_range at[3];
    for (int i = 0; i < 3; i++)
        at[i] = weft_pool_positions(&axis[i], piece->inside[i].begin, piece->inside[i].end);
    clear(piece);
    int64_t position[3];
    weft_pool_range range[3];
    for (position[0] = at[0].begin; position[0] < at[0].end; position[0]++) {
        range[0] = weft_pool_window(&axis[0], position[0]);
        for (position[1] = at[1].begin; position[1] < at[1].end; position[1]++) {
            range[1] = weft_pool_window(&axis[1], position[1]);
            for (position[2] = at[2].begin; position[2] < at[2].end; position[2]++) {
                range[2] = weft_pool_window(&axis[2], position[2]);
                scatter_window(piece, position, range);
            }
        }
    }
}

SIMD_INLINE void scatter_images(const weft_call *call, int64_t index, bool won)
{
    const weft_pool_args *args = call->args;
    int64_t rows = args->axis[args->split].input;
    int64_t splits = (rows + args->piece_rows - 1) / args->piece_rows;
    int64_t image = index / splits * args->piece_images, end = image + args->piece_images;
    scatter_piece piece = {.args = args};
    for (int i = 0; i < 3; i++)
        piece.inside[i].end = args->axis[i].input;
    weft_pool_range *split = &piece.inside[args->split];
    split->begin = index % splits * args->piece_rows;
    if (split->begin + args->piece_rows < rows)
        split->end = split->begin + args->piece_rows;
    for (; image < end && image < args->images; image++) {
        piece.dy = (const float *)call->operand[0] + image * args->coarse.image;
        piece.dx = (float *)call->operand[2] + image * args->fine[1].image;
        if (won)
            piece.winners = (const uint8_t *)call->operand[1] + image * args->winners.image;
        else
            piece.x = (const float *)call->operand[1] + image * args->fine[0].image;
        scatter_image(&piece);
    }
}

static void scatter(const weft_call *call, int64_t index)
{
    scatter_images(call, index, false);
}

static void scatter_won(const weft_call *call, int64_t index)
{
    scatter_images(call, index, true);
}

const weft_pool_max_kernels WEFT_FOR_ISA(weft_pool_max_table) = {.forward = forward,
                                                                 .gather = gather,
                                                                 .scatter = scatter,
                                                                 .indices = indices,
                                                                 .winners = winners,
                                                                 .scatter_won = scatter_won};
