#!/bin/sh
# Installs the Debian programs that tests use as real peers and oracles, when that is possible and they are missing.
# Tests that need one that is still missing are skipped by name.
set -u
packages=""
need() { # program package
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || packages="$packages $2"
}
need lua5.1 lua5.1
need swaks swaks
need nsd nsd
need smtp-source postfix
need opendkim opendkim
need opendkim-testmsg opendkim-tools
need redis-server redis-server
need snmptrapd snmptrapd
need strace strace
need clamd clamav-daemon
need rspamd rspamd
need spamd spamd
need sieve-test dovecot-sieve
need unbound unbound
need mariadb-install-db mariadb-server
[ -n "$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" ] || packages="$packages postgresql"
[ -x /usr/lib/dovecot/lmtp ] || packages="$packages dovecot-lmtpd"
perl -MMail::DKIM -e 1 2>/dev/null || packages="$packages libmail-dkim-perl"
[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, their tests are skipped:$packages"
    exit 0
fi
echo "installing:$packages"
# Packages must not start servers of their own on this machine.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && made=yes
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >/dev/null 2>&1 ||
    echo "some could not be installed, their tests are skipped:$packages"
[ -z "$made" ] || rm -f "$policy"
exit 0
