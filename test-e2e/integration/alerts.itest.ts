// Every rule as Prometheus understands it: promtool checks and tries them, a real Prometheus reads both services and the
// operator's series and evaluates them.
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from '@jest/globals';
import { operatorGroups } from '../../charts/operator-rules.ts';
import { createMetrics } from '../../operator/src/controller/metrics.ts';
import { serveHealth } from '../../operator/src/controller/server.ts';
import { LittlePods } from '../../operator/src/controller/testing/little-pods.ts';
import { Prometheus, Witness } from '../../operator/src/controller/witness.ts';
import { judge, startTrial } from '../../operator/src/evidence/trial.ts';
import { decide } from '../../operator/src/lifecycle/plan.ts';
import { statusOf } from '../../operator/src/lifecycle/status.ts';
import { app as resource, snapshot } from '../../operator/src/lifecycle/testing.ts';
import type { KubeObject } from '../../operator/src/objects/app.ts';
import { prometheusRule } from '../../operator/src/objects/prometheus-rule.ts';
import { dashboard, devshelf } from '../../operator/src/objects/testing.ts';
import { until } from '../../services/common/testing/processes.ts';
import { SCRAPE_TOKEN as DASHBOARD_TOKEN, testApp as dashboardApp } from '../../services/dashboard/testing.ts';
import { SCRAPE_TOKEN as DEVSHELF_TOKEN, testApp as devshelfApp } from '../../services/devshelf/testing.ts';
import { type AlertCase, OPERATOR_CASES, RESOURCE_CASES } from './alert-cases.ts';
import { INSTALLATION_CASES } from './installation-cases.ts';
import { promtool, startPrometheus, type TestPrometheus } from './prometheus.ts';
import { RATE_CASES } from './rate-cases.ts';
import { ends as endsOf, goesOn, inputOf, isOfResource, REPLACEMENTS } from './replaced-operator.ts';
import { selectorsIn } from './rule-selectors.ts';

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
}
interface Groups {
  groups: { name: string; interval: string; rules: Rule[] }[];
}

const monitoring = { objective: { latencySeconds: '0.5' } };
const groupsOf = (rule: KubeObject | undefined): Groups => {
  if (!rule) throw new Error('no rule');
  return rule['spec'] as Groups;
};
const OF_DEVSHELF = groupsOf(prometheusRule(devshelf({ monitoring })));
const OF_DASHBOARD = groupsOf(prometheusRule(dashboard({ monitoring })));
const OF_OPERATOR = operatorGroups() as unknown as Groups;
const BOTH: Groups = { groups: [OF_DEVSHELF, OF_DASHBOARD].flatMap(({ groups }) => groups) };
const ALL: Groups = { groups: [...BOTH.groups, ...OF_OPERATOR.groups] };

const rulesOf = ({ groups }: Groups): Rule[] => groups.flatMap(({ rules }) => rules);
/** One series, as a line. */
const labelled = ({ __name__, ...labels }: Readonly<Record<string, string>>): string =>
  `${__name__} ${JSON.stringify(Object.entries(labels).toSorted())}`;
