#: e2e          contrib/physionet for real: two servers with PostgreSQL, Django, git, nginx and uWSGI; pushes under load, good and bad ones
e2e: all
	@$(SUDO) tests/e2e/run $(BUILD)

.PHONY: e2e
