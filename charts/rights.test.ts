// Who installs it reads in install.md what it may do: the rights that the manifests give, and no others.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const ROOT = new URL('..', import.meta.url).pathname;
const { rules } = parse(readFileSync(`${ROOT}charts/install/base/cluster-role.yaml`, 'utf8')) as {
  rules: { resources: string[] }[];
};
const given = new Set(rules.flatMap(({ resources }) => resources).filter(resource => !resource.includes('/')));
const page = readFileSync(`${ROOT}docs/install.md`, 'utf8');
const table = /^## Rights\n(.*?)^A test runs/ms.exec(page)?.[1]?.toLowerCase() ?? '';

/** "the two kinds" are the two kinds. */
const isNamed = (plural: string): boolean =>
  plural.endsWith('shelfdeployments') || plural === 'dashboarddeployments' || table.includes(plural.replace(/s$/, ''));

test('install.md names every kind of object that the operator may touch', () => {
  expect(given.size).toBeGreaterThan(20);
  expect([...given].filter(plural => !isNamed(plural))).toEqual([]);
});
