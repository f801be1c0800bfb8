import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { acceptKey, type Keyring } from './keyring.ts';
import { showKeyrings } from './keyring-metrics.ts';

const linesOf = async (registry: Registry, name = 'devshelf_keyring_key_info') =>
  (await registry.metrics()).split('\n').filter(line => line.startsWith(name));

test('the ids in force, and never a key', async () => {
  const registry = new Registry();
  const source: { value: Keyring } = { value: { current: '1', keys: { '1': 'secret-one', '2': 'secret-two' } } };
  showKeyrings(registry, { signing: source, scrape: undefined });
  expect(await linesOf(registry)).toEqual([
    'devshelf_keyring_key_info{keyring="signing",kid="1",current="true"} 1',
    'devshelf_keyring_key_info{keyring="signing",kid="2",current="false"} 1',
  ]);
  source.value = { current: '2', keys: { '2': 'secret-two' } };
  expect(await linesOf(registry)).toEqual(['devshelf_keyring_key_info{keyring="signing",kid="2",current="true"} 1']);
  expect(await registry.metrics()).not.toContain('secret');
});

test('how often each key was accepted, from 0 on, for as long as it is in force', async () => {
  const registry = new Registry();
  const source: { value: Keyring } = { value: { current: '1', keys: { '1': 'secret-one', '2': 'secret-two' } } };
  showKeyrings(registry, { api: source });
  const uses = () => linesOf(registry, 'devshelf_keyring_requests_total');
  expect(await uses()).toEqual([
    'devshelf_keyring_requests_total{keyring="api",kid="1"} 0',
    'devshelf_keyring_requests_total{keyring="api",kid="2"} 0',
  ]);
  for (const presented of ['secret-one', 'secret-one', 'secret-two', 'none of them']) acceptKey(source, presented);
  expect(await uses()).toEqual([
    'devshelf_keyring_requests_total{keyring="api",kid="1"} 2',
    'devshelf_keyring_requests_total{keyring="api",kid="2"} 1',
  ]);
  source.value = { current: '2', keys: { '2': 'secret-two' } };
  expect(await uses()).toEqual(['devshelf_keyring_requests_total{keyring="api",kid="2"} 1']);
});
