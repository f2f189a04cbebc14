// The public headers from C++: they compile, and builders take their options by pointer.
#include "weft/weft.h"

#include <cmath>
#include <cstdio>

int main()
{
    weft_context *context = weft_context_create(nullptr);
    weft_graph *graph = weft_graph_create(context);
    weft_input_options input = {};
    input.name = "x";
    input.shape = weft_shape_of({WEFT_BATCH, 3});
    weft_value x = weft_input(graph, &input);
    weft_reduce_options all = {};
    weft_value sum = weft_sum(weft_square(x), &all);
    weft_value gradient = weft_gradient(sum, x);

    weft_state *state = nullptr;
    weft_program *program = nullptr;
    weft_error error = {};
    const weft_value fetch[] = {sum, gradient};
    weft_compile_options options = {};
    options.fetch = fetch;
    options.fetches = 2;
    options.batch = 2;
    const float data[] = {1, 2, 3, 4, 5, 6};
    const weft_feed feed = {x, data, sizeof data};
    bool good = weft_state_create(graph, nullptr, &state, &error) == WEFT_OK &&
                weft_compile(graph, state, &options, &program, &error) == WEFT_OK &&
                weft_run(program, &feed, 1, nullptr, &error) == WEFT_OK;
    good = good && weft_fetch_scalar(program, sum) == 91.0 &&
           static_cast<const float *>(weft_fetch(program, gradient).data)[5] == 12.0f;
    std::printf("%s\n", good ? "C++ agrees" : error.message);
    weft_program_destroy(program);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
    return good ? 0 : 1;
}
