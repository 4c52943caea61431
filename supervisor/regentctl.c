#include "supervisor/regentctl.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A word with a slash is a file; another one too, if it is there and no vassal is called so. */
static struct ctl_outcome ask(const struct ctl_request *request, const struct ctl_sink *sink)
{
	if (request->file && strchr(request->file, '/'))
		return ctl_check_file(request, request->file);
	struct ctl_outcome outcome = ctl_exchange(request, sink);
	bool no_vassal = outcome.status == CTL_UNKNOWN || outcome.status == CTL_UNREACHABLE;
	if (!request->file || !no_vassal || access(request->file, F_OK) < 0)
		return outcome;
	json_decref(outcome.result);
	free(outcome.text);
	free(outcome.raw);
	return ctl_check_file(request, request->file);
}

int main(int argc, char **argv)
{
	struct ctl_request request;
	bool done = false;
	int status = ctl_parse(argc, argv, &request, &done);
	if (done)
		return status;
	signal(SIGPIPE, SIG_IGN);	/* `| head`: a reload goes on and its status counts */
	struct ctl_printer printer = { &request, json_array(), request.many && !request.json && isatty(STDERR_FILENO) };
	struct ctl_sink sink = { &printer, ctl_print_object, ctl_print_restart, ctl_print_closed };
	struct ctl_outcome outcome = ask(&request, &sink);
	ctl_print_outcome(&printer, &outcome);
	status = outcome.status;
	json_decref(outcome.result);
	json_decref(printer.kept);
	free(outcome.text);
	free(outcome.raw);
	free(request.line);
	free(request.what);
	free(request.path);
	return status;
}
