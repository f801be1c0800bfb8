import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { Keyring } from './keyring.ts';
import { showKeyrings } from './keyring-metrics.ts';

const linesOf = async (registry: Registry) =>
  (await registry.metrics()).split('\n').filter(line => line.startsWith('devshelf_keyring_key_info'));

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
