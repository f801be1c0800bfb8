import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { GENERATED, generateAssets } from './generate-assets.ts';

test('the committed assets are what client/ gives: npm run generate:pages', async () => {
  expect(readFileSync(GENERATED, 'utf8')).toBe(await generateAssets());
});
