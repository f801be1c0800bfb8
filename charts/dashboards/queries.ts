// The queries of a dashboard's JSON, as Grafana would ask them.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

export interface AskedQuery {
  readonly refId: string;
  readonly expr: string;
  readonly legend: string;
  readonly instant: boolean;
}

export interface DrawnPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly queries: readonly AskedQuery[];
  /** Everything else, as it is in the file. */
  readonly json: Record<string, unknown>;
}

type Json = Record<string, unknown>;

/** Rows included, in the order of the file. */
export function panelsOf(dashboard: Dashboard): readonly DrawnPanel[] {
  return (dashboard.panels ?? []).map(panel => {
    const {
      id,
      type,
      title = '',
      gridPos,
      targets = [],
    } = panel as unknown as Json & {
      id: number;
      type: string;
      title?: string;
      gridPos: DrawnPanel['gridPos'];
      targets?: { refId: string; expr: string; legendFormat?: string; instant?: boolean }[];
    };
    const queries = targets.map(({ refId, expr, legendFormat = '', instant = false }) => ({
      refId,
      expr,
      legend: legendFormat,
      instant,
    }));
    return { id, type, title, gridPos, queries, json: panel as unknown as Json };
  });
}

/** Grafana's `$name`; a variable of which all values are chosen is given as its pattern. */
export function filledIn(expr: string, values: Readonly<Record<string, string>>): string {
  const filled = expr.replaceAll(/\$(\w+)/g, (found, name: string) => values[name] ?? found);
  const left = /\$\w+/.exec(filled);
  if (left) throw new Error(`${left[0]} has no value: ${expr}`);
  return filled;
}

/** Grafana's `{{label}}`; without a format the labels themselves. */
export function legendOf(format: string, labels: Readonly<Record<string, string>>): string {
  if (format === '') {
    const pairs = Object.entries(labels).filter(([name]) => name !== '__name__');
    return pairs.map(([name, value]) => `${name}="${value}"`).join(', ');
  }
  return format.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_found, name: string) => labels[name] ?? '');
}
