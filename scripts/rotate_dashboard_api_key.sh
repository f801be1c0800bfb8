#!/usr/bin/env bash
# rotate_dashboard_api_key.sh -r REPO [-u URL | -u CLAVE_UI] [--prod] [opciones]
# rotate_dashboard_api_key.sh -r REPO --print-only [-k CLAVE] [-u CLAVE_UI] [--len N] [--hex]
#
# Rota la API Key del dashboard sin cortar a nadie: se lo pide al operador con una anotación en el DashboardDeployment,
# y espera a que cada pod acepte la clave nueva. No muestra ninguna clave; los clientes leen la nueva en el Secret
# NOMBRE-api-key. La anterior sigue valiendo durante spec.apiKey.rotation.overlapSeconds.
#
#   -r REPO        repositorio (owner/name) del despliegue, o namespace/nombre del DashboardDeployment.
#                  El repositorio se busca en la anotación devshelf.dev/repository de los DashboardDeployment
#   -u URL         tras rotar, comprueba contra esa base la clave nueva, la anterior y dashboard_requests_total
#   -u CLAVE_UI    nueva DASHBOARD_UI_API_KEY: se escribe en el Secret que spec.extraEnv nombra
#   --prod         producción: la anotación devshelf.dev/environment debe decir production (sin --prod, no debe)
#   --immediate    clave filtrada: la anterior deja de valer en cuanto todos los pods aceptan la nueva
#   --timeout S    segundos de espera como máximo (600)
#   --context CTX  contexto de kubectl
#   --print-only   sólo genera una clave y la muestra; no toca nada
#   -k CLAVE       con --print-only: la clave que se muestra. Al rotar, la clave la hace el operador
#   --len N        longitud de la clave generada, de 16 a 512 (48)
#   --hex          clave generada en hexadecimal
#   -h, --help     esta ayuda
#
# Códigos: 0 rotada (o mostrada); 1 uso incorrecto o falta una herramienta; 2 no se encuentra el recurso, o kubectl
#          falla; 3 el operador no empezó a tiempo; 4 no terminó a tiempo; 5 la comprobación contra URL falló.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

POLL_SECONDS=1

repo=
given=
url=
ui_key=
prod=false
print_only=false
mode=graceful
timeout=600
context=
length=48
format=base64
while [ $# -gt 0 ]; do
  case $1 in
    -r) repo=$(value_of "$@"); shift 2 ;;
    -k) given=$(value_of "$@"); shift 2 ;;
    -u)
      case $(value_of "$@") in
        http://* | https://*) url=$(need_url "$2") ;;
        *) ui_key=$2 ;;
      esac
      shift 2
      ;;
    --len) length=$(value_of "$@"); shift 2 ;;
    --timeout) timeout=$(value_of "$@"); shift 2 ;;
    --context) context=$(value_of "$@"); shift 2 ;;
    --hex) format=hex; shift ;;
    --prod) prod=true; shift ;;
    --immediate) mode=immediate; shift ;;
    --print-only) print_only=true; shift ;;
    -h | --help) show_help ;;
    *) refuse "Argumento desconocido: $1" ;;
  esac
done
need_count() { # NAME VALUE LEAST MOST
  case $2 in '' | *[!0-9]* | ??????*) refuse "$1 debe ser un número de $3 a $4: «$2»" ;; esac
  if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then refuse "$1 debe ser un número de $3 a $4: «$2»"; fi
}
need_count --len "$length" 16 512
need_count --timeout "$timeout" 1 86400
[ -n "$repo" ] || refuse "Falta -r REPO"
environment=STAGING
$prod && environment=PROD

# ---- --print-only

random_key() {
  case $format in
    hex) head -c "$length" /dev/urandom | od -An -v -tx1 | tr -d ' \n' | cut -c "1-$length" ;;
    # of 256 bytes 62 are kept, so this many are always enough
    *) head -c $((length * 16)) /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c "1-$length" ;;
  esac
}

if $print_only; then
  echo "[INFO] Target: $environment"
  echo "Nueva DASHBOARD_API_KEY ($format,$length): ${given:-$(random_key)}"
  [ -z "$ui_key" ] || echo "Nueva DASHBOARD_UI_API_KEY: $ui_key"
  echo "-- Modo print-only: no se cambió nada --"
  exit 0
