#!/usr/bin/env bash
# check_security_headers.sh -u URL [-k API_KEY] [--expect-hsts] [--csp-prefix TEXTO]
#
# Comprueba los encabezados de seguridad de la página principal del dashboard.
#
#   -u URL              base del dashboard
#   -k API_KEY          clave, si la página la necesita; también DASHBOARD_API_KEY o DASHBOARD_API_KEY_FILE
#   --expect-hsts       falla sin Strict-Transport-Security (producción con HTTPS)
#   --csp-prefix TEXTO  comienzo que debe tener la Content-Security-Policy (default-src 'self')
#   -h, --help          esta ayuda
#
# DASHBOARD_TIMEOUT: segundos por solicitud (10).
#
# Códigos: 0 todos correctos; 1 uso incorrecto; 2 falta -u; 10 falta un encabezado, o nadie responde.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=
given=
expect_hsts=false
csp_prefix="default-src 'self'"
while [ $# -gt 0 ]; do
  case $1 in
    -u) base=$(value_of "$@"); shift 2 ;;
    -k) given=$(value_of "$@"); shift 2 ;;
    --csp-prefix) csp_prefix=$(value_of "$@"); shift 2 ;;
    --expect-hsts) expect_hsts=true; shift ;;
    -h | --help) show_help ;;
    *) refuse "Argumento desconocido: $1" ;;
  esac
done
[ -n "$base" ] || die 2 "Falta -u URL, por ejemplo -u https://staging.example.com"
base=$(need_url "$base")
key=$(resolve_key "$given")
need_tool curl 10
make_workspace

status=$(fetch "$key" "$base/")
[ "$status" != 000 ] || die 10 "No se pudo leer $base/: $(advice 000)"
info "$base/ respondió $status"

failures=0
# expect NAME PATTERN HINT: the pattern is one of grep -E for the whole value
expect() {
  local value
  value=$(header "$1")
  if [ -z "$value" ]; then
    fail "Falta $1: $3"
  elif printf '%s\n' "$value" | grep -Eqx -- "$2"; then
    info "$1 OK ($value)"
  else
    fail "$1 inesperado ($value): $3"
  fi
}
fail() {
  echo "[FAIL] $1"
  failures=$((failures + 1))
}

csp=$(header Content-Security-Policy)
case $csp in
  '') fail "Falta Content-Security-Policy: ¿la quita un proxy?" ;;
  "$csp_prefix"*) info "CSP OK (prefijo coincide)" ;;
  *) fail "La CSP no comienza con «$csp_prefix»: $csp" ;;
esac
expect X-Content-Type-Options nosniff "debe ser nosniff"
expect X-Frame-Options 'DENY|SAMEORIGIN' "debe ser DENY o SAMEORIGIN"
expect Referrer-Policy '.+' "debe estar presente"
expect Permissions-Policy '.+' "debe estar presente"
hsts=$(header Strict-Transport-Security)
if [ -n "$hsts" ]; then
  info "HSTS presente ($hsts)"
elif $expect_hsts; then
  fail "Falta Strict-Transport-Security: active DASHBOARD_ENABLE_HSTS=true detrás de HTTPS"
else
  info "HSTS no esperado (OK en staging http)"
fi

[ "$failures" -eq 0 ] || die 10 "Fallas en headers: $failures"
ok "Headers de seguridad verificados"
