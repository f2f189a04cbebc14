/* Options of optimizers, filled in and checked. */
#ifndef WEFT_OPTIM_OPTIONS_H
#define WEFT_OPTIM_OPTIONS_H

#include "optim/update.h"
#include "weft/optim.h"

/* Options, which may be NULL, with defaults in place of 0; false with the graph's error set where they are
 * wrong for these variables. */
bool weft_optimizer_complete(weft_graph *graph, const weft_optimizer_options *options,
                             const weft_value *variable, int count, weft_optimizer_options *out);

/* Of completed options: the rule, and the attributes of its op for a variable in a group (NULL: none). */
weft_update_kind weft_optimizer_update_kind(const weft_optimizer_options *options);
weft_update_attributes weft_optimizer_attributes(const weft_optimizer_options *options,
                                                 weft_value variable,
                                                 const weft_variable_group *group);

#endif
