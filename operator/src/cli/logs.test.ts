import { expect, test } from '@jest/globals';
import { parse, secondsOf } from './args.ts';
import { drawLogs } from './draw/logs.ts';
import { decisionLine, type LogSource, logsView, newsIn, readable, sourcesOf } from './views/logs.ts';

const source = (component: string, pod: string, change: Partial<LogSource> = {}): LogSource => ({
  ...{
    component,
    pod,
    container: 'app',
    image: 'i:1',
    release: 'a0',
    createdAt: '2026-11-29T08:00:00Z',
    isPrevious: false,
  },
  ...change,
});
const [server, candidate, job] = [
  source('server', 'shop-1-aaaaa'),
  source('candidate', 'shop-2-bbbbb', { release: 'b0' }),
  source('migration', 'shop-m-ccccc'),
];

test('of a release on trial what is on trial, else what serves', () => {
  expect(sourcesOf([server, candidate, job], false)).toEqual([candidate, job]);
  expect(sourcesOf([server], false)).toEqual([server]);
  expect(sourcesOf([server, candidate], true)).toEqual([server, candidate]);
});

test('of several Jobs the newest release’s', () => {
  const old = source('migration', 'shop-m-ddddd', { release: 'old', createdAt: '2026-11-28T08:00:00Z' });
  expect(sourcesOf([job, old], false)).toEqual([job]);
});

test('by time, whoever wrote it; JSON is made readable, the rest stays whole', () => {
  const model = logsView({
    logs: [
      { source: server, lines: ['2026-11-29T08:00:02.5Z plain words'] },
      {
        source: { ...candidate, isPrevious: true },
        lines: ['2026-11-29T08:00:01.123456789Z {"level":50,"time":1,"pid":1,"msg":"it failed","code":"X","n":2}'],
      },
      { source: job, lines: [], unread: 'forbidden' },
      { source: { ...job, pod: 'shop-m-eeeee' }, lines: [] },
    ],
  });
  expect(drawLogs(model, { width: 40, colour: false, unicode: true })).toEqual([
    '08:00:01.123 candidate/bbbbb error (before its restart) it failed code=X n=2',
    '08:00:02.5Z server/aaaaa    plain words',
    'note: shop-m-ccccc (app): forbidden',
    'note: shop-m-eeeee (app): nothing',
  ]);
  expect(drawLogs(model, { width: 40, colour: true, unicode: true })[0]).toContain('\u001b[31merror \u001b[0m');
});

test('followed, each line is shown once, whichever answer it is in, and none is lost over a restart', () => {
  const [a, b, c] = ['2026-11-29T08:00:01.1Z a', '2026-11-29T08:00:01.2Z b', '2026-11-29T08:00:02Z c'];
  const first = newsIn({ logs: [{ source: server, lines: [a, b] }] }, new Map());
  expect(first.facts.logs[0]?.lines).toEqual([a, b]);
  const away = newsIn({ logs: [{ source: server, lines: [], unread: 'away' }] }, first.shown);
  const second = newsIn(
    {
      logs: [
        { source: { ...server, isPrevious: true }, lines: [a, b, c] },
        { source: server, lines: [] },
        { source: candidate, lines: [a] },
      ],
    },
    away.shown,
  );
  expect(second.facts.logs.map(({ lines }) => lines)).toEqual([[c], [], [a]]);
});

test('what the operator says is a line among them', () => {
  const event = {
    type: 'Warning',
    reason: 'RolledBack',
    message: '2 was taken back',
    eventTime: '2026-11-29T08:00:02.5Z',
  };
  const items = [decisionLine(event)];
  expect(drawLogs({ items, notes: [] }, { width: 40, colour: false, unicode: true }, 16)).toEqual([
    '08:00:02.5Z operator/event   warn RolledBack: 2 was taken back',
  ]);
});

test('-f of logs goes on', () => {
  expect(parse(['logs', 'dashboard', '-f', '-n', 'shop'])).toMatchObject({ command: 'logs', values: { follow: true } });
  expect(parse(['plan', '-f', 'x.yaml'])).toMatchObject({ values: { filename: 'x.yaml' } });
});

test('nothing to read is said', () => {
  expect(logsView({ logs: [] }).notes).toEqual(['no pod has run yet, or all are gone with their logs']);
  expect(logsView({ logs: [], unread: 'needs list pods' }).notes).toEqual(['needs list pods']);
});

test.each([
  ['a level in words', '{"level":"WARNING","message":"m"}', { level: 'warning', text: 'm' }],
  ['no message', '{"a":1}', { text: '{"a":1}' }],
  ['no JSON', '{oops', { text: '{oops' }],
  ['what is nested', '{"msg":"m","err":{"code":1}}', { text: 'm err={"code":1}' }],
])('%s', (_case, text, expected) => {
  expect(readable(text)).toEqual(expected);
});

test.each([
  ['90s', 90],
  ['15m', 900],
  ['2h', 7200],
  ['1d', 86_400],
  ['0s', undefined],
  ['5', undefined],
  ['1y', undefined],
])('--since %s', (text, seconds) => {
  expect(secondsOf(text)).toBe(seconds);
});
