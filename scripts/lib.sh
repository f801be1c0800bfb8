# shellcheck shell=bash
# What the dashboard's scripts share. Sourced, never run. Needs bash >= 3.2 (macOS), curl and awk.
#
# The key reaches curl on its standard input, as a header: the process list never shows it.

info() { echo "[INFO] $*"; }
ok() { echo "[OK] $*"; }
warn() { echo "[WARN] $*"; }

# die CODE MESSAGE...
die() {
  local code=$1
  shift
  echo "[ERROR] $*" >&2
  exit "$code"
}

# Ends with 1, as for every mistake in the call.
refuse() {
  die 1 "$* (ayuda: $(basename "$0") --help)"
}

# The comment at the head of the script is its help.
show_help() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
}

# value_of FLAG VALUE...: what follows the flag on the command line.
value_of() {
  [ $# -ge 2 ] || refuse "Falta el valor de $1"
  printf '%s' "$2"
}

# The mistake that getopts found: it leaves ":" or "?" in OPTION and the letter in OPTARG.
refuse_option() { # OPTION
  [ "$1" != : ] || refuse "Falta el valor de -$OPTARG"
  refuse "Argumento desconocido: -$OPTARG"
}

need_number() { # NAME VALUE
  case $2 in
    '' | *[!0-9.]* | *.*.* | .) refuse "$1 debe ser un número, por ejemplo 2 o 0.5: «$2»" ;;
  esac
}

need_tool() {
  command -v "$1" > /dev/null 2>&1 || die "${2:-1}" "No se encuentra $1: instálelo y repita"
}

# The base without its last slash; only http and https.
need_url() { # VALUE
  case $1 in
    http://?* | https://?*) printf '%s' "${1%/}" ;;
    *) refuse "La URL debe empezar por http:// o https://: «$1»" ;;
  esac
}

# resolve_key GIVEN: the key that was given, or DASHBOARD_API_KEY, or the file that DASHBOARD_API_KEY_FILE names.
# Nothing when there is none.
resolve_key() {
  local key=${1:-${DASHBOARD_API_KEY:-}}
  if [ -z "$key" ] && [ -n "${DASHBOARD_API_KEY_FILE:-}" ]; then
    [ -r "$DASHBOARD_API_KEY_FILE" ] || refuse "No se puede leer DASHBOARD_API_KEY_FILE ($DASHBOARD_API_KEY_FILE)"
    key=$(cat "$DASHBOARD_API_KEY_FILE")
  fi
  case $key in
    *[[:cntrl:]]*) refuse "La API Key contiene caracteres de control (¿un salto de línea?)" ;;
  esac
  printf '%s' "$key"
}

# A folder for answers, removed at the end.
make_workspace() {
  WORKSPACE=$(mktemp -d "${TMPDIR:-/tmp}/dashboard-check.XXXXXX") || die 1 "No se puede crear una carpeta temporal"
  trap 'rm -rf "$WORKSPACE"' EXIT
}

# fetch KEY URL: prints the status, 000 when nothing answered within DASHBOARD_TIMEOUT seconds (10).
# Leaves $WORKSPACE/{headers,body,why}. An empty KEY sends none. Redirections are not followed: the key stays here.
fetch() {
  local status
  : > "$WORKSPACE/headers"
  : > "$WORKSPACE/body"
  # an answer that breaks off is no answer, whatever its status
  status=$(
    { [ -z "$1" ] || printf 'X-API-Key: %s\n' "$1"; } |
      curl --silent --show-error --header @- \
        --connect-timeout 5 --max-time "${DASHBOARD_TIMEOUT:-10}" \
        --dump-header "$WORKSPACE/headers" --output "$WORKSPACE/body" --write-out '%{http_code}' \
        "$2" 2> "$WORKSPACE/why"
  ) || status=000
  printf '%s' "$status"
}

# What to do about a status that should have been another.
advice() { # STATUS
  case $1 in
    000) echo "sin respuesta: $(cat "$WORKSPACE/why")" ;;
    301 | 302 | 307 | 308) echo "redirige a «$(header Location)»: use esa URL" ;;
    400) echo "$(head -c 200 "$WORKSPACE/body"): añada el host a DASHBOARD_ALLOWED_HOSTS" ;;
    401) echo "clave rechazada: compárela con DASHBOARD_API_KEY del servicio" ;;
    404) echo "no existe: ¿es la URL base del dashboard?" ;;
    429) echo "demasiadas solicitudes: espere $(header Retry-After) s o suba DASHBOARD_RATELIMIT_MAX" ;;
    5??) echo "el servicio falla: busque en sus logs el request_id $(header X-Request-ID)" ;;
    *) echo "respuesta inesperada" ;;
  esac
}

# header NAME: its value in the last response, without the CR that ends each line; names in any case.
header() {
  tr -d '\r' < "$WORKSPACE/headers" | awk -v name="$1" '
    /^HTTP\// { value = "" }
    { colon = index($0, ":") }
    colon > 1 && tolower(substr($0, 1, colon - 1)) == tolower(name) {
      value = substr($0, colon + 1)
      gsub(/^[ \t]+|[ \t]+$/, "", value)
    }
    END { print value }'
}

# metric NAME: the value without labels in the last response, or nothing.
metric() {
  awk -v name="$1" '$1 == name { print $2; exit }' "$WORKSPACE/body"
}

# p95_ms: the 95th percentile in the last response, one decimal, or nothing.
p95_ms() {
  local value
  value=$(metric dashboard_request_duration_ms_p95)
  [ -z "$value" ] || LC_ALL=C awk -v value="$value" 'BEGIN { printf "%.1f", value }'
}

# exceeds VALUE LIMIT
exceeds() {
  LC_ALL=C awk -v value="$1" -v limit="$2" 'BEGIN { exit !(value + 0 > limit + 0) }'
}

# error_percent REQUESTS ERRORS: two decimals; 0 without requests.
error_percent() {
  LC_ALL=C awk -v requests="$1" -v errors="$2" 'BEGIN { printf "%.2f", (requests > 0 ? errors / requests * 100 : 0) }'
}
