// The first lines of the one file that people get (test-e2e/cluster/one-file.ts): its parts are comments in it, compiled
// when they are asked for, or taken from what was compiled the last time.
import { Script } from 'node:vm';
import { cacheFolder, openCodeCache } from './code-cache.ts';

/** Where each part begins among all of them, and how long it is. */
declare const PARTS: Readonly<Record<string, readonly [from: number, length: number]>>;
declare const ENTRY: string;
/** Which build this is. */
declare const BUILD: string;
/** What would end the comment, and what stands for it. */
declare const END: string;
declare const INSTEAD: string;
/** Does nothing. A function's text is the source's, with the comment that holds the parts. */
declare function allParts(): void;

type Module = { exports: object };

const text = allParts.toString();
const begin = text.indexOf('/*') + '/*'.length;
// machines of two kinds may share a home, and V8 looks at its version only
const cache = openCodeCache(
  cacheFolder(process.env),
  `${BUILD} ${process.version} ${process.platform} ${process.arch}`,
);
const loaded = new Map<string, { readonly module: Module; readonly script: Script }>();
const kept = new Map<string, Buffer>();

/** As `require`, but knows the parts. */
function load(id: string): object {
  const name = id.slice(id.lastIndexOf('/') + 1);
  const place = PARTS[name];
  if (!place) return require(id);
  const known = loaded.get(name);
  if (known) return known.module.exports;
  const code = text.slice(begin + place[0], begin + place[0] + place[1]).replaceAll(INSTEAD, END);
  const cachedData = cache.of(name);
  const script = new Script(`(function (exports, require, module) {${code}\n})`, {
    filename: `${__filename}/${name}`,
    ...(cachedData && { cachedData }),
  });
  if (cachedData && !script.cachedDataRejected) kept.set(name, cachedData);
  const module: Module = { exports: {} };
  loaded.set(name, { module, script });
  script.runInThisContext()(module.exports, load, module);
  return module.exports;
}

// not before the end: what was called by then is compiled with the rest, and the answer is written
process.on('exit', () => {
  if (loaded.size === kept.size) return;
  for (const [name, { script }] of loaded) kept.set(name, kept.get(name) ?? script.createCachedData());
  cache.keep(kept);
});

load(ENTRY);
