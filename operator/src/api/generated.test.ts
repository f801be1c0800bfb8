import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { resourceSchema } from './crd.ts';
import { generatedFiles } from './generated.ts';
import { KINDS } from './kinds.ts';
import { fields } from './reference.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

test.each([...generatedFiles(version)])('%s is what the schema says', (path, text) => {
  expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text);
});

describe.each(KINDS)('$kind', definition => {
  const all = fields(resourceSchema(definition));

  test('every field has a description for kubectl explain', () => {
    const silent = all.filter(({ schema }) => !schema.description).map(({ path }) => path);
    expect(silent).toEqual(['metadata']); // explained by Kubernetes itself
  });

  test('every rule says what is wrong', () => {
    const messages = all.flatMap(({ schema }) => schema['x-kubernetes-validations'] ?? []).map(rule => rule.message);
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.filter(message => message.length < 20)).toEqual([]);
  });
});
