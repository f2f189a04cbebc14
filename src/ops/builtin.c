/* The built-in ops by number: what lists and checks walk through. */
#include "ops/ops.h"

static const weft_op *const ops[] = {
#define WEFT_BUILTIN_ROW(name) &weft_##name##_op,
    WEFT_BUILTIN_TABLE(WEFT_BUILTIN_ROW)
#undef WEFT_BUILTIN_ROW
#define WEFT_UPDATE_ROW(NAME, name, slots, flops) &weft_##name##_update_op,
        WEFT_UPDATE_TABLE(WEFT_UPDATE_ROW)
#undef WEFT_UPDATE_ROW
};

const weft_op *weft_builtin_op(int index)
{
    int count = (int)(sizeof(ops) / sizeof(ops[0]));
    return index >= 0 && index < count ? ops[index] : NULL;
}
