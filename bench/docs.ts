/** Writes the tables of docs/speed.md anew from build/speed/*.json, as far as those are there. */
import { existsSync, readFileSync } from 'node:fs';
import {
  type ChurnResult,
  type ConvergeResult,
  churnTables,
  convergeTables,
  type ReleasesResult,
  releasesTables,
  type ScrapeResult,
  type SettledResult,
  type SmallResult,
  type StoresResult,
  scrapeTables,
  settledTables,
  smallTables,
  storesTables,
} from './scale/tables.ts';
import { type CliResult, cliTables } from './speed/cli-tables.ts';
import { type FootprintResult, footprintTables } from './speed/footprint-tables.ts';
import { type LoadResult, loadTables } from './speed/load-tables.ts';
import { resultFile, type Table, writeTables } from './speed/report.ts';
import { type ServicesResult, servicesTables } from './speed/services-tables.ts';

function tablesOf<Result>(name: string, tables: (result: Result) => readonly Table[]): readonly Table[] {
  const file = resultFile(name);
  if (!existsSync(file)) return [];
  console.log(`from ${file.pathname}`);
  return tables(JSON.parse(readFileSync(file, 'utf8')) as Result);
}

await writeTables([
  ...tablesOf<ServicesResult>('services', servicesTables),
  ...tablesOf<FootprintResult>('footprint', footprintTables),
  ...tablesOf<LoadResult>('load', loadTables),
  ...tablesOf<ConvergeResult>('scale-converge', convergeTables),
  ...tablesOf<SettledResult>('scale-settled', settledTables),
  ...tablesOf<SmallResult>('scale-small', smallTables),
  ...tablesOf<ReleasesResult>('scale-releases', releasesTables),
  ...tablesOf<ChurnResult>('scale-churn', churnTables),
  ...tablesOf<ScrapeResult>('scrape', scrapeTables),
  ...tablesOf<StoresResult>('scale-stores', storesTables),
  ...tablesOf<CliResult>('cli', cliTables),
]);
