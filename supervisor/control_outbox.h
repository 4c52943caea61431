/* control_outbox: what a client has not read yet. Holds memory only while there is something in it; knows no limit: control.c does. */
#ifndef REGENT_CONTROL_OUTBOX_H
#define REGENT_CONTROL_OUTBOX_H

#include <stddef.h>

struct control_outbox { char *bytes; size_t begin, end, room; };	/* zeroed: empty */

/* text and a newline. 0 or -ENOMEM. */
int control_outbox_put(struct control_outbox *o, const char *text);
size_t control_outbox_size(const struct control_outbox *o);
/* Sends what fd takes now. 0: all is sent; -EAGAIN: some is left; other negative errno: the peer is gone. */
int control_outbox_send(struct control_outbox *o, int fd);
void control_outbox_clear(struct control_outbox *o);

#endif
