// What is alerted in the story, and what its rules read there: a real Prometheus evaluates the rules of both resources
// and of the operator; only what an alert waits before it fires is shorter.
import { beforeAll, expect, test } from '@jest/globals';
import { until } from '../../services/common/testing/processes.ts';
import type { MonitoredStory } from './monitored-story.ts';
import { labelsIn, type Selector, selectorsIn } from './rule-selectors.ts';

/** Who is called for, by alert. */
const WANTED: Readonly<Record<string, readonly string[]>> = {
  ReleaseTakenBack: ['dashboard'],
  BadReleaseServes: ['held'],
  DependencyDown: ['degraded', 'frozen'],
  CertificateExpires: ['certified'],
  CertificateEnds: ['certified'],
  ServiceErrorBudgetBurn: ['api', 'dashboard'],
};

/** Alerts that look for what the story has not, and why; that their series are there is looked at all the same. */
const QUIET: Readonly<Record<string, string>> = {
  ReleaseNotJudged: 'every release on trial is read, and has users',
  ContractWaits: 'no migration takes anything out of a schema',
  RotationHeld: 'no key is replaced',
  KeyOverdue: 'no key has a schedule',
  KeyOld: 'the same',
  AutoscalerBroken: 'nothing is scaled by load',
};

/** The same, but it may happen. */
const MAYBE: Readonly<Record<string, string>> = {
  ResourceUnavailable: 'a resource has no pod that serves only for the moment in which it is made',
  OperatorPassesFail: 'a pass fails where two write at once',
};

interface Rule {
  readonly name: string;
  readonly query: string;
  readonly type: 'recording' | 'alerting';
  readonly health: string;
  readonly lastError?: string;
}
interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: string;
}

export function testAlerts(told: () => MonitoredStory): void {
  const hasAny = async (selector: string): Promise<boolean> =>
    (await told().prometheus.ask<{ result: unknown[] }>('query', { query: `last_over_time(${selector}[1h])` })).result
      .length > 0;
  const rules = async (): Promise<readonly Rule[]> =>
    (await told().prometheus.ask<{ groups: { rules: Rule[] }[] }>('rules')).groups.flatMap(group => group.rules);
  const firing = async (): Promise<Record<string, string[]>> => {
    const { alerts } = await told().prometheus.ask<{ alerts: Alert[] }>('alerts');
    const of = (name: string) =>
      alerts.filter(({ state, labels }) => state === 'firing' && labels['alertname'] === name);
    const services = (name: string) => new Set(of(name).map(({ labels }) => labels['service'] ?? ''));
    return Object.fromEntries(Object.keys(WANTED).map(name => [name, [...services(name)].toSorted()]));
  };

  beforeAll(() => told().trouble(), 5 * 60_000);

  test('an alert of each family fires, for whom it should, and for nobody else', async () => {
    const isEach = async () =>
      Object.entries(await firing()).every(([name, of]) => of.length >= (WANTED[name] ?? []).length);
    await until('each fires', isEach, 120_000).catch(() => undefined);
    expect(await firing()).toEqual(WANTED);
  }, 150_000);

  test('every rule is evaluated, and none is empty without a reason', async () => {
    const all = await rules();
    expect(all.filter(({ health, lastError }) => health !== 'ok' || lastError)).toEqual([]);
    const empty = new Set<string>();
    for (const { name, query, type } of all) {
      if (type === 'recording' && !(await hasAny(name))) empty.add(name);
      for (const selector of selectorsIn(query))
        if (!(await hasAny(selector.series + selector.matchers))) empty.add(name);
    }
    expect([...empty].filter(name => !(name in MAYBE)).toSorted()).toEqual(Object.keys(QUIET).toSorted());
  }, 120_000);

  test('what such a rule reads is there, with the labels that it asks for', async () => {
    const quiet = (await rules()).filter(({ name }) => name in QUIET || name in MAYBE);
    const withLabels = (selector: Selector) =>
      `${selector.series}{${labelsIn(selector)
        .map(label => `${label}!=""`)
        .join(',')}}`;
    const asked = new Set(quiet.flatMap(({ query }) => selectorsIn(query).map(withLabels)));
    const lacking = [];
    for (const selector of asked) if (!(await hasAny(selector))) lacking.push(selector);
    expect(lacking).toEqual([]);
  });
}
