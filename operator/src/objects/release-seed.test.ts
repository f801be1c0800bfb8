import { expect, test } from '@jest/globals';
import { releaseSeeds } from './release-seed.ts';
import { dashboard } from './testing.ts';

test.each([
  [0, 'release-seed'],
  [1, 'release-seed-copy'],
])('the Secrets of a resource’s seed: %i is %s', (index, suffix) => {
  const secret = releaseSeeds(dashboard(), new Uint8Array(32).fill(1))[index];
  expect(secret).toMatchObject({
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: `${dashboard().metadata.name}-${suffix}`, ownerReferences: [{ controller: true }] },
    data: { seed: Buffer.alloc(32, 1).toString('base64') },
  });
});
