/* A memory plan for people, and as JSON. */
#ifndef WEFT_CLI_PLAN_TABLE_H
#define WEFT_CLI_PLAN_TABLE_H

#include <stdio.h>

#include "weft/plan.h"

/* Prints how much of what there is, and the values alive at the peak, the largest first (at most `lines`; 0:
 * all). False when memory is short. */
bool plan_print(const weft_plan *plan, int lines, FILE *file);
/* Prints all of it as members of a JSON object, without its braces. */
void plan_print_json(const weft_plan *plan, FILE *file);

#endif
