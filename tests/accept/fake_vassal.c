/* fake_vassal: a vassal that speaks the wire and nothing else, execed by the acceptance tests and the benchmarks in uWSGI's place
 * (--binary-path). What it does beyond the wire stands in its config, on lines with `;fake key=value` (or `;fake key`):
 *
 *	log=FILE	append "NS PID WORD" for the start, each byte received, EOF and each exit (CLOCK_MONOTONIC)
 *	record=FILE	write what it was born with, as JSON (fake_record.c)
 *	once=FILE	FILE absent: create it and do all that follows; else follow only the keys before this one
 *	no-signal	hang before the first byte, deaf to the wire and to TERM
 *	exit-at-start=N	exit before the first byte
 *	delay=MS	wait before the first byte
 *	bytes=A,B	bytes sent at start (1,5); reload-bytes: after a byte 1 (5)
 *	exit-after=N	exit when the first bytes are sent
 *	segv		die of SIGSEGV then
 *	close-wire	close the wire then, and live on
 *	exit-on-reload=N  exit-on-stop=N (0)
 *	ignore-stop	read bytes 0 and 2, and go on; deaf to TERM
 *	ignore-eof	live on when the wire ends
 *	heartbeat=MS	send byte 26 so often; heartbeats=N: only N times
 *	print=TEXT	a line on stdout; print-err=TEXT: on stderr; print-raw=TEXT: no newline
 *	flood		print as fast as stdout takes it
 *	fork, fork-setsid  have a child that sleeps for ever; without the wire
 *
 * A value ends at the line's end or at a double quote, so that XML, YAML and JSON can carry it too. With a plain config it costs
 * reading that file. It never trusts itself to be alone: it opens nothing but the files it is told. */
#include "fake_vassal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONFIG_MAX 16384	/* a test's config is a few hundred bytes */

struct fake {
	const char *log, *record, *bytes, *reload_bytes, *print, *print_err, *print_raw;
	int no_signal, segv, close_wire, ignore_stop, ignore_eof, flood, fork, fork_setsid;
	int exit_at_start, exit_after, exit_on_reload, exit_on_stop;	/* -1: do not */
	int delay, heartbeat, heartbeats;
	int wire;
};

static struct fake fake = {
	.bytes = "1,5", .reload_bytes = "5",
	.exit_at_start = -1, .exit_after = -1, .exit_on_reload = -1, .exit_on_stop = 0,
	.heartbeats = -1, .wire = -1,
};

static const struct { const char *key; const char **value; } texts[] = {
	{ "log", &fake.log }, { "record", &fake.record }, { "bytes", &fake.bytes }, { "reload-bytes", &fake.reload_bytes },
	{ "print", &fake.print }, { "print-err", &fake.print_err }, { "print-raw", &fake.print_raw },
};
static const struct { const char *key; int *value; } numbers[] = {
	{ "no-signal", &fake.no_signal }, { "segv", &fake.segv }, { "close-wire", &fake.close_wire },
	{ "ignore-stop", &fake.ignore_stop }, { "ignore-eof", &fake.ignore_eof }, { "flood", &fake.flood },
	{ "fork", &fake.fork }, { "fork-setsid", &fake.fork_setsid },
	{ "exit-at-start", &fake.exit_at_start }, { "exit-after", &fake.exit_after },
	{ "exit-on-reload", &fake.exit_on_reload }, { "exit-on-stop", &fake.exit_on_stop },
	{ "delay", &fake.delay }, { "heartbeat", &fake.heartbeat }, { "heartbeats", &fake.heartbeats },
};

static void note(const char *word)
{
	char line[128];
	struct timespec ts;

	if (!fake.log)
		return;
	int fd = open(fake.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	int n = snprintf(line, sizeof(line), "%lld %d %s\n", (long long)ts.tv_sec * 1000000000LL + ts.tv_nsec, (int)getpid(), word);
	if (write(fd, line, (size_t)n) != n)
		_exit(99);
	close(fd);
}

static _Noreturn void leave(int status)
{
	char word[32];

	snprintf(word, sizeof(word), "exit=%d", status);
	note(word);
	_exit(status);
}

static _Noreturn void sleep_for_ever(void)
{
	for (;;)
		pause();
}

/* One `key=value`; false: stop reading here. */
static int take_key(const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0) {
			*texts[i].value = value;
			return 1;
		}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(key, numbers[i].key) == 0) {
			*numbers[i].value = *value ? atoi(value) : 1;
			return 1;
		}
	if (strcmp(key, "once") == 0) {
		int fd = open(value, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd >= 0)
			close(fd);
		return fd >= 0;
	}
	fprintf(stderr, "fake_vassal: no such key: %s\n", key);
	_exit(98);
}

