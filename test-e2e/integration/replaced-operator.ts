// The operator's pod is replaced, and what it told of a resource goes on: told by two pods at once for a while, by nobody
// for a while, or by the new one only after it came to the resource. Each resource has its pods replaced at a moment of
// its own, one of them never; time is in half minutes, as in the cases.
import type { AlertCase } from './alert-cases.ts';

interface Told {
  /** Pods that tell of it, and when: the first of these moments, and the one at which its series are stale. */
  readonly by: readonly (readonly [pod: string, from: number, until: number])[];
}

/** What may happen to the pod from the moment `at` on; `end` is when the test is over. */
export const REPLACEMENTS: Readonly<Record<string, (at: number, end: number) => Told['by']>> = {
  'both are read until the old one is stale': (at, end) => [
    ['a', 0, at + 4],
    ['b', at, end],
  ],
  'the old one is remembered for five minutes': (at, end) => [
    ['a', 0, at + 10],
    ['b', at, end],
  ],
  'one follows the other': (at, end) => [
    ['a', 0, at],
    ['b', at, end],
  ],
  'nobody leads for a minute': (at, end) => [
    ['a', 0, at],
    ['b', at + 2, end],
  ],
  'the new one comes to it after four minutes': (at, end) => [
    ['a', 0, at],
    ['b', at + 8, end],
  ],
  'the process begins again in its pod': (at, end) => [
    ['a', 0, at],
    ['a', at + 2, end],
  ],
};

export const STEP_SECONDS = 30;
const STEADY = 'steady';
/** As Prometheus adds them where it reads the operator. */
const placeOf = (pod: string, resource: string): string =>
  Object.entries({
    namespace: 'devshelf-system',
    service: 'devshelf-operator',
    job: 'devshelf-operator',
    endpoint: 'metrics',
    container: 'operator',
    pod: `devshelf-operator-${resource}-${pod}`,
    instance: `${resource}-${pod}:8080`,
  })
    .map(([name, value]) => `${name}="${value}"`)
    .join(',');

const INFO =
  'devshelf_resource_info{kind="DashboardDeployment",resource_namespace="shop",resource="dashboard",image="i",version="2",release="x",phase="Baking"}';

export const stepOf = (at: string): number => {
  const minutes = /^(\d+)m$/.exec(at)?.[1];
  if (minutes === undefined) throw new Error(`no whole minutes: ${at}`);
  return (Number(minutes) * 60) / STEP_SECONDS;
};

/** The one value that stays. */
function constantIn(values: string): string {
  const value = /^(-?\d+)x\d+$/.exec(values)?.[1];
  if (value === undefined) throw new Error(`not one value: ${values}`);
  return value;
}

/** What one pod tells: a value while it does, and then that there is none. */
function written(value: string, spans: readonly (readonly [from: number, until: number])[], end: number): string {
  return Array.from({ length: end + 1 }, (_, step) => {
    if (spans.some(([from, until]) => from <= step && step < until)) return value;
    return spans.some(([, until]) => until === step) ? 'stale' : '_';
  }).join(' ');
}

/** Series of a case about a resource of that name, as these pods tell them. */
function seriesOf(series: AlertCase['fires'], resource: string, by: Told['by'], end: number): Record<string, string> {
  const told = Object.entries(series).flatMap(([name, values]) =>
    [...new Set(by.map(([pod]) => pod))].map(pod => {
      const spans = by.filter(([each]) => each === pod).map(([, from, until]) => [from, until] as const);
      const full = name.replace('resource="dashboard"', `resource="${resource}"`);
      return [full.replace('}', `,${placeOf(pod, resource)}}`), written(constantIn(values), spans, end)] as const;
    }),
  );
  return Object.fromEntries(told);
}

/** As promtool reads them. */
export const inputOf = (series: Readonly<Record<string, string>>) =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }));

export const isOfResource = ({ fires }: AlertCase): boolean =>
  Object.keys(fires).some(name => name.includes('resource="dashboard"'));

