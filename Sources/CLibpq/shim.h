#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <libpq-fe.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

/// A pipe whose both ends never block and are not inherited: 0, or -1 with errno set. (`fcntl` is variadic, which Swift cannot call.)
static inline int clibpq_wake_pipe(int ends[2]) {
  if (pipe(ends) != 0) return -1;
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
  }
  return 0;
}

/// Wakes whoever polls the reading end; a full pipe is already awake.
static inline void clibpq_wake(int writing_end) {
  char byte = 1;
  ssize_t ignored = write(writing_end, &byte, 1);
  (void)ignored;
}

/// Empties the reading end.
static inline void clibpq_wake_drain(int reading_end) {
  char bytes[64];
  while (read(reading_end, bytes, sizeof bytes) > 0) {}
}

/// Waits until `first` (or, unless negative, `second`) can be read, at most `timeout` milliseconds (negative: for ever).
/// Bit 1: `first` is readable or gone; bit 2: `second` is. 0: time is up or a signal came.
static inline int clibpq_poll_readable(int first, int second, int timeout) {
  struct pollfd entries[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
  if (poll(entries, second < 0 ? 1 : 2, timeout) <= 0) return 0;
  return (entries[0].revents ? 1 : 0) | (second >= 0 && entries[1].revents ? 2 : 0);
}

static inline void clibpq_close(int descriptor) { (void)close(descriptor); }

/// Names a thread, at most 15 bytes, for debuggers and `top -H`.
extern int pthread_setname_np(pthread_t thread, const char *name);
static inline void clibpq_name_thread(pthread_t thread, const char *name) { (void)pthread_setname_np(thread, name); }
