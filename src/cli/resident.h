/* The memory of this process. */
#ifndef WEFT_CLI_RESIDENT_H
#define WEFT_CLI_RESIDENT_H

#include <stdint.h>

/* The most that was resident so far, in bytes; 0 where the system does not say. */
int64_t resident_peak_bytes(void);

#endif
