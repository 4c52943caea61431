/* fake_vassal: see fake_vassal.c. */
#ifndef FAKE_VASSAL_H
#define FAKE_VASSAL_H

/* Writes what this process was born with to path (whole or not at all) as one JSON object. Exits 94 if it cannot. */
void fake_record(const char *path, char **argv);

#endif
