#!/usr/bin/env bash
# Two Ray nodes, each in its own network namespace, dream a folder of pictures into a store that both reach:
#
#   sudo env PATH="$PATH" scripts/two_nodes.sh PHOTOS s3://bucket/dreams [options of `dreamkit batch`]
#
# The nodes inherit the environment, with what the store needs (AWS_ACCESS_KEY_ID, FSSPEC_S3_ENDPOINT_URL and so on). While this
# runs, there are two namespaces and a bridge between them. The nodes are 10.77.0.1 and 10.77.0.2, this machine 10.77.0.254.
set -euo pipefail
photos=$1 store=$2
shift 2
scratch=$(mktemp -d /tmp/dk.XXXX) # a short path, because those of Ray's sockets are long

leave() {
    for node in 1 2; do
        ip netns pids "dreamkit$node" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns delete "dreamkit$node" 2>/dev/null || true
    done
    ip link delete dreamkit 2>/dev/null || true
    rm -rf "$scratch"
}
trap leave EXIT

ip link add dreamkit type bridge
ip address add 10.77.0.254/24 dev dreamkit
ip link set dreamkit up
for node in 1 2; do
    ip netns add "dreamkit$node"
    ip link add "dreamkit-$node" type veth peer name eth0 netns "dreamkit$node"
    ip link set "dreamkit-$node" master dreamkit up
    ip -n "dreamkit$node" address add "10.77.0.$node/24" dev eth0
    ip -n "dreamkit$node" link set eth0 up
    ip -n "dreamkit$node" link set lo up
    ip -n "dreamkit$node" route add default via 10.77.0.254
done

ray="ray start --disable-usage-stats --num-cpus 1"
ip netns exec dreamkit1 $ray --head --node-ip-address=10.77.0.1 --port=6379 --include-dashboard=false --temp-dir="$scratch/1" >/dev/null
ip netns exec dreamkit2 $ray --address=10.77.0.1:6379 --node-ip-address=10.77.0.2 --temp-dir="$scratch/2" >/dev/null
ip netns exec dreamkit1 dreamkit batch "$photos" -o "$store" --engine ray --address 10.77.0.1:6379 "$@"
