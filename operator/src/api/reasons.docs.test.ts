// The words that users see and the page that explains them, compared both ways.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { REASONS } from './reasons.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const REASON_NAMES = Object.keys(REASONS);

const page = readFileSync(join(ROOT, 'docs/reasons.md'), 'utf8');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map(section => [section.split('\n', 1)[0] ?? '', section]),
);

const sources = join(ROOT, 'operator/src');
const code = readdirSync(sources, { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.ts') && !/test\.ts$/.test(path) && !path.endsWith('api/reasons.ts'))
  .map(path => readFileSync(join(sources, path), 'utf8'))
  .join('\n');

test('every reason has exactly one section, and every section is a reason', () => {
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  expect(headings.toSorted()).toEqual(REASON_NAMES.toSorted());
});

test.each(REASON_NAMES)('%s: its section says what carries it, and more', reason => {
  const section = sections.get(reason) ?? '';
  expect(section).toMatch(/^\*Carried by\* /m);
  expect(section.split('\n').filter(line => line !== '').length).toBeGreaterThanOrEqual(3);
});

test.each(REASON_NAMES)('%s is said somewhere', reason => {
  expect(code).toContain(`'${reason}'`);
});

test('the runbook link of an incident leads to a section', () => {
  expect(code).toMatch(/\/reasons\.md#\$\{reason\.toLowerCase\(\)\}/);
  const anchors = REASON_NAMES.map(reason => reason.toLowerCase());
  expect(new Set(anchors).size).toBe(REASON_NAMES.length);
});

test('every link on the page to a reason leads to one', () => {
  const anchors = new Set(REASON_NAMES.map(reason => reason.toLowerCase()));
  const linked = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor ?? '');
  expect(linked.filter(anchor => !anchors.has(anchor))).toEqual([]);
});
