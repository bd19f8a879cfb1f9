#pragma once
// hiredis uses `struct timeval` without including its header. Everything that needs one is wrapped here and takes
// milliseconds instead, so that no Swift file depends on which module owns its members.
#include <sys/time.h>
#include <hiredis/hiredis.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

static inline struct timeval chiredis_timeval(long milliseconds) {
  struct timeval value = {.tv_sec = milliseconds / 1000, .tv_usec = (milliseconds % 1000) * 1000};
  return value;
}

static inline redisContext *chiredis_connect_tcp(const char *address, int port, long timeout_ms) {
  return redisConnectWithTimeout(address, port, chiredis_timeval(timeout_ms));
}

static inline redisContext *chiredis_connect_unix(const char *path, long timeout_ms) {
  return redisConnectUnixWithTimeout(path, chiredis_timeval(timeout_ms));
}

// Bounds every single read and write of a connection.
static inline int chiredis_set_timeout(redisContext *context, long timeout_ms) {
  return redisSetTimeout(context, chiredis_timeval(timeout_ms));
}

static inline int chiredis_append(redisContext *context, int count, const char **words, const size_t *lengths) {
  return redisAppendCommandArgv(context, count, words, lengths);
}

// The words of a command as the protocol writes them, or -1; freed by redisFreeCommand.
static inline int chiredis_format(char **text, int count, const char **words, const size_t *lengths) {
  return redisFormatCommandArgv(text, count, words, lengths);
}

// Gives the reader bytes that came on another way than the context's own socket.
static inline int chiredis_feed(redisContext *context, const char *bytes, size_t count) {
  return redisReaderFeed(context->reader, bytes, count);
}

static inline int chiredis_socket(const redisContext *context) { return context->fd; }

// Waits for bytes (or the end of the stream): 1 there are some, 0 none in time, -1 failed.
static inline int chiredis_wait_readable(const redisContext *context, int timeout_ms) {
  struct pollfd entry = {.fd = context->fd, .events = POLLIN, .revents = 0};
  int result;
  do { result = poll(&entry, 1, timeout_ms); } while (result < 0 && errno == EINTR);
  return result;
}

static inline const char *chiredis_error_text(const redisContext *context) {
  return context->errstr;
}

// EAGAIN is how a read or write that took longer than its time limit shows itself.
static inline bool chiredis_timed_out(const redisContext *context) {
  int reason = errno;
  return context->err == REDIS_ERR_IO && (reason == EAGAIN || reason == ETIMEDOUT);
}

// hiredis writes without MSG_NOSIGNAL; a write to a closed socket must not end the process.
static inline void chiredis_block_sigpipe_in_this_thread(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}
