// Delivers signed events over keep-alive connections, as fast as the server answers, and records which were acknowledged.
//
//   webhooks PORT SECRET TEMPLATE CONNECTIONS SECONDS ACCOUNTS ACKNOWLEDGED
//
// TEMPLATE is the body of one event. "@ACCOUNT@" and "@EVENT@" in it are padded to the length of the ids that replace them;
// "@CREATED@" is the present second. Every delivery has its own id (24 random letters, as at Stripe). All are signed before
// the clock starts, because signing is Stripe's work and is not measured. One thread with epoll. When the time is over, the
// program waits for every delivery under way. It prints one line:
//
//   acknowledged refused seconds p50_us p99_us max_us
//
// The file ACKNOWLEDGED gets one line with the id for each 200, in any order.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ID = 28, ACCOUNT = 21, MAX_CONNECTIONS = 4096 };  // "evt_" and 24; "acct_" and 16

typedef struct {
  char event[ID + 1];
  char account[ACCOUNT + 1];
  char signature[65];
} Delivery;

typedef struct {
  int socket;
  char *request;
  size_t length, sent;
  char answer[8192];
  size_t answered;
  size_t delivery;
  int64_t began;
} Connection;

static char *body;
static size_t body_length;
static char *event_places[16], *account_places[16];
static int events, accounts_in_body;
static char second[16];

static void fail(const char *what) {
  fprintf(stderr, "webhooks: %s: %s\n", what, errno ? strerror(errno) : "not usable");
  exit(1);
}

static int64_t now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static uint64_t random_state;
static uint64_t next_random(void) {  // splitmix64
  uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static void random_letters(char *to, int count) {
  static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int i = 0; i < count; i++) to[i] = letters[next_random() % 62];
}

// Reads the template and gives every placeholder its final length.
static void read_template(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path);
  char *text = calloc(1, 65536), *out = calloc(1, 131072);
  size_t length = fread(text, 1, 65535, file);
  fclose(file);
  while (length > 0 && text[length - 1] == '\n') text[--length] = 0;
  body = out;
  for (char *from = text; *from;) {
    if (strncmp(from, "@EVENT@", 7) == 0) {
      event_places[events++] = out, out += ID, from += 7;
    } else if (strncmp(from, "@ACCOUNT@", 9) == 0) {
      account_places[accounts_in_body++] = out, out += ACCOUNT, from += 9;
    } else if (strncmp(from, "@CREATED@", 9) == 0) {
      out += sprintf(out, "%s", second), from += 9;
    } else {
      *out++ = *from++;
    }
    if (events == 16 || accounts_in_body == 16) errno = 0, fail("too many placeholders");
  }
  body_length = (size_t)(out - body);
  if (!events || !accounts_in_body) errno = 0, fail("no placeholder in the template");
}

static void fill(const Delivery *delivery) {
  for (int i = 0; i < events; i++) memcpy(event_places[i], delivery->event, ID);
  for (int i = 0; i < accounts_in_body; i++) memcpy(account_places[i], delivery->account, ACCOUNT);
}

static void sign(Delivery *delivery, const char *secret) {
  static char signed_text[131104];
  fill(delivery);
  int head = sprintf(signed_text, "%s.", second);
  memcpy(signed_text + head, body, body_length);
  unsigned char code[32];
  unsigned int length = 32;
  HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)signed_text, (size_t)head + body_length, code, &length);
  for (int i = 0; i < 32; i++) sprintf(delivery->signature + 2 * i, "%02x", code[i]);
}

static void prepare(Connection *connection, const Delivery *delivery, size_t number, int port) {
  fill(delivery);
  int head = sprintf(
      connection->request,
      "POST /stripe/webhook HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json; charset=utf-8\r\n"
      "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\nAccept: */*\r\nCache-Control: no-cache\r\n"
      "Stripe-Signature: t=%s,v1=%s\r\nContent-Length: %zu\r\n\r\n",
      port, second, delivery->signature, body_length);
  memcpy(connection->request + head, body, body_length);
  connection->length = (size_t)head + body_length;
  connection->sent = connection->answered = 0;
  connection->delivery = number;
  connection->began = now_us();
}

// Returns 0 while the answer is not complete, else its status.
static int status_of_complete_answer(Connection *connection) {
  connection->answer[connection->answered] = 0;
  char *end = strstr(connection->answer, "\r\n\r\n");
  if (!end) return 0;
  char *length = strcasestr(connection->answer, "\r\ncontent-length:");
  if (!length || length > end) errno = 0, fail("an answer without a length");
  size_t whole = (size_t)(end + 4 - connection->answer) + (size_t)atol(length + 17);
  return connection->answered >= whole ? atoi(connection->answer + 9) : 0;
}

