/* A build without jansson says so. */
#include <criterion/criterion.h>
#include <string.h>

#include "weft/weft.h"

Test(no_safetensors, not_in_this_build)
{
    weft_context *context = weft_context_create(NULL);
    weft_graph *graph = weft_graph_create(context);
    weft_state *state;
    weft_error error = {0};
    cr_assert_eq(weft_state_create(graph, NULL, &state, NULL), WEFT_OK);
    cr_expect_eq(weft_state_load(state, "x", NULL, &error), WEFT_ERROR_UNSUPPORTED);
    cr_expect_not_null(strstr(error.message, "x: this build of weft has no safetensors"));
    cr_expect_eq(weft_state_save(state, "x", NULL, &error), WEFT_ERROR_UNSUPPORTED);
    weft_state_destroy(state);
    weft_graph_destroy(graph);
    weft_context_destroy(context);
}
