// Bundles for the images: one file per program, because a container that reads one file starts sooner.
//   node test-e2e/cluster/build.ts      writes build/images/{operator,devshelf,dashboard}/, laid out as in the image
//   node test-e2e/cluster/build.ts cli  writes build/cli/kubectl-devshelf
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { type Package, packagesIn, thirdPartyNotice } from '../../release/packages.ts';
import { spdx, timeOf } from '../../release/sbom.ts';
import { oneFile } from './one-file.ts';
import { CHECKOUT } from './paths.ts';
import { say } from './say.ts';

const OUTPUT = join(CHECKOUT, 'build', 'images');
/** Which packages each bundle was made of, for the lists of a release. */
const PACKAGES_FOLDER = join(CHECKOUT, 'build', 'packages');
const PROGRAMS_FOLDER = 'usr/local/bin';

/** Which source becomes which program of which image. */
const PROGRAMS = {
  operator: { operator: 'operator/src/main.ts' },
  devshelf: {
    server: 'services/devshelf/server.ts',
    worker: 'services/devshelf/worker.ts',
    migrate: 'services/devshelf/migrate.ts',
    'reset-password': 'services/devshelf/reset-password.ts',
  },
  dashboard: { server: 'services/dashboard/server.ts', migrate: 'services/dashboard/migrate.ts' },
} as const satisfies Record<string, Record<string, string>>;

export type Bundled = keyof typeof PROGRAMS;

// some dependencies still call require(), which an ES module does not have
const HEADER = `#!/usr/local/bin/node
import { createRequire as createRequireOfBundle } from 'node:module';
const require = createRequireOfBundle(import.meta.url);`;

/**
 * `import 'node:http'` reads each property of it, `WebSocket` too, for which Node then loads its other HTTP client; whoever
 * asks for the module itself reads what they use. Nobody here has a pool of processes to sum up, a push gateway, or a
 * thread for the log; what these are made of costs each program 2 MiB and a tenth of its start.
 */
const nothingUnused: Plugin = {
  name: 'nothing unused',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:node:)?http$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? undefined : { path: 'http', namespace: 'builtin' },
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
    onLoad({ filter: /\/(?:prom-client\/lib\/(?:cluster|pushgateway)|pino\/lib\/transport)\.js$/ }, () => ({
      contents: 'module.exports = undefined;',
    }));
  },
};

/** Modules that a bundle evaluates when somebody first calls one of these functions. */
const LATE: Readonly<Record<string, string>> = {
  'cron-parser': `export const CronExpressionParser = {
      parse: (...given) => require('cron-parser').CronExpressionParser.parse(...given),
    };`,
  './misfits.ts': `const misfits = () => require('./misfits.ts');
    export const parsedByZod = (...given) => misfits().parsedByZod(...given);
    export const readablePartOf = (...given) => misfits().readablePartOf(...given);`,
};

/**
 * What is hardly ever asked for is loaded then: whose keys are replaced every so many seconds needs no calendar, and whose
 * resources all fit no schemas.
 */
const hardlyEverAsked: Plugin = {
  name: 'hardly ever asked',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:cron-parser|\.\/misfits\.ts)$/ }, ({ path, namespace, resolveDir }) =>
      namespace === 'late' ? undefined : { path, namespace: 'late', pluginData: resolveDir },
    );
    onLoad({ filter: /.*/, namespace: 'late' }, ({ path, pluginData: resolveDir }) => ({
      resolveDir: resolveDir as string,
      contents: LATE[path] ?? '',
    }));
  },
};

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
  plugins: [nothingUnused, hardlyEverAsked],
} satisfies BuildOptions;

/** Bundles `entry` with all its dependencies into one executable file; says what is in it. Throws with esbuild's messages. */
export const bundle = async (entry: string, outfile: string): Promise<Metafile> => {
  const { metafile } = await build({ ...OPTIONS, entryPoints: [entry], outfile, metafile: true });
  chmodSync(outfile, 0o755);
  return metafile;
};

/**
 * Of client-node what reads kubeconfigs and logs in. Its API client, and the HTTP client below that, are 4 MB that nobody
 * asks for, and do not load on Node 20; its proxies by SOCKS, which are refused before, and its models, by which it reads
 * YAML, take a fifth of what a command costs.
 */
