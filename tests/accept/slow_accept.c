/* slow_accept: LD_PRELOADed: a client that was accepted is noticed 3 ms later. What a worker does between accept4() and the moment it counts as busy
 * takes microseconds on an idle machine; here it takes long enough for a signal to fall into it. Changes nothing else. */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#define PAUSE_NS 3000000L

static int after_a_pause(int fd)
{
	struct timespec left = { .tv_nsec = PAUSE_NS };
	int error = errno;

	while (fd >= 0 && nanosleep(&left, &left) < 0)
		;
	errno = error;
	return fd;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	int (*real)(int, struct sockaddr *, socklen_t *, int);

	*(void **)&real = dlsym(RTLD_NEXT, "accept4");
	return after_a_pause(real(fd, address, size, flags));
}

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
	int (*real)(int, struct sockaddr *, socklen_t *);

	*(void **)&real = dlsym(RTLD_NEXT, "accept");
	return after_a_pause(real(fd, address, size));
}
