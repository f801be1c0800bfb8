import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';

const root = new URL('../../', import.meta.url);
const PAGE = new URL('docs/speed.md', root);

export type Table = { readonly name: string; readonly table: string };

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly at: string;
};

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGib: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  at: new Date().toISOString(),
});

export const say = (message: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${message}\n`);

export const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

export const resultFile = (name: string): URL => new URL(`build/speed/${name}.json`, root);

/** The figures for programs, and those tables for readers. */
export async function writeResult(name: string, result: object, tables: readonly Table[]): Promise<void> {
  await mkdir(new URL('./', resultFile(name)), { recursive: true });
  await writeFile(resultFile(name), `${JSON.stringify(result, null, 2)}\n`);
  await writeTables(tables);
}

/** Puts each table between its marks in docs/speed.md. */
export async function writeTables(tables: readonly Table[]): Promise<void> {
  if (tables.length === 0) return;
  const before = await readFile(PAGE, 'utf8');
  await writeFile(PAGE, tables.reduce(withTable, before));
}

function withTable(page: string, { name, table }: Table): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/speed.md has no place for ${name}: ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${table}\n\n${page.slice(to)}`;
}

export const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n');

export const machineLine = ({ cpu, cores, memoryGib, node, at }: Machine): string =>
  `${cpu}, ${cores} cores, ${memoryGib} GiB, Node ${node}, ${at.slice(0, 10)}.`;