fi
[ -z "$given" ] || refuse "Al rotar, la clave la hace el operador y nadie necesita verla: quite -k, o añada --print-only"
need_tool kubectl
[ -z "$url" ] || need_tool curl
make_workspace

# ---- the resource

kube() {
  kubectl --request-timeout=10s ${context:+"--context=$context"} "$@"
}

# As kube, but a failure ends the script with kubectl's own words.
must_kube() {
  kube "$@" 2> "$WORKSPACE/kubectl" || die 2 "kubectl $1 falló: $(cat "$WORKSPACE/kubectl")"
}

COLUMNS_OF='{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.metadata.annotations.devshelf\.dev/environment}'

# Lines of namespace, name, environment: the resource of this name, else those with this repository.
candidates() {
  case $repo in
    */*/* | /* | */ | *[!a-z0-9/-]*) ;;
    */*)
      kube get dashboarddeployment "${repo#*/}" -n "${repo%/*}" -o "jsonpath=$COLUMNS_OF{\"\\n\"}" 2> "$WORKSPACE/kubectl" &&
        return
      ;;
  esac
  must_kube get dashboarddeployments --all-namespaces \
    -o "jsonpath={range .items[*]}$COLUMNS_OF{\"\\t\"}{.metadata.annotations.devshelf\\.dev/repository}{\"\\n\"}{end}" |
    awk -F '\t' -v OFS='\t' -v repo="$repo" '$4 == repo { print $1, $2, $3 }'
}

candidates > "$WORKSPACE/candidates"
awk -F '\t' -v prod="$prod" '
  { is_production = $3 == "production" || $3 == "prod" }
  (prod == "true") == (is_production || ($3 == "" && prod == "true"))' "$WORKSPACE/candidates" > "$WORKSPACE/chosen"
case $(grep -c . "$WORKSPACE/chosen" || true) in
  1) ;;
  0)
    [ ! -s "$WORKSPACE/candidates" ] ||
      die 2 "$(cut -f 1,2 "$WORKSPACE/candidates" | tr '\t' /) no es de $environment: $($prod && echo quite || echo añada) --prod"
    die 2 "Ningún DashboardDeployment es «$repo». Dé su namespace/nombre, o anótelo: kubectl annotate dashboarddeployment NOMBRE devshelf.dev/repository=$repo devshelf.dev/environment=$($prod && echo production || echo staging)"
    ;;
  *) die 2 "Varios DashboardDeployment son «$repo» ($(cut -f 1,2 "$WORKSPACE/chosen" | tr '\t\n' '/ ')): dé namespace/nombre" ;;
esac
IFS=$'\t' read -r namespace name _ < "$WORKSPACE/chosen"
info "Target: $environment $namespace/$name"

# ---- the rotation

# What the operator says, one field a line: request, state, id of the key, end of the old key, condition.
read_progress() {
  local api='.status.keys[?(@.name=="api")]' condition='.status.conditions[?(@.type=="KeysCurrent")]'
  kube get dashboarddeployment "$name" -n "$namespace" -o "jsonpath={$api.request}{\"\\n\"}{$api.state}{\"\\n\"}{$api.currentKeyId}{\"\\n\"}{$api.previousUntil}{\"\\n\"}{$condition.reason}: {$condition.message}{\"\\n\"}"
}

client_key() {
  must_kube get secret "$name-api-key" -n "$namespace" -o 'go-template={{.data.key | base64decode}}'
}

# Says each change once, with the seconds since the start.
say_once() {
  [ "$1" != "${said:-}" ] || return 0
  said=$1
  info "$SECONDS s: $1"
}

# Waits until callers may use the new key. The states are those of the operator.
wait_for_rotation() {
  local request='' state='' key_id='' old_until='' condition=''
  while :; do
    if read_progress > "$WORKSPACE/progress" 2> "$WORKSPACE/kubectl"; then
      { read -r request; read -r state; read -r key_id; read -r old_until; read -r condition; } < "$WORKSPACE/progress" || true
      if [ "$request" = "$nonce" ]; then
        case $condition in
          RotationHeld:*) say_once "$state, detenida: ${condition#*: }" ;;
          *) say_once "$state${key_id:+ (clave $key_id)}" ;;
        esac
        case $state in
          Idle) previous_until= && return ;;
          Draining | Revoking) [ "$mode" = immediate ] || { previous_until=$old_until && return; } ;;
        esac
      else
        case $condition in
          RotationHeld:*) say_once "el operador todavía no ha empezado: ${condition#*: }" ;;
          *) say_once "a la espera del operador" ;;
        esac
      fi
    else
      say_once "kubectl no responde, se reintenta: $(cat "$WORKSPACE/kubectl")"
    fi
    [ "$SECONDS" -lt "$timeout" ] || break
    sleep "$POLL_SECONDS"
  done
  [ "$request" = "$nonce" ] ||
    die 3 "El operador no empezó en $timeout s. ¿Funciona? kubectl get deployment -A -l app.kubernetes.io/name=devshelf-operator; ¿hay un despliegue en curso? kubectl -n $namespace describe dashboarddeployment $name"
  die 4 "La rotación no terminó en $timeout s ($said). Nadie queda cortado y el operador sigue: kubectl -n $namespace describe dashboarddeployment $name"
}

old_key=
[ -z "$url" ] || old_key=$(client_key)
nonce=$(date -u +%Y%m%dT%H%M%SZ)-$RANDOM$RANDOM
SECONDS=0
must_kube annotate dashboarddeployment "$name" -n "$namespace" --overwrite \
  "devshelf.dev/rotate=$nonce" "devshelf.dev/rotate-mode=$mode" > /dev/null
wait_for_rotation
ok "Clave nueva en uso: los clientes la leen en el Secret $namespace/$name-api-key"
[ -z "$previous_until" ] || info "La clave anterior vale hasta $previous_until"

# ---- what the runbook wants to see afterwards

# What says nothing of a key is asked again: a pod that has just gone, one that has too much to do.
ask() { # KEY PATH
  local status tries
  for tries in 1 2 3; do
    status=$(fetch "$1" "$url$2")
    case $status in
      000 | 429 | 503) [ "$tries" = 3 ] || sleep "$POLL_SECONDS" ;;
      *) break ;;
    esac
  done
  printf '%s' "$status"
}

expect_status() { # WHAT KEY STATUS...
  local what=$1 status wanted
  status=$(ask "$2" /api/summary)
  shift 2
  for wanted; do
    [ "$status" != "$wanted" ] || { ok "/api/summary $status con la clave $what" && return 0; }
  done
  die 5 "/api/summary con la clave $what: $status (esperado $(echo "$*" | tr ' ' /)): $(advice "$status")"
}

requests_total() { # KEY
  local status
  status=$(ask "$1" /metrics)
  [ "$status" = 200 ] || die 5 "/metrics con la clave nueva: $status (esperado 200): $(advice "$status")"
  metric dashboard_requests_total
}

verify() {
  local new_key before after
  new_key=$(client_key)
  [ "$new_key" != "$old_key" ] || die 5 "El Secret $namespace/$name-api-key todavía tiene la clave anterior"
  before=$(requests_total "$new_key")
  expect_status nueva "$new_key" 200 500
  if [ -n "$previous_until" ]; then
    expect_status anterior "$old_key" 200 500 401
  else
    expect_status anterior "$old_key" 401
  fi
  after=$(requests_total "$new_key")
  exceeds "$after" "$before" || warn "dashboard_requests_total no aumentó ($before → $after): ¿responde otro pod?"
}
[ -z "$url" ] || verify

# ---- the pages' own key

replace_ui_key() {
  local secret key
  IFS=$'\t' read -r secret key < <(must_kube get dashboarddeployment "$name" -n "$namespace" \
    -o 'jsonpath={range .spec.extraEnv[?(@.name=="DASHBOARD_UI_API_KEY")]}{.valueFrom.secretKeyRef.name}{"\t"}{.valueFrom.secretKeyRef.key}{"\n"}{end}') || true
  [ -n "${key:-}" ] ||
    die 2 "DASHBOARD_UI_API_KEY no viene de un Secret: añada a spec.extraEnv su valueFrom.secretKeyRef y repita"
  printf '{"data":{"%s":"%s"}}' "$key" "$(printf '%s' "$ui_key" | base64 | tr -d '\n')" |
    must_kube patch secret "$secret" -n "$namespace" --type merge --patch-file /dev/stdin > /dev/null
  ok "DASHBOARD_UI_API_KEY cambiada en el Secret $namespace/$secret: los pods se renuevan con ella"
}
[ -z "$ui_key" ] || replace_ui_key
