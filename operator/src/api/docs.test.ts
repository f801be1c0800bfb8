// The pages that people write: their examples are resources that the operator accepts, and their links lead somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { resourceSchema } from './crd.ts';
import { KINDS, type KindDefinition } from './kinds.ts';
import { parseResource } from './resource.ts';
import type { StructuralSchema } from './structural.ts';

const DOCS = new URL('../../../docs', import.meta.url).pathname;

const pages = readdirSync(DOCS, { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.md'))
  .map(path => [path, readFileSync(join(DOCS, path), 'utf8')] as const);

type Example = { kind?: string; spec?: object; metadata?: object };

const examples = pages.flatMap(([path, text]) =>
  [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    parseAllDocuments(block).map(document => [path, document.toJS() as Example] as const),
  ),
);

/** Fields that the schema does not know: the API server's strict validation refuses them. */
function unknownFields(value: unknown, schema: StructuralSchema, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap(item => unknownFields(item, schema.items ?? {}, `${path}[]`));
  const { properties } = schema;
  if (!properties || typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const known = properties[name];
    return known ? unknownFields(child, known, `${path}.${name}`) : [`${path}.${name}`];
  });
}

/** A page may show a part of a spec; the rest is what every spec needs. */
function faultsFor(definition: KindDefinition, { kind, spec, metadata }: Example): string[] {
  const read = parseResource({
    apiVersion: 'apps.devshelf.dev/v1alpha1',
    kind: definition.kind,
    metadata: { name: 'example', namespace: 'shop', uid: 'uid', ...metadata },
    spec: { ...(kind === undefined && definition.smallestSpec), ...spec },
  });
  return [...(read.ok ? [] : [read.why]), ...unknownFields({ spec }, resourceSchema(definition))];
}

/** It fits one kind at least. */
function faultsOf(example: Example): string[] {
  const kinds = KINDS.filter(({ kind }) => example.kind === undefined || example.kind === kind);
  const faults = kinds.map(definition => faultsFor(definition, example));
  return faults.find(list => list.length === 0) ?? faults.flat();
}

const ofOurs = examples.filter(
  ([, { kind, spec }]) => (kind === undefined && spec !== undefined) || KINDS.some(known => known.kind === kind),
);

test('there are examples', () => {
  expect(ofOurs.length).toBeGreaterThan(5);
});

test.each(ofOurs)('%s: an example is accepted', (_path, example) => {
  expect(faultsOf(example)).toEqual([]);
});

/** As GitHub makes it: lower case, punctuation dropped, spaces to hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

function leadsSomewhere(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(DOCS, from) : join(DOCS, dirname(from), path);
  if (!existsSync(target)) return false;
  return anchor === undefined || anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
}

test.each(pages)('%s: its links lead somewhere', (path, text) => {
  const prose = text.replace(/^ *```[\s\S]*?^ *```/gm, '');
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter(link => !/^https?:/.test(link));
  expect(links.filter(link => !leadsSomewhere(path, link))).toEqual([]);
});