/** Labels by which people are called and alerts silenced: those of the resource that a case is about. */
function whoseOf(series: Readonly<Record<string, string>>): string {
  const [first = ''] = Object.keys(series);
  const place = /\bnamespace="([^"]*)",service="([^"]*)"/.exec(first);
  const [, namespace, service] = place ?? /resource_namespace="([^"]*)",resource="([^"]*)"/.exec(first) ?? [];
  return namespace === undefined ? '{}' : `{namespace="${namespace}",service="${service}"}`;
}
const called = (alert: string | undefined, labels: Readonly<Record<string, string>> = {}): string =>
  [alert, labels['long']].filter(part => part !== undefined).join(' ');

test.each([
  ['devshelf', OF_DEVSHELF],
  ['dashboard', OF_DASHBOARD],
  ['the operator', OF_OPERATOR],
])(
  'promtool finds nothing to complain about: %s',
  async (_what, groups) => {
    expect(await promtool({ 'rules.yml': groups }, 'check', 'rules', '--lint-fatal', 'rules.yml')).toContain('SUCCESS');
  },
  60_000,
);

describe.each([
  ['a resource', OF_DEVSHELF, RESOURCE_CASES],
  ['the operator', OF_OPERATOR, OPERATOR_CASES],
])('alerts of %s', (_what, groups, cases: readonly AlertCase[]) => {
  test('each has a case', () => {
    const alerts = rulesOf(groups).filter(({ alert }) => alert !== undefined);
    const told = new Set(cases.map(({ alert, labels }) => called(alert, labels)));
    expect([...told].toSorted()).toEqual(alerts.map(({ alert, labels }) => called(alert, labels)).toSorted());
  });

  test('each fires in its case, and is silent in the one beside it', async () => {
    const tests = cases.flatMap(({ alert, labels = {}, at, fires, silent }) => {
      const marks = Object.entries({ ...labels, alertname: alert, alertstate: 'firing' });
      const selector = marks.map(([name, value]) => `${name}="${value}"`).join(',');
      const one = (name: string, series: Readonly<Record<string, string>>, exp_samples: unknown[]) => ({
        name: `${called(alert, labels)} ${name}`,
        interval: '30s',
        input_series: inputOf(series),
        promql_expr_test: [{ expr: `count by (namespace, service) (ALERTS{${selector}})`, eval_time: at, exp_samples }],
      });
      return [one('fires', fires, [{ labels: whoseOf(fires), value: 1 }]), one('is silent', silent, [])];
    });
    const file = { rule_files: ['rules.yml'], evaluation_interval: '30s', tests };
    expect(await promtool({ 'rules.yml': groups, 'tests.yml': file }, 'test', 'rules', 'tests.yml')).toContain(
      'SUCCESS',
    );
  }, 120_000);
});

test.each([
  ['errors are counted, and somebody is called, as was tried before the rules were written', RATE_CASES, BOTH],
  ['an installation of the operator that has gone is told of', INSTALLATION_CASES, OF_OPERATOR],
])(
  '%s',
  async (_what, cases, groups) => {
    const tests = Object.entries(cases).map(([name, { series, asked }]) => ({
      name,
      interval: '30s',
      input_series: inputOf(series),
      promql_expr_test: asked.map(([expr, at, answer]) => ({
        // without labels, and so without what tells whose it is
        expr: `sum(${expr})`,
        eval_time: at,
        exp_samples: answer === undefined ? [] : [{ labels: '{}', value: answer }],
      })),
    }));
    const file = { rule_files: ['rules.yml'], evaluation_interval: '30s', tests };
    expect(await promtool({ 'rules.yml': groups, 'tests.yml': file }, 'test', 'rules', 'tests.yml')).toContain(
      'SUCCESS',
    );
  },
  120_000,
);

describe('the operator’s pod is replaced', () => {
  const cases = OPERATOR_CASES.filter(isOfResource);
  /** A file for each, with its own rule and what all of them read: thousands of evaluations are enough. */
  const holds = async (tests: readonly (readonly [string, object])[]) => {
    const files: Record<string, object> = {};
    tests.forEach(([alert, one], index) => {
      const groups = OF_OPERATOR.groups.map(group => ({
        ...group,
        rules: group.rules.filter(rule => rule.record !== undefined || rule.alert === alert),
      }));
      files[`rules-${index}.yml`] = { groups };
      files[`test-${index}.yml`] = { rule_files: [`rules-${index}.yml`], evaluation_interval: '30s', tests: [one] };
    });
    const names = Object.keys(files).filter(name => name.startsWith('test-'));
    expect(await promtool(files, 'test', 'rules', ...names)).toContain('SUCCESS');
  };

  test('what is tried are all alerts about resources', () => {
    const about = rulesOf(OF_OPERATOR).filter(({ labels }) => labels?.['namespace'] !== undefined);
    expect([...new Set(cases.map(({ alert }) => alert))]).toEqual(about.map(({ alert }) => alert));
  });

  test.each(Object.keys(REPLACEMENTS))(
    'no alert begins anew, ends or comes twice: %s',
    async what => holds(cases.map(each => [each.alert, goesOn(each, what)] as const)),
    240_000,
  );

  test(
    'what came to an end is not carried on, and what nobody tells of only for five minutes',
    async () => holds(cases.map(each => [each.alert, endsOf(each)] as const)),
    120_000,
  );
});

describe('a real Prometheus', () => {
  const ends: (() => unknown)[] = [];
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** The operator's /metrics about a resource on trial, by whose name users come, with a certificate that ends soon. */
  async function operator(): Promise<number> {
    const metrics = createMetrics({ version: '1', watchAges: () => new Map([['pods', 1_000]]), isLeader: () => true });
    const now = Date.now();
    const at = new Date(now).toISOString();
    const { keys, revisions } = snapshot();
    const hosts = ['shop.example'];
    const seen = snapshot({
      now,
      app: resource({ exposure: { type: 'Ingress', hosts, tls: { secretName: 'shop-tls' } } }),
      keys: keys.map(key => ({ ...key, createdAt: now })),
      revisions: revisions.map(known => ({
        ...known,
        release: { ...known.release, hosts },
        verdict: { ...known.verdict, at },
      })),
      certificate: { secret: 'shop-tls', isThere: true, expiresAt: now + 86_400_000 },
    });
    const plan = decide(seen);
    metrics.resources.set('DashboardDeployment/shop/shop', seen, statusOf(seen, plan));
    metrics.passSeconds.observe({ kind: 'DashboardDeployment', outcome: 'done' }, 0.01);
    const server = await serveHealth(0, { metrics: metrics.pieces, dead: () => undefined, unready: () => undefined });
    ends.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  interface Place {
    readonly namespace: string;
    readonly service: string;
  }

  const job = ({ namespace, service }: Place, port: number, token?: string) => ({
    job_name: service,
    ...(token !== undefined && { authorization: { credentials: token } }),
    static_configs: [{ targets: [`127.0.0.1:${port}`], labels: { namespace, service, pod: `${service}-1` } }],
  });

  test('tells what it has read of pods that the operator cannot read: Bad by its word, and silent when it is away', async () => {
    const pods = new LittlePods();
    ends.push(() => pods.stopAll());
    const kinds = { 'new-1': 'candidate', 'old-1': 'baseline', 'old-2': 'baseline' } as const;
    const targets = await Promise.all(
      Object.entries(kinds).map(async ([name, group]) => {
        const address = await pods.start({ uid: name, namespace: 'shop', image: group });
        return { name, uid: name, group, restarts: 0, readySince: Date.now(), address };
      }),
    );
    pods.fails('candidate', 0.5);
    const prometheus = await startPrometheus(
      {
        global: { scrape_interval: '1s' },
        scrape_configs: targets.map(({ name, address }) => ({
          job_name: name,
          static_configs: [{ targets: [`${address}:8080`], labels: { namespace: 'shop', pod: name } }],
        })),
      },
      { groups: [] },
    );
    ends.push(() => prometheus.remove());
    const users = setInterval(() => targets.forEach(({ uid }) => void pods.serve(uid)), 50);
    ends.push(() => clearInterval(users));
    const client = new Prometheus({ url: prometheus.url });
    ends.push(() => client.close());
    const start = { startedAt: Date.now(), maxServerErrorRatio: 0.05 };
    const policy = { minimumSeconds: 30, minimumRequests: 50, timeoutSeconds: 600, blindAfterSeconds: 3 };
    const witnessOf = (prometheus: Prometheus) =>
      new Witness({
        prometheus,
        namespace: 'shop',
        trial: startTrial({ ...start, alphaShare: 0.1, isWitness: true }),
        intervalMs: 1_000,
      });
    const own = () => judge(startTrial(start), policy, Date.now());
    const witness = witnessOf(client);
    const judged = () => {
      witness.look(targets, false, Date.now());
      return witness.judged(own(), policy, Date.now());
    };
    await until('it is Bad', async () => judged()?.verdict === 'Bad', 90_000);
    expect(judged()).toMatchObject({
      verdict: 'Bad',
      baseline: { errors: 0 },
      message: expect.stringMatching(
        /^\d+ of \d+ requests answered 5xx \(limit 5 %\), the pods beside it 0 of \d+; read through Prometheus every 1 s/,
      ),
    });

    const others = await client.read('bakery', ['new-1'], 60);
    expect(others).toEqual({ known: true, samples: new Map(), whys: new Map() });
    const silent = witnessOf(new Prometheus({ url: 'http://127.0.0.1:1' }));
    await until(
      'why is told',
      async () => {
        silent.look(targets, false, Date.now());
        // errors of Node itself are of no class that jest's module knows
        return /Prometheus: (Error: )?connect ECONNREFUSED/.test(
          silent.judged(own(), policy, Date.now())?.message ?? '',
        );
      },
      60_000,
    );
    expect(silent.judged(own(), policy, Date.now())?.verdict).not.toBe('Bad');
  }, 240_000);

  /** Series that the rules read and that nobody here has, and why. */
  const ABSENT: Readonly<Record<string, string>> = {
    devshelf_queue_oldest_waiting_seconds: 'of the worker, which is in the story that the dashboards draw',
    devshelf_jobs_total: 'the same',
  };

  /** What a Prometheus made of its rules and of what the operator said, but for what it may find a moment later. */
  const OF_RESOURCES = '{__name__=~"devshelf_.*|devshelf:resource.*|devshelf:operator.*"} or ALERTS{service="shop"}';

  test('reads both services and the operator, evaluates every rule, and finds every series that they read; with and without honorLabels', async () => {
    const apps = [dashboardApp().app, devshelfApp().app];
    for (const app of apps) {
      await app.listen({ port: 0, host: '127.0.0.1' });
      ends.push(() => app.close());
    }
    const [dashboardPort = 0, devshelfPort = 0] = apps.map(({ server }) => (server.address() as AddressInfo).port);
    const jobs = [
      job({ namespace: 'shop', service: 'dashboard' }, dashboardPort, DASHBOARD_TOKEN),
      job({ namespace: 'shop', service: 'devshelf' }, devshelfPort, DEVSHELF_TOKEN),
      job({ namespace: 'devshelf-system', service: 'devshelf-operator' }, await operator()),
    ];
    const reading = (honor_labels: boolean) =>
      startPrometheus(
        {
          global: { scrape_interval: '1s', evaluation_interval: '1s' },
          rule_files: ['rules.yml'],
          scrape_configs: jobs.map(one => ({ ...one, honor_labels })),
        },
        { groups: ALL.groups.map(group => ({ ...group, interval: '1s' })) },
      );
    const both = await Promise.all([reading(false), reading(true)]);
    for (const each of both) ends.push(() => each.remove());
    interface Sample {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }
    const values = async ({ ask }: TestPrometheus, query: string): Promise<readonly Sample[]> =>
      (await ask<{ result: Sample[] }>('query', { query })).result;
    const haveBoth = (what: string, query: string, count: number) =>
      until(
        what,
        async () => (await Promise.all(both.map(each => values(each, query)))).every(({ length }) => length === count),
        60_000,
      );

    await haveBoth('services are read twice', 'count_over_time(scrapes_total{by="prometheus"}[5m]) >= 2', 2);
    // the database is not there: both answer 5xx, on a route that never did before
    for (let request = 0; request < 7; request += 1) {
      await fetch(`http://127.0.0.1:${dashboardPort}/api/summary`, { headers: { 'x-api-key': 'dsk_a1_api' } });
      await fetch(`http://127.0.0.1:${devshelfPort}/api/v1/resources/`);
    }
    await haveBoth('each of them is recorded', 'round(devshelf:http_errors:rate5m * 300) == 7', 2);
    await haveBoth('ratios are, too', 'devshelf:http_error_ratio:3d > 0', 2);
    await haveBoth('the certificate ends', 'ALERTS{alertname="CertificateEnds",alertstate="firing"}', 1);

    type Evaluated = { name: string; health: string; lastError?: string };
    const evaluated = async ({ ask }: TestPrometheus): Promise<Evaluated[]> =>
      (await ask<{ groups: { rules: Evaluated[] }[] }>('rules')).groups.flatMap(({ rules }) => rules);
    for (const each of both) {
      await until(
        'every rule was evaluated',
        async () => (await evaluated(each)).every(({ health }) => health !== 'unknown'),
        60_000,
      );
      expect((await evaluated(each)).filter(({ health, lastError }) => health !== 'ok' || lastError)).toEqual([]);
      expect(await evaluated(each)).toHaveLength(rulesOf(ALL).length);

      const read = new Set(rulesOf(ALL).flatMap(({ expr }) => selectorsIn(expr).map(({ series }) => series)));
      expect([...read]).toContain('devshelf_operator_leader');
      const lacking = [];
      for (const name of read) if ((await values(each, `{__name__="${name}"}`)).length === 0) lacking.push(name);
      expect(lacking.toSorted()).toEqual(Object.keys(ABSENT).toSorted());
    }

    const [without, honoring] = await Promise.all(
      both.map(async each => (await values(each, OF_RESOURCES)).map(({ metric }) => labelled(metric)).toSorted()),
    );
    expect(honoring).toEqual(without);
    expect(without?.filter(series => series.includes('exported_'))).toEqual([]);
    expect(without?.filter(series => series.startsWith('ALERTS'))).toHaveLength(2);
  }, 180_000);
});
