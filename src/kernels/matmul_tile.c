#include "kernels/matmul_tile.h"

#include "kernels/finish.h"

enum { LINE = 16 }; /* floats of a cache line */
/* Rows of a panel that are fetched ahead: where a filter comes from memory, as in inference of one image, it takes
 * so long. Short panels have been read before. */
enum { FAR = 32 };

/* Hides how x was worked out: the compiler keeps it in one register, and neither works it out anew nor keeps what was
 * read through it earlier. */
#define SETTLED(x) __asm__ volatile("" : "+r"(x))

/* Bytes from a row to those after it, in registers: with them each of seven rows is one address of an
 * instruction. */
typedef struct row_steps {
    int64_t one, three, five;
} row_steps;

SIMD_INLINE row_steps row_steps_of(int64_t step)
{
    row_steps s = {.one = step * (int64_t)sizeof(float)};
    s.three = 3 * s.one;
    s.five = 5 * s.one;
    SETTLED(s.one);
    SETTLED(s.three);
    SETTLED(s.five);
    return s;
}

/* Row i of a tile; the second half of rows begins at `second`. */
SIMD_INLINE const float *row_at(const float *first, const float *second, const row_steps *s, int i,
                                int rows)
{
    const int half = (rows + 1) / 2, after = i < half ? i : i - half;
    int64_t bytes = after == 6   ? 2 * s->three
                    : after == 5 ? s->five
                    : after == 3 ? s->three
                                 : after * s->one;
    return (const float *)((const char *)(i < half ? first : second) + bytes);
}

/* Everything is inlined with constant rows and vectors, so that acc lives in registers. */
SIMD_INLINE void tile_begin(const weft_tile *t, int rows, int vectors,
                            vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
    const row_steps step = row_steps_of(t->c_step);
    const float *c0 = t->c, *c1 = t->c + t->c_half; /* fetched while the sums are made */
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            __builtin_prefetch(row_at(c0, c1, &step, i, rows) + v * LANES, 1);
    vfloat start[WEFT_TILE_VECTORS] = {0};
    if (t->bias && !t->accumulate) {
#pragma GCC unroll 4
        for (int v = 0; v + 1 < vectors; v++)
            start[v] = vload(t->bias + v * LANES);
        start[vectors - 1] = vload_first(t->bias + (vectors - 1) * LANES, t->last);
    }
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            acc[i][v] = start[v];
}

/* Adds what is laid out as c. */
SIMD_INLINE void tile_add(const weft_tile *t, const float *from, int rows, int vectors,
                          vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
    const row_steps step = row_steps_of(t->c_step);
    const float *second = from + t->c_half;
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
        const float *row = row_at(from, second, &step, i, rows);
#pragma GCC unroll 4
        for (int v = 0; v + 1 < vectors; v++)
            acc[i][v] += vload(row + v * LANES);
        acc[i][vectors - 1] += vload_first(row + (vectors - 1) * LANES, t->last);
    }
}

/* One step of the reduction in one row of a tile. */
SIMD_INLINE void tile_step(vfloat acc[WEFT_TILE_VECTORS], const vfloat row[WEFT_TILE_VECTORS],
                           const float *scalar, int vectors)
{
    vfloat s = vsplat(*scalar);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        acc[v] += s * row[v];
}

/* Lanes of vector v of the tile. */
SIMD_INLINE int64_t tile_lanes(const weft_tile *t, int v, int vectors)
{
    return v + 1 < vectors ? LANES : t->last;
}

SIMD_INLINE void tile_normalize(const weft_tile *t, int rows, int vectors,
                                vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        finish_channels c =
            finish_load(t->finish, t->channel + v * LANES, tile_lanes(t, v, vectors));
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++)
            acc[i][v] = finish_normalize(&c, acc[i][v]);
    }
}

SIMD_INLINE void tile_clamp(const weft_tile *t, int rows, int vectors,
                            vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            acc[i][v] = finish_clamp(t->finish, acc[i][v]);
}

/* last: of the last vectors, a constant where they are whole. */
SIMD_INLINE void tile_store(const weft_tile *t, int rows, int vectors, int64_t last,
                            vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
    const row_steps step = row_steps_of(t->c_step);
    const float *c0 = t->c, *c1 = t->c + t->c_half;
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
        float *c = (float *)row_at(c0, c1, &step, i, rows);
#pragma GCC unroll 4
        for (int v = 0; v + 1 < vectors; v++)
            vstore(c + v * LANES, acc[i][v]);
        vstore_lanes(c + (vectors - 1) * LANES, acc[i][vectors - 1], last);
    }
}

SIMD_INLINE void tile_end(const weft_tile *t, int rows, int vectors,
                          vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
    if (t->accumulate)
        tile_add(t, t->c, rows, vectors, acc);
    if (t->finish && t->finish->slope)
        tile_normalize(t, rows, vectors, acc);
    if (t->addend)
        tile_add(t, t->addend, rows, vectors, acc);
    if (t->finish && t->finish->ceiling > 0)
        tile_clamp(t, rows, vectors, acc);
    if (t->last == LANES)
        tile_store(t, rows, vectors, LANES, acc);
    else
        tile_store(t, rows, vectors, t->last, acc);
}

