#!/usr/bin/env bash
# check_migrations.sh [-d URL] [-s URL] [-b BASE] [-m DIRECTORIO] SERVICIO
#
# Job de CI: comprueba las migraciones de un servicio. Con -d mira si queda algo pendiente en una base de datos, que no
# cambia; con -s las prueba todas, ida y vuelta, y comprueba sus marcas.
#
#   SERVICIO          devshelf o dashboard
#   -d URL            la base de datos desplegada (o DATABASE_URL)
#   -s URL            un servidor PostgreSQL de prueba, donde crea una base de datos y la borra (o MIGRATE_SCRATCH_URL)
#   -b BASE           rama o commit que se despliega hoy: lo que ya tiene no puede cambiar, y no se juzga otra vez
#   -m DIRECTORIO     migraciones nuevas (services/SERVICIO/prisma/migrations)
#   -h, --help        esta ayuda
#
# Necesita Node.js con los paquetes del repositorio; con -b también git y tar. Las variables no se ven en la lista de
# procesos, las opciones sí.
#
# Códigos: 0 todo correcto; 1 uso incorrecto o falta una herramienta; 2 hay migraciones pendientes en -d; 3 una aplicada
# fue editada o renombrada, o falló, o quedó interrumpida; 4 una marca o una vuelta atrás está mal, o no se aplica;
# 5 la base de datos no responde o no deja entrar.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

service=
base=
new=
deployed=${DATABASE_URL:-}
scratch=${MIGRATE_SCRATCH_URL:-}
while [ $# -gt 0 ]; do
  case $1 in
    -d) deployed=$(value_of "$@"); shift 2 ;;
    -s) scratch=$(value_of "$@"); shift 2 ;;
    -b) base=$(value_of "$@"); shift 2 ;;
    -m) new=$(value_of "$@"); shift 2 ;;
    -h | --help) show_help ;;
    devshelf | dashboard) service=$1; shift ;;
    *) refuse "Argumento desconocido: $1" ;;
  esac
done
[ -n "$service" ] || refuse 'Falta el servicio: devshelf o dashboard'
[ -n "$deployed$scratch$base" ] || refuse 'Nada que comprobar: -d, -s o -b'
need_tool node

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
path=services/$service/prisma/migrations
new=${new:-$root/$path}
[ -d "$new" ] || refuse "No existe el directorio $new"

# migrate ORDEN...: deja su veredicto en `verdict`.
migrate() {
  verdict=$(MIGRATIONS_DIR=$new TERMINATION_LOG=/dev/null node "$root/services/$service/migrate.ts" "$@") || true
  case $verdict in *$'\n'*) printf '%s\n' "${verdict%$'\n'*}" ;; esac
  verdict=${verdict##*$'\n'}
}

# said CAMPO: un campo del veredicto, las listas separadas por comas.
said() {
  node -e '
    const value = JSON.parse(process.argv[1])[process.argv[2]] ?? "";
    const words = entry => (entry.id === undefined ? String(entry) : entry.id + " (" + entry.what + ")");
    console.log(Array.isArray(value) ? value.map(words).join(", ") : String(value));
  ' "$verdict" "$1"
}

# unsaid: lo que no dice ni bien ni mal de las migraciones.
unsaid() {
  case $(said result) in
    misused) die 1 "$(said message)" ;;
    unreachable | readonly | locked | refused | stopped) die 5 "$(said result): $(said message)" ;;
    *) die "$1" "$(said result): $(said failed) $(said message)" ;;
  esac
}

only=
if [ -n "$base" ]; then
  for tool in git tar; do need_tool "$tool"; done
  git -C "$root" rev-parse --quiet --verify "$base^{commit}" > /dev/null || refuse "git no conoce «$base»: git fetch, o use -b"
  make_workspace
  git -C "$root" archive "$base" -- "$path" 2> /dev/null | tar -x -C "$WORKSPACE" || refuse "«$base» no tiene $path"
  for folder in "$WORKSPACE/$path"/*/; do
    id=$(basename "$folder")
    [ -f "$new/$id/migration.sql" ] || die 3 "$base tiene $id, y aquí falta: ¿renombrada?"
    # un retorno de carro no cambia una migración
    cmp -s <(tr -d '\r' < "$folder/migration.sql") <(tr -d '\r' < "$new/$id/migration.sql") ||
      die 3 "$id está en $base y fue editada: escriba una migración nueva"
  done
  for folder in "$new"/*/; do
    id=$(basename "$folder")
    [ -d "$WORKSPACE/$path/$id" ] || only=${only:+$only,}$id
  done
  ok "Nuevas desde $base: ${only:-ninguna}"
fi

if [ -n "$deployed" ]; then
  DATABASE_URL=$deployed MIGRATE_CONTRACT=withhold migrate status
  case $(said result) in
    'up to date') ok 'Nada pendiente' ;;
    expanded) ok "Solo espera lo que quita algo: $(said withheld)" ;;
    pending) die 2 "Pendientes: $(said pending). Quitan algo: $(said withheld)" ;;
    *) unsaid 3 ;;
  esac
fi

if [ -n "$scratch" ] && { [ -z "$base" ] || [ -n "$only" ]; }; then
  DATABASE_URL='' MIGRATE_SCRATCH_URL=$scratch migrate lint ${only:+--only "$only"}
  case $(said result) in
    clean) ok "Comprobadas. Quitan algo, y esperan a que se acepte: $(said withheld)" ;;
    faulty) die 4 "$(said faults)" ;;
    *) unsaid 4 ;;
  esac
fi
ok 'Migraciones comprobadas'
