#!/usr/bin/env bash
# preflight_rc.sh -u URL -k API_KEY [--prod] [-t PCT] [-p95 MS]
#
# Chequeo integral antes de crear un tag Release Candidate: salud, autenticación, CSV, métricas y headers.
#
#   -u URL       base del dashboard
#   -k API_KEY   clave; mejor DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE: no se ven en la lista de procesos
#   --prod       exige HSTS
#   -t PCT       porcentaje máximo de errores (2)
#   -p95 MS      percentil 95 a partir del cual advierte, en milisegundos (800); no bloquea
#   -h, --help   esta ayuda
#
# /health 503 y /api/summary 500 advierten y no bloquean: falla la base de datos, no la versión.
# DASHBOARD_TIMEOUT: segundos por solicitud (10).
#
# Códigos: 0 todo pasa; 1 uso incorrecto; 2 falta -u o la clave; 3 falta un script o curl; 10 falló un chequeo.

set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for sibling in lib.sh check_metrics_dashboard.sh check_security_headers.sh; do
  [ -r "$folder/$sibling" ] || { echo "[ERROR] Falta $folder/$sibling: copie la carpeta scripts entera" >&2; exit 3; }
done
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$folder/lib.sh"

base=
given=
prod=
error_limit=2
p95_limit=800
while [ $# -gt 0 ]; do
  case $1 in
    -u) base=$(value_of "$@"); shift 2 ;;
    -k) given=$(value_of "$@"); shift 2 ;;
    -t) error_limit=$(value_of "$@"); shift 2 ;;
    -p95) p95_limit=$(value_of "$@"); shift 2 ;;
    --prod) prod=--expect-hsts; shift ;;
    -h | --help) show_help ;;
    *) refuse "Argumento desconocido: $1" ;;
  esac
done
need_number -t "$error_limit"
need_number -p95 "$p95_limit"
[ -n "$base" ] || die 2 "Falta -u URL, por ejemplo -u https://staging.example.com"
base=$(need_url "$base")
key=$(resolve_key "$given")
[ -n "$key" ] || die 2 "Falta la API Key: use -k, DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE"
need_tool curl 3
make_workspace

fail() {
  echo "[FAIL] $1"
  exit 10
}

info "Preflight RC sobre $base"

status=$(fetch "$key" "$base/health")
case $status in
  200) ok "/health 200" ;;
  503) warn "/health 503 (degradado, revisar antes del tag)" ;;
  *) fail "/health $status: $(advice "$status")" ;;
esac

status=$(fetch '' "$base/api/summary")
[ "$status" = 401 ] || fail "/api/summary sin API Key debe dar 401 y dio $status: ¿está definida DASHBOARD_API_KEY?"
ok "/api/summary 401 sin API Key"

status=$(fetch "$key" "$base/api/summary")
case $status in
  200) ok "/api/summary 200" ;;
  500) warn "/api/summary 500 (aceptable sólo con la base de datos parcial)" ;;
  *) fail "/api/summary con API Key: $status: $(advice "$status")" ;;
esac

status=$(fetch "$key" "$base/api/export/summary.csv")
[ "$status" = 200 ] || fail "/api/export/summary.csv: $status: $(advice "$status")"
ok "Export CSV 200"

DASHBOARD_API_KEY=$key bash "$folder/check_metrics_dashboard.sh" -u "$base" -t "$error_limit" ||
  fail "Métricas fuera de umbral, o ilegibles"

fetch "$key" "$base/metrics" > /dev/null
p95=$(p95_ms)
if [ -z "$p95" ]; then
  warn "p95 no expuesta (métrica opcional)"
elif exceeds "$p95" "$p95_limit"; then
  warn "p95 $p95 ms supera el umbral de $p95_limit ms (no bloquea)"
else
  ok "p95 $p95 ms dentro del umbral de $p95_limit ms"
fi

bash "$folder/check_security_headers.sh" -u "$base" ${prod:+"$prod"} || fail "Headers de seguridad fallan"

ok "Preflight RC completado con éxito"
