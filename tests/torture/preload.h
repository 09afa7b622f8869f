/* preload.h — what libraries for LD_PRELOAD have in common. */
#ifndef KS_TESTS_TORTURE_PRELOAD_H
#define KS_TESTS_TORTURE_PRELOAD_H

/* Our function of another name is what the program finds under this one. */
#define INSTEAD_OF(name) __asm__(name) __attribute__((visibility("default")))

#endif
