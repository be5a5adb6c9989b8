/* The reference of `bench host`: wakes on absolute deadlines with clock_nanosleep under SCHED_FIFO, nothing else.
 * stdin: deadlines in ns after the start, one a line. stdout: lateness in ns, one a line. Exit code 3 when SCHED_FIFO is refused. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S 1000000000LL
#define START_NS 100000000LL

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int main(void) {
    struct sched_param parameter = {.sched_priority = 1};
    size_t count = 0, room = 1024;
    long long *values = malloc(room * sizeof *values);
    if (!values)
        return 1;
    while (scanf("%lld", &values[count]) == 1) {
        if (++count == room) {
            room *= 2;
            values = realloc(values, room * sizeof *values);
            if (!values)
                return 1;
        }
    }
    if (sched_setscheduler(0, SCHED_FIFO, &parameter))
        return 3;
    long long start_ns = now_ns() + START_NS;
    for (size_t at = 0; at < count; at++) {
        long long deadline_ns = start_ns + values[at];
        struct timespec deadline = {.tv_sec = deadline_ns / NS_PER_S, .tv_nsec = deadline_ns % NS_PER_S};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL))
            ;
        values[at] = now_ns() - deadline_ns;
    }
    for (size_t at = 0; at < count; at++)
        printf("%lld\n", values[at]);
    return 0;
}
