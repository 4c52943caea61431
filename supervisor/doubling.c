#include "supervisor/doubling.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "vassals/util.h"

#define CHILDREN_MAX 4096	/* more of them are not counted */

static FILE *open_of(const char *proc, int pid, const char *file)
{
	char path[256];
	return util_format(path, sizeof path, "%s/%d/%s", proc, pid, file) < 0 ? NULL : fopen(path, "re");
}

static uint64_t private_kib(const char *proc, int pid)
{
	uint64_t size, resident = 0, shared = 0;
	FILE *f = open_of(proc, pid, "statm");
	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &size, &resident, &shared) != 3 || shared > resident)
		resident = shared = 0;
	fclose(f);
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

uint64_t doubling_need(const char *proc, pid_t pid)
{
	uint64_t first = private_kib(proc, pid), need = first;
	char children[64];
	int child;
	snprintf(children, sizeof children, "task/%d/children", (int)pid);
	FILE *f = open_of(proc, pid, children);
	if (!f)
		return need;
	for (int i = 0; i < CHILDREN_MAX && fscanf(f, "%d", &child) == 1; i++) {
		uint64_t its = private_kib(proc, child);
		need += its > first ? its - first : 0;
	}
	fclose(f);
	return need;
}

uint64_t doubling_room(const char *proc)
{
	char path[256], line[128];
	uint64_t kib = UINT64_MAX;
	FILE *f = util_format(path, sizeof path, "%s/meminfo", proc) < 0 ? NULL : fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}
