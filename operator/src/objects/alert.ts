// What every alert has, whoever raises it, and how it becomes a rule of Prometheus.

export type Severity = 'critical' | 'warning' | 'info';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** A duration as Prometheus writes it; without it the first evaluation counts. */
  readonly for?: string;
  readonly severity: Severity;
  /** One sentence for whoever is paged. Prometheus fills in labels and value. */
  readonly summary: string;
  /** Page below docs/ and heading, the latter as its anchor; Prometheus may fill it in from a label. */
  readonly page: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A series that Prometheus keeps for rules that read it. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** @param docsUrl where the pages of docs/ are; without it the page is named by its path, which is no URL */
export function alertingRule(alert: Alert, docsUrl: string | undefined): AlertingRule {
  const { alert: name, expr, for: lasting, severity, summary, page, labels } = alert;
  const runbook =
    docsUrl === undefined ? { runbook: `docs/${page}` } : { runbook_url: `${docsUrl.replace(/\/+$/, '')}/${page}` };
  return {
    alert: name,
    expr,
    ...(lasting !== undefined && { for: lasting }),
    labels: { severity, ...labels },
    annotations: { summary, ...runbook },
  };
}
