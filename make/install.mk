# Where things go. PREFIX=/usr for a package; DESTDIR in front of everything; nothing is enabled or started.
SBINDIR     ?= $(PREFIX)/sbin
BINDIR      ?= $(PREFIX)/bin
MANDIR      ?= $(PREFIX)/share/man
DOCDIR      ?= $(PREFIX)/share/doc/regent
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

UNITS   := regent.service regent@.service
PAGES   := $(wildcard man/*.[1-8])

#: install      into PREFIX (/usr/local) below DESTDIR; uninstall takes it away again
install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) \
		$(DESTDIR)$(DOCDIR) $(foreach s,1 5 7 8,$(DESTDIR)$(MANDIR)/man$(s))
	install -m 755 $(BUILD)/regent $(DESTDIR)$(SBINDIR)/regent
	install -m 755 $(BUILD)/regentctl $(DESTDIR)$(BINDIR)/regentctl
	for unit in $(UNITS); do \
		sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@BINDIR@|$(BINDIR)|g' units/$$unit >$(BUILD)/$$unit && \
		install -m 644 $(BUILD)/$$unit $(DESTDIR)$(UNITDIR)/$$unit || exit 1; done
	install -m 644 units/regent.sysusers $(DESTDIR)$(SYSUSERSDIR)/regent.conf
	install -m 644 units/regent.tmpfiles $(DESTDIR)$(TMPFILESDIR)/regent.conf
	install -m 644 $(BUILD)/regent.8 $(DESTDIR)$(MANDIR)/man8/regent.8
	for page in $(PAGES); do install -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/ || exit 1; done
	install -m 644 README.md ARCHITECTURE.md CHANGELOG.md SECURITY.md LICENSE contrib/regent-www-data.conf \
		contrib/logrotate.regent $(DESTDIR)$(DOCDIR)

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/regent $(DESTDIR)$(BINDIR)/regentctl $(UNITS:%=$(DESTDIR)$(UNITDIR)/%) \
		$(DESTDIR)$(SYSUSERSDIR)/regent.conf $(DESTDIR)$(TMPFILESDIR)/regent.conf $(DESTDIR)$(MANDIR)/man8/regent.8 \
		$(foreach page,$(PAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -rf $(DESTDIR)$(DOCDIR)

.PHONY: install uninstall
