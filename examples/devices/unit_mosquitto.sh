#!/bin/sh
# A unit made of Mosquitto's tools: to try a server by hand, and the smallest picture of the protocol there is.
#
#   apt-get install mosquitto-clients
#   HOST=127.0.0.1 PORT=1883 PASSWORD=… sh unit_mosquitto.sh PSH-001
#
# One connection stays: it holds the last will and hears commands. Each message is sent by a connection of its own, which ends
# when PUBACK is here. It keeps no messages while it is offline: a real unit does.
set -u
unit=${1:?name the unit, such as PSH-001}
root=${ROOT:-buttonwatch/v1}/$unit
interval=${INTERVAL:-30}
state=${STATE:-unit-$unit.state}

# Grows by one with each start, on the disk before the first message.
boot=$(($(cat "$state" 2>/dev/null || echo 0) + 1))
echo "$boot" >"$state.new" && mv "$state.new" "$state"
folder=$(mktemp -d)
echo 0 >"$folder/seq"

connect() { # a tool of Mosquitto, told where the server is and who we are
    tool=$1 && shift
    "$tool" -h "${HOST:-127.0.0.1}" -p "${PORT:-1883}" -u "$unit" ${PASSWORD:+-P "$PASSWORD"} ${CA:+--cafile "$CA"} "$@"
}

camera() { cat camera 2>/dev/null || echo pass; } # the file camera says what to find: pass or fail

# begin: the essential part, shown in docs/protocol.md
send() { # kind, more fields as JSON, more options
    kind=$1 fields=$2 && shift 2
    (
        flock 9 # seq grows by one with each message, whoever sends it
        seq=$(cat "$folder/seq") && echo $((seq + 1)) >"$folder/seq"
        connect mosquitto_pub -q 1 -t "$root/$kind" "$@" \
            -m "{\"ts\":$(date +%s000),\"boot\":$boot,\"seq\":$seq,$fields}"
    ) 9>"$folder/lock"
}

self_test() { # trigger, the command's id if there is one
    send selftest "${2:+\"id\":\"$2\",}\"trigger\":\"$1\",\"results\":{\"camera\":{\"result\":\"$(camera)\",\"sharpness\":400},\
        \"microphone\":{\"result\":\"pass\"},\"speaker\":{\"result\":\"pass\"},\"button\":{\"result\":\"pass\",\"stuck\":false},\
        \"stream\":{\"result\":\"pass\"},\"battery\":{\"result\":\"pass\"}}"
}

answer() { # one command, as JSON
    id=$(echo "$1" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
    case $1 in
    *'"do":"selftest"'*) send reply "\"id\":\"$id\",\"ok\":true" && self_test command "$id" ;;
    *'"do":"locate"'*) send reply "\"id\":\"$id\",\"ok\":true" && printf '\a' ;;
    *) send reply "\"id\":\"$id\",\"ok\":false,\"error\":\"not known here\"" ;;
    esac
}
# end

mkfifo "$folder/commands"
connect mosquitto_sub -i "$unit" -k 30 -q 1 -t "$root/command" --will-topic "$root/status" --will-qos 1 --will-retain \
    --will-payload '{"online":false,"reason":"link lost"}' >"$folder/commands" &
listener=$!
while read -r command; do answer "$command"; done <"$folder/commands" &
trap 'kill $listener 2>/dev/null; rm -rf "$folder"' EXIT
trap 'exit 0' INT TERM

send status '"online":true,"reason":"started"' -r
self_test boot
send power '"mains":true,"battery_v":13.4'
started=$(date +%s)
while kill -0 $listener 2>/dev/null; do
    send heartbeat "\"uptime_s\":$(($(date +%s) - started)),\"interval_s\":$interval,\"fw\":\"example-1\""
    sleep "$interval"
done
