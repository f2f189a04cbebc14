#include "optim/groups.h"

#include "base/error.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

/* ---- Patterns ---- */

/* Whether text matches the pattern to its end; or, with within, up to a dot of text. Goes back to the last
 * star where it fails. */
static bool matches(const char *pattern, const char *text, bool within)
{
    const char *star = NULL, *resume = NULL;
    for (;;) {
        if (*pattern == '\0' && (*text == '\0' || (within && *text == '.')))
            return true;
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*text != '\0' && (*pattern == '?' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (star && *resume != '\0') {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
}

int weft_group_of(const weft_variable_group *group, int groups, const char *name)
{
    for (int i = 0; i < groups; i++)
        if (matches(group[i].pattern, name, true))
            return i;
    return -1;
}

/* ---- Rates in a state ---- */

int weft_optimizer_scope(const weft_optimizer *optimizer)
{
    const char *name = weft_name_get(optimizer->learning_rate), *end = strrchr(name, '.');
    return end ? (int)(end - name) : 0;
}

weft_value weft_optimizer_group(const weft_optimizer *optimizer, const char *group)
{
    weft_graph *graph = optimizer->learning_rate.graph;
    weft_text name = weft_text_begin(weft_graph_context(graph));
    weft_text_add(&name, "%.*s.groups.%s.rate", weft_optimizer_scope(optimizer),
                  weft_name_get(optimizer->learning_rate), group);
    weft_value rate = name.failed ? weft_null(graph) : weft_find(graph, name.data);
    weft_text_release(&name);
    return rate;
}

weft_status weft_optimizer_set_group_rate(const weft_optimizer *optimizer, weft_state *state,
                                          const char *group, double rate, weft_error *error)
{
    weft_value variable = weft_optimizer_group(optimizer, group);
    if (weft_is_null(variable))
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "the optimizer has no group \"%s\"",
                              group);
    if (!isfinite(rate) || rate < 0)
        return weft_error_set(error, WEFT_ERROR_ARGUMENT, "rate %g of group \"%s\"", rate, group);
    return weft_state_write(state, variable, &rate, 1, error);
}

double weft_optimizer_group_rate(const weft_optimizer *optimizer, weft_state *state,
                                 const char *group)
{
    double rate;
    weft_value variable = weft_optimizer_group(optimizer, group);
    return !weft_is_null(variable) && weft_state_read(state, variable, &rate, 1, NULL) == WEFT_OK
               ? rate
               : NAN;
}