const kubeconfigsOnly: Plugin = {
  name: 'kubeconfigs only',
  setup({ onResolve, onLoad }) {
    const resolveDir = join(CHECKOUT, 'node_modules', '@kubernetes', 'client-node', 'dist');
    const contents = "export * from './config.js';";
    onResolve({ filter: /^@kubernetes\/client-node$/ }, ({ path }) => ({ path, namespace: 'kubeconfigs' }));
    onLoad({ filter: /.*/, namespace: 'kubeconfigs' }, () => ({ contents, resolveDir }));
    onResolve({ filter: /^undici$|^socks(?:-proxy-agent)?$|^\.\/gen\/index\.js$/ }, ({ path }) => ({
      path,
      namespace: 'unused',
    }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};

const CLI_TARGET = 'node20';

/**
 * `kubectl-devshelf` as one script, for whatever Node from 20 on a user's PATH has; says what is in it. Not a module: that
 * is what a file without an ending is, and all that a single executable can hold.
 */
export const bundleCli = async (outfile: string): Promise<Metafile> => {
  const { metafile, outputFiles } = await build({
    ...OPTIONS,
    target: CLI_TARGET,
    banner: {},
    // a script does not know it, and there is nothing else to start
    define: { 'import.meta.main': 'true' },
    // without `nothingUnused`: it runs where there is no process.getBuiltinModule
    plugins: [kubeconfigsOnly, hardlyEverAsked],
    entryPoints: ['operator/src/cli/main.ts'],
    splitting: true,
    outdir: CHECKOUT,
    write: false,
    metafile: true,
  });
  const parts = outputFiles.map(({ path, text }) => ({ name: basename(path), code: text }));
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(outfile, await oneFile(parts, 'main.js', CLI_TARGET));
  chmodSync(outfile, 0o755);
  // so it runs where it lies, too: the project's own package.json calls everything below it a module
  writeFileSync(join(dirname(outfile), 'package.json'), '{"type":"commonjs"}\n');
  return metafile;
};

/**
 * The same for the programs of an image, but what is imported only when it is needed lies beside them in `chunks/`, and
 * costs neither start nor memory until then: the operator reads a kubeconfig only outside of a cluster, with a library
 * five times its size; without its settings no service loads telemetry, error reports or the queue.
 */
const bundleInParts = async (programs: Readonly<Record<string, string>>, folder: string): Promise<Metafile> => {
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: Object.entries(programs).map(([program, entry]) => ({ in: join(CHECKOUT, entry), out: program })),
    outdir: folder,
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    metafile: true,
  });
  refuseLateCommonJs(metafile);
  for (const program of Object.keys(programs)) {
    renameSync(join(folder, `${program}.js`), join(folder, program));
    chmodSync(join(folder, program), 0o755);
  }
  return metafile;
};

/** esbuild gives CommonJS that is imported late no exports but the default: whoever asks for another gets undefined. */
function refuseLateCommonJs({ outputs }: Metafile): void {
  for (const path of Object.keys(outputs)) {
    if (/export default require_\w+\(\)/.test(readFileSync(join(CHECKOUT, path), 'utf8')))
      throw new Error(
        `${path}: is CommonJS, and imported late; import it at the top of a module that is imported late`,
      );
  }
}

/** Bundles everything of one image, with the licences and a list of what is in it, and returns its folder. */
export const bundleImage = async (name: Bundled): Promise<string> => {
  const target = join(OUTPUT, name);
  rmSync(target, { recursive: true, force: true });
  const programs = join(target, PROGRAMS_FOLDER);
  mkdirSync(programs, { recursive: true });
  writeFileSync(join(programs, 'package.json'), '{"type":"module"}\n'); // files without an extension are modules, too
  const metafile = await bundleInParts(PROGRAMS[name], programs);
  copyMigrations(name, target);
  if (name === 'devshelf') copySwaggerUi(programs);
  const copied = name === 'devshelf' ? [join('node_modules', 'swagger-ui-dist')] : [];
  writeLegal(name, target, packagesIn(metafile, CHECKOUT, copied));
  return target;
};

/** The time that goes into what is built, so that the same sources give the same bytes; seconds since 1970. */
export const sourceDateEpoch = (): number => Number(process.env['SOURCE_DATE_EPOCH'] || 0);

const writeLegal = (name: Bundled, target: string, packages: readonly Package[]): void => {
  mkdirSync(PACKAGES_FOLDER, { recursive: true });
  writeFileSync(join(PACKAGES_FOLDER, `${name}.json`), JSON.stringify(packages));
  const licences = join(target, 'usr', 'share', 'licenses', 'devshelf');
  mkdirSync(licences, { recursive: true });
  cpSync(join(CHECKOUT, 'LICENSE'), join(licences, 'LICENSE'));
  writeFileSync(join(licences, 'THIRD-PARTY.txt'), thirdPartyNotice(packages));
  const { version, license } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as Record<
    string,
    string
  >;
  const created = timeOf(sourceDateEpoch());
  const subject = { name: imageName(name), version: version ?? '', license: license ?? '', created };
  // scanners look for such files in an image: without it they see one file of JavaScript
  const sboms = join(target, 'usr', 'share', 'sbom');
  mkdirSync(sboms, { recursive: true });
  writeFileSync(join(sboms, `${subject.name}.spdx.json`), `${JSON.stringify(spdx(subject, packages), null, 2)}\n`);
};

/** What the image is called in a registry. */
export const imageName = (name: Bundled): string =>
  ({ operator: 'devshelf-operator', devshelf: 'devshelf-api', dashboard: 'dashboard' })[name];

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

if (import.meta.main && process.argv[2] === 'cli') {
  const outfile = join(CHECKOUT, 'build', 'cli', 'kubectl-devshelf');
  await bundleCli(outfile);
  say(`${outfile}: put it into a folder of your PATH, and kubectl devshelf runs it`);
} else if (import.meta.main) {
  for (const name of Object.keys(PROGRAMS) as Bundled[]) say(`bundled ${await bundleImage(name)}`);
}
