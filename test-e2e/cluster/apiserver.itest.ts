import { mkdtempSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from './apiserver.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
let api: ApiServer;

beforeAll(async () => {
  api = await startApiServer();
}, BUILD_MS);
afterAll(() => api?.stop());

const configMaps = '/api/v1/namespaces/default/configmaps';

const statusWith = (token: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    httpsRequest(`${api.url}/api`, { headers, ca: api.caPem, agent: false }, response => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

test('what was written outlives a killed API server, on the same port', async () => {
  const { url } = api;
  await api.request('POST', configMaps, { metadata: { name: 'kept' }, data: { answer: '42' } });
  await api.restart();
  expect(await api.request('GET', `${configMaps}/kept`)).toMatchObject({ data: { answer: '42' } });
  expect(api.url).toBe(url);
}, 30_000);

test('kubectl is the same cluster', async () => {
  expect(await api.kubectl('get', 'namespace', 'default', '-o', 'name')).toBe('namespace/default\n');
}, 30_000);

test('a service account token is accepted until it expires', async () => {
  await api.request('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'short' } });
  const account = { namespace: 'default', name: 'short' };
  expect(await statusWith(await api.serviceAccountToken({ ...account, seconds: 60 }))).toBe(200);
  expect(await statusWith(await api.serviceAccountToken({ ...account, seconds: -61 }))).toBe(401);
}, 30_000);

test('a resource definition is served when installCrds returns', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'devshelf-crds-'));
  const schema = { openAPIV3Schema: { type: 'object' } };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Thing', plural: 'things', singular: 'thing' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
  writeFileSync(join(folder, 'thing.yaml'), JSON.stringify(definition));
  await api.installCrds(folder);
  expect(await api.request('GET', '/apis/example.com/v1/things')).toMatchObject({ kind: 'ThingList' });
}, 30_000);
