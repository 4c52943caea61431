/* load: clients at a fixed rate, each with a connection of its own, in one process; counts what becomes of them. It retries nothing: an
 * error is an answer. Never waits for a slow answer before it asks again.
 *
 *	load [--rate N] [--seconds S] [--timeout S] [--path /P] uwsgi|http|scgi unix:/PATH|ADDRESS:PORT
 *
 * Says "begun" when the first of its clients has been served or has failed. At SIGUSR1, and at its end (SIGTERM, SIGINT, or after so many seconds), it prints one line, a JSON object: how many were asked, came to
 * good answers (`ok`), and to what else, kind by kind; how often each version (the body of a good answer) was seen; the longest
 * silence between two good answers, and when it ended; percentiles of what a good answer took; how late the load itself ever was. After
 * SIGTERM it asks no more, and waits for what is under way. Times are in ms. */
#include "load.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 8192	/* at once: more than a minute of silence at 100/s */
#define EVENTS_MAX 64

struct client {
	int fd;			/* -1: free */
	uint64_t began;
	struct load_answer answer;
	struct client *next;	/* among the free */
};

static struct load load = { .rate = 200, .timeout = 10 * SECOND, .path = "/" };
static struct client clients[CLIENTS_MAX], *idle;
static int epoll;

uint64_t load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void finish(struct client *c, enum load_kind kind, int error)
{
	close(c->fd);
	c->fd = -1;
	c->next = idle;
	idle = c;
	load.under_way--;
	load_count(&load, kind, error, c->began, &c->answer);
}

static enum load_kind kind_of(int error)
{
	switch (error) {
	case ECONNREFUSED: return LOAD_REFUSED;
	case ENOENT: return LOAD_MISSING;
	case EAGAIN: return LOAD_FULL;
	case ECONNRESET:
	case EPIPE: return LOAD_RESET;
	default: return LOAD_OTHER;
	}
}

static void begin(void)
{
	struct client *c = idle;

	load.asked++;
	if (!c) {
		load_count(&load, LOAD_OTHER, EMFILE, load_now(), NULL);
		return;
	}
	idle = c->next;
	load.under_way++;
	c->began = load_now();
	c->answer.n = c->answer.more = 0;
	c->answer.text[0] = '\0';
	c->fd = socket(load.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	if (c->fd < 0 || (connect(c->fd, (struct sockaddr *)&load.address, load.address_size) < 0 && errno != EINPROGRESS)
	    || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
		finish(c, kind_of(errno), errno);
}

/* Connected, or not. A request is small enough for any fresh socket. */
static void ask(struct client *c)
{
	int error = 0;
	socklen_t size = sizeof(error);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error == 0 && send(c->fd, load.request, load.request_size, MSG_NOSIGNAL) != (ssize_t)load.request_size)
		error = errno;
	if (error == 0 && epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event) < 0)
		error = errno;
	if (error)
		finish(c, kind_of(error), error);
}

static void listen_to(struct client *c)
{
	static char drop[65536];
	struct load_answer *a = &c->answer;

	for (;;) {
		size_t room = sizeof(a->text) - 1 - a->n;
		ssize_t n = recv(c->fd, room ? a->text + a->n : drop, room ? room : sizeof(drop), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			finish(c, kind_of(errno), errno);
			return;
		}
		if (n == 0) {
			finish(c, load_judge(a), 0);
			return;
		}
		*(room ? &a->n : &a->more) += (size_t)n;
		a->text[a->n] = '\0';
		if (load_is_whole(a)) {	/* who keeps connections alive says no more */
			finish(c, load_judge(a), 0);
			return;
		}
	}
}

/* Between two batches of events: in one, who is freed might be somebody else when his event's turn comes. */
static void time_out(void)
{
	static uint64_t looked;
	uint64_t now = load_now();

	if (now - looked < SECOND / 4)
		return;
	looked = now;
	for (struct client *c = clients; c < clients + CLIENTS_MAX; c++)
		if (c->fd >= 0 && now - c->began > load.timeout)
			finish(c, LOAD_TIMEOUT, 0);
}

/* The timer's expirations since it was last read: each is a client. More than one: we are late. */
static void tick(int timer)
{
	uint64_t times = 0;

	if (read(timer, &times, sizeof(times)) != sizeof(times))
		return;
	if (times > 1 && (times - 1) * SECOND / load.rate > load.late)
		load.late = (times - 1) * SECOND / load.rate;
	while (times--)
		begin();
}

static int add(int fd, int *place)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = place };

	*place = fd;
	return fd < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* false: it is over. */
static bool take_signal(int signals, int timer)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGUSR1) {
		close(timer);
		return false;
	}
	load_print(&load);
	return true;
}

static void run(int timer, int signals)
{
	static int timer_place, signal_place;
	struct epoll_event events[EVENTS_MAX];
	uint64_t end = load.seconds ? load_now() + load.seconds * SECOND : UINT64_MAX;
	bool asking = add(timer, &timer_place) == 0 && add(signals, &signal_place) == 0;

	while (asking || load.under_way) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, 500);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			if (events[i].data.ptr == &timer_place)
				tick(timer);
			else if (events[i].data.ptr == &signal_place)
				asking = take_signal(signals, timer) && asking;
			else if (c->fd >= 0 && events[i].events & EPOLLOUT)
				ask(c);
			else if (c->fd >= 0)
				listen_to(c);
		}
		time_out();
		if (asking && load_now() > end) {
			close(timer);
			asking = false;
		}
	}
}

static int fail(const char *what)
{
	fprintf(stderr, "load: %s\n", what);
	return 2;
}

static const char *options(int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		unsigned long number = strtoul(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--rate") == 0 && number > 0)
			load.rate = number;
		else if (strcmp(argv[i], "--seconds") == 0)
			load.seconds = number;
		else if (strcmp(argv[i], "--timeout") == 0 && number > 0)
			load.timeout = number * SECOND;
		else if (strcmp(argv[i], "--path") == 0)
			load.path = argv[i + 1];
		else
			return argv[i];
	}
	if (argc - i != 2)
		return "a protocol and an address are needed";
	if (!load_set_address(&load, argv[i + 1]))
		return argv[i + 1];
	return load_set_request(&load, argv[i]) ? NULL : argv[i];
}

int main(int argc, char **argv)
{
	sigset_t set;
	const char *wrong = options(argc, argv);

	if (wrong)
		return fail(wrong);
	for (struct client *c = clients; c < clients + CLIENTS_MAX; c++) {
		c->fd = -1;
		c->next = idle;
		idle = c;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	struct timespec gap = { .tv_sec = load.rate == 1, .tv_nsec = load.rate == 1 ? 0 : (long)(SECOND / load.rate) };
	struct itimerspec each = { .it_interval = gap, .it_value = gap };
	if (epoll < 0 || timer < 0 || signals < 0 || timerfd_settime(timer, 0, &each, NULL) < 0)
		return fail(strerror(errno));
	load.began = load.last_ok = load_now();
	run(timer, signals);
	load_print(&load);
	return 0;
}