static void push(Connection *connection) {
  while (connection->sent < connection->length) {
    ssize_t count = send(
        connection->socket, connection->request + connection->sent, connection->length - connection->sent, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EAGAIN) return;
      fail("send");
    }
    connection->sent += (size_t)count;
  }
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

int main(int count, char **words) {
  if (count != 8) {
    fprintf(stderr, "usage: webhooks PORT SECRET TEMPLATE CONNECTIONS SECONDS ACCOUNTS ACKNOWLEDGED\n");
    return 2;
  }
  int port = atoi(words[1]), connections = atoi(words[4]), accounts = atoi(words[6]);
  double seconds = atof(words[5]);
  if (connections < 1 || connections > MAX_CONNECTIONS || accounts < 1 || seconds <= 0) errno = 0, fail("the options");
  if (getrandom(&random_state, sizeof random_state, 0) != sizeof random_state) fail("getrandom");
  sprintf(second, "%lld", (long long)time(NULL));
  read_template(words[3]);

  // More than a server can answer in this time.
  size_t capacity = (size_t)(seconds * 40000) + (size_t)connections;
  Delivery *deliveries = calloc(capacity, sizeof *deliveries);
  uint32_t *latencies = calloc(capacity, sizeof *latencies);
  if (!deliveries || !latencies) fail("memory");
  for (size_t i = 0; i < capacity; i++) {
    sprintf(deliveries[i].account, "acct_load%012llu", (unsigned long long)(next_random() % (uint64_t)accounts));
    memcpy(deliveries[i].event, "evt_", 4);
    random_letters(deliveries[i].event + 4, ID - 4);
    sign(&deliveries[i], words[2]);
  }

  int poll = epoll_create1(0);
  Connection *all = calloc((size_t)connections, sizeof *all);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < connections; i++) {
    all[i].request = malloc(body_length + 1024);
    all[i].socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(all[i].socket, (struct sockaddr *)&address, sizeof address)) fail("connect");
    int yes = 1;
    setsockopt(all[i].socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(all[i].socket, F_SETFL, O_NONBLOCK);
  }

  FILE *acknowledged_file = fopen(words[7], "w");
  if (!acknowledged_file) fail(words[7]);
  size_t next = 0, acknowledged = 0, refused = 0, answers = 0;
  int under_way = 0;
  int64_t start = now_us(), stop = start + (int64_t)(seconds * 1e6);
  for (int i = 0; i < connections; i++) {
    prepare(&all[i], &deliveries[next], next, port);
    next++, under_way++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event);
    push(&all[i]);
  }
  struct epoll_event ready[256];
  while (under_way > 0) {
    int found = epoll_wait(poll, ready, 256, 30000);
    if (found < 0 && errno != EINTR) fail("epoll_wait");
    if (found == 0) errno = 0, fail("no answer for 30 s");
    for (int i = 0; i < found; i++) {
      Connection *connection = ready[i].data.ptr;
      push(connection);
      for (;;) {
        size_t room = sizeof connection->answer - 1 - connection->answered;
        ssize_t got = recv(connection->socket, connection->answer + connection->answered, room, 0);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) fail("the server closed a connection");
        connection->answered += (size_t)got;
        int status = status_of_complete_answer(connection);
        if (!status) continue;
        int64_t now = now_us();
        latencies[answers++] = (uint32_t)(now - connection->began);
        if (status == 200) {
          acknowledged++;
          fprintf(acknowledged_file, "%s\n", deliveries[connection->delivery].event);
        } else {
          if (refused++ == 0) fprintf(stderr, "webhooks: first refusal: %s\n", connection->answer);
        }
        if (now < stop && next < capacity) {
          prepare(connection, &deliveries[next], next, port);
          next++;
          push(connection);
        } else {
          under_way--;
          break;
        }
      }
    }
  }
  double took = (double)(now_us() - start) / 1e6;
  if (next == capacity) fprintf(stderr, "webhooks: the prepared deliveries ran out\n");
  if (fclose(acknowledged_file)) fail(words[7]);
  qsort(latencies, answers, sizeof *latencies, compare);
  printf("%zu %zu %.3f %u %u %u\n", acknowledged, refused, took, latencies[answers / 2], latencies[answers * 99 / 100],
         latencies[answers - 1]);
  return 0;
}
