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
need systemd-analyze systemd
need clamd clamav-daemon
need rspamd rspamd
need spamd spamd
need sieve-test dovecot-sieve
need unbound unbound
need mariadb-install-db mariadb-server
need rbldnsd rbldnsd
[ -n "$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" ] || packages="$packages postgresql"
[ -x /usr/lib/dovecot/lmtp ] || packages="$packages dovecot-lmtpd"
perl -MMail::DKIM -e 1 2>/dev/null || packages="$packages libmail-dkim-perl"
# Exim's package can't stand beside Postfix's: only its files are taken, and the user that is compiled into it.
peers=/usr/local/lib/moonpost-peers
exim=""
[ -x "$peers/usr/sbin/exim4" ] && getent passwd Debian-exim >/dev/null || exim=" exim4-daemon-light"
[ -n "$packages$exim" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, their tests are skipped:$packages$exim"
    exit 0
fi
echo "installing:$packages$exim"
# Packages must not start servers of their own on this machine.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" && made=yes
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null 2>&1
# shellcheck disable=SC2086
[ -z "$packages" ] || apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 ||
    echo "some could not be installed, their tests are skipped:$packages"
unpack_exim() {
    folder=$(mktemp -d) && chmod 755 "$folder" && cd "$folder" &&
        apt-get download exim4-daemon-light libidn12 && mkdir -p "$peers" &&
        for package in ./*.deb; do dpkg-deb -x "$package" "$peers" || return 1; done
    chmod u-s "$peers/usr/sbin/exim4" # root runs it
    getent passwd Debian-exim || useradd -r -M -d /nonexistent -s /usr/sbin/nologin Debian-exim
    rm -rf "$folder"
}
[ -z "$exim" ] || unpack_exim >/dev/null 2>&1 || echo "not unpacked, its tests are skipped:$exim"
[ -z "$made" ] || rm -f "$policy"
exit 0
