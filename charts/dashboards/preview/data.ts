// What each panel has to draw: its queries, asked over the time, and how they are to be shown.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { MonitoredStory } from '../../../test-e2e/integration/monitored-story.ts';
import { type AskedQuery, type DrawnPanel, filledIn, legendOf, panelsOf } from '../queries.ts';

export interface Series {
  readonly name: string;
  readonly color: string;
  /** One for each time, null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface Drawn {
  readonly type: string;
  readonly title: string;
  readonly unit: string;
  readonly decimals?: number;
  readonly place: DrawnPanel['gridPos'];
  readonly stacked: boolean;
  readonly noValue: string;
  readonly showsName: boolean;
  readonly plain: boolean;
  readonly color: string;
  readonly series: readonly Series[];
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly empty: boolean;
}

export interface DrawnDashboard {
  readonly title: string;
  readonly description: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly times: readonly number[];
  readonly marks: readonly { readonly at: number; readonly color: string; readonly text: string }[];
  readonly panels: readonly Drawn[];
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
  readonly values: readonly (readonly [number, string])[];
}
interface Defaults {
  unit?: string;
  decimals?: number;
  noValue?: string;
  thresholds?: { steps: { value: number | null; color: string }[] };
  custom?: { stacking?: { mode?: string } };
}

const POINTS = 240;
const PALETTE = [
  '#73bf69',
  '#f2cc0c',
  '#5794f2',
  '#ff9830',
  '#b877d9',
  '#8ab8ff',
  '#ff7383',
  '#37872d',
  '#c0d8ff',
  '#e0b400',
];
const COLORS: Readonly<Record<string, string>> = {
  green: '#73bf69',
  yellow: '#f2cc0c',
  red: '#f2495c',
  blue: '#5794f2',
  orange: '#ff9830',
  purple: '#b877d9',
  text: '#ccccdc',
};
export const colorOf = (name: string): string => COLORS[name] ?? name;

/** @param time milliseconds */
export async function dataOf(
  dashboard: Dashboard,
  name: string,
  story: MonitoredStory,
  { from, to }: { from: number; to: number },
): Promise<DrawnDashboard> {
  const values = {
    __rate_interval: '15s',
    __range: `${Math.round((to - from) / 1000)}s`,
    objective: '0.995',
    namespace: story.namespace,
    name: story.names[name as keyof MonitoredStory['names']] ?? '',
  };
  const step = Math.max(1, Math.round((to - from) / 1000 / POINTS));
  const start = Math.ceil(from / 1000);
  const times = Array.from({ length: Math.floor((to / 1000 - start) / step) + 1 }, (_, index) => start + index * step);
  const end = times.at(-1) ?? start;
  const ask = async ({ expr, instant }: Pick<AskedQuery, 'expr' | 'instant'>): Promise<Sample[]> => {
    const query = filledIn(expr, values);
    const asked = instant
      ? story.prometheus.ask<{ result: Sample[] }>('query', { query, time: String(end) })
      : story.prometheus.ask<{ result: Sample[] }>('query_range', {
          query,
          start: String(start),
          end: String(end),
          step: String(step),
        });
    return (await asked).result;
  };
  const panels: Drawn[] = [];
  for (const panel of panelsOf(dashboard)) panels.push(await drawn(panel, times, ask));
  return {
    title: dashboard.title ?? '',
    description: dashboard.description ?? '',
    variables: { namespace: values.namespace, ...(values.name !== '' && { resource: values.name }) },
    times,
    marks: await marksOf(dashboard, ask),
    panels,
  };
}

type Ask = (query: Pick<AskedQuery, 'expr' | 'instant'>) => Promise<Sample[]>;

async function marksOf(dashboard: Dashboard, ask: Ask): Promise<DrawnDashboard['marks']> {
  const marks = [];
  for (const { expr = '', iconColor = 'blue', titleFormat = '' } of dashboard.annotations?.list ?? []) {
    for (const { metric, value } of await ask({ expr, instant: true }))
      marks.push({ at: Number(value[1]) / 1000, color: colorOf(iconColor), text: legendOf(titleFormat, metric) });
  }
  return marks;
}

async function drawn(panel: DrawnPanel, times: readonly number[], ask: Ask): Promise<Drawn> {
  const { fieldConfig, options, transformations } = panel.json as {
    fieldConfig?: { defaults: Defaults; overrides: { matcher: { options: string }; properties: Property[] }[] };
    options?: { textMode?: string; graphMode?: string; yAxis?: { unit?: string } };
    transformations?: { id: string; options: { renameByName?: Record<string, string> } }[];
  };
  const { defaults = {}, overrides = [] } = fieldConfig ?? {};
  const fixed = new Map(overrides.map(({ matcher, properties }) => [matcher.options, fixedColor(properties)]));
  const answers = await Promise.all(panel.queries.map(async query => ({ query, samples: await ask(query) })));
  const series = answers.flatMap(({ query, samples }) =>
    samples.map(sample => ({ name: legendOf(query.legend, sample.metric), values: valuesAt(sample, query, times) })),
  );
  const columns = transformations?.find(({ id }) => id === 'organize')?.options.renameByName ?? {};
  const rows = panel.type === 'table' ? (answers[0]?.samples ?? []).map(sample => rowOf(sample, columns)) : [];
  const last = lastOf(series[0]?.values ?? []);
  return {
    type: panel.type,
    title: panel.title,
    unit: options?.yAxis?.unit ?? defaults.unit ?? 'short',
    ...(defaults.decimals !== undefined && { decimals: defaults.decimals }),
    place: panel.gridPos,
    stacked: defaults.custom?.stacking?.mode === 'normal',
    noValue: defaults.noValue ?? 'No data',
    showsName: options?.textMode === 'name',
    plain: options?.graphMode === 'none',
    color: stepColor(defaults.thresholds?.steps ?? [], last),
    series: series.map((one, index) => ({
      ...one,
      color: colorOf(fixed.get(one.name) ?? PALETTE[index % PALETTE.length] ?? 'text'),
    })),
    head: Object.values(columns),
    rows,
    empty: panel.type !== 'row' && rows.length === 0 && series.every(({ values }) => lastOf(values) === undefined),
  };
}

interface Property {
  readonly id: string;
  readonly value: { readonly fixedColor?: string };
}
const fixedColor = (properties: readonly Property[]): string | undefined =>
  properties.find(({ id }) => id === 'color')?.value.fixedColor;

function valuesAt({ value, values }: Sample, { instant }: AskedQuery, times: readonly number[]): (number | null)[] {
  if (instant) return [finite(value[1])];
  const byTime = new Map(values.map(([time, text]) => [time, finite(text)]));
  return times.map(time => byTime.get(time) ?? null);
}

const finite = (text: string): number | null => (Number.isFinite(Number(text)) ? Number(text) : null);
const lastOf = (values: readonly (number | null)[]): number | undefined =>
  values.findLast(value => value !== null) ?? undefined;

const rowOf = ({ metric, value }: Sample, columns: Readonly<Record<string, string>>): (string | number)[] => [
  ...Object.keys(columns)
    .filter(label => label !== 'Value')
    .map(label => metric[label] ?? ''),
  Number(value[1]),
];

const stepColor = (steps: readonly { value: number | null; color: string }[], value: number | undefined): string =>
  colorOf(steps.findLast(step => step.value === null || (value !== undefined && value >= step.value))?.color ?? 'text');
