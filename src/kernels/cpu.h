/* Which processor this is, and what blocks fit its caches. */
#ifndef WEFT_KERNELS_CPU_H
#define WEFT_KERNELS_CPU_H

#include <stddef.h>
#include <stdint.h>

/* Writes vendor and model of the first processor, cut to size, as the system says them: the same text on equal
 * processors. Empty where the system says nothing. Returns text. */
char *weft_cpu_model(char *text, size_t size);

/* Bytes of the second-level cache of a core, as the system says, or as the variable WEFT_L2 of the environment
 * does; 1 MiB where neither says anything. Read once. At least 512 KiB: what kernels hold has room in them. */
int64_t weft_cpu_l2(void);

/* Floats that a piece should hold at once which has room for so many on its stack: all of them, but no more than
 * half of the second-level cache. */
int64_t weft_cpu_floats(int64_t room);

#endif
