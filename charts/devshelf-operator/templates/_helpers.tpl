{{/* The name of every object: the release's, so that `helm install devshelf-operator` gives the plain names. */}}
{{- define "operator.name" -}}
{{- if contains "devshelf-operator" .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-devshelf-operator" .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Whether every namespace is watched: "true" or nothing. */}}
{{- define "operator.watchesAll" -}}
{{- if has "*" .Values.watchNamespaces }}true{{ end -}}
{{- end }}

{{- define "operator.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "operator.name" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "operator.registry" -}}
{{- .Values.image.registry | default ((.Values.global | default dict).imageRegistry) | default "" }}
{{- end -}}

{{/* registry/name:tag, and the digest where one is given: then that alone decides. */}}
{{- define "operator.image" -}}
{{- with include "operator.registry" . }}{{ trimSuffix "/" . }}/{{ end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end }}

{{/* The Secret with the file of sinks, or nothing. */}}
{{- define "operator.sinksSecret" -}}
{{- with .Values.notifications -}}
{{- if .existingSecret }}{{ .existingSecret }}{{ else if .sinks }}{{ include "operator.name" $ }}-notifications{{ end -}}
{{- end -}}
{{- end }}

{{/* Not empty where the pod mounts anything. */}}
{{- define "operator.hasVolumes" -}}
{{- if or (include "operator.sinksSecret" .) .Values.notifications.caConfigMap .Values.prometheusTokenSecret.name }}yes{{ end }}
{{- end -}}
