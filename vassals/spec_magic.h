/* spec_magic: uWSGI's variables of one byte, %n and its like: replaced where a file is read, before anything else of it is looked at.
 * It knows what it is told: what a file is called, and of the host what a supervisor knows. */
#ifndef REGENT_VASSAL_SPEC_MAGIC_H
#define REGENT_VASSAL_SPEC_MAGIC_H

struct spec_sources;

/* Of the file at hand. All borrowed. */
struct spec_magic {
	const char *given;		/* as it was asked for, without its section: %o */
	const char *path;		/* its last component is %s, with %n and %e */
	const char *real;		/* %p, with %d, %c and %0 to %9; NULL: not known */
	const char *section;		/* %x; "" without one */
	const struct spec_magic *first;	/* what the capitals speak of: the vassal's own file; NULL: it was not read yet, they are empty */
	const struct spec_sources *sources;	/* may be NULL */
};

/* A positive answer: it holds a variable whose value is not known. */
#define SPEC_MAGIC_UNKNOWN 1
/* 0: *ret is the text with its variables replaced, blanks at both ends stripped, the caller's to free; SPEC_MAGIC_UNKNOWN; -ENOMEM. */
int spec_magic_resolve(const struct spec_magic *magic, const char *raw, char **ret);

#endif
