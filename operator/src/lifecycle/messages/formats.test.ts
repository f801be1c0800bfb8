import { expect, test } from '@jest/globals';
import type { IncidentRecord } from '../../api/incident.ts';
import { FIELDS, MAX_MESSAGE_BYTES, messageFor } from './formats.ts';
import { incidentNews, kindOfIncident, NEWS_KINDS, type News, releaseNews, type Subject } from './news.ts';
import type { Sink } from './sinks.ts';

const RESOURCE: Subject = { kind: 'DashboardDeployment', namespace: 'shop', name: 'dashboard', uid: 'u-1' };
const OBJECT = { name: 'dashboard-incident-20c4682131-2', uid: 'u-2' };
const RECORD: IncidentRecord = {
  schema: 1,
  reason: 'Regression',
  at: '2026-11-28T14:38:06.625Z',
  decidedBy: { who: 'operator' },
  phase: 'Candidate',
  failed: { hash: '20c4682131', image: 'registry.example/dashboard:1.3.1', attempt: 2 },
  restored: { hash: '56fe777746', image: 'registry.example/dashboard:1.1.0' },
  cause: {
    message: '6 of 12 requests answered 5xx (limit 5 %), the pods beside it 0 of 183',
    routes: [{ route: '/api/summary', requests: 12, errors: 6 }],
  },
  figures: {
    limit: 0.05,
    candidate: { requests: 12, errors: 6, p95Ms: 41 },
    baseline: { requests: 183, errors: 0, p95Ms: 38 },
  },
  actions: [{ at: '2026-11-28T14:38:06.625Z', what: 'the candidate is scaled to nothing; 1.1.0 serves on' }],
};
const NEWS = incidentNews(RESOURCE, OBJECT, RECORD);
const SETTING = { cluster: 'prod' };

const sink = (format: Sink['format'], template?: string): Sink => ({
  ...{ name: 'ops', format, url: 'https://hooks.example', on: NEWS_KINDS, headers: {}, template },
});
const body = (of: Sink, news: News = NEWS, setting: Parameters<typeof messageFor>[2] = SETTING) =>
  JSON.parse(messageFor(of, news, setting)?.body ?? 'null');

test('slack: what, figures, what serves, the way forward', () => {
  expect(body(sink('slack')).text.split('\n')).toEqual([
    'prod shop/dashboard: 1.3.1 was taken back: Regression',
    '6 of 12 requests answered 5xx (limit 5 %), the pods beside it 0 of 183; p95 41 ms, the pods beside it 38 ms',
    '1.1.0 serves.',
    'kubectl devshelf why dashboard -n shop',
  ]);
});

test('slack: with the page of the reason, where the pages are served', () => {
  const [, , , forward] = body(sink('slack'), NEWS, {
    cluster: 'prod',
    docsUrl: 'https://git.example/docs/',
  }).text.split('\n');
  expect(forward).toBe('kubectl devshelf why dashboard -n shop   https://git.example/docs/reasons.md#regression');
});

test('slack: words of others call nobody and link nowhere', () => {
  const message = '<!channel> <https://evil.example|click> & @here @channel @all busybox@sha256:1';
  const { text } = body(sink('slack'), { ...NEWS, message });
  expect(text).toContain('&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp;');
  expect(text).not.toMatch(/@(?:here|channel|all)/);
  expect(text).toContain('busybox@sha256:1');
});

test('slack: who decided, where it was not the operator', () => {
  const { text } = body(sink('slack'), { ...NEWS, kind: 'held', decidedBy: { who: 'person', text: 'INC-7' } });
  expect(text.split('\n')[0]).toBe('prod shop/dashboard: 1.3.1 waits for a person: Regression, by person (INC-7)');
});

test('slack: of a key that cannot be replaced, which release serves on, and where its callers are told', () => {
  const message = 'API key: key 2 is to replace key 1: pod shop-b does not accept the new key';
  const { figures: _none, ...rest } = RECORD;
  const record: IncidentRecord = {
    ...rest,
    kind: 'keys',
    ...{ reason: 'RotationHeld', phase: 'Settled', restored: RECORD.failed, cause: { message } },
    rotation: { key: 'api', state: 'Accepting', from: '1', to: '2', since: RECORD.at },
  };
  const { text } = body(sink('slack'), incidentNews(RESOURCE, OBJECT, record));
  expect(text.split('\n')).toEqual([
    'prod shop/dashboard: 1.3.1 serves on, and a key cannot be replaced: RotationHeld',
    message,
    '1.3.1 serves.',
    'kubectl devshelf keys dashboard -n shop',
  ]);
});

const ATTRIBUTE = /^[a-z0-9]{1,20}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: CloudEvents 1.0 forbids them in attributes
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]/;

