/*
 * The unwinder's search for the frame of an address, with what the start files of a compiler would do: telling it where the
 * frames are. A process has a program header for that, found through dl_iterate_phdr(). In the kernel the application's text
 * and data are far apart and there is no such header; app.lds names the table, which only the object for the kernel has.
 */
#define HAVE_LD_EH_FRAME_HDR 1
#define TARGET_DL_ITERATE_PHDR 1
#include "unwind-dw2-fde-dip.c"

extern const char __ukl_eh_frame[] __attribute__((weak));

/* Names a library by an address in it; a program that is one piece needs no second. */
void *__dso_handle;

static struct object frames;

/* Before any constructor of a program, which may throw. */
__attribute__((constructor(101))) static void register_frames(void)
{
	if (__ukl_eh_frame)
		__register_frame_info(__ukl_eh_frame, &frames);
}
