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
