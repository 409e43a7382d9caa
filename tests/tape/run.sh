#!/bin/sh
# The tape scenarios, against a real Linux tape driver.
#
#   run.sh TAPE-LAB AIRLIFT XTASK
#
# TAPE-LAB is the lab's program (a small VM with the kernel's st driver before an emulated drive;
# needs root, not KVM), AIRLIFT the binary under test, XTASK that of the development commands. Prints
# what each scenario does; exit code 0 when all hold.
set -eu
lab=$1
airlift=$2
xtask=$3
here=$(cd "$(dirname "$0")" && pwd)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT

# An image of six layers of 2 MiB of noise in an image layout.
layout=$share/store
mkdir -p "$layout/blobs/sha256"
put() { # FILE: into the layout; prints "DIGEST SIZE"
    sum=$(sha256sum "$1" | cut -d' ' -f1)
    size=$(stat -c %s "$1")
    mv "$1" "$layout/blobs/sha256/$sum"
    echo "$sum $size"
}
descriptor() { # MEDIA-TYPE DIGEST SIZE
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$1" "$2" "$3"
}
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >"$share/c"
config=$(descriptor application/vnd.oci.image.config.v1+json $(put "$share/c"))
layers=
for number in 1 2 3 4 5 6; do
    head -c 2097152 /dev/urandom >"$share/l"
    layer=$(descriptor application/vnd.oci.image.layer.v1.tar+gzip $(put "$share/l"))
    layers=${layers:+$layers,}$layer
done
manifest=application/vnd.oci.image.manifest.v1+json
printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' \
    "$manifest" "$config" "$layers" >"$share/m"
set -- $(put "$share/m")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"t"}}]}' \
    "$manifest" "$1" "$2" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"

# With a third drive, in which the first one's medium is write-protected.
PATH=$here/bin:$PATH
export PATH
# One that lacks its only layer.
layout=$share/thin
mkdir -p "$layout/blobs/sha256"
printf '{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >"$share/c"
config=$(descriptor application/vnd.oci.image.config.v1+json $(put "$share/c"))
layer=$(descriptor application/vnd.oci.image.layer.v1.tar+gzip "$(printf lost | sha256sum | cut -d' ' -f1)" 4)
printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}' \
    "$manifest" "$config" "$layer" >"$share/m"
set -- $(put "$share/m")
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"t"}}]}' \
    "$manifest" "$1" "$2" >"$layout/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"

"$lab" --job "$here/scenarios.sh" --share "$share" --bin "$airlift" --bin "$xtask" --tapes 2 --tape-mb 10 --timeout 900
