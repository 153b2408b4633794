#!/usr/bin/env bash
# Makes the root file system of the daemon's image (deploy/Dockerfile runs it):
#
#   deploy/image-root.sh BINARY FOLDER
#
# The binary without its symbols, the shared libraries that the loader names,
# CA certificates, time zone UTC, and for each library the package's record and
# licence, so that a scanner finds what is inside.
set -euo pipefail

if (($# != 2)); then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
BINARY=$1
ROOT=$2

mkdir -p "$ROOT"/{etc/ssl/certs,usr/bin,usr/lib,usr/lib64,usr/share/doc,var/lib/dpkg/status.d}
ln -sfn usr/bin "$ROOT/bin"
ln -sfn usr/lib "$ROOT/lib"
ln -sfn usr/lib64 "$ROOT/lib64"
install -d -m 1777 "$ROOT/tmp"
# Group 0 writes: OpenShift gives a container an arbitrary user of that group.
install -d -m 0770 "$ROOT/run/datapy-kafka"
strip -o "$ROOT/usr/bin/datapy-kafka-sidecar" "$BINARY"
chmod 0755 "$ROOT/usr/bin/datapy-kafka-sidecar"

# "name => /path (address)", or "/path (address)" for the loader itself.
LIBRARIES=$(ldd "$BINARY" | grep -o '/[^ ]*')
if ldd "$BINARY" | grep -F 'not found' >&2; then
  exit 1
fi
# Loaded by name at run time: OpenSSL's provider of older ciphers, which keys
# encrypted by older tools need.
LIBRARIES+=$'\n'$(find /usr/lib -path '*/ossl-modules/legacy.so')

declare -A PACKAGES=([ca-certificates]=1)
for library in $LIBRARIES; do
  # Where it is installed, whichever of /lib and /usr/lib the loader says.
  target=/usr${library#/usr}
  install -D -m 0644 "$library" "$ROOT$target"
  package=$(dpkg-query -S "$(readlink -f "$library")" 2>/dev/null || dpkg-query -S "${library#/usr}")
  PACKAGES[${package%%:*}]=1
done
chmod 0755 "$ROOT"/usr/lib64/ld-linux* 2>/dev/null || chmod 0755 "$ROOT"/usr/lib/ld-linux*

for package in "${!PACKAGES[@]}"; do
  dpkg-query -s "$package" >"$ROOT/var/lib/dpkg/status.d/$package"
  install -D -m 0644 "/usr/share/doc/$package/copyright" "$ROOT/usr/share/doc/$package/copyright"
done
cp /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
cp /etc/ssl/openssl.cnf "$ROOT/etc/ssl/"
cp /etc/os-release "$ROOT/etc/"
install -D -m 0644 LICENSE "$ROOT/usr/share/doc/datapy-kafka-sidecar/copyright"
echo 'hosts: files dns' >"$ROOT/etc/nsswitch.conf"

# The same input makes the same image, byte for byte.
find "$ROOT" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
du -sh "$ROOT" | cut -f1
