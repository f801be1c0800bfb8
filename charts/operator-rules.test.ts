import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { operatorRuleFiles } from './operator-rules.ts';

test.each([...operatorRuleFiles()])('%s is what the alerts say: else run make generate', (path, text) => {
  expect(readFileSync(join(import.meta.dirname, path), 'utf8')).toBe(text);
});
