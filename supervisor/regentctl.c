#include "supervisor/regentctl.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

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
	struct ctl_outcome outcome = ctl_exchange(&request, &sink);
	ctl_print_outcome(&printer, &outcome);
	status = outcome.status;
	json_decref(outcome.result);
	json_decref(printer.kept);
	free(outcome.text);
	free(outcome.raw);
	free(request.line);
	free(request.what);
	return status;
}
