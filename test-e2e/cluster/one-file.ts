// Many modules as one script of which only what is needed is compiled: V8 reads through all of a script before its first
// line runs, 20 ms for a megabyte, but skips a comment. So all parts are in one, and operator/src/cli/start.ts compiles each
// when it is first asked for.
import { createHash } from 'node:crypto';
import { build, transform } from 'esbuild';
import { CHECKOUT } from './paths.ts';

export type Part = { readonly name: string; readonly code: string };

/** What would end the comment, and what stands for it instead. */
const END = '*/';
const INSTEAD = '*~/';

const OPTIONS = { format: 'cjs', platform: 'node', minifySyntax: true, minifyWhitespace: true } as const;

/**
 * Of the modules that esbuild split, the script that runs `entry`. They may ask for each other, and for what is in Node.
 * @throws Error when what stands for the end of a comment is in one of them, or one cannot be asked for
 */
export async function oneFile(modules: readonly Part[], entry: string, target: string): Promise<string> {
  const parts: Record<string, readonly [from: number, length: number]> = {};
  let text = '';
  for (const module of modules) {
    const code = await asPart(module, target);
    parts[module.name] = [text.length, code.length];
    text += code;
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([parts, entry, text]))
    .digest('base64url');
  const said = { PARTS: parts, ENTRY: entry, BUILD: digest, END, INSTEAD };
  const { outputFiles } = await build({
    ...OPTIONS,
    target,
    absWorkingDir: CHECKOUT,
    bundle: true,
    entryPoints: ['operator/src/cli/start.ts'],
    define: Object.fromEntries(Object.entries(said).map(([name, value]) => [name, JSON.stringify(value)])),
    write: false,
  });
  return `#!/usr/bin/env node\n${outputFiles[0]?.text}function allParts(){/*${text}*/}\n`;
}

async function asPart({ name, code: module }: Part, target: string): Promise<string> {
  // esbuild gives it no exports but the default
  if (/export default require_\w+\(\)/.test(module))
    throw new Error(`${name}: is CommonJS, and imported late; import it at the top of a module that is imported late`);
  // a compiled function has no loader of its own
  const { code } = await transform(module, { ...OPTIONS, target, supported: { 'dynamic-import': false } });
  if (code.includes(INSTEAD)) throw new Error(`${name}: has ${INSTEAD}, which stands for the end of a comment`);
  return code.replaceAll(END, INSTEAD);
}
