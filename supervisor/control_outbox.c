#include "supervisor/control_outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int make_room(struct control_outbox *o, size_t n)
{
	size_t size = control_outbox_size(o);
	if (o->begin > 0 && o->begin >= size) {	/* half of it is sent: moving the rest is paid for */
		memcpy(o->bytes, o->bytes + o->begin, size);
		o->begin = 0;
		o->end = size;
	}
	if (o->end + n <= o->room)
		return 0;
	size_t room = (o->end + n) * 2;
	char *grown = realloc(o->bytes, room);
	if (!grown)
		return -ENOMEM;
	o->bytes = grown;
	o->room = room;
	return 0;
}

int control_outbox_put(struct control_outbox *o, const char *text)
{
	size_t n = strlen(text);
	int r = make_room(o, n + 1);
	if (r < 0)
		return r;
	memcpy(o->bytes + o->end, text, n);
	o->bytes[o->end + n] = '\n';
	o->end += n + 1;
	return 0;
}

size_t control_outbox_size(const struct control_outbox *o)
{
	return o->end - o->begin;
}

int control_outbox_send(struct control_outbox *o, int fd)
{
	while (o->begin < o->end) {
		ssize_t n = send(fd, o->bytes + o->begin, o->end - o->begin, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			o->begin += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	control_outbox_clear(o);
	return 0;
}

void control_outbox_clear(struct control_outbox *o)
{
	free(o->bytes);
	*o = (struct control_outbox){ 0 };
}
