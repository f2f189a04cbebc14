/* Groups of variables with a rate of their own. */
#ifndef WEFT_OPTIM_GROUPS_H
#define WEFT_OPTIM_GROUPS_H

#include "weft/optim.h"

/* The first group whose pattern matches the name; -1: none. */
int weft_group_of(const weft_variable_group *group, int groups, const char *name);

/* "adam" of an optimizer whose learning rate is "adam.learning_rate": the length of that, scopes around
 * it included. */
int weft_optimizer_scope(const weft_optimizer *optimizer);

#endif
