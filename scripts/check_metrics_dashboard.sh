#!/usr/bin/env bash
# check_metrics_dashboard.sh [-u URL] [-k API_KEY] [-t PCT]
#
# Lee /metrics del dashboard y compara el porcentaje de errores (5xx) con un umbral.
#
#   -u URL       base del dashboard (http://localhost:8080)
#   -k API_KEY   clave; mejor DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE: no se ven en la lista de procesos
#   -t PCT       porcentaje máximo de errores (2)
#   -h, --help   esta ayuda
#
# DASHBOARD_TIMEOUT: segundos por solicitud (10).
#
# Códigos: 0 dentro del umbral; 1 uso incorrecto; 2 falta la clave; 3 no se pudo leer /metrics;
#          4 falta una métrica; 5 umbral superado.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=http://localhost:8080
given=
limit=2
[ "${1:-}" != --help ] || show_help
while getopts ':u:k:t:h' option; do
  case $option in
    u) base=$OPTARG ;;
    k) given=$OPTARG ;;
    t) limit=$OPTARG ;;
    h) show_help ;;
    *) refuse_option "$option" ;;
  esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || refuse "Argumento desconocido: $1"
base=$(need_url "$base")
need_number -t "$limit"
key=$(resolve_key "$given")
[ -n "$key" ] || die 2 "Falta la API Key: use -k, DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE"
need_tool curl 3
make_workspace

info "Consultando métricas en $base/metrics"
status=$(fetch "$key" "$base/metrics")
[ "$status" = 200 ] || die 3 "No se pudo obtener /metrics ($status): $(advice "$status")"

requests=$(metric dashboard_requests_total)
errors=$(metric dashboard_errors_total)
p95=$(p95_ms)
[ -n "$requests" ] || die 4 "Falta la métrica dashboard_requests_total: ¿responde $base el dashboard?"
[ -n "$errors" ] || die 4 "Falta la métrica dashboard_errors_total: ¿responde $base el dashboard?"

percent=$(error_percent "$requests" "$errors")
exceeds "$requests" 0 || warn "dashboard_requests_total = 0: todavía no hubo tráfico"
info "Requests totales: $requests"
info "Errores totales:  $errors"
info "%Errores:        $percent% (umbral $limit%)"
[ -z "$p95" ] || info "p95 duration (ms): $p95"
if exceeds "$percent" "$limit"; then
  echo "[FAIL] Porcentaje de errores supera el umbral: busque status >= 500 en los logs" >&2
  exit 5
fi
ok "Métricas dentro de umbrales"