static void read_config(const char *name)
{
	static char text[CONFIG_MAX];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0) {
		fprintf(stderr, "fake_vassal: %s: %s\n", name, strerror(errno));
		_exit(97);
	}
	close(fd);
	for (char *at = strstr(text, ";fake "), *next; at; at = next) {
		char *key = at + 6;
		char *end = key + strcspn(key, "\n\"");
		next = *end ? strstr(end + 1, ";fake ") : NULL;
		*end = '\0';
		char *value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		if (!take_key(key, value ? value : end))
			return;
	}
}

/* NAME in `BINARY [--inherit T]... --ini NAME [--inherit T]...`. */
static const char *config_name(char **argv)
{
	static const char *const types[] = { "--ini", "--xml", "--yaml", "--json", "--config" };

	for (int i = 1; argv[i] && argv[i + 1]; i++)
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
			if (strcmp(argv[i], types[t]) == 0)
				return argv[i + 1];
	fprintf(stderr, "fake_vassal: no config in my arguments\n");
	_exit(96);
}

static void say(const char *list)
{
	unsigned char bytes[64];
	size_t n = 0;

	while (*list && n < sizeof(bytes)) {
		char *end;
		bytes[n++] = (unsigned char)strtol(list, &end, 10);
		list = *end == ',' ? end + 1 : end + strlen(end);
	}
	if (n && write(fake.wire, bytes, n) != (ssize_t)n)
		note("wire-write-failed");
}

static void print(int fd, const char *text, const char *end)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s%s", text, end);

	if (write(fd, line, (size_t)n) != n)
		note("print-failed");
}

static void have_child(int own_session)
{
	if (fork() != 0)
		return;
	close(fake.wire);
	if (own_session)
		setsid();
	note("child");
	sleep_for_ever();
}

static void begin(void)
{
	note("start");
	if (fake.no_signal || fake.ignore_stop)
		signal(SIGTERM, SIG_IGN);
	if (fake.print)
		print(1, fake.print, "\n");
	if (fake.print_err)
		print(2, fake.print_err, "\n");
	if (fake.print_raw)
		print(1, fake.print_raw, "");
	if (fake.exit_at_start >= 0)
		leave(fake.exit_at_start);
	if (fake.no_signal)
		sleep_for_ever();
	if (fake.fork || fake.fork_setsid)
		have_child(fake.fork_setsid);
	if (fake.delay)
		poll(NULL, 0, fake.delay);
	say(fake.bytes);
	if (fake.exit_after >= 0)
		leave(fake.exit_after);
	if (fake.segv)
		raise(SIGSEGV);
	if (fake.close_wire) {
		close(fake.wire);
		sleep_for_ever();
	}
}

static void obey(unsigned char byte)
{
	char word[8];

	snprintf(word, sizeof(word), "%u", byte);
	note(word);
	if (byte == 1) {
		if (fake.exit_on_reload >= 0)
			leave(fake.exit_on_reload);
		say(fake.reload_bytes);
	} else if ((byte == 0 || byte == 2) && !fake.ignore_stop) {
		leave(fake.exit_on_stop);
	}
}

/* Waits until the wire is readable; floods and beats meanwhile. */
static void idle(void)
{
	static char block[4096];
	struct pollfd fds[2] = { { .fd = fake.wire, .events = POLLIN }, { .fd = 1, .events = POLLOUT } };

	if (fake.flood && !block[0])
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = i % 64 == 63 ? '\n' : 'f';
	for (;;) {
		int wait = fake.heartbeat && fake.heartbeats ? fake.heartbeat : -1;
		int n = poll(fds, fake.flood ? 2 : 1, wait);
		if (fds[0].revents)
			return;
		if (n == 0) {
			say("26");
			fake.heartbeats -= fake.heartbeats > 0;
		}
		if (n > 0 && fake.flood && write(1, block, sizeof(block)) < 0)
			fake.flood = 0;
	}
}

int main(int argc, char **argv)
{
	const char *wire = getenv("UWSGI_EMPEROR_FD");

	(void)argc;
	read_config(config_name(argv));
	if (fake.record)
		fake_record(fake.record, argv);
	if (!wire) {
		fprintf(stderr, "fake_vassal: no UWSGI_EMPEROR_FD\n");
		return 95;
	}
	fake.wire = atoi(wire);
	begin();
	for (;;) {
		unsigned char byte;
		if (fake.flood || fake.heartbeat)
			idle();
		ssize_t n = read(fake.wire, &byte, 1);
		if (n == 1)
			obey(byte);
		else if (n == 0 || errno != EINTR) {
			note("eof");
			if (fake.ignore_eof)
				sleep_for_ever();
			leave(1);
		}
	}
}