/** Each of the first, as what lasts a minute or two is decided there, and some of the others. */
function momentsUntil(last: number): readonly number[] {
  const moments: number[] = [];
  for (let moment = 1; moment <= last; moment += Math.ceil(moment / 3)) moments.push(moment);
  return moments;
}

/** Whatever happens to the pods of others, each alert is what that of the steady one is: there, and since when. */
export function goesOn({ alert, at, fires }: AlertCase, what: string) {
  const replaced = REPLACEMENTS[what];
  if (!replaced) throw new Error(what);
  const firing = stepOf(at);
  const end = firing + 12;
  const told = { ...fires, [INFO]: '1x1' };
  const moments = momentsUntil(firing);
  const series = Object.assign(
    seriesOf(told, STEADY, [['a', 0, end + 1]], end),
    ...moments.map(moment => seriesOf(told, `at-${moment}`, replaced(moment, end + 1), end)),
  ) as Record<string, string>;
  const [own, others] = [`alertname="${alert}",resource="${STEADY}"`, `alertname="${alert}",resource!="${STEADY}"`];
  const count = (more: string) => `count(ALERTS{${others}${more}})`;
  const never = (expr: string) => ({
    expr: `count_over_time((${expr})[${end * STEP_SECONDS}s:${STEP_SECONDS}s])`,
    eval_time: `${end * STEP_SECONDS}s`,
    exp_samples: [],
  });
  return {
    name: `${alert}: ${what}`,
    interval: `${STEP_SECONDS}s`,
    input_series: inputOf(series),
    promql_expr_test: [
      { expr: count(',alertstate="firing"'), eval_time: at, exp_samples: [{ labels: '{}', value: moments.length }] },
      {
        expr: `count(ALERTS{${own}}) by (pod, instance, job, endpoint, container, namespace, service)`,
        eval_time: at,
        exp_samples: [{ labels: `{namespace="shop",service="${STEADY}"}`, value: 1 }],
      },
      never(`(${count('')} or vector(0)) != on () ${moments.length} * (count(ALERTS{${own}}) or vector(0))`),
      never(`ALERTS_FOR_STATE{${others}} != on () group_left () ALERTS_FOR_STATE{${own}}`),
    ],
  };
}

/** What came to an end is not carried on, and what nobody tells of any more for five minutes only. */
export function ends({ alert, at, fires }: AlertCase) {
  const firing = stepOf(at);
  const end = firing + 20;
  const info = (resource: string, by: Told['by']) => seriesOf({ [INFO]: '1x1' }, resource, by, end);
  const matter = (resource: string, by: Told['by']) => seriesOf(fires, resource, by, end);
  const series = {
    ...info('mended', [['a', 0, end + 1]]),
    ...matter('mended', [['a', 0, firing + 1]]),
    ...info('mended-meanwhile', [
      ['a', 0, firing + 1],
      ['b', firing + 5, end + 1],
    ]),
    ...matter('mended-meanwhile', [['a', 0, firing + 1]]),
    ...info('mended-before', [
      ['a', 0, firing + 2],
      ['b', firing + 5, end + 1],
    ]),
    ...matter('mended-before', [['a', 0, firing + 1]]),
    ...info('gone', [['a', 0, firing + 1]]),
    ...matter('gone', [['a', 0, firing + 1]]),
  };
  const left = (step: number, resources: readonly string[]) => ({
    expr: `count by (resource) (ALERTS{alertname="${alert}",alertstate="firing"})`,
    eval_time: `${step * STEP_SECONDS}s`,
    exp_samples: resources.map(resource => ({ labels: `{resource="${resource}"}`, value: 1 })),
  });
  return {
    name: `${alert}: ends`,
    interval: `${STEP_SECONDS}s`,
    input_series: inputOf(series),
    promql_expr_test: [
      left(firing, ['gone', 'mended', 'mended-before', 'mended-meanwhile']),
      ...[1, 2, 3, 4].map(step => left(firing + step, ['gone', 'mended-meanwhile'])),
      ...[5, 6, 7, 8, 9].map(step => left(firing + step, ['gone'])),
      ...[11, 12, 15].map(step => left(firing + step, [])),
    ],
  };
}
