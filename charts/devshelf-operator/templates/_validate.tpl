{{/* What a schema can only refuse as "does not match pattern" is refused here, with what to write instead. */}}
{{- define "operator.validate" -}}
{{- $image := .Values.image }}
{{- if not $image.repository }}
{{- fail "image.repository is empty: set the name of the image, e.g. registry.example/devshelf-operator" }}
{{- end }}
{{- range $value, $name := dict $image.repository "image.repository" (include "operator.registry" . | default "registry.example") "image.registry" }}
{{- if not (regexMatch "^[a-z0-9]+((\\.|:|/|_{1,2}|-+)[a-z0-9]+)*$" $value) }}
{{- fail (printf "%s is %q: write a name as in registry.example:5000/team/devshelf-operator, in lower case, without spaces and without https://" $name $value) }}
{{- end }}
{{- end }}
{{- if regexMatch ":[^/]*$" $image.repository }}
{{- fail (printf "image.repository is %q, with a tag or a digest in it: they have values of their own, image.tag and image.digest" $image.repository) }}
{{- end }}
{{- if eq $image.tag "latest" }}
{{- fail "image.tag is latest: nobody could tell which version runs, or go back to it. Set a version, or leave it empty for the chart's own" }}
{{- end }}
{{- if and $image.tag (not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" $image.tag)) }}
{{- fail (printf "image.tag is %q: a tag has letters, digits, '.', '_' and '-'; a digest is set in image.digest" $image.tag) }}
{{- end }}
{{- if and $image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $image.digest)) }}
{{- fail (printf "image.digest is %q: write sha256: and the 64 hexadecimal digits that images.txt of the release has" $image.digest) }}
{{- end }}
{{- range .Values.watchNamespaces }}
{{- if not (regexMatch "^(\\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$" .) }}
{{- fail (printf "watchNamespaces has %q, which is no namespace's name: lower-case letters, digits and '-', or * for all" .) }}
{{- end }}
{{- end }}
{{- if and (has "*" .Values.watchNamespaces) (gt (len .Values.watchNamespaces) 1) }}
{{- fail "watchNamespaces has \"*\" and other names: \"*\" means all of them, so write it alone, or only the names" }}
{{- end }}
{{- if ne (len .Values.watchNamespaces) (len (uniq .Values.watchNamespaces)) }}
{{- fail (printf "watchNamespaces names a namespace twice: %s" (join ", " .Values.watchNamespaces)) }}
{{- end }}
{{- with .Values.notifications }}
{{- if and .sinks .existingSecret }}
{{- fail (printf "notifications.sinks and notifications.existingSecret=%q are both set: write the sinks into one of them, and leave the other empty" .existingSecret) }}
{{- end }}
{{- if and .sinks (not .cluster) }}
{{- fail "notifications.cluster is empty: write a name by which people know this cluster; every message says it" }}
{{- end }}
{{- end }}
{{- if not (regexMatch "^([0-9]+(ms|s|m|h))+$" .Values.serviceMonitor.interval) }}
{{- fail (printf "serviceMonitor.interval is %q: write a duration with its unit, e.g. 30s" .Values.serviceMonitor.interval) }}
{{- end }}
{{- range $share := list "requests" "limits" }}
{{- range $resource, $quantity := (index $.Values.resources $share | default dict) }}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(m|[kMGTPE]i?|e[0-9]+)?$" (toString $quantity)) }}
{{- fail (printf "resources.%s.%s is %q: write a quantity, e.g. 50m for CPU or 256Mi for memory" $share $resource (toString $quantity)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/version" }}
{{- if hasKey $.Values.podLabels $label }}
{{- fail (printf "podLabels sets %s, which the chart sets itself: choose another label" $label) }}
{{- end }}
{{- end }}
{{- include "operator.requireImage" . }}
{{- include "operator.checkDefinitions" . }}
{{- end }}

{{/* `helm template` asks no cluster, so it shows the default; an installation of it could not start. */}}
{{- define "operator.requireImage" -}}
{{- $named := or (include "operator.registry" .) (contains "/" .Values.image.repository) (eq .Values.image.pullPolicy "Never") }}
{{- if and (not $named) (lookup "v1" "Namespace" "" "kube-system") }}
{{- fail (printf "image.registry is not set, and there is no public image %s: push the image of the release (or one that you built) and say --set image.registry=registry.example/team. Where every node has it already: --set image.pullPolicy=Never" (include "operator.image" .)) }}
{{- end }}
{{- end }}

{{/*
The definitions are a release of their own: within this one a rollback would take fields out of stored resources, and
a second operator in the cluster could not be installed. `helm template` asks no cluster and finds nothing wrong.
*/}}
{{- define "operator.checkDefinitions" -}}
{{- if and .Values.crds.check (lookup "v1" "Namespace" "" "kube-system") }}
{{- $first := printf "First: helm upgrade --install devshelf-operator-crds devshelf-operator-crds-%s.tgz --take-ownership --force-conflicts (or kubectl apply --server-side --force-conflicts -f crds). Going on without: --set crds.check=false" .Chart.Version }}
{{- range $plural := list "devshelfdeployments" "dashboarddeployments" }}
{{- $name := printf "%s.apps.devshelf.dev" $plural }}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" $name }}
{{- if not $found }}
{{- fail (printf "the definition %s is not in this cluster. %s" $name $first) }}
{{- end }}
{{- $version := dig "metadata" "labels" "app.kubernetes.io/version" "0.1.0" $found }}
{{- if semverCompare (printf "< %s" $.Chart.AppVersion) $version }}
{{- fail (printf "the definition %s in this cluster is of version %s, older than this chart's %s. %s" $name $version $.Chart.AppVersion $first) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
