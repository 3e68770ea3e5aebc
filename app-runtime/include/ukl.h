/* What a program can ask the Unikernel Linux runtime. Everything else is plain C and POSIX. */
#ifndef UKL_H
#define UKL_H

#ifdef __cplusplus
extern "C" {
#endif

/* The level the program was linked for: "base", "byb", ...; "linux" in an ordinary process. Never null, never freed. */
const char *ukl_level(void);

#ifdef __cplusplus
}
#endif

#endif
