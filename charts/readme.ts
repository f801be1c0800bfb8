// The chart's README, its table from values.yaml: a value's comment is its description.
//   node charts/readme.ts      writes charts/devshelf-operator/README.md (part of make generate)
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isNode, isScalar, type Pair, parseDocument } from 'yaml';

export const README = join(import.meta.dirname, 'devshelf-operator', 'README.md');
const VALUES = join(import.meta.dirname, 'devshelf-operator', 'values.yaml');

export interface Value {
  readonly name: string;
  readonly text: string;
  readonly standard: string;
}

/** Every value in the order of the file. Throws when one has no comment. */
export function valuesOf(yaml: string): Value[] {
  const document = parseDocument(yaml);
  if (!isMap(document.contents)) throw new Error('values.yaml is no mapping');
  // the first key's comment belongs to the document
  return document.contents.items.flatMap((pair, index) =>
    below(pair as Pair, '', index === 0 ? document.contents?.commentBefore : undefined),
  );
}

function below(pair: Pair, path: string, before: string | null | undefined): Value[] {
  const { key, value } = pair;
  if (!isScalar(key)) throw new Error(`a key below ${path} is no word`);
  const name = path === '' ? String(key.value) : `${path}.${key.value}`;
  const text = sentence(before ?? key.commentBefore ?? '');
  const isGroup = isMap(value) && value.items.length > 0 && name !== 'resources';
  if (!isGroup) {
    if (text === '') throw new Error(`values.yaml says nothing about ${name}: write a comment above it`);
    return [{ name, text, standard: JSON.stringify(isNode(value) ? value.toJSON() : value) }];
  }
  return value.items.flatMap((item, index) => below(item as Pair, name, index === 0 ? value.commentBefore : undefined));
}

const sentence = (comment: string) =>
  comment
    .split('\n')
    .map(line => line.trim())
    .join(' ')
    .trim();

const cell = (text: string) => text.replaceAll('|', '\\|');

/** The whole README, from the text of values.yaml. */
export const readme = (yaml: string): string => `# devshelf-operator

Installs the DevShelf operator: migrations first, canary by evidence, rollback in seconds. [What it does](../../docs/concepts.md), [other ways to install it](../../docs/install.md), [releases and upgrades](../../docs/releases.md).

\`\`\`sh
helm upgrade --install devshelf-operator-crds charts/devshelf-operator-crds --namespace devshelf-system --create-namespace
helm install devshelf-operator charts/devshelf-operator --namespace devshelf-system \\
  --set image.registry=registry.example/team
helm test devshelf-operator --namespace devshelf-system
\`\`\`

The definitions of the resources are a chart of their own, once per cluster and before the operator, also when upgrading. So several operators fit into one cluster, and a rollback of one takes no field out of stored resources. They stay when their release is removed.

| Value | Default | |
|---|---|---|
${valuesOf(yaml)
  .map(({ name, text, standard }) => `| \`${name}\` | ${cell(`\`${standard}\``)} | ${cell(text)} |`)
  .join('\n')}

What cannot be right is refused with a sentence: a tag \`latest\`, a digest of the wrong length, a namespace's name that is none, a value that the chart does not know.
`;

if (import.meta.main) writeFileSync(README, readme(readFileSync(VALUES, 'utf8')));
