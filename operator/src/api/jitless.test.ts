import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';

test('resources are read without a function being made of text', async () => {
  const made = jest.spyOn(globalThis, 'Function');
  await import('./jitless.ts');
  const { parseResource } = await import('./resource.ts');
  const read = (image: unknown) =>
    parseResource({
      apiVersion: 'apps.devshelf.dev/v1alpha1',
      kind: 'DashboardDeployment',
      metadata: { name: 'shop', namespace: 'test', uid: 'u' },
      spec: { image, database: { urlSecretRef: { name: 'database' } } },
    });
  expect([read('example/dashboard:1').ok, read(7).ok]).toEqual([true, false]);
  expect(made).not.toHaveBeenCalled();
});

test('the operator says so before it makes a schema', () => {
  const main = readFileSync(join(import.meta.dirname, '../main.ts'), 'utf8');
  const [first, second] = [...main.matchAll(/^import .*'(.+)';$/gm)].map(([, file]) => file);
  expect([first, second]).toEqual(['./little-code.ts', './api/jitless.ts']);
});
