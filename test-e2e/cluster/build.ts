// Bundles for the images: one file per program, because a container that reads one file starts sooner.
//   node test-e2e/cluster/build.ts      writes build/images/{operator,devshelf,dashboard}/, laid out as in the image
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { CHECKOUT } from './paths.ts';
import { say } from './say.ts';

const OUTPUT = join(CHECKOUT, 'build', 'images');
const PROGRAMS_FOLDER = 'usr/local/bin';

/** Which source becomes which program of which image. */
const PROGRAMS = {
  operator: { operator: 'operator/src/main.ts' },
  devshelf: {
    server: 'services/devshelf/server.ts',
    worker: 'services/devshelf/worker.ts',
    migrate: 'services/devshelf/migrate.ts',
  },
  dashboard: { server: 'services/dashboard/server.ts', migrate: 'services/dashboard/migrate.ts' },
} as const satisfies Record<string, Record<string, string>>;

export type Bundled = keyof typeof PROGRAMS;

// some dependencies still call require(), which an ES module does not have
const HEADER = `#!/usr/local/bin/node
import { createRequire as createRequireOfBundle } from 'node:module';
const require = createRequireOfBundle(import.meta.url);`;

const OPTIONS = {
  absWorkingDir: CHECKOUT,
  bundle: true,
  minifySyntax: true,
  minifyWhitespace: true, // names are kept: they are in stack traces
  legalComments: 'none',
  platform: 'node',
  format: 'esm',
  target: 'node24',
  banner: { js: HEADER },
  external: ['pg-native'] as string[], // asked for in a try block, by those who have it
  logLevel: 'silent',
} as const satisfies BuildOptions;

/** Bundles `entry` with all its dependencies into one executable file. Throws with esbuild's messages. */
export const bundle = async (entry: string, outfile: string): Promise<void> => {
  await build({ ...OPTIONS, entryPoints: [entry], outfile });
  chmodSync(outfile, 0o755);
};

/**
 * The same for the programs of an image, but what is imported only when it is needed lies beside them in `chunks/`, and
 * costs neither start nor memory until then: the operator reads a kubeconfig only outside of a cluster, with a library
 * five times its size; without its settings no service loads telemetry, error reports or the queue.
 */
const bundleInParts = async (programs: Readonly<Record<string, string>>, folder: string): Promise<void> => {
  await build({
    ...OPTIONS,
    entryPoints: Object.entries(programs).map(([program, entry]) => ({ in: join(CHECKOUT, entry), out: program })),
    outdir: folder,
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
  });
  for (const program of Object.keys(programs)) {
    renameSync(join(folder, `${program}.js`), join(folder, program));
    chmodSync(join(folder, program), 0o755);
  }
};

/** Bundles everything of one image and returns its folder. */
export const bundleImage = async (name: Bundled): Promise<string> => {
  const target = join(OUTPUT, name);
  rmSync(target, { recursive: true, force: true });
  const programs = join(target, PROGRAMS_FOLDER);
  mkdirSync(programs, { recursive: true });
  writeFileSync(join(programs, 'package.json'), '{"type":"module"}\n'); // files without an extension are modules, too
  await bundleInParts(PROGRAMS[name], programs);
  copyMigrations(name, target);
  if (name === 'devshelf') copySwaggerUi(programs);
  return target;
};

const copyMigrations = (name: Bundled, target: string): void => {
  const migrations = join(CHECKOUT, 'services', name, 'prisma', 'migrations');
  if (!existsSync(migrations)) return;
  const copy = join(target, 'app', 'prisma', 'migrations');
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(migrations, copy, { recursive: true });
};

/** What GET /docs shows the API with: found like a package, as in a checkout (services/devshelf/docs.ts). */
const copySwaggerUi = (programs: string): void => {
  const from = join(CHECKOUT, 'node_modules', 'swagger-ui-dist');
  const to = join(programs, 'node_modules', 'swagger-ui-dist');
  for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE']) {
    cpSync(join(from, file), join(to, file));
  }
};

if (import.meta.main) {
  for (const name of Object.keys(PROGRAMS) as Bundled[]) say(`bundled ${await bundleImage(name)}`);
}
