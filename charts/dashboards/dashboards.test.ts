import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { DASHBOARDS, dashboardFiles } from './generate.ts';
import { built } from './panels.ts';
import { filledIn, legendOf, panelsOf } from './queries.ts';

test.each([...dashboardFiles()])('%s is what charts/dashboards says: else run make generate', (path, text) => {
  expect(readFileSync(join(import.meta.dirname, '..', path), 'utf8')).toBe(text);
});

test.each(Object.entries(DASHBOARDS))(
  '%s: every panel has a title of its own, a description and a place',
  (_name, spec) => {
    const panels = panelsOf(built(spec)).filter(({ type }) => type !== 'row');
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    expect(new Set(panelsOf(built(spec)).map(({ id }) => id)).size).toBe(panelsOf(built(spec)).length);
    expect(panels.filter(({ json }) => !json['description']).map(({ title }) => title)).toEqual([]);
    const widths = new Map<number, number>();
    for (const { gridPos } of panels) widths.set(gridPos.y, (widths.get(gridPos.y) ?? 0) + gridPos.w);
    expect([...widths].filter(([, width]) => width !== 24)).toEqual([]);
  },
);

test('a query is filled in as Grafana does it, and a variable that nobody knows is told', () => {
  expect(filledIn('rate(a{n="$name",w="$name-worker"}[$__rate_interval])', { name: 'x', __rate_interval: '1m' })).toBe(
    'rate(a{n="x",w="x-worker"}[1m])',
  );
  expect(() => filledIn('up{n="$nam"}', { name: 'x' })).toThrow('$nam has no value');
});

test('a legend is written from labels', () => {
  expect(legendOf('{{ route }} {{status}} {{lost}}', { route: '/a', status: '500' })).toBe('/a 500 ');
  expect(legendOf('', { __name__: 'up', pod: 'a' })).toBe('pod="a"');
});
