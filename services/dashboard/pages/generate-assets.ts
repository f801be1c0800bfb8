// Writes generated/assets.ts: the pages' script (uPlot included), style and icon, minified, as strings that end up in
// the service's bundle.      npm run generate:pages
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const folder = (path: string) => new URL(path, import.meta.url).pathname;
export const GENERATED = folder('generated/assets.ts');

const bundled = async (entry: string): Promise<string> => {
  const { outputFiles } = await build({
    absWorkingDir: folder('client'),
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: ['chrome110', 'firefox115', 'safari16.4'],
    legalComments: 'none',
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry} gave no output`);
  return file.text.trim();
};

/** The text of generated/assets.ts as the sources give it now. */
export async function generateAssets(): Promise<string> {
  const script = await bundled('main.ts');
  const style = await bundled('style.css');
  const icon = readFileSync(folder('client/icon.svg'), 'utf8').trim();
  const licence = 'uPlot: (c) Leon Sorokin, MIT licence, https://github.com/leeoniya/uPlot';
  const constants = Object.entries({ script: `/* ${licence} */\n${script}`, style, icon });
  return [
    '// Written by generate-assets.ts from client/: npm run generate:pages',
    ...constants.map(([name, text]) => `export const ${name} =\n  ${JSON.stringify(text)};`),
    '',
  ].join('\n');
}

if (import.meta.main) {
  mkdirSync(folder('generated'), { recursive: true });
  writeFileSync(GENERATED, await generateAssets());
}
