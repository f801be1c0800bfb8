#!/usr/bin/env bash
# smoke_dashboard_staging.sh -h HOST -k API_KEY [-p PUERTO]
#
# Comprueba tras un despliegue que el dashboard responde, que exige su clave y que cuenta sus solicitudes.
#
#   -h HOST      host, host:puerto o https://host; también DASHBOARD_HOST
#   -k API_KEY   clave; mejor DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE: no se ven en la lista de procesos
#   -p PUERTO    puerto, si HOST no lo dice (8080); también DASHBOARD_PORT
#   --help       esta ayuda
#
# /health puede responder 503 y /api/summary 500 mientras falla la base de datos; lo demás, no.
# DASHBOARD_TIMEOUT: segundos por solicitud (10).
#
# Códigos: 0 todo correcto; 1 uso incorrecto, o falló una comprobación.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

host=${DASHBOARD_HOST:-}
given=
port=${DASHBOARD_PORT:-}
[ "${1:-}" != --help ] || show_help
while getopts ':h:k:p:' option; do
  case $option in
    h) host=$OPTARG ;;
    k) given=$OPTARG ;;
    p) port=$OPTARG ;;
    *) refuse_option "$option" ;;
  esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || refuse "Argumento desconocido: $1"
case $port in *[!0-9]*) refuse "El puerto debe ser un número: «$port»" ;; esac
key=$(resolve_key "$given")
[ -n "$host" ] || refuse "Falta el host: use -h o DASHBOARD_HOST"
[ -n "$key" ] || refuse "Falta la API Key: use -k, DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE"
need_tool curl
make_workspace

# A port in the host wins over -p; https without any means its own.
case $host in
  *://*) base=$host fallback='' ;;
  *) base=http://$host fallback=8080 ;;
esac
base=${base%/}
case ${base##*[]/]} in # what follows the slashes, or an IPv6 address
  *:*) ;;
  *) port=${port:-$fallback} base=$base${port:+:$port} ;;
esac
base=$(need_url "$base")

failures=0
# check NAME KEY PATH STATUS...: any of the statuses will do
check() {
  local name=$1 wanted
  status=$(fetch "$2" "$base$3")
  shift 3
  for wanted; do
    [ "$status" != "$wanted" ] || return 0
  done
  echo " - $name => $status (esperado $(echo "$*" | tr ' ' /)): $(advice "$status")" >&2
  failures=$((failures + 1))
}

info "Smoke Dashboard → $base"
check /health "$key" /health 200 503
check '/api/summary sin API Key' '' /api/summary 401
check '/api/summary con API Key' "$key" /api/summary 200 500
check /api/export/summary.csv "$key" /api/export/summary.csv 200
check /metrics "$key" /metrics 200
before=$(metric dashboard_requests_total)
if [ -n "$before" ]; then
  for _ in 1 2 3 4 5; do fetch "$key" "$base/api/providers" > /dev/null; done
  check '/metrics otra vez' "$key" /metrics 200
  # behind a Service with several pods the second answer may be another pod's
  exceeds "$(metric dashboard_requests_total)" "$before" ||
    warn "dashboard_requests_total no aumentó desde $before: ¿responde otro pod?"
elif [ "$status" = 200 ]; then
  echo " - /metrics sin dashboard_requests_total: ¿es $base el dashboard?" >&2
  failures=$((failures + 1))
fi

echo '---'
[ "$failures" -eq 0 ] || die 1 "Smoke test con $failures fallos"
ok "Smoke test exitoso"
