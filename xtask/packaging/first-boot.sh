#!/bin/sh
# Installs dram and its model from the folder in which this script is: a card's boot partition or a
# stick. Run it once, as root; USER is whose models folder is filled, else the first user's.
#
#   sudo sh first-boot.sh [USER]
set -eu

cd "$(dirname "$0")"
sha256sum --check --quiet SHA256SUMS

user=${1:-$(getent passwd 1000 | cut -d: -f1)}
user=${user:-root}
home=$(getent passwd "$user" | cut -d: -f6)
group=$(id -g "$user")

install -D -m 755 dram /usr/local/bin/dram
for model in *.gguf; do
    [ -e "$model" ] || continue
    share=$home/.local/share
    for folder in "$home/.local" "$share" "$share/dram" "$share/dram/models"; do
        [ -d "$folder" ] || install -d -o "$user" -g "$group" "$folder"
    done
    # Under another name until it is whole: a board may lose its power at any time.
    cp "$model" "$share/dram/models/$model.new"
    chown "$user:$group" "$share/dram/models/$model.new"
    sync
    mv "$share/dram/models/$model.new" "$share/dram/models/$model"
done
sync
/usr/local/bin/dram --version
