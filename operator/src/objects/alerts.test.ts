// Alerts lead to a page and a heading that exist, whatever they are raised for.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { REASONS } from '../api/reasons.ts';
import { type Alert, alertingRule } from './alert.ts';
import { OPERATOR_ALERTS } from './operator-alerts.ts';
import { resourceAlerts } from './resource-alerts.ts';
import { dashboard, devshelf } from './testing.ts';

const DOCS = new URL('../../../docs/', import.meta.url).pathname;
const monitoring = { objective: { latencySeconds: '0.5' } };
const all: readonly Alert[] = [...resourceAlerts(devshelf({ monitoring })), ...OPERATOR_ALERTS];

/** As GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (page: string): string[] =>
  [...readFileSync(DOCS + page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** Every page that Prometheus may make of it: one per reason that the alert may carry. */
const pagesOf = ({ page }: Alert): string[] =>
  page.includes('{{ $labels.reason | toLower }}')
    ? Object.keys(REASONS).map(reason => page.replace('{{ $labels.reason | toLower }}', reason.toLowerCase()))
    : [page];

test.each(all.map(alert => [alert.alert, alert] as const))('%s leads to a heading', (_name, alert) => {
  for (const link of pagesOf(alert)) {
    const [page = '', anchor = ''] = link.split('#');
    expect(anchorsOf(page)).toContain(anchor);
  }
});

test('reasons that an alert names are reasons', () => {
  const named = OPERATOR_ALERTS.flatMap(({ expr }) =>
    [...expr.matchAll(/reason(?:=~|!=|=)"([^"]*)"/g)].flatMap(([, words = '']) => words.split('|')),
  );
  expect(named.filter(reason => !(reason in REASONS))).toEqual([]);
});

/** Headings of the runbook that are no alert's name, as they are in Spanish. */
const IN_SPANISH: Readonly<Record<string, string>> = { keys: 'claves' };

test('whatever alert leads to the runbook has its section in Spanish, too', () => {
  const sections = anchorsOf('es/runbook.md');
  const anchors = new Set(
    all.map(({ page }) => page.split('#')).flatMap(([page, to = '']) => (page === 'runbook.md' ? to : [])),
  );
  expect([...anchors].filter(anchor => !sections.includes(IN_SPANISH[anchor] ?? anchor))).toEqual([]);
});

test('an alert about the operator or a service has a heading of its own, or one by reason or matter', () => {
  const shared = all.filter(
    ({ alert, page }) => page.startsWith('runbook.md') && page !== `runbook.md#${alert.toLowerCase()}`,
  );
  expect(shared.map(({ alert }) => alert)).toEqual(['KeyOverdue', 'KeyOld']);
});

test('the docs tell of every alert', () => {
  const page = readFileSync(`${DOCS}how-to/monitor.md`, 'utf8');
  expect(all.filter(({ alert }) => !page.includes(`\`${alert}\``)).map(({ alert }) => alert)).toEqual([]);
});

/** How long a matter lasts before somebody is called, in seconds: its age, and how long the alert waits then. */
function lastingOf({ expr, for: waits = '0m' }: Alert): number {
  const [, count, unit] = /^(\d+)([mh])$/.exec(waits) ?? [];
  const [, age = '0'] = /(?:^time\(\) - |watch_age_seconds).* > (\d+)(?: unless|$)/.exec(expr) ?? [];
  return Number(age) + Number(count) * (unit === 'h' ? 3_600 : 60);
}

const LASTING: Readonly<Record<number, string>> = {
  0: '',
  120: 'two minutes',
  180: 'three minutes',
  300: 'five minutes',
  600: 'ten minutes',
  900: 'a quarter of an hour',
  1800: 'half an hour',
  3600: 'an hour',
  10800: 'three hours',
  86400: 'a day',
  604800: 'a week',
  5184000: '60 days',
};

test('the docs tell how long it takes', () => {
  const rows = readFileSync(`${DOCS}how-to/monitor.md`, 'utf8').split('\n');
  const untold = all.filter(alert => {
    const words = LASTING[lastingOf(alert)];
    return words === undefined || !rows.some(row => row.startsWith(`| \`${alert.alert}\``) && row.includes(words));
  });
  expect(untold.map(({ alert }) => alert)).toEqual([]);
});

test('the rule of Alertmanager in the docs keeps the tickets of a service silent under its pages', () => {
  const page = readFileSync(`${DOCS}how-to/monitor.md`, 'utf8');
  const [, block = ''] = /```yaml\n(inhibit_rules:[^`]*)```/.exec(page) ?? [];
  const { inhibit_rules } = parse(block) as {
    inhibit_rules: { source_matchers: string[]; target_matchers: string[]; equal: string[] }[];
  };
  const [rule] = inhibit_rules;
  const matchedBy = (matchers: readonly string[] = []) =>
    all
      .filter(({ alert, severity }) =>
        matchers.every(matcher => [`alertname = ${alert}`, `severity = ${severity}`].includes(matcher)),
      )
      .map(({ alert, labels }) => `${alert} ${labels?.['long']}`);
  expect(matchedBy(rule?.source_matchers)).toEqual(['ServiceErrorBudgetBurn 1h', 'ServiceErrorBudgetBurn 6h']);
  expect(matchedBy(rule?.target_matchers)).toEqual(['ServiceErrorBudgetBurn 1d', 'ServiceErrorBudgetBurn 3d']);
  expect(rule?.equal).toEqual(['namespace', 'service']);
});

test('a URL only where there is one', () => {
  const [alert] = OPERATOR_ALERTS;
  if (!alert) throw new Error('no alert');
  expect(alertingRule(alert, undefined).annotations).toHaveProperty('runbook', `docs/${alert.page}`);
  expect(alertingRule(alert, 'https://git.example/docs/').annotations).toMatchObject({
    runbook_url: `https://git.example/docs/${alert.page}`,
  });
});

const namesOf = (spec: Record<string, unknown>): string[] =>
  resourceAlerts(dashboard(spec)).map(({ alert, labels }) => [alert, labels?.['long']].filter(Boolean).join(' '));

test('the whole list for a dashboard', () => {
  expect(namesOf({})).toEqual([
    'ServiceErrorBudgetBurn 1h',
    'ServiceErrorBudgetBurn 6h',
    'ServiceErrorBudgetBurn 1d',
    'ServiceErrorBudgetBurn 3d',
    'ServiceErrorsAtLowTraffic',
    'ServiceNotScraped',
    'ServiceRestarts',
  ]);
});

test.each([
  ['slowness only where a limit is given', { monitoring }, 'ServiceSlow', true],
  ['where no pod is wanted none is missed', { replicas: 0 }, 'ServiceNotScraped', false],
  ['unless an autoscaler chooses', { replicas: 0, autoscaling: { maxReplicas: 3 } }, 'ServiceNotScraped', true],
  ['a dashboard has no queue', {}, 'QueueStuck', false],
])('%s', (_sentence, spec, alert, expected) => {
  expect(namesOf(spec).includes(alert)).toBe(expected);
});

test.each([
  ['0.95', '> 0.72 '],
  ['0.995', '> 0.072 '],
  ['0.9999', '> 0.00144 '],
])('an objective of %s burns by 14.4 times its budget', (availability, words) => {
  const [page] = resourceAlerts(dashboard({ monitoring: { objective: { availability } } }));
  expect(page?.expr).toContain(words);
});
