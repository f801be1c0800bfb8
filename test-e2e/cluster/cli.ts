import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { binaryPath, ensureBinaries } from './binaries.ts';
import {
  down,
  forwards,
  forwardToLoopback,
  insideNode,
  kubeconfigPath,
  loadArchive,
  loadImages,
  status,
  up,
} from './cluster.ts';
import { isKind } from './engine.ts';
import { allImages } from './images.ts';
import { say } from './say.ts';

const HELP = `A real single-node Kubernetes for this checkout.

  bin/cluster COMMAND

  up                      start it; does nothing when it is up (CLUSTER=kind: by kind)
  down                    remove it with everything in it
  status                  what runs, and where its kubeconfig and logs are
  kubectl ARGS…           kubectl as its administrator
  helm ARGS…              helm, likewise
  build                   build its programs, as \`up\` does when they are not there
  images                  build the project's images, PostgreSQL and Redis; load them when the cluster is up
  load-image ARCHIVE…     load OCI or docker archives
  exec COMMAND…           run a command inside the node's network: pods and Services can be reached by address
  forward ADDRESS:PORT    a port on 127.0.0.1 for an address inside the cluster; stays until \`down\`
  urls                    the ports that were made by \`forward\`

Environment: CLUSTER=native|kind, DEVSHELF_CLUSTER=NAME (another cluster than this checkout's own),
DEVSHELF_STATE=FOLDER (instead of /var/lib/devshelf), XDG_CACHE_HOME.`;

/** What it resolves to is the exit code, when that is a number. */
type Command = (args: string[]) => Promise<unknown>;

const passOn = async (child: ChildProcess): Promise<number> => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, 'close');
  return code ?? 1;
};

const asAdministrator = async (program: 'kubectl' | 'helm', args: string[]): Promise<number> => {
  await ensureBinaries(program);
  const env = { ...process.env, KUBECONFIG: kubeconfigPath() };
  return passOn(spawn(binaryPath(program), args, { env, stdio: 'inherit' }));
};

const printStatus: Command = async () => {
  const found = await status();
  const lines = [
    ['cluster', `${found.name} is ${found.up ? 'up' : 'not up'}`],
    ['node', found.node],
    ['kubeconfig', found.kubeconfig],
    ['folder', found.folder],
    ...found.components.map(({ name, pid, log }) => [name, pid === undefined ? `not running, ${log}` : `pid ${pid}`]),
  ];
  for (const [label = '', value] of lines) console.log(`${label.padEnd(24)} ${value}`);
  return found.up ? 0 : 1;
};

const images: Command = async () => {
  const built = await allImages();
  if ((await status()).up) await loadImages(built);
  for (const { reference, archive } of built) console.log(`${reference} ${archive}`);
};

const printUrls = (): void => {
  for (const { port, target } of forwards()) console.log(`http://127.0.0.1:${port} ${target}`);
};

const build: Command = async () => {
  await ensureBinaries('etcd', 'kube-apiserver', 'kubectl');
  if (isKind()) return ensureBinaries('netforward', 'helm', 'kind');
  await ensureBinaries('kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy');
  await ensureBinaries('pause', 'netforward', 'coredns', 'metrics-server', 'helm');
};

const COMMANDS: Record<string, Command> = {
  up,
  down,
  status: printStatus,
  kubectl: args => asAdministrator('kubectl', args),
  helm: args => asAdministrator('helm', args),
  build,
  images,
  'load-image': async archives => {
    for (const archive of archives) await loadArchive(archive);
  },
  exec: args => passOn(insideNode(args, { stdio: 'inherit' })),
  forward: async ([target = '']) => {
    if (!/^[\d.]+:\d+$/.test(target)) throw new Error('forward takes ADDRESS:PORT, e.g. 10.96.12.34:80');
    console.log(`http://127.0.0.1:${await forwardToLoopback(target)}`);
  },
  urls: async () => printUrls(),
};

const main = async ([name = '', ...args]: string[]): Promise<number> => {
  const command = COMMANDS[name];
  if (command !== undefined) {
    const code = await command(args);
    return typeof code === 'number' ? code : 0;
  }
  console.log(HELP);
  return ['', 'help', '-h', '--help'].includes(name) ? 0 : 2;
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