SIMD_INLINE void run_sums(const weft_tile *t, int rows, int vectors,
                          vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
    const int half = (rows + 1) / 2;
    const int64_t step = t->a_step;
    const float *later = t->later;
    for (int64_t r = 0; r < t->runs; r++) {
        const float *a0 = t->a + t->run[r].a, *a1 = a0 + t->a_half;
        const float *b = t->b + t->run[r].b * vectors * LANES;
        const int64_t far = t->run[r].length > FAR ? FAR * vectors * LANES : 0;
        for (int64_t left = t->run[r].length; left > 0; left -= LINE) {
            for (int64_t i = t->ahead_first; i < t->ahead_end; i++)
                __builtin_prefetch((i < half ? a0 + i * step : a1 + (i - half) * step) + t->ahead,
                                   0, 2);
            for (int64_t i = 0; i < t->later_lines; i++, later += LINE)
                __builtin_prefetch(later, 0, 2);
#pragma GCC unroll 2
            for (int64_t k = left < LINE ? left : LINE; k > 0; k--) {
                vfloat row[WEFT_TILE_VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) {
                    row[v] = vload(b + v * LANES);
                    if (v * LANES % LINE == 0)
                        __builtin_prefetch(b + far + v * LANES, 0, 3);
                }
#pragma GCC unroll 14
                for (int i = 0; i < rows; i++)
                    tile_step(acc[i], row, i < half ? a0 + i * step : a1 + (i - half) * step,
                              vectors);
                a0++;
                a1++;
                b += vectors * LANES;
            }
        }
    }
}

SIMD_INLINE void listed_sums(const weft_tile *t, int rows, int vectors,
                             vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS])
{
    const row_steps step = row_steps_of(t->a_step);
    const float *first = t->a, *second = t->a + t->a_half, *b = t->b;
    const int64_t *end = t->offset + t->steps;
    for (const int64_t *offset = t->offset; offset < end; offset++, b += vectors * LANES) {
        const float *a0 = first + *offset, *a1 = second + *offset;
        SETTLED(a0);
        SETTLED(a1);
        vfloat row[WEFT_TILE_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            row[v] = vload(b + v * LANES);
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++)
            tile_step(acc[i], row, row_at(a0, a1, &step, i, rows), vectors);
    }
}

SIMD_INLINE void tile_rows(const weft_tile *t, int rows, int vectors)
{
    vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS];
    tile_begin(t, rows, vectors, acc);
    SETTLED(t); /* what begin and end both read takes no registers of the sums */
    if (t->offset)
        listed_sums(t, rows, vectors, acc);
    else
        run_sums(t, rows, vectors, acc);
    SETTLED(t);
    tile_end(t, rows, vectors, acc);
}

SIMD_INLINE void tile_outer(const weft_tile *t, int rows, int vectors)
{
    vfloat acc[WEFT_TILE_ROWS][WEFT_TILE_VECTORS];
    tile_begin(t, rows, vectors, acc);
    const int64_t step = t->a_step, b_step = t->b_step;
    const float *fetch = t->fetch;
    for (int64_t r = 0; r < t->runs; r++) {
        const float *a = t->a + t->run[r].a, *b = t->b + t->run[r].b * b_step;
        for (int64_t k = t->run[r].length; k > 0; k--) {
            vfloat row[WEFT_TILE_VECTORS];
            __builtin_prefetch(fetch, 0, 2);
            fetch += t->fetch_step;
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                row[v] = vload(b + v * LANES);
#pragma GCC unroll 14
            for (int i = 0; i < rows; i++)
                tile_step(acc[i], row, a + i, vectors);
            a += step;
            b += b_step;
        }
    }
    tile_end(t, rows, vectors, acc);
}

#define TILE(rows, vectors)                                                                        \
    static void rows_##rows##_##vectors(const weft_tile *t)                                        \
    {                                                                                              \
        tile_rows(t, rows, vectors);                                                               \
    }                                                                                              \
    static void outer_##rows##_##vectors(const weft_tile *t)                                       \
    {                                                                                              \
        tile_outer(t, rows, vectors);                                                              \
    }
#define ROWS_ENTRY(rows, vectors) [vectors][rows] = rows_##rows##_##vectors,
#define OUTER_ENTRY(rows, vectors) [vectors][rows] = outer_##rows##_##vectors,

#define UP_TO_4(X, v) X(1, v) X(2, v) X(3, v) X(4, v)
#define UP_TO_6(X, v) UP_TO_4(X, v) X(5, v) X(6, v)
#define UP_TO_9(X, v) UP_TO_6(X, v) X(7, v) X(8, v) X(9, v)
#define UP_TO_12(X, v) UP_TO_9(X, v) X(10, v) X(11, v) X(12, v)
#define UP_TO_14(X, v) UP_TO_12(X, v) X(13, v) X(14, v)

/* As many accumulators as leave registers for a row of b and one scalar: 32 registers or 16. */
#if defined(WEFT_ISA_avx512)
#define ALL_TILES(X) UP_TO_14(X, 1) UP_TO_14(X, 2) UP_TO_9(X, 3) UP_TO_6(X, 4)
#define MAX_ROWS                                                                                   \
    {                                                                                              \
        0, 14, 14, 9, 6                                                                            \
    }
#else
#define ALL_TILES(X) UP_TO_12(X, 1) UP_TO_6(X, 2) UP_TO_4(X, 3)
#define MAX_ROWS                                                                                   \
    {                                                                                              \
        0, 12, 6, 4, 0                                                                             \
    }
#endif

ALL_TILES(TILE)

const weft_tiles WEFT_FOR_ISA(weft_matmul_tiles) = {
    .lanes = LANES,
    .max_rows = MAX_ROWS,
    .rows = {ALL_TILES(ROWS_ENTRY)},
    .outer = {ALL_TILES(OUTER_ENTRY)},
};
