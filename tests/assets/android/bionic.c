/* The symbols of Android's C library that ONNX Runtime's Java bindings need, implemented with glibc. With them the
   bindings for Android run on a desktop JVM, together with ONNX Runtime for Linux. */
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);

void *malloc(size_t count) { return __libc_malloc(count); }
void *realloc(void *old, size_t count) { return __libc_realloc(old, count); }
void free(void *old) { __libc_free(old); }
void *memcpy(void *to, const void *from, size_t count) { return memmove(to, from, count); }
size_t strlen(const char *text) { return strnlen(text, (size_t)-1 / 2); }
void __stack_chk_fail(void) { abort(); }
int __cxa_atexit(void (*call)(void *), void *argument, void *library) { return 0; }
void __cxa_finalize(void *library) {}
int __register_atfork(void (*a)(void), void (*b)(void), void (*c)(void), void *library) { return 0; }
int dlclose(void *library) { return 0; }
void *OrtSessionOptionsAppendExecutionProvider_Nnapi(void *options, unsigned flags) { return NULL; }