test.each(NEWS_KINDS)('cloudevents: %s is one of version 1.0 in structured mode', kind => {
  const message = messageFor(sink('cloudevents'), { ...NEWS, kind }, SETTING);
  expect(message?.contentType).toBe('application/cloudevents+json; charset=utf-8');
  const { data, ...attributes } = JSON.parse(message?.body ?? '');
  for (const [name, value] of Object.entries(attributes)) {
    expect(name).toMatch(ATTRIBUTE);
    expect(typeof value === 'string' && value !== '' && !UNPRINTABLE.test(value)).toBe(true);
  }
  expect(attributes.specversion).toBe('1.0');
  expect(attributes.type).toMatch(/^dev\.devshelf\.[a-z]+\.[a-z-]+$/);
  expect(URL.canParse(attributes.source)).toBe(true);
  expect(new Date(attributes.time).toISOString()).toBe(attributes.time);
  expect(attributes.datacontenttype).toBe('application/json');
  expect(typeof data).toBe('object');
});

test('cloudevents: the whole event', () => {
  const { figures, ...rest } = RECORD;
  expect(body(sink('cloudevents'))).toEqual({
    specversion: '1.0',
    id: 'dashboard-incident-20c4682131-2.u-2',
    source: 'devshelf://prod/apis/apps.devshelf.dev/namespaces/shop/dashboarddeployments/dashboard',
    type: 'dev.devshelf.release.rolled-back',
    subject: '20c4682131',
    time: RECORD.at,
    datacontenttype: 'application/json',
    data: {
      cluster: 'prod',
      namespace: 'shop',
      resource: { kind: 'DashboardDeployment', name: 'dashboard' },
      record: OBJECT.name,
      ...rest,
      figures,
    },
  });
});

test('cloudevents: no series', () => {
  const figures = { ...RECORD.figures, series: { stepMs: 250, rows: [[1, 2]] } } as NonNullable<
    IncidentRecord['figures']
  >;
  const { data } = body(sink('cloudevents'), incidentNews(RESOURCE, OBJECT, { ...RECORD, figures }));
  expect(data.figures).toEqual(RECORD.figures);
});

const VERDICT = {
  verdict: 'released',
  reason: 'Released',
  message: '1.4.0 is released',
  at: '2026-11-28T15:00:00.000Z',
};
const RELEASE = { hash: '0123456789', image: 'registry.example/dashboard:1.4.0' };

test('a release that was found good', () => {
  const notes = { verdict: JSON.stringify(VERDICT), firstMetrics: '{"requests_total":1246}' };
  const news = releaseNews(RESOURCE, { name: 'dashboard-0123456789', uid: 'u-3' }, RELEASE, notes);
  if (!news) throw new Error('no news');
  expect(body(sink('slack'), news).text.split('\n')).toEqual([
    'prod shop/dashboard: 1.4.0 is released',
    '1.4.0 is released',
    '1.4.0 serves.',
    'kubectl devshelf history dashboard -n shop',
  ]);
  const event = body(sink('cloudevents'), news);
  expect(event).toMatchObject({
    type: 'dev.devshelf.release.released',
    id: `dashboard-0123456789.u-3.${Date.parse(VERDICT.at)}`,
    data: { released: { ...RELEASE, attempt: 1 }, firstMetrics: { requests_total: 1246 } },
  });
});

test.each([undefined, '{"verdict":"pending"}', '{"verdict":"rejected","message":"\\"released\\""}', '{"released"'])(
  'no news of a release with the verdict %s',
  verdict => {
    expect(releaseNews(RESOURCE, OBJECT, RELEASE, { ...(verdict !== undefined && { verdict }) })).toBeUndefined();
  },
);

test('generic: every field is filled in, and stays within its string', () => {
  const template = JSON.stringify(Object.fromEntries(FIELDS.map(field => [field, `{{${field}}} {{ ${field} }}`])));
  const message = 'it says "no"\nand \\ {{cluster}}';
  const filled = body(sink('generic', template), { ...NEWS, message });
  expect(filled.message).toBe(`${message} ${message}`);
  expect(filled.image).toBe('registry.example/dashboard:1.3.1 registry.example/dashboard:1.3.1');
  expect(JSON.stringify(filled).replaceAll('{{cluster}}', '')).not.toContain('{{');
});

test.each(['slack', 'cloudevents'] as const)('%s: the largest record that there may be fits into 4 KiB', format => {
  const routes = Array.from({ length: 5 }, () => ({ route: '/'.padEnd(400, '€'), requests: 1, errors: 1 }));
  const large = { ...RECORD, cause: { message: '€'.repeat(1_000), routes, container: '€'.repeat(600) } };
  const message = messageFor(sink(format), incidentNews(RESOURCE, OBJECT, large), SETTING);
  expect(Buffer.byteLength(message?.body ?? '')).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  expect(message?.body).toContain('1.3.1');
});

test('a template that is too long makes no message', () => {
  expect(messageFor(sink('generic', JSON.stringify({ text: 'x'.repeat(5_000) })), NEWS, SETTING)).toBeUndefined();
});

test.each([
  [{ phase: 'Candidate' }, 'rolled-back'],
  [{ phase: 'Baking' }, 'rolled-back'],
  [{ phase: 'Migration' }, 'rejected'],
  [{ phase: 'Rehearsal' }, 'rejected'],
  [{ kind: 'held', phase: 'Candidate' }, 'held'],
  [{ kind: 'outage', phase: 'Baking' }, 'outage'],
  [{ kind: 'keys', phase: 'Settled' }, 'keys'],
] as const)('%j is %s', (record, kind) => {
  expect(kindOfIncident(record)).toBe(kind);
});
