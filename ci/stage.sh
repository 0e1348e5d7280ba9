# To be sourced. Long work says what it is doing, on standard error: standard output belongs to results.

# stage TITLE LOG COMMAND [ARGUMENT...]: runs the command with all that it prints in LOG, and returns its status. On a
# terminal one line shows how far it is (the last line of the log); elsewhere there is one line for each stage.
stage() {
  local title=$1 log=$2 status=0 began=$SECONDS printer=
  shift 2
  mkdir -p "$(dirname "$log")"
  : >"$log"
  if [ -t 2 ]; then
    # It ends with this script, whatever ends that.
    while kill -0 $$ 2>/dev/null; do
      printf '\r\033[K== %s, %d s  %.60s' "$title" $((SECONDS - began)) "$(tail -n 1 "$log" | tr -cd '[:print:]')" >&2
      sleep 1
    done &
    printer=$!
  else
    echo "== $title (log: $log)" >&2
  fi
  "$@" >"$log" 2>&1 || status=$?
  if [ -n "$printer" ]; then
    kill "$printer" 2>/dev/null || true
    wait "$printer" 2>/dev/null || true
    printf '\r\033[K== %s: %s after %d s\n' "$title" "$([ $status -eq 0 ] && echo done || echo failed)" $((SECONDS - began)) >&2
  fi
  return $status
}
