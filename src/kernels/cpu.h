/* Which processor this is. */
#ifndef WEFT_KERNELS_CPU_H
#define WEFT_KERNELS_CPU_H

#include <stddef.h>

/* Writes vendor and model of the first processor, cut to size, as the system says them: the same text on equal
 * processors. Empty where the system says nothing. Returns text. */
char *weft_cpu_model(char *text, size_t size);

#endif
