import { expect, test } from '@jest/globals';
import { redacted, reportText, shared } from './views/report.ts';

/** Bare, as it is in Secrets and environment variables, and in the shapes in which it strays elsewhere. */
const BARE = 'canary-4711';
const STRAYS = [
  `postgresql://shop:${BARE}@db/shop`,
  `password=${BARE}`,
  `Authorization: Bearer ${BARE}`,
  `dsk_${BARE}`,
  `eyJhbGciOi.${BARE}`,
  `${BARE}@shop.example`,
];

const container = {
  ...{ name: 'app', image: 'registry.example/dashboard:1', args: ['server'] },
  env: [
    { name: 'PASSWORD', value: BARE },
    { name: 'URL', valueFrom: { secretKeyRef: { name: 'db', key: 'url' } } },
  ],
  livenessProbe: { httpGet: { path: '/live', httpHeaders: [{ name: 'X-Key', value: BARE }] } },
};
const objects: object[] = [
  {
    kind: 'DashboardDeployment',
    metadata: {
      ...{ name: 'dashboard', labels: { team: 'shop' }, managedFields: [{ manager: BARE }] },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': BARE, note: 'words' },
    },
    spec: {
      image: 'registry.example/dashboard:1',
      extraEnv: [{ name: 'A', value: BARE }],
      rollout: { smokeTests: [{ path: '/', headers: { 'X-Key': BARE } }] },
    },
    status: { conditions: [{ type: 'Ready', message: 'words' }] },
  },
  { kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [container], initContainers: [container] } },
  {
    kind: 'ControllerRevision',
    metadata: { name: 'r' },
    data: { release: { template: { spec: { containers: [container] } } } },
  },
  { kind: 'ConfigMap', metadata: { name: 'c' }, data: { KEY: BARE }, binaryData: { OTHER: BARE } },
  { kind: 'Secret', metadata: { name: 's' }, data: { KEY: BARE }, stringData: { KEY: BARE } },
];

/** The same with `stray` in every string and every name of a field that is not one of ours. */
function spoiled(value: unknown, stray: string): unknown {
  if (typeof value === 'string') return `${value} ${stray}`;
  if (Array.isArray(value)) return value.map(item => spoiled(item, stray));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, one]) => [name, name === 'kind' ? one : spoiled(one, stray)]);
  return { ...Object.fromEntries(fields), [`field ${stray}`]: 'x' };
}

test.each(['', ...STRAYS])('with "%s" in every field no secret is in a report', stray => {
  const lines = objects.map(object => JSON.stringify(redacted(stray === '' ? object : spoiled(object, stray))));
  const unread = stray === '' ? {} : { unread: stray };
  const text = reportText(
    [
      { title: 'objects', lines, ...unread },
      { title: 'logs', lines: [stray] },
    ],
    'now',
  );
  expect(text).not.toContain(BARE);
});

test('what tells what is wrong stays', () => {
  const [resource, pod, revision, configMap] = objects.map(object => JSON.stringify(redacted(object)));
  for (const word of ['registry.example/dashboard:1', 'Ready', 'words', 'shop']) expect(resource).toContain(word);
  expect(pod).toContain('{"name":"PASSWORD","value":"(11 characters)"}');
  expect(pod).toContain('{"secretKeyRef":{"name":"db","key":"url"}}');
  expect(revision).toContain('PASSWORD');
  expect(configMap).toContain('"data":{"KEY":"(11 characters)"}');
});

test('what is missing is told first', () => {
  const text = reportText(
    [
      { title: 'status', lines: ['✔ ready'] },
      { title: 'events', lines: [], unread: 'forbidden' },
    ],
    'now',
  );
  expect(text).toContain('Sections:\n  status (1 lines)\n  events (0 lines)\n\nMissing:\n  events: forbidden\n');
  expect(text).toContain('===== status =====\n\n✔ ready\n');
});

test.each([
  ['an address', 'from ana.pérez+x@shop.example, she says', 'from …@…, she says'],
  ['no address', 'registry.example/dashboard@sha256:0123', 'registry.example/dashboard@sha256:0123'],
  ['a cursor', 'a\u001b[2Jb', 'a [2Jb'],
])('%s', (_case, line, expected) => {
  expect(shared(line)).toBe(expected);
});
