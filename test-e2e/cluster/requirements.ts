// Programs of the operating system that a native cluster needs; Debian and Ubuntu get them from us.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, succeeds } from './run.ts';
import { step } from './say.ts';

const PACKAGE_OF = {
  containerd: 'containerd',
  runc: 'runc',
  ctr: 'containerd',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
  buildah: 'buildah',
  mmdebstrap: 'mmdebstrap',
  '/usr/share/keyrings/debian-archive-keyring.gpg': 'debian-archive-keyring',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ethtool: 'ethtool',
  ip: 'iproute2',
  openssl: 'openssl',
  sysctl: 'procps',
} as const satisfies Record<string, string>;

const PATHS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
const isThere = (file: string): boolean =>
  file.startsWith('/') ? existsSync(file) : PATHS.some(path => existsSync(join(path, file)));

/** Checks that a native cluster can run here, and installs what is missing. Throws with what to do otherwise. */
export const ensureRequirements = async (): Promise<void> => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error('The native cluster needs Linux and root (try sudo -E). With docker or podman: CLUSTER=kind');
  }
  const missing = Object.entries(PACKAGE_OF).filter(([file]) => !isThere(file));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))];
  const list = packages.join(' ');
  if (!(await succeeds(['apt-get', '--version']))) {
    throw new Error(`Missing: ${missing.map(([file]) => file).join(', ')}. Install what Debian calls: ${list}`);
  }
  await step(`installing ${list}`, async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run(['apt-get', 'update'], { env });
    await run(['apt-get', 'install', '--yes', '--no-install-recommends', ...packages], { env });
  });
};
