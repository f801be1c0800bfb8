import { expect, test } from '@jest/globals';
import { configurationCopy, copiesOf, withCopies } from './configuration.ts';
import { releaseOf } from './release.ts';
import { container, dashboard, dashboardMeta } from './testing.ts';

const app = dashboard({
  extraEnv: [
    { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'words', key: 'greeting' } } },
    { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'words', key: 'token' } } },
    { name: 'PLAIN', value: 'x' },
  ],
  envFrom: [{ configMapRef: { name: 'more' } }, { secretRef: { name: 'more' } }],
});
const contents = { 'ConfigMap/words': 'a', 'ConfigMap/more': 'b', 'Secret/words': 'c', 'Secret/more': 'd' };

test('pods refer to the copies of ConfigMaps, and to Secrets by their own names', () => {
  const [words, more] = copiesOf(app, contents);
  const { env, envFrom } = container(releaseOf(app, contents, 'db').template) as { env: object[]; envFrom: object[] };
  expect(env).toContainEqual({
    name: 'GREETING',
    valueFrom: { configMapKeyRef: { name: words?.name, key: 'greeting' } },
  });
  expect(env).toContainEqual({ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'words', key: 'token' } } });
  expect(envFrom).toEqual([{ configMapRef: { name: more?.name } }, { secretRef: { name: 'more' } }]);
  expect(words?.name).toMatch(/^dashboard-config-[0-9a-f]{10}$/);
});

test('another content has another name, the same content the same', () => {
  const namesOf = (change: object) => copiesOf(app, { ...contents, ...change }).map(({ name }) => name);
  const [words, more] = namesOf({});
  expect(namesOf({ 'ConfigMap/words': 'z' })).toEqual([expect.not.stringMatching(words ?? ''), more]);
  expect(namesOf({ 'Secret/words': 'z' })).toEqual([words, more]);
});

test('a release says what was copied for it, one without ConfigMaps nothing', () => {
  expect(releaseOf(app, contents, 'db').configMaps).toEqual(copiesOf(app, contents));
  expect(releaseOf(dashboard(), {}, 'db')).not.toHaveProperty('configMaps');
  expect(withCopies(dashboard(), [])).toEqual(dashboard());
});

test('a copy is immutable and belongs to the resource', () => {
  const copy = { source: 'words', name: 'dashboard-config-0', content: 'a' };
  expect(configurationCopy(app, copy, { data: { greeting: 'hi' } })).toStrictEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: dashboardMeta('dashboard-config-0'),
    immutable: true,
    data: { greeting: 'hi' },
  });
});
