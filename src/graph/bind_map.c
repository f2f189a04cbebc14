#include "graph/bind_map.h"

bool weft_map_bind(weft_bind *bind, weft_map_function function, float a, float b)
{
    weft_map_args *args = weft_bind_args(bind, sizeof(*args));
    if (!args)
        return false;
    int inputs = weft_map_functions[function].inputs;
    int64_t pieces = weft_rows_plan(&args->rows, bind->input, inputs, &bind->output[0]);
    args->row = weft_map_kernel_table()->row[function];
    args->a = a;
    args->b = b;
    for (int i = 0; i < inputs; i++)
        args->slot[i] = i;
    args->slot[inputs] = bind->inputs;
    weft_bind_phase(bind, weft_map_piece, pieces);
    return true;
}
