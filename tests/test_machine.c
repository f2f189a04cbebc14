/* The machine's limits, of one thread: OMP_THREAD_LIMIT is 1. */
#include <criterion/criterion.h>

#include "cli/machine.h"

/* Each look at it takes a second. */
static double clock_of_looks(void)
{
    static double seconds;
    return seconds++;
}

Test(machine, threads_that_are_not_started_do_nothing)
{
    machine_trials one = {.threads = 1, .length = 1, .clock = clock_of_looks}, four = one;
    four.threads = 4;
    cr_expect_eq(machine_multiply_adds("baseline", &four), machine_multiply_adds("baseline", &one));
    enum { BYTES = 3 << 16 };
    cr_expect_eq(machine_bandwidth(MACHINE_READ, BYTES, &four),
                 machine_bandwidth(MACHINE_READ, BYTES, &one));
}

Test(machine, roof_takes_memory_for_processors_only)
{
    weft_roof roof;
    cr_expect(machine_roof(1 << 23, &roof), "it asks for 200 TB");
    cr_expect_gt(roof.flops, 0);
}
