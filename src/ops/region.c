#include "ops/region.h"

#include "ops/copying.h"

#include <string.h>

/* ---- Plain forms ---- */

/* Offset in `large` of the element of `small` with this row-major index. */
static int64_t large_offset(const weft_region *region, const weft_tensor *small,
                            const weft_tensor *large, int64_t index)
{
    int64_t coordinate[WEFT_MAX_RANK];
    weft_unravel(small, index, coordinate);
    for (int i = 0; i < small->rank; i++)
        coordinate[i] = region->begin[i] + coordinate[i] * region->step[i];
    return weft_offset_at(large, coordinate);
}

void weft_region_take_f64(const weft_operands *operands, const weft_region *region)
{
    const weft_tensor *large = &operands->input[0], *small = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(small); i < n; i++)
        weft_copy_element(small, weft_tensor_offset(small, i), large,
                          large_offset(region, small, large, i));
}

void weft_region_put_f64(const weft_operands *operands, const weft_region *region, double fill)
{
    const weft_tensor *small = &operands->input[0], *large = &operands->output[0];
    for (int64_t i = 0, n = weft_tensor_elements(large); i < n; i++)
        ((double *)large->data)[weft_tensor_offset(large, i)] = fill;
    for (int64_t i = 0, n = weft_tensor_elements(small); i < n; i++)
        weft_copy_element(large, large_offset(region, small, large, i), small,
                          weft_tensor_offset(small, i));
}

/* ---- Kernels ---- */

/* Offset of the region's first element, and its strides. */
static int64_t walk_large(const weft_region *region, const weft_tensor *large, int64_t *stride)
{
    int64_t offset = 0;
    for (int i = 0; i < large->rank; i++) {
        stride[i] = large->stride[i] * region->step[i];
        offset += large->stride[i] * region->begin[i];
    }
    return offset;
}

bool weft_region_bind_take(weft_bind *bind, const weft_region *region)
{
    const weft_tensor *large = &bind->input[0], *small = &bind->output[0];
    weft_copy_args *args = weft_copying_begin(bind, 1);
    if (!args)
        return false;
    weft_copy_box box = {.from = 0, .to = bind->inputs, .rank = small->rank};
    memcpy(box.extent, small->extent, sizeof(small->extent));
    memcpy(box.to_stride, small->stride, sizeof(small->stride));
    box.from_offset = walk_large(region, large, box.from_stride);
    weft_copy_add(args, &box);
    return weft_copying_bind(bind, args);
}

bool weft_region_view(const weft_bind *bind, const weft_region *region, weft_tensor *view,
                      int64_t *offset)
{
    *offset = walk_large(region, &bind->input[0], view->stride);
    int last = view->rank - 1;
    return last < 0 || view->extent[last] == 1 || view->stride[last] == 1;
}

/* Where elements of the large tensor, along one dimension, are not of the region: `groups` times `count`
 * elements, the groups one step apart. */
typedef struct outside {
    int dimension;
    int64_t first, count, groups;
} outside;

/* Fills them, for all elements of the dimensions after it, and those of the region before it: so no
 * element is filled twice. */
static void add_fill(weft_copy_args *args, int operand, const weft_region *region,
                     const weft_tensor *small, const weft_tensor *large, outside where)
{
    weft_copy_box box = {.from = WEFT_COPY_FILL, .to = operand};
    if (where.count <= 0 || where.groups <= 0)
        return;
    for (int i = 0; i < large->rank; i++) {
        bool lattice = i <= where.dimension;
        if (lattice) {
            box.extent[box.rank] = i < where.dimension ? small->extent[i] : where.groups;
            box.to_stride[box.rank++] = large->stride[i] * region->step[i];
            box.to_offset +=
                large->stride[i] * (i < where.dimension ? region->begin[i] : where.first);
        }
        if (i >= where.dimension) {
            box.extent[box.rank] = i > where.dimension ? large->extent[i] : where.count;
            box.to_stride[box.rank++] = large->stride[i];
        }
    }
    weft_copy_add(args, &box);
}

static void add_outside(weft_copy_args *args, int operand, const weft_region *region,
                        const weft_tensor *small, const weft_tensor *large)
{
    for (int i = 0; i < large->rank; i++) {
        int64_t begin = region->begin[i], step = region->step[i];
        int64_t end = begin + (small->extent[i] - 1) * step + 1;
        const outside parts[] = {
            {i, 0, begin, 1},
            {i, begin + 1, step - 1, small->extent[i] - 1},
            {i, end, large->extent[i] - end, 1},
        };
        for (int k = 0; k < 3; k++)
            add_fill(args, operand, region, small, large, parts[k]);
    }
}

bool weft_region_bind_put(weft_bind *bind, const weft_region *region, double fill)
{
    const weft_tensor *small = &bind->input[0], *large = &bind->output[0];
    weft_copy_args *args = weft_copying_begin(bind, 3 * large->rank + 1);
    if (!args)
        return false;
    args->fill = (float)fill;
    weft_copy_box box = {.from = 0, .to = bind->inputs, .rank = small->rank};
    memcpy(box.extent, small->extent, sizeof(small->extent));
    memcpy(box.from_stride, small->stride, sizeof(small->stride));
    box.to_offset = walk_large(region, large, box.to_stride);
    weft_copy_add(args, &box);
    add_outside(args, bind->inputs, region, small, large);
    return weft_copying_bind(bind, args);
}
